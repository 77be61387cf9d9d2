"""How long a Lambda's package takes to import under AWS's runtime client, as at a cold start.

    .venv/bin/python -m bench.lambda_import [--runs 21]

Each run is a fresh interpreter of the runtime's version (`.venv-aws`, which `make test-aws` makes)
that has imported awslambdaric already, as in Lambda. A package has no compiled files, so
that compiling is part of it. Prints the packages' sizes and the processor time: the median, and
the least, which says more where others use the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from bench import ROOT

HOME = ROOT / ".venv-aws"

SCRIPT = """
import sys, time
import awslambdaric.bootstrap
begun = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - begun)
"""


def main() -> None:
    """Import each package again and again, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as folder:
        pack = [sys.executable, str(ROOT / "utils" / "package.py"), "--dist", folder]
        subprocess.run(pack, timeout=60, check=True)
        for path in sorted(Path(folder).glob("*.zip")):
            code = Path(folder) / path.stem
            with zipfile.ZipFile(path) as archive:
                archive.extractall(code)
            times = sorted(once(path.stem, code) for _ in range(runs))
            median = statistics.median(times)
            print(f"{path.stem}: {median * 1000:.0f} ms, {times[0] * 1000:.0f} ms at least")


def once(name: str, code: Path) -> float:
    """Import a package in a fresh interpreter; return the processor time in seconds."""
    done = subprocess.run(
        [HOME / "bin" / "python", "-c", SCRIPT, name],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE, timeout=60, check=True,
    )  # fmt: skip
    return float(done.stdout)


if __name__ == "__main__":
    main()
