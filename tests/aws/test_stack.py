"""The stack, deployed by `make deploy`, with both Lambdas running from their packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aws.bed import checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws.bed.deployed import Deployed
    from spigot.practice import PracticeJenkins


@pytest.mark.parametrize("check", checks.ALL, ids=lambda check: check.__name__)
def test_the_stack_does_what_it_has_to(
    check: Callable[[Deployed, PracticeJenkins], None], stack: Deployed, practice: PracticeJenkins
) -> None:
    check(stack, practice)
