"""What is told while another command runs."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import pytest

from spigot.commands.talk import Talk
from support.stores import HandClock

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_sentence_is_one_line_on_standard_error_as_it_stands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Talk().say("[bold]:smile: " + "x" * 300)
    assert capsys.readouterr() == ("", "[bold]:smile: " + "x" * 300 + "\n")


def test_without_a_terminal_the_bar_is_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = HandClock()
    with Talk(clock.monotonic).bar(30) as show:
        for done in range(30):
            show(done)
            clock.advance(1)
    assert capsys.readouterr().err == "Delivering: 10 of 30\nDelivering: 20 of 30\n"


def test_on_a_terminal_the_bar_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    talk = Talk()
    with talk.bar(30) as show:
        show(12)
        talk.say("Jenkins: 503, starting")
    drawn = capsys.readouterr().err
    assert "Delivering" in drawn
    assert "12/30" in drawn
    assert "Jenkins: 503, starting\n" in drawn


@contextlib.contextmanager
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Have a pipe as standard error; yields the end from which it is read."""
    out, into = os.pipe()
    os.set_blocking(into, False)
    with os.fdopen(into, "w", encoding="utf-8") as stderr, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        yield out


@pytest.mark.parametrize("terminal", [False, True])
def test_who_does_not_hear_it_keeps_nobody_from_going_on(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with heard(monkeypatch) as out:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        os.close(out)
        talk = Talk()
        talk.say("Valve ON.")
        with talk.bar(3) as show:
            show(1)
            talk.say("Jenkins: 503, starting")
        sys.stderr.flush()  # as Python does at the end: nothing is left that fails


def test_what_could_not_be_said_for_a_moment_is_said_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with heard(monkeypatch) as out:
        with contextlib.suppress(BlockingIOError):
            for _ in range(10_000):
                os.write(sys.stderr.fileno(), b"." * 4096)
        talk = Talk()
        talk.say("Valve OFF.")
        os.read(out, 1024**2)
        talk.say("Valve ON.")
        sys.stderr.flush()
        assert os.read(out, 65536) == b"Valve OFF.\nValve ON.\n"
        os.close(out)
