"""PostgreSQL through asyncpg."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from facade import bridge
from facade.configuration import settings
from facade.db.channel import Outcome, Params, Row
from facade.db.drivers.postgresql import PostgresqlChannel, cursor_name
from facade.db.errors import sqlstate

if TYPE_CHECKING:
    from facade.db.pools import Entry


class AsyncpgChannel(PostgresqlChannel):
    """A channel on an `asyncpg.Connection`."""

    waits = True
    many_is_atomic = True

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        return bridge.wait(self.raw.fetch(sql, *params))

    def _count(self, sql: str, params: Params) -> int:
        return _rowcount(bridge.wait(self.raw.execute(sql, *params)))

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        bridge.wait(self.raw.executemany(sql, rows))

    def _outcome(self, sql: str, params: Params) -> Outcome:
        return bridge.wait(_outcome(self.raw, sql, params))

    def _cursor(self, sql: str, params: Params) -> Any:
        # asyncpg's own cursors insist on a transaction that was begun through its transaction objects,
        # which hide what the server answers to COMMIT.
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


class BouncedAsyncpgChannel(AsyncpgChannel):
    """A channel through a pgbouncer that hands servers out by transaction.

    asyncpg prepares a statement and runs it in two steps, which have to meet the same server: in one transaction.
    """

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        return self._whole(self.raw.fetch(sql, *params))  # type: ignore[no-any-return]

    def _count(self, sql: str, params: Params) -> int:
        return _rowcount(self._whole(self.raw.execute(sql, *params)))

    def _outcome(self, sql: str, params: Params) -> Outcome:
        return self._whole(_outcome(self.raw, sql, params))  # type: ignore[no-any-return]

    def _whole(self, work: Any) -> Any:
        return bridge.wait(work if self.in_transaction else _in_transaction(self.raw, work))


async def _in_transaction(raw: Any, work: Any) -> Any:
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
