"""How long a Lambda's package takes to import under AWS's runtime client, as at a cold start.

    .venv/bin/python bench/lambda_import.py [--runs 21]

Each run is a fresh interpreter of the runtime's version (`.venv-aws`) that has imported awslambdaric
already, as it has in Lambda. A package has no compiled files, so compiling is part of it. Prints
medians of the processor time and the wall clock, the package's size, and what of boto3 came along.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "utils")]

import package
from aws.bed.emulator import HOME

SCRIPT = """
import json, sys, time
import awslambdaric.bootstrap
clocks = time.process_time, time.perf_counter
begun = [clock() for clock in clocks]
__import__(sys.argv[1])
took = [clock() - start for clock, start in zip(clocks, begun)]
print(json.dumps([*took, "boto3" in sys.modules]))
"""


def main() -> None:
    """Import each package again and again, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="spigot-bench-") as folder:
        for path in package.build(ROOT / "lambdas", Path(folder)):
            code = Path(folder) / path.stem
            with zipfile.ZipFile(path) as archive:
                archive.extractall(code)
            times = [once(path.stem, code) for _ in range(runs)]
            cpu, wall = (statistics.median(one[at] for one in times) * 1000 for at in (0, 1))
            print(f"{path.stem}: {cpu:.0f} ms of processor, {wall:.0f} ms in all, "
                  f"{'with' if times[0][2] else 'without'} boto3")  # fmt: skip


def once(name: str, code: Path) -> tuple[float, float, bool]:
    """Import a package in a fresh interpreter; return processor and wall time in seconds."""
    done = subprocess.run(
        [HOME / "bin" / "python", "-c", SCRIPT, name],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE, timeout=60, check=True,
    )  # fmt: skip
    cpu, wall, boto3 = json.loads(done.stdout)
    return cpu, wall, boto3


if __name__ == "__main__":
    main()
