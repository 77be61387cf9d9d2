"""Benchmarks: ``make bench`` runs all rows of ``docs/performance.md``; each runs by itself too.

Run them from the repository's root, as ``.venv/bin/python -m bench.intake`` for example. What they
share with the tests, real processes and real requests, is in ``tests``, packaging in ``utils``.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "utils")]
