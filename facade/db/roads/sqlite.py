"""SQLite through the standard library's sqlite3, and what every SQLite connection of facade is set up with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from facade.db.channels.base import DriverChannel
from facade.db.channels.cursors import outcome_of
from facade.db.roads import sqlite_functions

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

    from facade.db.channels.channel import Outcome, Params, Row

_LEGACY = -1  # sqlite3.LEGACY_TRANSACTION_CONTROL, which Python 3.12 has a name for

Setup = Callable[[sqlite3.Connection], object]
_setups: list[Setup] = []


def on_connect(setup: Setup) -> Setup:
    """Call ``setup(connection)`` for each new SQLite connection of both faces. Usable as a decorator.

    It gets the `sqlite3.Connection` itself, in the thread that uses it; this is the place to register functions.
    """
    _setups.append(setup)
    return setup


def teach(connection: sqlite3.Connection) -> None:
    """Register what facade's SQL calls, and what was registered with `on_connect`."""
    for setup in _setups:
        setup(connection)


def is_plain(dbapi_connection: DBAPIConnection) -> bool:
    """Tell whether a connection is idle and leaves transactions to whoever turns its ``isolation_level`` off."""
    return not dbapi_connection.in_transaction and getattr(dbapi_connection, "autocommit", _LEGACY) == _LEGACY


def prepare(connection: sqlite3.Connection, init_command: str | None = None) -> None:
    """Set a fresh connection up: own settings, registered functions, then the user's statements."""
    connection.isolation_level = None  # the driver begins nothing by itself
    connection.execute("PRAGMA foreign_keys = ON")
    if not _is_memory(connection):
        with suppress(sqlite3.OperationalError):  # a read-only file or file system
            connection.execute("PRAGMA journal_mode = WAL")
    _refuse_double_quoted_strings(connection)
    teach(connection)
    if init_command:
        connection.executescript(init_command)


def _is_memory(connection: sqlite3.Connection) -> bool:
    return not connection.execute("PRAGMA database_list").fetchone()[2]


def _refuse_double_quoted_strings(connection: sqlite3.Connection) -> None:
    """Make a misspelled column an error, not a string; Python 3.12 and later can."""
    setconfig = getattr(connection, "setconfig", None)
    if setconfig is not None:
        with suppress(sqlite3.OperationalError):
            setconfig(getattr(sqlite3, "SQLITE_DBCONFIG_DQS_DML"), False)  # noqa: B009 - unknown to 3.11
            setconfig(getattr(sqlite3, "SQLITE_DBCONFIG_DQS_DDL"), False)  # noqa: B009


on_connect(sqlite_functions.register)


def begin_sql(isolation_level: str | None, read_only: bool) -> str:
    """Return how a block begins: writers take their turn at the start, readers never wait."""
    return "BEGIN DEFERRED" if read_only else "BEGIN IMMEDIATE"


def changes(connection: sqlite3.Connection, sql: str) -> int:
    """Return how many rows a statement has written whose first word is WITH: the driver counts those of no such statement."""
    return connection.execute("SELECT changes()").fetchone()[0] if sql.startswith("WITH") else -1


class SqliteChannel(DriverChannel):
    """A channel on a `sqlite3.Connection`."""

    cursors_see_writes = True

    _mode: str | None = None  # the isolation level of a connection that is somebody else's

    is_plain = staticmethod(is_plain)
    _begin_sql = staticmethod(begin_sql)

    @staticmethod
    def meet(dbapi_connection: DBAPIConnection) -> None:
        teach(cast("sqlite3.Connection", dbapi_connection))

    @staticmethod
    def set_up(dbapi_connection: DBAPIConnection, init_command: str | None) -> None:
        prepare(cast("sqlite3.Connection", dbapi_connection), init_command)

    def adopt(self) -> None:
        self._mode = self.raw.isolation_level
        if self._mode is not None:
            self._adopted, self.raw.isolation_level = True, None

    def _restore(self) -> None:
        self.raw.isolation_level = self._mode

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        return self.raw.execute(sql, params).fetchall()  # type: ignore[no-any-return]

    def _count(self, sql: str, params: Params) -> int:
        cursor = self.raw.execute(sql, params)
        return cursor.rowcount if cursor.rowcount >= 0 else changes(self.raw, sql)

    def _lastrowid(self, sql: str, params: Params) -> int:
        return self.raw.execute(sql, params).lastrowid  # type: ignore[no-any-return]

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        self.raw.executemany(sql, rows)

    def _outcome(self, sql: str, params: Params) -> Outcome:
        return outcome_of(self.raw.execute(sql, params))

    def _cursor(self, sql: str, params: Params) -> Any:
        return self.raw.execute(sql, params)

    def _reads_at_once(self) -> bool:
        # An in-memory database has one lock for all readers and writers; the data is in memory anyway.
        return self.database.settings.memory and not self.in_transaction

    def _fetch_some(self, cursor: Any, size: int) -> list[Row]:
        return cursor.fetchmany(size)  # type: ignore[no-any-return]

    def _close_cursor(self, cursor: DBAPICursor) -> None:
        cursor.close()

    def _command(self, sql: str) -> str | None:
        self.raw.execute(sql)
        return None

    def _forbid_writes(self) -> None:
        self._command("PRAGMA query_only = ON")

    def _allow_writes(self) -> None:
        self._command("PRAGMA query_only = OFF")

    def _is_closed(self) -> bool:
        return self.raw is None

    def _holds_transaction(self) -> bool:
        return self.raw.in_transaction  # type: ignore[no-any-return]

    def _settle(self) -> bool:
        return True

    @staticmethod
    def kill(raw: Any) -> None:
        raw.close()
