"""The general road: any SQLAlchemy dialect, every statement and transaction through its `Connection`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from facade.db.drivers.base import DriverChannel
from facade.db.drivers.road import given

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

    from facade.db.channel import Outcome, Params, Row


class GeneralChannel(DriverChannel):
    """A channel for the drivers that have no fast road, and for all where fast roads are switched off."""

    autocommits = False

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        return self._general_rows(sql, params)

    def _count(self, sql: str, params: Params) -> int:
        return self._general_count(sql, params)

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        self._general_many(sql, rows)

    def _lastrowid(self, sql: str, params: Params) -> int:
        return self._general_lastrowid(sql, params)

    def _outcome(self, sql: str, params: Params) -> Outcome:
        return self._general_outcome(sql, params)

    def _cursor(self, sql: str, params: Params) -> Any:
        return self._general_cursor(sql, params)

    def _fetch_some(self, cursor: DBAPICursor, size: int) -> list[Row]:
        return self._fetch_general(cursor, size)

    def _close_cursor(self, cursor: DBAPICursor) -> None:
        self._close_general(cursor)

    def _general_cursor(self, sql: str, params: Params) -> Any:
        # MySQL's server-side cursors keep the connection to themselves; within a transaction others need it.
        buffered = self.in_transaction and self.database.vendor == "mysql"
        return self._general_result(sql, given(params), stream_results=not buffered)

    def _begin(self, isolation_level: str | None, read_only: bool) -> None:
        connection = self._general()
        if isolation_level is not None:
            connection.execution_options(isolation_level=isolation_level)
        if read_only and self.database.vendor == "mysql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.commit()
        connection.begin()

    def _commit(self) -> None:
        self._general().commit()

    def _rollback(self) -> None:
        self._general().rollback()

    def savepoint(self, name: str) -> None:
        self._point("do_savepoint", name)

    def release(self, name: str) -> None:
        if not self.broken:
            self._to_the_end(lambda: self._point("do_release_savepoint", name))

    def _rollback_to(self, name: str) -> None:
        self._point("do_rollback_to_savepoint", name)
        self._point("do_release_savepoint", name)

    def _point(self, verb: str, name: str) -> None:
        """Let the dialect set, release or roll back to a savepoint: not every database says it in the same words."""
        connection = self._general()
        act: Callable[[Any, str], None] = getattr(connection.dialect, verb)
        try:
            act(connection, name)
        except BaseException as error:
            self._failed(error)

    def _is_closed(self) -> bool:
        return self.connection is not None and (self.connection.closed or self.connection.invalidated)

    def _holds_transaction(self) -> bool:
        return self.connection is not None and self.connection.in_transaction()

    def _settle(self) -> bool:
        return not self._is_closed()  # SQLAlchemy invalidates what was interrupted

    @staticmethod
    def kill(raw: object) -> None:
        """Leave it to SQLAlchemy."""


class AsyncGeneralChannel(GeneralChannel):
    """The same over an asyncio driver."""

    waits = True
