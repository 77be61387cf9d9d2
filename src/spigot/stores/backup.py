"""Copies of the whole store in one file: made while a gateway runs, and put back where none is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from spigot.errors import StoreError
from spigot.stores import database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


STEP_PAGES = 64
"""Pages (256 KiB) that are copied between two syncs of the copy."""


class Copy(NamedTuple):
    """What a copy holds.

    Attributes:
        webhooks: All webhooks in it.
        waiting: Those of them that wait.
        size: Bytes of the file.
    """

    webhooks: int
    waiting: int
    size: int


def back_up(directory: Path, file: Path, *, force: bool = False) -> Copy:
    """Copy a store into one file, as it stands at one moment after this was called.

    All that was answered before is in it. A gateway goes on taking webhooks in: SQLite's readers
    do not stop its writer (sqlite.org/wal.html); until the copy is made the log grows.

    Args:
        directory: The data directory.
        file: The new file; it appears only once it is whole, checked and synced.
        force: Replace a file that is there.

    Raises:
        StoreError: There is no store, the file is there already or cannot be written, or the copy
            is damaged; no file was left or replaced.
    """
    if file.exists() and not force:
        raise _there_already(file)
    path = database.prepare(directory, create=False)
    return _copy(path, file, force=force)


def restore(file: Path, directory: Path) -> Copy:
    """Put a backup into a data directory that has no store yet.

    Args:
        file: What `back_up` made.
        directory: The data directory; it is made where it is missing.

    Raises:
        StoreError: The file is no backup of Spigot's, or of a newer version; there is a store in
            the directory already, or it cannot be written. Nothing was overwritten.
    """
    path = directory / "spigot.db"
    if any(directory.glob("spigot.db*")):  # a log without its database would be played into ours
        raise StoreError(
            f"There is a store in {directory} already, and it may hold webhooks. Name an empty "
            "directory with --data, or stop Spigot and move the store away."
        )
    if not file.is_file():
        raise StoreError(f"There is no file {file}.")
    try:
        if not database.check(file):
            raise StoreError(
                f"{file} is empty: it is no backup. Name one that `spigot backup` made."
            )
        database.make_directory(directory)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(database.explain(error, file)) from error
    copy = _copy(file, path, force=False)
    database.prepare(directory, create=False)
    return copy


def _copy(source: Path, target: Path, *, force: bool) -> Copy:
    part = target.with_name(target.name + ".part")
    with _explained(part):
        try:
            with (
                contextlib.closing(sqlite3.connect(source, timeout=database.BUSY_SECONDS)) as db,
                contextlib.closing(sqlite3.connect(_fresh(part))) as copy,
            ):
                _copy_pages(db, copy, part)
                # A copy of a database with a log wants one too; a backup is one file.
                copy.execute("PRAGMA journal_mode = DELETE")
                (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
                if found != "ok":
                    raise StoreError(f"The copy is damaged, and so is {source}: {found}")
                webhooks, waiting = copy.execute(
                    "SELECT (SELECT count(*) FROM webhooks), waiting FROM totals"
                ).fetchone()
            _sync(part)
            if force:
                part.replace(target)
            else:
                os.link(part, target)  # unlike a rename, it replaces nothing
            _sync(target.parent)
        except FileExistsError:
            raise _there_already(target) from None
        finally:
            part.unlink(missing_ok=True)
        return Copy(webhooks, waiting, target.stat().st_size)


def _copy_pages(db: sqlite3.Connection, copy: sqlite3.Connection, part: Path) -> None:
    """Copy a database as it is now, in steps; each is on disk before the next is made.

    One sync at the end would have the file system write all of it at once, and each commit of a
    gateway on the same disk would wait for that.
    """
    # Nothing of an unfinished copy is worth a journal or much memory.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -256"):
        copy.execute(f"PRAGMA {pragma}")
    # Without a transaction around the steps, each commit meanwhile would start the copy anew.
    db.execute("BEGIN")
    db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    descriptor = os.open(part, os.O_RDWR)
    try:
        db.backup(copy, pages=STEP_PAGES, progress=lambda *_: os.fdatasync(descriptor), sleep=0)
    finally:
        os.close(descriptor)
    db.execute("COMMIT")


def _there_already(file: Path) -> StoreError:
    return StoreError(f"{file} is there already. Name another file, or replace it with --force.")


def _fresh(part: Path) -> Path:
    """Make an empty file that only its owner can read; one left by a crash is of no use."""
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    return part


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"Cannot write {path}: {error.strerror or error}.") from error
    except sqlite3.Error as error:
        raise StoreError(f"Cannot write {path}: {error}.") from error
