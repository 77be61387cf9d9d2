"""Fixtures of the tests that trace a gateway."""

from __future__ import annotations

import pytest

from support.strace import why_no_strace


@pytest.fixture(scope="session")
def tracing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip what needs strace where it is missing or may not trace."""
    if reason := why_no_strace(tmp_path_factory.mktemp("strace")):
        pytest.skip(reason)
