"""Reading results: a cursor to its end, or piece by piece while others write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from facade.db.channels.channel import Outcome, Row

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor


class Reader:
    """An open cursor, or what was left in it when it had to be closed."""

    __slots__ = ("_close", "_cursor", "_fetch", "_rest")

    def __init__(
        self, cursor: Any, fetch: Callable[[Any, int], list[Row]], close: Callable[[Any], None]
    ) -> None:
        self._cursor = cursor
        self._fetch = fetch
        self._close = close
        self._rest: Iterator[Row] | None = None

    def read(self, size: int) -> list[Row]:
        """Return at most ``size`` further rows."""
        if self._rest is None:
            return self._fetch(self._cursor, size)
        return list(islice(self._rest, size))

    def detach(self) -> None:
        """Keep the rest in memory and close the cursor."""
        rest: list[Row] = []
        while rows := self._fetch(self._cursor, 2000):
            rest += rows
        self.close()
        self.keep(rest)

    def keep(self, rows: Sequence[Row]) -> None:
        """Hand out these rows from now on."""
        self._rest = iter(rows)

    def close(self) -> None:
        """Close the cursor, once."""
        if self._rest is None:
            self._close(self._cursor)
        self._rest = iter(())


def at_hand(rows: Sequence[Row]) -> Reader:
    """Return a reader of rows that are all there."""
    reader = Reader(None, _nothing, _close)
    reader.keep(rows)
    return reader


def _nothing(cursor: DBAPICursor, size: int) -> list[Row]:
    return []


def _close(cursor: DBAPICursor) -> None:
    pass


def outcome_of(cursor: Any) -> Outcome:
    """Read a DB-API cursor to its end."""
    outcome = Outcome(rowcount=cursor.rowcount, lastrowid=getattr(cursor, "lastrowid", None))
    if cursor.description is not None:
        outcome.columns = [column[0] for column in cursor.description]
        outcome.rows = cursor.fetchall()
    return outcome
