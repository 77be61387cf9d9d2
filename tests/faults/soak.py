"""``make soak``: a gateway goes through all that can happen, and everything it promised is checked.

``python -m faults.soak --minutes 60 --seed 7``. Exit status 1: a promise was broken; the evidence
is kept, and it says where.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from faults.plan import everything
from faults.run import Options, Soak
from faults.verdict import summarize


def main() -> int:
    """Run a soak and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rate", type=float, default=Options(0, 0).rate)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--summary", type=Path, default=None, help="where the summary goes, JSON")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(3))
    directory = given.directory or Path(tempfile.mkdtemp(prefix="spigot-soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"Soak with seed {seed} for {given.minutes:g} minutes in {directory}", flush=True)
    Soak(directory, everything(seed), Options(given.minutes * 60, seed, given.rate)).run()
    summary = summarize(directory)
    text = json.dumps(summary, indent=2)
    print(text)
    (given.summary or directory / "summary.json").write_text(text + "\n")
    if summary["violations"]:
        print(f"{summary['violations']} violations; the evidence is in {directory}")
        return 1
    if given.directory is None:
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
