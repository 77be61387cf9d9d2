"""The table of what SQS cannot names tests that there are."""

from __future__ import annotations

import ast
from pathlib import Path

from contract.sqs_cannot import CANNOT


def test_every_test_that_is_left_out_on_sqs_is_there() -> None:
    names = {
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert set(CANNOT) <= names
