"""A command in the foreground, and the signals that ask it and us to end."""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

from spigot.commands import child
from spigot.commands.child import Signals, Stopped, run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_signal_is_kept_until_the_next_pause_and_told_once() -> None:
    with Signals() as signals:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Stopped, match="Stopped by SIGTERM") as stopped:
            signals.pause(60)
        assert stopped.value.number == signal.SIGTERM
        with pytest.raises(Stopped, match="SIGINT"):
            signals.pause(60)
        signals.pause(0)


def test_afterwards_all_is_as_it_was_and_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        with Signals() as signals:
            assert signal.getsignal(signal.SIGTERM) is not handlers[signal.SIGTERM]
            signal.raise_signal(signal.SIGHUP)
            signals.pause(0)
        assert {number: signal.getsignal(number) for number in handlers} == handlers
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_command_is_watched_until_it_ends(tmp_path: Path) -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        (tmp_path / "looked").touch()

    script = "while [ ! -e looked ]; do :; done; exit 3"
    with Signals() as signals:
        ended = run(["env", "-C", str(tmp_path), "sh", "-c", script], signals, look)
    assert ended == (3, None)
    assert looks


def test_a_signal_that_comes_with_the_end_of_the_command_is_not_missed() -> None:
    class Late(Signals):
        def pause(self, seconds: float) -> None:
            if not seconds:
                os.kill(os.getpid(), signal.SIGINT)
            super().pause(seconds)

    with Late() as signals:
        ended = run([sys.executable, "-c", ""], signals, lambda: None)
    assert ended.status == 0
    assert ended.stopped is not None
    assert ended.stopped.number == signal.SIGINT


def test_a_command_that_does_not_end_when_it_was_told_to_is_left_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_GRACE", 0.0)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = f"trap '' TERM; : > {tmp_path}/begun; read line < {gate}"

    def ask_once_it_has_begun() -> None:
        if (tmp_path / "begun").exists():
            signal.raise_signal(signal.SIGTERM)

    with Signals() as signals:
        ended = run(["sh", "-c", script], signals, ask_once_it_has_begun)
    assert ended.status is None
    assert str(ended.stopped) == "Stopped by SIGTERM."
    gate.write_text("\n")
    with warnings.catch_warnings():  # that it is left is what it is about
        warnings.simplefilter("ignore", ResourceWarning)
        del ended
        gc.collect()
