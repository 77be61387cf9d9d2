"""The SQLite file: how it is opened, checked, migrated and locked."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import sqlite3
import time
from importlib import resources
from typing import TYPE_CHECKING

from spigot.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized
    from pathlib import Path

APPLICATION_ID = 0x53706967
"""Marks the file as ours, so that nobody else's database is ever written to ("Spig")."""

BUSY_SECONDS = 10.0
"""How long a connection waits for another process's transaction; those are kept short."""


def connect(path: Path, *, cache_kib: int = 1024) -> sqlite3.Connection:
    """Open one connection, usable from any thread that has the right to it.

    ``synchronous=FULL`` makes SQLite sync the write-ahead log at each commit, before it says that
    the commit is done (sqlite.org/pragma.html#pragma_synchronous).
    """
    db = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    _set_wal(db)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA temp_store = MEMORY")
    # Some builds overwrite with zeros whatever is deleted, and sync that too.
    db.execute("PRAGMA secure_delete = FAST")
    db.execute(f"PRAGMA cache_size = -{cache_kib}")
    return db


def _set_wal(db: sqlite3.Connection) -> None:
    """Set the journal mode; only here SQLite itself does not wait for other processes."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one immediate transaction: all of it is committed and synced, or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def prepare(directory: Path, *, create: bool) -> Path:
    """Make sure that `directory` holds a database of the current version, and return its path.

    Args:
        directory: The data directory.
        create: Make directory and database where they are missing.

    Raises:
        StoreError: It cannot be read or made, is no SQLite database, is not Spigot's, or is of a
            newer version. Nothing was overwritten.
    """
    path = directory / "spigot.db"
    try:
        if create:
            make_directory(directory)
        if not path.exists() and not create:
            raise StoreError(
                f"There is no Spigot store in {directory}. Start `spigot serve` once, or name "
                "the right directory with --data or SPIGOT_DATA."
            )
        if path.exists():
            check(path)
        with contextlib.closing(connect(path)) as db:
            _migrate(db, path)
            path.chmod(0o600)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(explain(error, path)) from error
    return path


def explain(error: BaseException, path: Path) -> str:
    """Say in one line what an error of the database means to whoever runs Spigot."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return (
            f"{path} is not an SQLite database. Move it away, or name another data directory; "
            "nothing was written."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return f"{path} is damaged ({error}). Stop Spigot, then restore a backup or move it away."
    if code == sqlite3.SQLITE_FULL:
        return f"No room to write {path} ({error}). Free some disk space."
    if code in _BUSY:
        return (
            f"{path} is in use: another process has been writing to it for {BUSY_SECONDS:.0f} "
            "seconds. Find out which one, and try again."
        )
    if isinstance(error, OSError):
        return f"Cannot use the data directory {path.parent}: {error.strerror or error}."
    if not isinstance(error, sqlite3.Error):
        return f"Nothing was written to {path}, by a fault of Spigot: {error!r}. Please report it."
    return f"Cannot use {path}: {error}. It must lie in a writable directory on a local disk."


def is_full(error: BaseException) -> bool:
    """Tell whether a database error comes from a full disk or a used-up quota.

    SQLite calls a lack of room by other names too: where the quota is used up, and where the index
    of the write-ahead log cannot grow (sqlite.org/rescode.html).
    """
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code in _NO_ROOM


def is_busy(error: BaseException) -> bool:
    """Tell whether a database error means that another process kept its lock for too long."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


_NO_ROOM = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class ServeLock:
    """At most one gateway serves a data directory; the kernel frees the lock whatever happens."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "serve.lock"
        self._file: int | None = None

    def take(self, patience: float = 1.0) -> None:
        """Take the lock and keep it until the process ends.

        Args:
            patience: Seconds to wait, since a command that asks `held` touches the lock briefly.

        Raises:
            StoreError: Another gateway has it.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(explain(error, self._path)) from error
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < end:
                    time.sleep(0.05)
                    continue
                pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                os.close(descriptor)
                raise StoreError(
                    f"Another `spigot serve` (process {pid}) already uses {self._path.parent}. "
                    "Stop it first, or give this one its own --data directory."
                ) from None
            except OSError as error:
                os.close(descriptor)
                raise StoreError(explain(error, self._path)) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._file = descriptor

    def held(self) -> bool:
        """Tell whether a gateway serves this directory now."""
        if self._file is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def make_directory(directory: Path) -> None:
    """Make a data directory that only its owner can read, durably; fine if it is there."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The new names must outlive a power cut as surely as what is stored below them.
    for path in missing:
        parent = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def check(path: Path) -> int:
    """Refuse a file that is not ours to touch, without changing a byte of it or beside it.

    Returns:
        The version of its schema; 0 for an empty one.

    Raises:
        StoreError: It is another program's database, or a newer Spigot's.
        sqlite3.Error: It is no database, or cannot be read.

    Any other way of opening would already roll back a journal, copy a log into the file, or make
    files beside it. Where there is a log it has to be read too, and may get its index back.
    """
    if _half_made(path):
        return 0
    mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    uri = f"{path.absolute().as_uri()}?{mode}"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as db:
        return _version(db, path)


def _half_made(path: Path) -> bool:
    """Tell whether SQLite was just making this database when the power failed.

    Its journal then says that there were no pages before; opening rolls back to that, whatever the
    file looks like meanwhile (sqlite.org/fileformat2.html#the_rollback_journal).
    """
    try:
        with path.with_name(path.name + "-journal").open("rb") as journal:
            head = journal.read(20)
    except FileNotFoundError:
        return False
    return head.startswith(_JOURNAL) and head[16:20] == bytes(4)


_JOURNAL = bytes.fromhex("d9d505f920a163d7")


def _scripts() -> dict[int, str]:
    folder = resources.files(__package__).joinpath("schema")
    return {int(entry.name[:4]): entry.read_text("utf-8") for entry in folder.iterdir()}


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    scripts = _scripts()
    if _version(db, path) == max(scripts):
        return
    with transaction(db):
        version = _version(db, path)  # another process may have been quicker
        for number in sorted(scripts):
            if number > version:
                for statement in _statements(scripts[number]):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _version(db: sqlite3.Connection, path: Path) -> int:
    """Return the file's schema version, 0 for an empty one; refuse what is not ours to touch."""
    version: int
    # One statement sees one moment: another process may be making the tables just now.
    version, application, tables = db.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema) "
        "FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if tables and application != APPLICATION_ID:
        raise StoreError(
            f"{path} is an SQLite database, but not Spigot's. Move it away, or name another data "
            "directory; nothing was written."
        )
    newest = max(_scripts())
    if version > newest:
        raise StoreError(
            f"{path} was written by a newer Spigot (schema {version}; this one knows {newest}). "
            "Upgrade Spigot; nothing was written."
        )
    return version


def run_script(db: sqlite3.Connection, name: str) -> None:
    """Run the statements of a ``.sql`` file of this package, one by one."""
    for statement in _statements(resources.files(__package__).joinpath(name).read_text("utf-8")):
        db.execute(statement)


@functools.cache
def insert_rows(into: str, columns: int, rows: int) -> str:
    """Return the statement that inserts so many rows at once; one text for each number of rows."""
    row = f"({marks(range(columns))})"
    return f"INSERT INTO {into} VALUES {','.join([row] * rows)}"


def marks(values: Sized) -> str:
    """Return a question mark for each value, with commas between."""
    return ",".join("?" * len(values))


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
