"""PostgreSQL through psycopg 3, sync and async."""

from __future__ import annotations

import select
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import waiting
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from facade import bridge
from facade.configuration import settings
from facade.db.channels.channel import Outcome, Params, Row
from facade.db.channels.cursors import outcome_of
from facade.db.roads.postgresql import PostgresqlChannel, cursor_name
from facade.drivers.psycopg import forgets_stale_plan

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

    from facade.db.channels.origin import Origin
    from facade.db.pooling.pools import Entry

R = TypeVar("R")

_DEFAULTS = (None, None, None)
_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
_READY = (TransactionStatus.IDLE, *_OPEN)


def _poll(raw: Any) -> Callable[[int], object]:
    """Return what tells whether there is something to be read."""
    if not hasattr(select, "poll"):
        return lambda timeout: raw.closed
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN)
    return poll.poll


class PsycopgChannel(PostgresqlChannel):
    """A channel on a `psycopg.Connection`."""

    _prepares: bool | None
    """None leaves it to the connection's ``prepare_threshold``; nothing is prepared on connections of others:
    outside of transactions, nothing would drop it."""

    _forgets_stale_plan = staticmethod(forgets_stale_plan)

    def __init__(self, lender: Origin, token: object, raw: Any) -> None:
        super().__init__(lender, token, raw)
        self._prepares = None if lender.owns_connections else False

    @staticmethod
    def is_plain(dbapi_connection: DBAPIConnection) -> bool:
        raw = getattr(dbapi_connection, "driver_connection", dbapi_connection)
        return (
            raw.pgconn.transaction_status == TransactionStatus.IDLE
            and raw.row_factory is tuple_row
            and (raw.isolation_level, raw.read_only, raw.deferrable) == _DEFAULTS
        )

    def adopt(self) -> None:
        if not self.raw.autocommit:
            self._adopted = True
            self._set_autocommit(True)

    def _restore(self) -> None:
        self._set_autocommit(False)

    def _set_autocommit(self, on: bool) -> None:
        self.raw.autocommit = on

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        self._ran += 1
        return self.raw.execute(sql, params, prepare=self._prepares).fetchall()  # type: ignore[no-any-return]

    def _count(self, sql: str, params: Params) -> int:
        self._ran += 1
        return self.raw.execute(sql, params, prepare=self._prepares).rowcount  # type: ignore[no-any-return]

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        self._ran += 1
        with self.raw.cursor() as cursor:
            cursor.executemany(sql, rows)

    def _outcome(self, sql: str, params: Params) -> Outcome:
        self._ran += 1
        return outcome_of(self.raw.execute(sql, params, prepare=self._prepares))

    def _cursor(self, sql: str, params: Params) -> Any:
        self._ran += 1
        cursor = self.raw.cursor(cursor_name())
        with _forgotten_on_error(cursor):
            cursor.execute(sql, params)
        return cursor

    def _fetch_some(self, cursor: Any, size: int) -> list[Row]:
        return cursor.fetchmany(size)  # type: ignore[no-any-return]

    def _close_cursor(self, cursor: DBAPICursor) -> None:
        cursor.close()

    def _command(self, sql: str) -> str | None:
        return self.raw.execute(sql).statusmessage  # type: ignore[no-any-return]

    def _is_closed(self) -> bool:
        return self.raw.closed  # type: ignore[no-any-return]

    def _holds_transaction(self) -> bool:
        return self.raw.info.transaction_status in _OPEN

    def _settle(self) -> bool:
        # psycopg itself cancels an interrupted statement and waits for its end.
        return self.raw.info.transaction_status in _READY

    @staticmethod
    def alive(entry: Entry) -> bool:
        """Tell whether an idle connection is open: of a closed one, the server's last words are to be read.

        Other words of the server's own (its settings were reloaded) cost the connection, too, which does no harm.
        """
        if entry.poll is None:
            entry.poll = _poll(entry.raw)
        return not entry.poll(0)

    @staticmethod
    def kill(raw: Any) -> None:
        raw.pgconn.finish()


class AsyncPsycopgChannel(PsycopgChannel):
    """A channel on a `psycopg.AsyncConnection`."""

    waits = True
    waits_in_place = not hasattr(waiting, "wait_for")  # with which older ones measure time

    def _set_autocommit(self, on: bool) -> None:
        _wait(self.raw.set_autocommit(on))

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        self._ran += 1
        return _wait(_fetchall(self.raw, sql, params, self._prepares))

    def _count(self, sql: str, params: Params) -> int:
        self._ran += 1
        return _wait(self.raw.execute(sql, params, prepare=self._prepares)).rowcount  # type: ignore[no-any-return]

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        self._ran += 1
        _wait(_executemany(self.raw, sql, rows))

    def _outcome(self, sql: str, params: Params) -> Outcome:
        self._ran += 1
        return _wait(_outcome(self.raw, sql, params, self._prepares))

    def _cursor(self, sql: str, params: Params) -> Any:
        self._ran += 1
        cursor = self.raw.cursor(cursor_name())
        with _forgotten_on_error(cursor):
            _wait(cursor.execute(sql, params))
        return cursor

    def _fetch_some(self, cursor: Any, size: int) -> list[Row]:
        return _wait(cursor.fetchmany(size))

    def _close_cursor(self, cursor: Any) -> None:
        _wait(cursor.close())

    def _command(self, sql: str) -> str | None:
        return _wait(self.raw.execute(sql)).statusmessage  # type: ignore[no-any-return]


def _wait(work: Coroutine[Any, Any, R]) -> R:
    """Wait for psycopg, which would close the connection, and leave the statement running, if cancelled again.

    Where the server is silent an older one would wait for it without end.
    """
    return bridge.wait(bridge.told_once(work, settings.FACADE_CLEANUP_SECONDS))


@contextmanager
def _forgotten_on_error(cursor: Any) -> Iterator[None]:
    """A cursor that was not opened is gone with its failed transaction; psycopg would warn that it is open."""
    try:
        yield
    except BaseException:
        cursor._closed = True
        raise


async def _fetchall(raw: Any, sql: str, params: Params, prepare: bool | None) -> Sequence[Row]:
    cursor = await raw.execute(sql, params, prepare=prepare)
    return await cursor.fetchall()  # type: ignore[no-any-return]


async def _outcome(raw: Any, sql: str, params: Params | None, prepare: bool | None) -> Outcome:
    cursor = await raw.execute(sql, params, prepare=prepare)
    outcome = Outcome(rowcount=cursor.rowcount)
    if cursor.description is not None:
        outcome.columns = [column.name for column in cursor.description]
        outcome.rows = await cursor.fetchall()
    return outcome


async def _executemany(raw: Any, sql: str, rows: Sequence[Params]) -> None:
    async with raw.cursor() as cursor:
        await cursor.executemany(sql, rows)
