"""libsql: Turso's databases, and files, in sync code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facade.drivers.others import SQLITE

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection


def defaults(pooled: bool) -> dict[str, Any]:
    """Return the arguments where the user gave none."""
    return {"check_same_thread": False}


def enforce_references(connection: DBAPIConnection, record: object) -> None:
    """Let a new connection check foreign keys."""
    connection.cursor().execute("PRAGMA foreign_keys = ON")


LIBSQL = replace(
    SQLITE,
    name="libsql",
    faces=("sync",),
    module="libsql_experimental",
    package="sqlalchemy-libsql",
    defaults=defaults,
    listeners=(("connect", enforce_references),),
)
