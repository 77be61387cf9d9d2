"""docs/aws.md names what the template has: no more, and no less."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from aws.bed.cloudformation import Template
from aws.bed.deployed import ROOT, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Template(TEMPLATE)
TEXT = (ROOT / "docs" / "aws.md").read_text("utf-8")


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of each table row below a heading."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_parameter_is_there_with_its_default() -> None:
    said: dict[str, str] = {}
    for cells in rows("Parameters and outputs"):
        if len(cells) == 3:
            said |= dict.fromkeys(names(cells[0]), cells[1].strip("`"))
    has = {name: str(one.get("Default", "")) for name, one in DATA.data["Parameters"].items()}
    assert said == has


def test_every_output_is_there() -> None:
    said = [
        name
        for cells in rows("Parameters and outputs")
        if len(cells) == 2
        for name in names(cells[0])
    ]
    assert sorted(said) == sorted(DATA.data["Outputs"])


@pytest.mark.parametrize(
    ("holder", "policy"),
    [
        ("process_webhooks", "ProcessWebhooksRole"),
        ("send_from_queue", "SendFromQueueRole"),
        ("DrainPolicy", "DrainPolicy"),
    ],
)
def test_every_permission_is_there(holder: str, policy: str) -> None:
    said: dict[str, list[str]] = {}
    whose = ""
    for cells in rows("Who may do what"):
        whose = (names(cells[0]) or [whose])[0] if cells[0] else whose
        said.setdefault(whose, []).extend(re.findall(r"`([a-z0-9]+:\w+)`", cells[1]))
    assert sorted(said[holder]) == sorted(action for action, _ in DATA.allowed(policy))


def test_every_alarm_is_there() -> None:
    said = [name for cells in rows("Alarms and logs") for name in names(cells[0])]
    assert sorted(said) == sorted(DATA.of_type("CloudWatch::Alarm"))
