"""The general road: any SQLAlchemy dialect, every statement and transaction through its `Connection`.

What SQLAlchemy would do for its own statements happens here: its transactions, its execution options, its events.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, cast

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from facade import bridge
from facade.configuration import settings
from facade.db.channels.base import DriverChannel
from facade.db.channels.capture import observe
from facade.db.channels.channel import Outcome, Params, Row
from facade.db.channels.cursors import outcome_of
from facade.db.channels.errors import DEADLOCK, MAY_ROLL_BACK, driver_error, error_number, sqlstate
from facade.db.channels.execution import of_connections
from facade.db.channels.limits import in_time, say_expired
from facade.drivers import driver_of
from facade.exceptions import TransactionManagementError, UnsupportedFeature
from facade.vendors import MARIADB, vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult

P = ParamSpec("P")
R = TypeVar("R")

_ABORTED = "An earlier error had aborted the transaction: it was rolled back, and nothing was saved."
_REPLACED = (
    "A listener to before_execute has replaced a statement of facade's on {alias!r}, which is SQL already: listen to "
    "before_cursor_execute with retval=True to change it."
)
_READ_ONLY = "START TRANSACTION READ ONLY"
_AT_ONCE = {"stream_results": False, "yield_per": None}  # whatever a connection's options say
_POINT_EVENTS = {
    "do_savepoint": "savepoint",
    "do_release_savepoint": "release_savepoint",
    "do_rollback_to_savepoint": "rollback_savepoint",
}
_POINT_WORDS = {
    "do_savepoint": "SAVEPOINT",
    "do_release_savepoint": "RELEASE SAVEPOINT",
    "do_rollback_to_savepoint": "ROLLBACK TO SAVEPOINT",
}
_AUTOCOMMIT = (
    "The connection that using_connection() was given for {alias!r} is in AUTOCOMMIT mode: it has no transaction, so a "
    "block on it could undo nothing. Give it another isolation level, or do without the block."
)


_NO_SAVEPOINTS = (
    "{} has no savepoints, which a block inside another one is: have it be part of the outer one, "
    "atomic(savepoint=False), or end that before."
)


class GeneralChannel(DriverChannel):
    """A channel on a SQLAlchemy connection, which is its ``token``."""

    autocommits = False
    is_general = True

    _adopted = True
    _aborted: bool = False  # PostgreSQL answers COMMIT with a ROLLBACK, and drivers say nothing

    @property
    def cursors_see_writes(self) -> bool:  # type: ignore[override]
        return self.database.features.cursors_see_writes

    @property
    def stream_needs_transaction(self) -> bool:  # type: ignore[override]
        return self.database.features.streams_need_transaction

    def _reads_at_once(self) -> bool:
        if self.database.features.has_one_result:
            return True
        return self.database.settings.memory and not self.in_transaction

    def _connection(self) -> Connection:
        """Return the connection to run the next statement on."""
        self._check_open()
        return self.token  # type: ignore[no-any-return]

    def _result(self, sql: str, params: Any, **options: object) -> CursorResult[Any]:
        if self.database.features.writes_parameters:
            _refuse_spliced(params if isinstance(params, list) else (params or (),))
        connection = self._connection()
        before = connection._has_events or connection.engine._has_events
        element = self._announce(connection, sql, params) if before else None
        options = {**self.options, **_AT_ONCE, **options}
        result = connection.exec_driver_sql(sql, params, execution_options=options)
        if element is not None:
            connection.dispatch.after_execute(connection, element, [params], {}, {}, result)
        return result

    def _announce(self, connection: Connection, sql: str, params: object) -> Any:
        """Tell listeners to before_execute, whom SQLAlchemy tells nothing of SQL that it did not compile."""
        dispatch = connection.dispatch
        if not (dispatch.before_execute or dispatch.after_execute):
            return None
        element = text(sql.replace(":", r"\:"))
        for listener in dispatch.before_execute:
            if listener(connection, element, [params], {}, {})[0] is not element:
                raise TransactionManagementError(_REPLACED.format(alias=self.database.alias))
        return element

    def _lone_end(self) -> None:
        """End SQLAlchemy's implicit transaction after a lone statement."""
        if not self.in_transaction:
            self.token.commit()

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        result: Any = self._result(sql, _given(params))
        try:
            return result.cursor.fetchall()  # type: ignore[no-any-return]
        finally:
            result.close()
            self._lone_end()

    def _count(self, sql: str, params: Params) -> int:
        result = self._result(sql, _given(params))
        count: int = result.rowcount
        if self.database.features.counts_writes_in_rows and result.returns_rows:
            count = sum(number for number, *_ in result.cursor.fetchall() if isinstance(number, int))
        result.close()
        if count < 0 and self.database.features.counts_with_apart and sql.startswith("WITH"):
            count = self._result("SELECT changes()", ()).scalar_one()
        self._lone_end()
        return count

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        self._result(sql, [tuple(row) for row in rows]).close()
        self._lone_end()

    def _lastrowid(self, sql: str, params: Params) -> int:
        result = self._result(sql, _given(params))
        key: int = result.lastrowid
        result.close()
        self._lone_end()
        return key

    def _outcome(self, sql: str, params: Params) -> Outcome:
        result: Any = self._result(sql, _given(params))
        outcome = outcome_of(result.cursor) if result.returns_rows else Outcome()
        outcome.rowcount = result.rowcount
        if self.database.features.counts_writes_in_rows:
            outcome = _counted(outcome, sql)
        result.close()
        self._lone_end()
        return outcome

    def _cursor(self, sql: str, params: Params) -> Any:
        # MySQL's server-side cursors keep the connection to themselves; within a transaction others need it.
        buffered = self.in_transaction and self.database.features.streams_hold_connection
        return self._result(sql, _given(params), stream_results=not buffered)

    def _fetch_some(self, cursor: Any, size: int) -> list[Row]:
        return [tuple(row) for row in cursor.fetchmany(size)]

    def _close_cursor(self, cursor: Any) -> None:
        cursor.close()

    def schema_map(self) -> Mapping[str | None, str | None]:
        options = {**self._connection().get_execution_options(), **self.options}
        return options.get("schema_translate_map") or {}

    def is_mariadb(self) -> bool:
        return vendor_of(self._connection().dialect) is MARIADB

    # transactions

    def _begin(self, isolation_level: str | None, read_only: bool) -> None:
        connection = self._connection()
        if isolation_level is None and autocommits(connection):
            isolation_level = connection.default_isolation_level
        if isolation_level is not None:
            connection.execution_options(isolation_level=isolation_level)
        if own := {name: value for name, value in self.options.items() if of_connections(name)}:
            connection.execution_options(**own)
        if read_only:
            self._ask_read_only(connection)
        if self.database.features.begins_late:
            sql = "BEGIN DEFERRED" if read_only else "BEGIN IMMEDIATE"
            self._timed(sql, lambda: self._begin_sqlite(sql))
            if read_only:
                connection.exec_driver_sql("PRAGMA query_only = ON")
        elif not connection.in_transaction():  # a listener to engine_connect may have begun it
            self._timed("BEGIN", connection.begin)
        if read_only and self.database.vendor == "mysql":
            self._timed(_READ_ONLY, lambda: connection.exec_driver_sql(_READ_ONLY))

    def _ask_read_only(self, connection: Connection) -> None:
        vendor = self.database.vendor
        if vendor == "postgresql":
            connection.execution_options(postgresql_readonly=True)
        elif vendor not in ("mysql", "sqlite"):  # which say it as they begin
            raise UnsupportedFeature(f"{self.database.alias!r} ({vendor}) has no read-only transactions.")

    def _begin_sqlite(self, sql: str) -> None:
        """Begin what Python's driver would begin with the first change only, unless somebody else sees to it."""
        if not self._connection().in_transaction():
            self._connection().begin()
        if not self._driver_connection().in_transaction:
            self._connection().exec_driver_sql(sql)

    def _command(self, sql: str) -> str | None:
        self._connection().exec_driver_sql(sql)
        return None

    def _driver_connection(self) -> Any:
        return self._connection().connection.driver_connection

    def _commit(self) -> None:
        if self._aborted:
            self._rollback()
            raise TransactionManagementError(_ABORTED)
        self._timed("COMMIT", self._connection().commit)
        self._allow_writes()

    def _rollback(self) -> None:
        self._aborted = False
        self._timed("ROLLBACK", self._connection().rollback)
        self._allow_writes()

    def _allow_writes(self) -> None:
        if self.read_only and self.database.vendor == "sqlite":
            self._connection().exec_driver_sql("PRAGMA query_only = OFF")
            self._connection().commit()

    def savepoint(self, name: str) -> None:
        if not self.database.features.uses_savepoints:
            raise UnsupportedFeature(_NO_SAVEPOINTS.format(self.database.features.display_name))
        if self.joined and autocommits(self._connection()):
            raise TransactionManagementError(_AUTOCOMMIT.format(alias=self.database.alias))
        try:
            if self.database.features.begins_late:
                self._begin_sqlite(
                    "BEGIN"
                )  # a savepoint outside of a transaction is one, which RELEASE commits
            self._point("do_savepoint", name)
        except BaseException as error:
            self._failed(error)

    def _release(self, name: str) -> None:
        try:
            self._point("do_release_savepoint", name)
        except BaseException as error:
            self._failed(error)

    def _rollback_to(self, name: str) -> None:
        try:
            self._point("do_rollback_to_savepoint", name)
            self._aborted = False
            self._point("do_release_savepoint", name)
        except BaseException as error:
            self._failed(error)

    def _point(self, verb: str, name: str) -> None:
        """Let the dialect set, release or roll back to a savepoint: not every database says it in the same words."""
        connection = self._connection()
        if connection._has_events or connection.engine._has_events:
            listeners: Callable[..., object] = getattr(connection.dispatch, _POINT_EVENTS[verb])
            listeners(connection, name, *(() if verb == "do_savepoint" else (None,)))
        act: Callable[[Any, str], None] = getattr(connection.dialect, verb)
        before = connection._execution_options
        if before.get("stream_results") or before.get("yield_per"):  # a savepoint is nothing for a cursor
            connection._execution_options = before.union(_AT_ONCE)
        try:
            observe(
                self.database, lambda sql, params: act(connection, name), f"{_POINT_WORDS[verb]} {name}", ()
            )
        finally:
            connection._execution_options = before

    # what became of it

    def _failed(self, error: BaseException, sql: str | None = None, params: Any = None) -> NoReturn:
        raw = driver_error(error) or error
        if self.in_transaction and sqlstate(raw) is not None:
            self._aborted = True
        elif self.in_transaction and self.database.vendor == "mysql" and self._rolled_back(error_number(raw)):
            self.in_transaction = False
        if isinstance(error, DBAPIError) and error.statement is None:
            # It is the COMMIT of a lone statement that has failed.
            error.statement, error.params = sql, params
        say_expired(error, self.database.alias)
        super()._failed(error, sql, params)

    def _rolled_back(self, number: int | None) -> bool:
        """Tell whether an error of the server's has ended the transaction, of which SQLAlchemy hears nothing."""
        if number not in MAY_ROLL_BACK:
            return number == DEADLOCK
        with suppress(Exception), closing(self._connection().connection.cursor()) as cursor:
            cursor.execute("SELECT @@in_transaction")
            ((in_transaction,),) = cursor.fetchall()
            return not in_transaction
        return False  # MySQL cannot be asked; as it is installed, it has undone the statement

    def _has_stale_plan(self, error: BaseException) -> bool:
        known = driver_of(self.token.dialect).forgets_stale_plan(self._driver_connection(), error)
        if self.in_transaction or not known:
            return False
        self.token.rollback()  # SQLAlchemy has begun a transaction for the lone statement
        return True

    def _is_closed(self) -> bool:
        return bool(self.token.closed or self.token.invalidated)

    def _holds_transaction(self) -> bool:
        if not self.token.in_transaction():
            return False
        # Some errors of SQLite roll everything back, of which SQLAlchemy hears nothing.
        return self.database.vendor != "sqlite" or bool(self._driver_connection().in_transaction)

    def _settle(self) -> bool:
        if not self._is_closed():
            return True
        # SQLAlchemy has closed what was interrupted; MariaDB goes on with the statement all the same.
        thread = getattr(self.raw, "thread_id", None)
        if self.database.vendor == "mysql" and callable(thread):
            in_time(_kill, self.token.engine.pool, int(thread()))
        return False

    def _restore(self) -> None:
        try:
            super()._restore()
        finally:
            self.token.close()

    @staticmethod
    def kill(raw: object) -> None:
        """Close it by the driver's own means: an event loop would keep open what SQLAlchemy only forgets."""
        ending = cast("Any", raw).close()
        if inspect.iscoroutine(ending):
            bridge.detach(ending)


