"""What the channels of PostgreSQL's drivers share."""

from __future__ import annotations

import itertools

from facade.db.channels.base import DriverChannel

_numbers = itertools.count(1)


def cursor_name() -> str:
    """Return a name for a server-side cursor: no other of this process has it."""
    return f"facade_cursor_{next(_numbers)}"


class PostgresqlChannel(DriverChannel):
    """A channel to PostgreSQL: how its transactions begin, and that its cursors live in one."""

    stream_needs_transaction = True

    def _begin_sql(self, isolation_level: str | None, read_only: bool) -> str:
        level = f" ISOLATION LEVEL {isolation_level}" if isolation_level else ""
        return f"BEGIN{level}{' READ ONLY' if read_only else ''}"
