"""What the channels of PostgreSQL's drivers share."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

from facade.db.channels.base import DriverChannel
from facade.db.channels.errors import STALE_PLAN, sqlstate

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

_numbers = itertools.count(1)


def cursor_name() -> str:
    """Return a name for a server-side cursor: no other of this process has it."""
    return f"facade_cursor_{next(_numbers)}"


def name_statements_apart(connection: DBAPIConnection, record: object) -> None:
    """Give a new psycopg connection's prepared statements names that no other client of a pooler has.

    psycopg counts them from 0 on every connection, so that two clients of one server would run each other's.
    """
    raw: Any = getattr(connection, "driver_connection", connection)
    statements: Any = getattr(raw, "_prepared", None)
    if hasattr(statements, "_prepared_idx"):
        statements._prepared_idx = secrets.randbits(62)


def forgets_stale_plans(raw: object, error: BaseException) -> bool:
    """Tell whether psycopg has refused a statement for a plan that a changed table has made stale; none is left then."""
    statements: Any = getattr(raw, "_prepared", None)
    if sqlstate(error) != STALE_PLAN or not getattr(statements, "_names", None):
        return False
    # The server drops its own with the next statement.
    statements._to_flush.extend(statements._names.values())
    statements._names.clear()
    return True


class PostgresqlChannel(DriverChannel):
    """A channel to PostgreSQL: how its transactions begin, and that its cursors live in one."""

    stream_needs_transaction = True

    def _begin_sql(self, isolation_level: str | None, read_only: bool) -> str:
        level = f" ISOLATION LEVEL {isolation_level}" if isolation_level else ""
        return f"BEGIN{level}{' READ ONLY' if read_only else ''}"
