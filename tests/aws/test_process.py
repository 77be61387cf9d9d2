"""To Jenkins while the valve is ON and Jenkins takes it, into the queue otherwise."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from spigot.aws.process import NotTaken, Process
from spigot.errors import Refused, StoreError
from spigot.hooks import Hooks
from spigot.intake import Intake
from spigot.webhook import Happened, Outcome
from support.stores import HandClock

if TYPE_CHECKING:
    from spigot.ports import Asked
    from spigot.webhook import Webhook

OK = Outcome(Happened.ANSWERED, 200)


class World:
    """A Jenkins that answers as it is told, and a queue."""

    def __init__(self) -> None:
        self.outcome = OK
        self.sent: list[Webhook] = []
        self.kept: list[Webhook] = []
        self.full = False
        self.broken = False
        self.intake = Intake(Hooks(), {}, context="/jenkins", clock=HandClock())
        self.process = Process(self.intake, self, self.keep)

    def send(self, webhook: Webhook) -> Outcome:
        self.sent.append(webhook)
        if self.broken:
            raise RuntimeError("a fault")
        return self.outcome

    def ask(self, method: str, path: str, headers: dict[str, str]) -> Asked:
        raise AssertionError((method, path, headers))

    def keep(self, webhook: Webhook) -> None:
        if self.full:
            raise StoreError("The queue is not there.")
        self.kept.append(webhook)

    def handle(self, **fields: Any) -> dict[str, str]:
        event = {
            "spigot_state": "ON",
            "from_queue": "",
            "method": "POST",
            "path": "/github-webhook/",
            "query": {},
            "body": base64.b64encode(b'{"repository": {"full_name": "acme/app"}}').decode(),
            "encoding": "base64",
            "headers": {"X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1"},
        }
        return self.process.handle(event | fields)


@pytest.fixture
def world() -> World:
    return World()


def test_while_it_is_on_jenkins_gets_it_and_the_queue_does_not(world: World) -> None:
    answer = world.handle()
    assert answer == {"status": "forwarded", "id": world.sent[0].id}
    assert world.kept == []
    assert (world.sent[0].lane, world.sent[0].delivery) == ("/github-webhook/ acme/app", "d-1")


def test_while_it_is_off_the_queue_gets_it_and_jenkins_does_not(world: World) -> None:
    answer = world.handle(spigot_state="OFF")
    assert answer == {"status": "stored", "id": world.kept[0].id}
    assert world.sent == []


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Happened.NO_CONNECTION, error="connection refused"),
        Outcome(Happened.BROKEN, error="timed out"),
        Outcome(Happened.ANSWERED, 503),
        Outcome(Happened.ANSWERED, 403),
        Outcome(Happened.ANSWERED, 404),
        Outcome(Happened.ANSWERED, 302, location="/login"),
        Outcome(Happened.ANSWERED, 400, answer=b"Hook should contain payload"),
        Outcome(Happened.ANSWERED, 200, content_type="text/html", length=99),
    ],
    ids=lambda outcome: outcome.error or str(outcome.status),
)
def test_what_jenkins_does_not_take_goes_into_the_queue(world: World, outcome: Outcome) -> None:
    world.outcome = outcome
    assert world.handle()["status"] == "stored"
    assert world.kept == world.sent


def test_what_comes_from_the_queue_goes_there_never_again(world: World) -> None:
    assert world.handle(from_queue="true", spigot_state="OFF")["status"] == "forwarded"
    world.outcome = Outcome(Happened.ANSWERED, 503)
    with pytest.raises(NotTaken, match="did not take"):
        world.handle(from_queue="true")
    assert world.kept == []


def test_a_ping_is_taken(world: World) -> None:
    assert world.handle(headers={"X-GitHub-Event": "ping"})["status"] == "forwarded"


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/webhooks", "/github-webhook/"),
        ("/github-webhook", "/github-webhook/"),
        ("/jenkins/github-webhook/", "/github-webhook/"),
        ("/jenkins/github-webhook", "/github-webhook/"),
        ("/gitea-webhook/post", "/gitea-webhook/post"),
    ],
)
def test_the_paths_are_those_of_the_contract_and_a_lost_slash_is_put_back(
    world: World, path: str, reached: str
) -> None:
    world.handle(path=path)
    assert world.sent[0].path == reached


def test_an_event_of_the_older_template_still_works(world: World) -> None:
    world.process.handle(
        {
            "spigot_state": "ON",
            "from_queue": "",
            "body": {"repository": {"full_name": "acme/app"}},
            "headers": {"X-GitHub-Event": "push"},
        }
    )
    assert world.sent[0].lane == "/github-webhook/ acme/app"


@pytest.mark.parametrize("path", ["/login", "/script", "/script/"])
def test_what_is_no_hook_is_refused_by_its_own_name(world: World, path: str) -> None:
    with pytest.raises(Refused, match=f"^{path} is not a hook path"):
        world.handle(path=path)
    assert (world.sent, world.kept) == ([], [])


def test_what_cannot_even_be_sent_goes_into_the_queue(world: World) -> None:
    world.broken = True
    assert world.handle()["status"] == "stored"
    assert world.kept == world.sent


def test_where_no_way_leads_to_jenkins_everything_goes_into_the_queue(world: World) -> None:
    world.process = Process(world.intake, None, world.keep)
    assert world.handle()["status"] == "stored"
    assert (world.sent, len(world.kept)) == ([], 1)
    with pytest.raises(NotTaken, match="spigot drain"):
        world.handle(from_queue="true")
    assert len(world.kept) == 1


def test_what_cannot_be_kept_is_not_promised(world: World) -> None:
    world.full = True
    with pytest.raises(StoreError):
        world.handle(spigot_state="OFF")
