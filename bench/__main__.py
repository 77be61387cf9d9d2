"""All rows in one run: ``make bench``, or ``python -m bench [--seconds N] [--out FILE]``.

Less than ten minutes on two cores, load generator included. It writes a JSON file, and, unless it
was a trial, ``docs/performance.md`` with its plots and the table of the README.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench import backlog, drain, intake, latency, machine, plan, report, stalls
from bench.results import COMMITTED, TRIAL, Results


def main() -> None:
    """Measure all, write it down, and show how it compares with what is to be reached."""
    parser = plan.parser(__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file to write")
    options = parser.parse_args()
    chosen = plan.plan(options)
    file = options.out or (TRIAL if chosen.trial else COMMITTED)
    began = time.monotonic()
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {
            **machine.describe(Path(tempfile.gettempdir())),
            "by itself": str(stalls.measure(chosen.seconds)),
        },
        "plan": chosen._asdict(),
        "intake": intake.measure(chosen),
        "latency": latency.measure(chosen),
        "drain": drain.measure(chosen),
        "backlog": backlog.measure(chosen),
        "took": round(time.monotonic() - began),
    }
    run = Results(found)
    run.write(file)
    if file == COMMITTED:
        report.write(run)
    print(report.block(run))
    print(f"Written to {file}, in {found['took']} s.", file=sys.stderr)


if __name__ == "__main__":
    main()
