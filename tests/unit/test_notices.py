"""Whose webhook asks for a notice, and what is said in each state."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from spigot.lane import Hold
from spigot.notices import (
    ACTIONS,
    LONGEST_DELAY,
    TEXT,
    Mode,
    Subject,
    Topic,
    clipped,
    comment_of,
    delay_after,
    held_because,
    is_comment,
    is_news,
    notice_of,
    place_of,
    subject_of,
)
from spigot.payloads import github_payloads
from spigot.sight import State as Jenkins
from spigot.valve import ValveRow
from spigot.webhook import State, Webhook
from support.stores import NOW, webhook

HOST = "api.github.com"
SHA = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
JSON = (b"content-type", b"application/json")


def payload(**changes: Any) -> dict[str, Any]:
    """Return what matters of a pull request's payload; a change names a way by two underscores."""
    value: dict[str, Any] = {
        "action": "opened",
        "pull_request": {"number": 12, "head": {"sha": SHA}, "title": "x"},
        "repository": {"full_name": "octo/hello"},
    }
    for way, changed in changes.items():
        *keys, last = way.split("__")
        inner = value
        for key in keys:
            inner = inner[key]
        inner[last] = changed
    return value


def sent(value: Any, *, event: str = "pull_request", headers: Any = (JSON,)) -> Webhook:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return webhook(event=event, headers=headers, body=body)


def topic(state: State = State.WAITING, *, told: str = "", **more: Any) -> Topic:
    subject = Subject("octo/hello", 12, SHA)
    made = Topic(
        f"octo/hello@{SHA}", subject, told, 0, 0, 0.0, "", state, "01J", "/github-webhook/", NOW,
        0, None,
    )  # fmt: skip
    return made._replace(**more)


# --- who asks --------------------------------------------------------------------------------


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_pull_request_with_something_to_build_asks(action: str) -> None:
    assert subject_of(sent(payload(action=action)), HOST) == Subject("octo/hello", 12, SHA)


def test_a_form_asks_too() -> None:
    body = b"payload=" + quote_plus(json.dumps(payload())).encode()
    headers = ((b"content-type", b"application/x-www-form-urlencoded"),)
    assert subject_of(sent(body, headers=headers), HOST) == Subject("octo/hello", 12, SHA)


def test_of_all_real_payloads_only_pull_requests_with_something_to_build_ask() -> None:
    asking: dict[str, set[str]] = {}
    for event, body in github_payloads():
        if subject_of(sent(body, event=event), HOST):
            asking.setdefault(event, set()).add(json.loads(body)["action"])
    # Comments, statuses and labels, so all that a notice causes itself, are not among them.
    assert asking == {"pull_request": {"opened", "reopened", "synchronize"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "labeled"},
        {"action": "closed"},
        {"action": ["opened"]},
        {"repository__full_name": "../.."},
        {"repository__full_name": "octo/.."},
        {"repository__full_name": "octo/."},
        {"repository__full_name": "octo/hello/../../user"},
        {"repository__full_name": "octo/hello?x="},
        {"repository__full_name": "octo/hello#"},
        {"repository__full_name": "octo/hel%2flo"},
        {"repository__full_name": "octo\r\nHost: evil/hello"},
        {"repository__full_name": "octo/hello\n"},
        {"repository__full_name": "octo"},
        {"repository__full_name": "-octo/hello"},
        {"repository__full_name": "öcto/hello"},
        {"repository__full_name": "o" * 300 + "/hello"},
        {"repository__full_name": 7},
        {"repository": []},
        {"pull_request": None},
        {"pull_request__number": "12"},
        {"pull_request__number": True},
        {"pull_request__number": 0},
        {"pull_request__number": -3},
        {"pull_request__number": 1.5},
        {"pull_request__number": 2**53},
        {"pull_request__head__sha": SHA + "\n"},
        {"pull_request__head__sha": SHA[:-1] + "/"},
        {"pull_request__head__sha": SHA[:-1]},
        {"pull_request__head__sha": SHA.upper()},
        {"pull_request__head__sha": {"sha": SHA}},
    ],
)
def test_what_is_not_of_the_strict_form_asks_for_nothing(changes: dict[str, Any]) -> None:
    assert subject_of(sent(payload(**changes)), HOST) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"7", b"\xff", b'{"action": NaN', b"[" * 100_000,
     b'{"action": ' + b"9" * 10_000 + b"}", json.dumps(payload(x="y" * 1024 * 1024)).encode()],
    ids=lambda body: str(body[:12]),
)  # fmt: skip
def test_what_cannot_be_read_asks_for_nothing(body: bytes) -> None:
    assert subject_of(sent(body), HOST) is None


@pytest.mark.parametrize("event", ["push", "status", "issue_comment", "pull_request_review", None])
def test_other_events_ask_for_nothing(event: str) -> None:
    assert subject_of(sent(payload(), event=event), HOST) is None


@pytest.mark.parametrize("provider", ["gitea", "gitlab", "bitbucket", "unknown"])
def test_other_providers_are_not_supported(provider: str) -> None:
    assert subject_of(sent(payload())._replace(provider=provider), HOST) is None


