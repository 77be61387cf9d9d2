"""What is told while another command runs."""

from __future__ import annotations

import errno
import sys

import pytest

from spigot.commands.talk import Talk
from support.stores import HandClock


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


@pytest.mark.parametrize("terminal", [False, True])
def test_who_does_not_hear_it_keeps_nobody_from_going_on(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> int:
        raise OSError(errno.EIO if terminal else errno.EPIPE, "gone")

    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setattr(sys.stderr, "write", gone)
    talk = Talk()
    talk.say("Valve ON.")
    with talk.bar(3) as show:
        show(1)
        talk.say("Jenkins: 503, starting")
