"""aiosqlite: SQLite under asyncio."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from facade.drivers import pysqlite
from facade.drivers.others import SQLITE

if TYPE_CHECKING:
    from aiosqlite import Connection


def interrupt(raw: Connection) -> None:
    """Make the running statement fail; the coroutine behind it does not wait for anything."""
    with suppress(StopIteration, ValueError, sqlite3.Error):
        raw.interrupt().send(None)


def known() -> frozenset[str]:
    """Return the arguments that `aiosqlite.connect` takes."""
    return pysqlite.ARGUMENTS | {"iter_chunk_size", "async_creator_fn"}


AIOSQLITE = replace(
    SQLITE,
    name="aiosqlite",
    faces=("async",),
    module="aiosqlite",
    roads={"async": "aiosqlite:AiosqliteChannel"},
    same_sql=True,
    known=known,
    in_query=pysqlite.in_query,
    defaults=pysqlite.defaults,
    opens_whole=True,  # which takes no time: it opens a file
    interrupt=interrupt,
    privates={
        "aiosqlite:Connection": ("_conn", "_connection", "_execute", "_running", "_tx"),
        "aiosqlite.core": ("_STOP_RUNNING_SENTINEL",),
    },
)
