"""Threads that work through pieces."""

from __future__ import annotations

import threading

import pytest

from spigot.pool import Pool

PATIENCE = 20.0


def test_a_piece_does_not_wait_behind_one_that_hangs() -> None:
    done: list[str] = []
    go_on, quick = threading.Event(), threading.Event()

    def work(piece: str) -> None:
        if piece == "hanging":
            go_on.wait(PATIENCE)
        else:
            quick.set()
        done.append(piece)

    pool: Pool[str] = Pool(work, lambda: None, most=4)
    for _ in range(20):
        go_on.clear()
        quick.clear()
        pool.give("hanging")
        pool.give("quick")
        assert quick.wait(PATIENCE)
        go_on.set()
    pool.close()


def test_without_a_thread_a_piece_is_not_taken_and_the_next_try_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = threading.Event()
    pool: Pool[str] = Pool(lambda _: done.set(), lambda: None, most=4)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            pool.give("one")
    pool.give("two")
    assert done.wait(PATIENCE)
    pool.close()


def test_a_thread_goes_on_with_what_follows() -> None:
    rest, done, over = ["b", "c"], [], threading.Event()

    def work(piece: str) -> None:
        done.append(piece)
        if piece == "c":
            over.set()

    pool: Pool[str] = Pool(work, lambda: rest.pop(0) if rest else None, most=1)
    pool.give("a")
    assert over.wait(PATIENCE)
    assert done == ["a", "b", "c"]
    pool.close()
