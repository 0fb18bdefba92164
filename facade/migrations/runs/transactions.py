"""SQLite's transactions as revisions need them: with DDL in them, and with tables that are made anew."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.util import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Connection

__all__ = ["of_sqlite"]


@contextmanager
def of_sqlite(connection: Connection) -> Iterator[Callable[..., None]]:
    """Begin transactions by hand, and enforce no references while a table is made anew: those to it would be deleted.

    Gives what checks them, for Alembic's ``on_version_apply``: before a revision is committed.
    """
    _pragma(connection, "foreign_keys = OFF")
    known = _broken(connection)
    connection.rollback()
    sa.event.listen(connection, "begin", _begin)
    try:
        yield lambda **details: _check(connection, known)
    finally:
        sa.event.remove(connection, "begin", _begin)
        connection.rollback()
        _pragma(connection, "foreign_keys = ON")


def _pragma(connection: Connection, pragma: str) -> None:
    connection.exec_driver_sql(f"PRAGMA {pragma}")
    connection.commit()


def _begin(connection: Connection) -> None:
    """Begin by hand: the driver begins transactions for INSERT, UPDATE and DELETE only."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _broken(connection: Connection) -> set[tuple[object, ...]]:
    return {(row[0], row[2]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}


def _check(connection: Connection, known: set[tuple[object, ...]]) -> None:
    """Raise CommandError where the revision has left references to rows that are not there."""
    for table, target in _broken(connection) - known:
        raise CommandError(
            f"rows of {table!r} refer to rows of {target!r} that are not there. Delete them, or let them refer to others, in the "
            "same revision."
        )