@pytest.mark.parametrize(
    ("host", "enterprise", "asks"),
    [
        (HOST, b"", True),
        (HOST, b"github.acme.example", False),
        ("github.acme.example", b"github.acme.example", True),
        ("github.acme.example", b"GitHub.acme.example", True),
        ("api.acme.ghe.example", b"acme.ghe.example", True),
        ("github.acme.example", b"acme.example.evil", False),
        ("github.acme.example", b"hub.acme.example", False),
    ],
)
def test_a_webhook_of_another_github_asks_for_nothing(
    host: str, enterprise: bytes, asks: bool
) -> None:
    headers = (JSON, *([(b"x-github-enterprise-host", enterprise)] if enterprise else []))
    assert (subject_of(sent(payload(), headers=headers), host) is not None) is asks


def test_a_status_has_the_place_of_its_head_and_a_comment_that_of_its_pull_request() -> None:
    subject = Subject("octo/hello", 12, SHA)
    assert place_of(subject, Mode.STATUS) == f"octo/hello@{SHA}"
    assert place_of(subject, Mode.COMMENT) == "octo/hello#12"
    assert not is_comment(place_of(subject, Mode.STATUS))
    assert is_comment(place_of(subject, Mode.COMMENT))


# --- what is news ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "told", "tries", "news"),
    [
        (State.WAITING, "", 0, True),
        (State.WAITING, "waiting", 0, False),
        (State.WAITING, "dead", 0, True),  # replayed
        (State.WAITING, "delivered", 0, True),  # held once more
        (State.DELIVERED, "", 0, False),  # it went through before anybody was told
        (State.DELIVERED, "", 1, True),  # and GitHub may have taken what was begun
        (State.DELIVERED, "waiting", 0, True),
        (State.DELIVERED, "delivered", 0, False),
        (State.DELIVERED, "delivered", 1, False),
        (State.DELIVERED, "dead", 0, True),
        (State.DEAD, "", 0, False),
        (State.DEAD, "waiting", 0, True),
        (State.DROPPED, "waiting", 0, True),
        (State.DROPPED, "dead", 0, True),
    ],
)
def test_news_is_what_was_told_otherwise(state: State, told: str, tries: int, news: bool) -> None:
    assert is_news(topic(state, told=told, tries=tries)) is news


# --- what is said ----------------------------------------------------------------------------

ON, OFF = ValveRow(), ValveRow(on=False)
HOLD = Hold("404 from <secret>", NOW, 0.0, 1, 0.0)


@pytest.mark.parametrize(
    ("valve", "jenkins", "hold", "why"),
    [
        (OFF, Jenkins.READY, None, "the valve is OFF"),
        (OFF._replace(reason="upgrade\n to 2.6"), Jenkins.NOT_READY, HOLD,
         "the valve is OFF (upgrade to 2.6)"),
        (ON, Jenkins.NOT_READY, HOLD, "Jenkins is not ready"),
        (ON, Jenkins.READY, HOLD, "/dockerhub-webhook/***/notify at Jenkins does not work now"),
        (ON, Jenkins.READY, None, "others are before it, or a try has failed"),
    ],
)  # fmt: skip
def test_a_held_webhook_says_why(
    valve: ValveRow, jenkins: Jenkins, hold: Hold | None, why: str
) -> None:
    assert held_because(valve, jenkins, "/dockerhub-webhook/sesame/notify", hold) == why


@pytest.mark.parametrize(
    ("state", "more", "word", "text"),
    [
        (State.WAITING, {}, "pending", "Kept for Jenkins, which hears of it later: it sleeps"),
        (State.DELIVERED, {"ended_at": NOW + 720.4}, "success",
         "Delivered to Jenkins after 12m"),
        (State.DELIVERED, {"ended_at": NOW - 5}, "success", "Delivered to Jenkins after 0s"),
        (State.DEAD, {"status": 404}, "error",
         "Not delivered to Jenkins: it answered 404. Spigot can replay it: 01J"),
        (State.DEAD, {}, "error",
         "Not delivered to Jenkins: it gave no answer. Spigot can replay it: 01J"),
        (State.DROPPED, {}, "error", "Not delivered to Jenkins: dropped by a person"),
    ],
)  # fmt: skip
def test_each_state_has_its_word_and_its_words(
    state: State, more: dict[str, Any], word: str, text: str
) -> None:
    assert notice_of(topic(state, **more), "it sleeps") == (word, text)


def test_a_text_is_never_longer_than_github_takes_and_stays_on_one_line() -> None:
    why = held_because(
        OFF._replace(reason="very\x1b[2J\u202e long " * 100), Jenkins.READY, "/", None
    )
    text = notice_of(topic(), why).text
    assert len(text) == TEXT
    assert text.isprintable()
    assert clipped("a\r\nb", 9) == "a b"


def test_in_a_comment_what_a_person_wrote_calls_nobody_and_formats_nothing() -> None:
    why = held_because(OFF._replace(reason="`@octo/all` <!--"), Jenkins.READY, "/", None)
    about = topic(place="octo/hello#12")
    assert comment_of(about, notice_of(about, why)) == (
        "<!-- spigot octo/hello#12 -->\n"
        "Spigot, the valve in front of Jenkins, about `ec26c3e`: **pending**. "
        "`Kept for Jenkins, which hears of it later: the valve is OFF ('@octo/all' <!--)`"
    )


def test_tries_come_less_and_less_often() -> None:
    delays = [delay_after(tries) for tries in range(1, 15)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (2.0, LONGEST_DELAY)
    assert delay_after(10_000) == LONGEST_DELAY
