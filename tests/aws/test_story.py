"""A maintenance window on AWS, from a checkout to an empty account, as its user lives through it.

``STORY_PAYLOADS=329`` sends all of GitHub's example payloads in each phase, not just some; with
``-s`` it says how long each took.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from aws.bed.checkout import Checkout
from aws.bed.live import PATIENCE, Live
from spigot.payloads import github_payloads
from spigot.practice.pages import Phase
from support.checker import PERFECT, compare, key_of
from support.provider import github, send_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aws.bed.emulator import Emulator
    from spigot.practice import PracticeJenkins
    from support.provider import Request

PAYLOADS = int(os.environ.get("STORY_PAYLOADS", "40"))
STACK = "story"
TICK = 150.0
"""Seconds within which a rule that ticks each minute has ticked, and what it started has ended."""


@pytest.fixture
def user(emulator: Emulator, jenkins: PracticeJenkins, tmp_path: Path) -> Checkout:  # noqa: ARG001
    """Somebody with a checkout, an account, and a Jenkins."""
    return Checkout(
        tmp_path / "checkout", TARGET_URL=jenkins.url, SPIGOT_S3_BUCKET="story-code",
        SPIGOT_STACK=STACK, SPIGOT_DATA=f"aws://{STACK}",
    )  # fmt: skip


def real_webhooks() -> Iterator[Request]:
    """Yield webhooks with real payloads, evenly picked out of all, with new delivery ids."""
    examples = github_payloads()
    for number in range(PAYLOADS):
        example = examples[number * len(examples) // PAYLOADS]
        odd = (("X-Odd", "it's \"so\" \\' \\"),) if number % 10 == 0 else ()
        yield github(example.event, example.body, form=number % 5 == 0, extra=odd)


def test_a_maintenance_window_from_the_checkout_to_the_last_webhook(
    user: Checkout, jenkins: PracticeJenkins
) -> None:
    with told("make package, make deploy"):
        deployed(user)
    with Live(STACK) as stack:
        with told(f"ON: {PAYLOADS} forwarded"):
            on_goes_to_jenkins(stack, jenkins)
        a_hostile_query_closes_no_valve(stack, jenkins)
        with told(f"OFF: {PAYLOADS} kept"):
            toggle(user, "OFF")
            kept = sent(stack, list(real_webhooks()), "stored")
        assert jenkins.hooks == []
        assert stack.waiting() == len(kept)
        jenkins.phase = Phase.DOWN
        toggle(user, "ON")
        with told(f"ON, Jenkins down: {PAYLOADS} kept"):
            kept += sent(stack, list(real_webhooks()), "stored")
        poisoned = badly_signed()
        kept += sent(stack, [poisoned], "stored")
        assert stack.waiting() == len(kept)
        jenkins.boot()
        jenkins.phase = Phase.READY
        with told(f"Jenkins up: {len(kept)} delivered by the rule"):
            wait_until_nothing_waits(stack)
        assert compare(kept, jenkins.hooks) == PERFECT
        the_refused_is_dead_with_its_reason(user, stack, jenkins, poisoned)
        removed(stack)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Print how long something took, for ``pytest -s``."""
    start = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - start:.1f} s")


def deployed(user: Checkout) -> None:
    """Make the packages and the stack."""
    assert user.make("package").returncode == 0
    made = user.make("deploy", "ARGS=--create-bucket")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Paste this at the provider:  https://" in made.stdout


def on_goes_to_jenkins(stack: Live, jenkins: PracticeJenkins) -> None:
    """While the valve is ON, every webhook is at Jenkins as it was sent when it is answered."""
    webhooks = sent(stack, list(real_webhooks()), "forwarded")
    assert compare(webhooks, jenkins.hooks) == PERFECT
    assert stack.waiting() == 0
    jenkins.clear()


def a_hostile_query_closes_no_valve(stack: Live, jenkins: PracticeJenkins) -> None:
    """A query that looks like JSON is a query."""
    query = "from_queue=x%22%2C%22spigot_state%22%3A%22OFF"
    hostile = github("push", b"{}", target=f"/github-webhook/?{query}")
    good = github("push", b"{}")
    sent(stack, [hostile, good], "forwarded")
    assert [key_of(visit) for visit in jenkins.hooks] == [hostile.key, good.key]
    jenkins.clear()


def badly_signed() -> Request:
    """Return a webhook that Jenkins refuses with 400: its signature is of another secret."""
    good = github("push", b'{"repository": {"full_name": "acme/poison"}}')
    signature = ("X-Hub-Signature-256", f"sha256={'0' * 64}")
    rest = [line for line in good.headers if not line[0].startswith("X-Hub-Signature")]
    return good._replace(headers=(*rest, signature))


def the_refused_is_dead_with_its_reason(
    user: Checkout, stack: Live, jenkins: PracticeJenkins, poisoned: Request
) -> None:
    """What Jenkins refused is found with what Jenkins said; replayed, it is refused again."""
    (dead,) = listed(user)
    assert dead["delivery"] == poisoned.key
    assert "400" in dead["reason"]
    assert "No valid signature" in dead["reason"]
    jenkins.clear()
    replayed = user.spigot("replay", dead["id"])
    assert replayed.returncode == 0, replayed.stderr
    stack.drain()
    wait_until_nothing_waits(stack)
    assert len(listed(user)) == 1
    assert compare([poisoned], jenkins.hooks) == PERFECT


def listed(user: Checkout) -> list[dict[str, Any]]:
    """Return the dead letters as the command has them."""
    done = user.spigot("list", "--state", "dead", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def sent(stack: Live, webhooks: list[Request], status: str) -> list[Request]:
    """Send webhooks as a provider does, and see that each is promised and so much is done."""
    staged = [one._replace(target="/prod" + one.target) for one in webhooks]
    answers = send_over(stack.gateway.port, staged, 4, timeout=PATIENCE)
    assert [one.answer for one in answers if one.answer.status != 200] == []
    assert {one.answer.body["status"] for one in answers} == {status}
    return webhooks


def toggle(user: Checkout, state: str) -> None:
    """Turn the valve."""
    done = user.python("utils/toggle_spigot.py", "--toggle-state", state)
    assert done.returncode == 0, done.stderr
    assert f"The valve of {STACK} is {state}" in done.stdout


def wait_until_nothing_waits(stack: Live) -> None:
    """Wait for the rule's next tick, and for what it starts."""
    end = time.monotonic() + TICK
    while stack.waiting():
        assert time.monotonic() < end, f"{stack.waiting()} still wait"
        time.sleep(0.2)


def removed(stack: Live) -> None:
    """Delete the stack; what may hold webhooks is left."""
    formation = boto3.client("cloudformation")
    formation.delete_stack(StackName=STACK)
    formation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    for queue in ("QueueUrl", "DeadLetterUrl"):
        stack.sqs.get_queue_attributes(QueueUrl=stack.outputs[queue])
    stack.s3.head_bucket(Bucket=stack.outputs["CredentialsBucketName"])
