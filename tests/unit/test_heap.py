import subprocess
import sys

import pytest

SCATTERED = """
from pathlib import Path
from spigot.heap import give_back_large_blocks

def in_use():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

give_back_large_blocks()
bytes(b"x") * 4_000_000
before = in_use()
blocks = [b"x" * 2_000_000 for _ in range(40)]
del blocks[:-1]
print(in_use() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it does something on Linux only")
def test_of_many_large_blocks_only_those_that_are_left_take_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCATTERED], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 10_000