_SPLICED = (dict, list, tuple, set, frozenset)


def _refuse_spliced(rows: Sequence[Any]) -> None:
    """Raise TypeError for what the drivers of MySQL write into the SQL item by item, keys as they are."""
    for row in rows:
        for value in row.values() if isinstance(row, Mapping) else row:
            if isinstance(value, _SPLICED):
                raise TypeError(
                    f"A parameter is one value, not a {type(value).__name__}. Write a placeholder for each item, or "
                    "give the document as its JSON text."
                )


class AsyncGeneralChannel(GeneralChannel):
    """The same over an asyncio driver.

    A statement that is cancelled hears of it once: SQLAlchemy closes the connection then, which another cancellation
    would interrupt, and the statement would go on at the server.
    """

    waits = True

    def _result(self, sql: str, params: Any, **options: object) -> CursorResult[Any]:
        return self._told_once(super()._result, sql, params, **options)

    def _begin(self, isolation_level: str | None, read_only: bool) -> None:
        self._told_once(super()._begin, isolation_level, read_only)

    def _lone_end(self) -> None:
        if not self.in_transaction:
            self._told_once(super()._lone_end)

    def _told_once(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        self._check_worker()
        operation = bridge.spawn(partial(work, *args, **kwargs))
        return bridge.wait(bridge.told_once(operation, settings.FACADE_CLEANUP_SECONDS, self._interrupt))

    def _interrupt(self) -> None:
        interrupt = driver_of(self.token.dialect).interrupt
        if interrupt is not None:  # its thread would end the statement first
            interrupt(self.raw)


def _kill(pool: Any, number: int) -> None:
    """End a connection at the server, over one that belongs to nobody: the pool may have no place left."""
    connection = pool._invoke_creator(None)
    try:
        cursor = connection.cursor()
        cursor.execute(f"KILL {number:d}")
        cursor.close()
    finally:
        connection.close()


_WRITES = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


def _counted(outcome: Outcome, sql: str) -> Outcome:
    """Return what a statement gave; DuckDB says in a row how many rows a write has touched."""
    if outcome.columns is None or not _WRITES.match(sql):
        outcome.rowcount = -1 if outcome.columns is None else len(outcome.rows)
        return outcome
    if list(outcome.columns) == ["Count"]:
        return Outcome(rowcount=outcome.rows[0][0])
    outcome.rowcount = len(outcome.rows)  # those that RETURNING gives
    return outcome


def _given(params: Params) -> Any:
    """Return parameters as SQLAlchemy tells one set of them from several."""
    return params if isinstance(params, dict) else tuple(params)


def autocommits(connection: Connection) -> bool:
    """Tell whether SQLAlchemy was asked for AUTOCOMMIT: on the connection, its engine, or when that was made."""
    level = connection.get_execution_options().get("isolation_level")
    return (level or getattr(connection.dialect, "_on_connect_isolation_level", None)) == "AUTOCOMMIT"
