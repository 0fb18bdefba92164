"""sqlite3, of the standard library: SQLite in sync code."""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from facade.drivers.others import SQLITE, sqlite_defaults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import URL

ARGUMENTS = frozenset(
    {
        "timeout", "detect_types", "isolation_level", "check_same_thread", "factory", "cached_statements", "uri",
        *(("autocommit",) if sys.version_info >= (3, 12) else ()),
    }
)  # fmt: skip


class KnowingConnection(sqlite3.Connection):
    """A connection that closes its cursors before itself: one that is open would keep it, and its locks, alive.

    Cancelled tasks and errors leave cursors behind, those in the frames of a traceback for as long as it lives.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        cursor = super().cursor(factory)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        for cursor in list(self._cursors):
            cursor.close()
        super().close()


def defaults(pooled: bool) -> dict[str, Any]:
    """Return the arguments where the user gave none."""
    return {**sqlite_defaults(pooled), "factory": KnowingConnection}


def in_query(url: URL) -> Iterable[str]:
    """Return the arguments that are said in a URL's query; those of SQLite's own URIs are none."""
    return () if "uri" in url.query else url.query


def known() -> frozenset[str]:
    """Return the arguments that `sqlite3.connect` takes."""
    return ARGUMENTS


PYSQLITE = replace(
    SQLITE,
    name="pysqlite",
    faces=("sync",),
    module="sqlite3",
    roads={"sync": "sqlite:SqliteChannel"},
    same_sql=True,
    known=known,
    in_query=in_query,
    defaults=defaults,
)
