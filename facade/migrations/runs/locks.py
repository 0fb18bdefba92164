"""One deployer at a time: whoever comes second waits, and says for whom."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from facade import bridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL, Connection

__all__ = ["held"]

#: What the lock is called: one for each database, whatever its histories and schemas are.
NAME = "facade.migrations"
KEY = 0xFACADE0012
PAUSE = 0.2


class Lock(Protocol):
    """Belongs to a session or a process, and is given back when that dies."""

    def take(self) -> bool:
        """Take the lock; False where somebody else has it."""

    def holder(self) -> str:
        """Tell who has it, as far as the server says."""

    def release(self) -> None:
        """Give it back."""


class AdvisoryLock:
    """PostgreSQL's. It is asked for again and again instead of waited for.

    A statement that waits holds a snapshot, which CREATE INDEX CONCURRENTLY of the other deployer would wait for.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def take(self) -> bool:
        return bool(_scalar(self.connection, sa.select(sa.func.pg_try_advisory_lock(KEY))))

    def holder(self) -> str:
        locks = sa.table(
            "pg_locks", sa.column("pid"), sa.column("locktype"), sa.column("objid"), sa.column("granted")
        )
        found = sa.select(locks.c.pid).where(
            locks.c.locktype == "advisory",
            sa.cast(locks.c.objid, sa.BigInteger) == KEY & 0xFFFFFFFF,
            locks.c.granted,
        )
        return f"process {_scalar(self.connection, found)} of the server"

    def release(self) -> None:
        _scalar(self.connection, sa.select(sa.func.pg_advisory_unlock(KEY)))


class NamedLock:
    """That of MariaDB and MySQL; names are the server's, so the database's belongs to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        # A name may have 64 characters.
        self.name = f"{NAME}:{_scalar(connection, sa.select(sa.func.sha1(sa.func.database())))}"[:64]

    def take(self) -> bool:
        return bool(_scalar(self.connection, sa.select(sa.func.get_lock(self.name, 0))))

    def holder(self) -> str:
        return (
            f"connection {_scalar(self.connection, sa.select(sa.func.is_used_lock(self.name)))} of the server"
        )

    def release(self) -> None:
        _scalar(self.connection, sa.select(sa.func.release_lock(self.name)))


class FileLock:
    """A file beside a SQLite database, held by an exclusive transaction: the system ends it with the process.

    The database itself is locked by each revision's own transaction only, so that its program goes on between them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.migrating")
        self._held: sqlite3.Connection | None = None

    def take(self) -> bool:
        held = self._locked()
        if held is None:
            return False
        # Whoever had it before may have taken the file away in the meantime: another one could be locked by its name.
        another = self._locked()
        if another is not None:
            another.close()
            held.close()
            return False
        self._held = held
        return True

    def _locked(self) -> sqlite3.Connection | None:
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN):
                raise
            return None
        return connection

    def holder(self) -> str:
        return f"the process that holds {self.path.name}"

    def release(self) -> None:
        assert self._held is not None
        with suppress(OSError):  # Windows takes no file away that is open
            self.path.unlink()
        self._held.close()


def _scalar(connection: Connection, statement: sa.Select[tuple[object]]) -> object:
    """Run a statement and leave no transaction open."""
    value = connection.execute(statement).scalar()
    connection.commit()
    return value


def _file_lock(connection: Connection) -> Lock | None:
    path = _file_of(connection.engine.url)
    return None if path is None else FileLock(path)


def _file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for one in memory, which no other process can see."""
    name = url.database
    if not name or name == ":memory:" or "mode=memory" in name or url.query.get("mode") == "memory":
        return None
    return Path(name.removeprefix("file:"))


_KINDS: dict[str, Callable[[Connection], Lock | None]] = {
    "postgresql": AdvisoryLock,
    "mysql": NamedLock,
    "mariadb": NamedLock,
    "sqlite": _file_lock,
}


@contextmanager
def held(connection: Connection, alias: str, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a connection's database; ``waiting`` is told once who has it, where somebody has.

    Databases that facade has no lock for go without.
    """
    kind = _KINDS.get(connection.dialect.name)
    lock = None if kind is None else kind(connection)
    if lock is None:
        yield
        return
    _wait(lock, alias, waiting)
    try:
        yield
    finally:
        with suppress(DBAPIError):  # a connection that is lost has lost its lock, too
            connection.rollback()
            lock.release()


def _wait(lock: Lock, alias: str, waiting: Callable[[str], None]) -> None:
    told = False
    while not lock.take():
        if not told:
            told = True
            waiting(f"Another deployer is migrating {alias!r} ({lock.holder()}): waiting for it to end.")
        bridge.sleep(PAUSE)
