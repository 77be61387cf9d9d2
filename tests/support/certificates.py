"""Certificates of 127.0.0.1 for tests, signed by themselves."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Pair(NamedTuple):
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    def replace(self, other: Pair) -> None:
        """Put another pair in the place of this one."""
        shutil.copy(other.certificate, self.certificate)
        shutil.copy(other.key, self.key)


def make_pair(directory: Path, name: str) -> Pair:
    """Return a new pair in a directory; the test is skipped where there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", str(pair.key), "-out", str(pair.certificate),
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return pair
