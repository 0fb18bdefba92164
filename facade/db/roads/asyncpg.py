"""PostgreSQL through asyncpg."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from asyncpg import connection

from facade import bridge
from facade.configuration import settings
from facade.db.channels.channel import Outcome, Params, Row
from facade.db.channels.errors import sqlstate
from facade.db.channels.limits import say_expired
from facade.db.roads.postgresql import PostgresqlChannel, cursor_name
from facade.drivers.asyncpg import forgets_stale_plan

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from facade.db.channels.origin import Origin
    from facade.db.pooling.pools import Entry

R = TypeVar("R")


def name_statements_apart() -> None:
    """Give this process's prepared statements names that no other client of a pooler has.

    asyncpg counts them from 0 in every process, so that two clients of one server would run each other's.
    """
    if hasattr(connection, "_uid"):
        connection._uid = secrets.randbits(62)


name_statements_apart()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=name_statements_apart)


class AsyncpgChannel(PostgresqlChannel):
    """A channel on an `asyncpg.Connection`."""

    waits = waits_in_place = True
    many_is_atomic = True

    _forgets_stale_plan = staticmethod(forgets_stale_plan)

    _is_bounced: bool
    """Whether a pgbouncer may hand servers out by transaction.

    asyncpg prepares a statement and runs it in two steps, which have to meet the same server: in one transaction.
    Whoever takes its cache of statements away expects that.
    """

    def __init__(self, lender: Origin, token: object, raw: Any) -> None:
        super().__init__(lender, token, raw)
        self._is_bounced = raw._stmt_cache.get_max_size() == 0

    @staticmethod
    def is_plain(dbapi_connection: DBAPIConnection) -> bool:
        if dbapi_connection.readonly or dbapi_connection.deferrable:
            return False
        return not dbapi_connection.driver_connection.is_in_transaction()

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        self._ran += 1
        work = self.raw.fetch(sql, *params)
        return bridge.wait(self._whole(work) if self._is_bounced else work)

    def _count(self, sql: str, params: Params) -> int:
        self._ran += 1
        work = self.raw.execute(sql, *params)
        return _rowcount(bridge.wait(self._whole(work) if self._is_bounced else work))

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        self._ran += 1
        bridge.wait(self.raw.executemany(sql, rows))

    def _outcome(self, sql: str, params: Params) -> Outcome:
        self._ran += 1
        work = _outcome(self.raw, sql, params)
        return bridge.wait(self._whole(work) if self._is_bounced else work)

    def _whole(self, work: Coroutine[Any, Any, R]) -> Coroutine[Any, Any, R]:
        """Do something in a transaction, if there is none."""
        return work if self.in_transaction else _in_transaction(self.raw, work)

    def _cursor(self, sql: str, params: Params) -> Any:
        # asyncpg's own cursors insist on a transaction that was begun through its transaction objects,
        # which hide what the server answers to COMMIT.
        self._ran += 1
        name = cursor_name()
        bridge.wait(self.raw.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", *params))
        return _Cursor(name)

    def _fetch_some(self, cursor: Any, size: int) -> list[Row]:
        if cursor.fetch is None or cursor.size != size:
            cursor.fetch = bridge.wait(self.raw.prepare(f"FETCH FORWARD {int(size)} FROM {cursor.name}"))
            cursor.size = size
        return bridge.wait(cursor.fetch.fetch())

    def _close_cursor(self, cursor: Any) -> None:
        cursor.fetch = None
        bridge.wait(self.raw.execute(f"CLOSE {cursor.name}"))

    def _command(self, sql: str) -> str | None:
        return bridge.wait(self.raw.execute(sql))  # type: ignore[no-any-return]

    def _failed(self, error: BaseException, sql: str | None = None, params: Params | None = None) -> NoReturn:
        say_expired(error, self.database.alias)
        super()._failed(error, sql, params)

    def _is_closed(self) -> bool:
        return self.raw.is_closed()  # type: ignore[no-any-return]

    def _holds_transaction(self) -> bool:
        return self.raw.is_in_transaction()  # type: ignore[no-any-return]

    def _settle(self) -> bool:
        """Wait until the server has confirmed the cancellation that asyncpg sent, by answering something else."""
        bridge.finish_within(_answered(self.raw), settings.FACADE_CLEANUP_SECONDS)
        return True

    @staticmethod
    def alive(entry: Entry) -> bool:
        """Tell whether a connection is open; its event loop has noticed if it is not."""
        return not entry.raw.is_closed()

    @staticmethod
    def kill(raw: Any) -> None:
        try:
            raw.terminate()
        except RuntimeError:  # its event loop is closed: let the server see the end, at least
            _shut_down(raw)


async def _in_transaction(raw: Any, work: Coroutine[Any, Any, R]) -> R:
    try:
        async with raw.transaction():
            return await work
    finally:
        work.close()


class _Cursor:
    """A server-side cursor, and the prepared FETCH that reads it."""

    __slots__ = ("fetch", "name", "size")

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        self.fetch: Any = None


async def _answered(raw: Any) -> None:
    """Ask the server for anything; in a transaction that it has aborted its refusal is an answer, too."""
    try:
        await raw.execute("SELECT 1")
    except Exception as error:
        if sqlstate(error) is None:
            raise


async def _outcome(raw: Any, sql: str, params: Params) -> Outcome:
    statement = await raw.prepare(sql)
    rows = await statement.fetch(*params)
    attributes = statement.get_attributes()
    columns = [attribute.name for attribute in attributes] if attributes else None
    return Outcome(rows, columns, _rowcount(statement.get_statusmsg()))


def _rowcount(status: str) -> int:
    """Read ``UPDATE 3`` or ``INSERT 0 3``; commands without a count touch no rows."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else -1


def _shut_down(raw: Any) -> None:
    with suppress(Exception):
        raw._transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
