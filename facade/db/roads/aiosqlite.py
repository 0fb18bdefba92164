"""SQLite under asyncio: aiosqlite's thread does each operation in one go, so a statement costs one hop there."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from aiosqlite.core import _STOP_RUNNING_SENTINEL

from facade import bridge
from facade.configuration import settings
from facade.db.channels.cursors import outcome_of
from facade.db.roads import sqlite
from facade.db.roads.sqlite import SqliteChannel, begin_sql
from facade.drivers.aiosqlite import interrupt

if TYPE_CHECKING:
    from asyncio import Future

    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

    from facade.db.channels.channel import Outcome, Params, Row


_INTERRUPT_EVERY = 0.05


class Reply:
    """A future as the thread sees it: told in its event loop, or not at all where that has been closed meanwhile."""

    __slots__ = ("future",)

    def __init__(self, future: Future[Any] | None = None) -> None:
        self.future = future

    def get_loop(self) -> Self:
        return self

    def call_soon_threadsafe(self, tell: Callable[..., object], reply: object, value: object) -> None:
        future = self.future
        if future is not None:
            try:  # noqa: SIM105 - each statement comes this way, which suppress() would make longer
                future.get_loop().call_soon_threadsafe(tell, future, value)
            except RuntimeError:  # the thread has to go on: it closes the connection
                pass


class Job(Reply):
    """A function for the connection's thread, and its reply; one that was given up before its turn does nothing."""

    __slots__ = ("args", "dropped", "fn", "result")

    future: Future[Any]

    def __init__(self, fn: Callable[..., Any], *args: Any) -> None:
        self.future = bridge.future()
        self.fn = fn
        self.args = args
        self.dropped = False
        self.result: Any = None

    def given_to(self, raw: DBAPIConnection) -> Future[Any]:
        """Have the thread do it; does what aiosqlite's own coroutine does, without the coroutine."""
        raw._tx.put_nowait((self, self))
        return self.future

    def __call__(self) -> Any:
        if not self.dropped:
            self.result = self.fn(*self.args)
        return self.result

    def undo(self) -> None:
        """Close a cursor that nobody received: while it is open, an interruption hits every statement after it."""
        if isinstance(self.result, sqlite3.Cursor):
            self.result.close()


class AiosqliteChannel(SqliteChannel):
    """A channel on an `aiosqlite.Connection`."""

    waits = waits_in_place = True

    _job: Job
    _given: bool = False

    @staticmethod
    def is_plain(dbapi_connection: DBAPIConnection) -> bool:
        return sqlite.is_plain(dbapi_connection.driver_connection._conn)

    @staticmethod
    def meet(dbapi_connection: DBAPIConnection) -> None:
        raw = dbapi_connection.driver_connection
        bridge.wait(Job(sqlite.teach, raw._conn).given_to(raw))

    @staticmethod
    def set_up(dbapi_connection: DBAPIConnection, init_command: str | None) -> None:
        raw = dbapi_connection.driver_connection
        bridge.wait(raw._execute(sqlite.prepare, raw._conn, init_command))

    def adopt(self) -> None:
        self._given = True

    def _hop(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Run ``fn(connection, *args)`` in the connection's thread."""
        raw = self.raw
        connection = raw._connection
        if connection is None or not raw._running:
            raise sqlite3.OperationalError("The connection is closed.")
        job = self._job = (
            Job(_unmanaged, connection, fn, *args) if self._given else Job(fn, connection, *args)
        )
        try:
            raw._tx.put_nowait((job, job))  # as `given_to` does: each statement comes this way
            return bridge.wait(job.future)
        except BaseException:
            job.dropped = True
            raise

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        return self._hop(_fetchall, sql, params)  # type: ignore[no-any-return]

    def _count(self, sql: str, params: Params) -> int:
        return self._hop(_rowcount, sql, params)  # type: ignore[no-any-return]

    def _lastrowid(self, sql: str, params: Params) -> int:
        return self._hop(_lastrowid, sql, params)  # type: ignore[no-any-return]

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        self._hop(sqlite3.Connection.executemany, sql, rows)

    def _outcome(self, sql: str, params: Params) -> Outcome:
        return self._hop(_outcome, sql, params)  # type: ignore[no-any-return]

    def _cursor(self, sql: str, params: Params) -> Any:
        return self._hop(sqlite3.Connection.execute, sql, params)

    def _fetch_some(self, cursor: object, size: int) -> list[Row]:
        return self._hop(_fetchmany, cursor, size)  # type: ignore[no-any-return]

    def _close_cursor(self, cursor: DBAPICursor) -> None:
        self._hop(_close, cursor)

    def _command(self, sql: str) -> str | None:
        self._hop(sqlite3.Connection.execute, sql)
        return None

    def _begin_sql(self, isolation_level: str | None, read_only: bool) -> str:
        return begin_sql(isolation_level, read_only)

    def _is_closed(self) -> bool:
        return self.raw is None or not self.raw._running

    def _holds_transaction(self) -> bool:
        return self.raw.in_transaction  # type: ignore[no-any-return]

    def _settle(self) -> bool:
        """Interrupt what runs until the thread has nothing left to do.

        Once is not enough: an interruption that comes just before the statement starts has no effect.
        """
        deadline = time.monotonic() + settings.FACADE_CLEANUP_SECONDS
        while time.monotonic() < deadline:
            interrupt(self.raw)
            with suppress(TimeoutError):
                bridge.finish_within(Job(self._job.undo).given_to(self.raw), _INTERRUPT_EVERY)
                return True
        return False

    @staticmethod
    def kill(raw: Any) -> None:
        """Let the thread close the connection and end; its event loop may end before."""
        interrupt(raw)
        raw._running = False
        raw._tx.put_nowait((Reply(), partial(_end, raw)))
        if isinstance(raw, Thread):  # before aiosqlite 0.22
            raw._tx.put_nowait(_STOP_RUNNING_SENTINEL)  # type: ignore[attr-defined,unused-ignore]


def _unmanaged(connection: sqlite3.Connection, fn: Callable[..., Any], *args: object) -> Any:
    """Do something on a connection of somebody else's, that begins transactions by itself, without that."""
    mode = connection.isolation_level
    if mode is None or connection.in_transaction:  # to set None would commit
        return fn(connection, *args)
    connection.isolation_level = None
    try:
        return fn(connection, *args)
    finally:
        connection.isolation_level = mode


def _fetchall(connection: sqlite3.Connection, sql: str, params: Params) -> Sequence[Row]:
    return connection.execute(sql, params).fetchall()


def _rowcount(connection: sqlite3.Connection, sql: str, params: Params) -> int:
    cursor = connection.execute(sql, params)
    return cursor.rowcount if cursor.rowcount >= 0 else sqlite.changes(connection, sql)


def _lastrowid(connection: sqlite3.Connection, sql: str, params: Params) -> int | None:
    return connection.execute(sql, params).lastrowid


def _outcome(connection: sqlite3.Connection, sql: str, params: Params) -> Outcome:
    return outcome_of(connection.execute(sql, params))


def _fetchmany(connection: sqlite3.Connection, cursor: sqlite3.Cursor, size: int) -> list[Row]:
    return cursor.fetchmany(size)


def _close(connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> None:
    cursor.close()


def _end(raw: Any) -> object:
    connection, raw._connection = raw._connection, None
    if connection is not None:
        connection.close()
    return _STOP_RUNNING_SENTINEL
