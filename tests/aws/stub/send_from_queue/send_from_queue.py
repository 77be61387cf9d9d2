"""A Lambda of the tests that does nothing."""

from __future__ import annotations


def handler(event: object, context: object) -> None:
    """Do nothing."""
