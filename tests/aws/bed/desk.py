"""The commands as somebody types them, on a stack of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws.bed import checks
from support.commands import run
from support.provider import github

if TYPE_CHECKING:
    from click.testing import Result

    from aws.bed.deployed import Deployed
    from spigot.practice import PracticeJenkins

NAME = "commands"
DATA = ("--data", f"aws://{NAME}")


def spigot(command: str, *words: str) -> Result:
    return run(command, *DATA, *words)


def done(command: str, *words: str) -> str:
    result = spigot(command, *words)
    assert result.exit_code == 0, result.output
    return result.stdout


def json_of(command: str, *words: str) -> Any:
    return json.loads(done(command, *words, "--json"))


def poison(stack: Deployed, jenkins: PracticeJenkins, number: int = 1) -> None:
    """Have webhooks kept that Jenkins refuses, and drain them: their signature is forged."""
    done("off", "--no-wait")
    stack.rest()
    for at in range(number):
        body = json.dumps({"repository": {"full_name": "acme/widget"}, "number": at}).encode()
        signed = github("push", checks.PUSH, key=f"poison-{at}")
        assert stack.send(signed._replace(body=body)).body["status"] == "stored"
    done("on")
    drain(stack)
    jenkins.clear()


def drain(stack: Deployed) -> None:
    """Drain until nothing waits: one that was roused may have the lane in its hand meanwhile."""
    stack.drain()
    for _ in range(50):
        if not stack.waiting():
            return
        stack.drain()
    assert stack.waiting() == 0


def numbers(jenkins: PracticeJenkins) -> list[int]:
    """Return what Jenkins was sent, by number."""
    return [json.loads(one.body)["number"] for one in jenkins.hooks]
