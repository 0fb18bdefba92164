"""What the channels of PostgreSQL's drivers share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from facade.db.channels.base import DriverChannel

_numbers = itertools.count(1)


def cursor_name() -> str:
    """Return a name for a server-side cursor: no other of this process has it."""
    return f"facade_cursor_{next(_numbers)}"


class PostgresqlChannel(DriverChannel):
    """A channel to PostgreSQL: how its transactions begin, and that its cursors live in one."""

    stream_needs_transaction = True

    _begun: str
    """The statement that began the transaction."""

    _ran: int = 0
    """How many statements have been run in it."""

    _forgets_stale_plan: Callable[[Any, BaseException], bool]
    """What the driver's record has of this name."""

    def _begin(self, isolation_level: str | None, read_only: bool) -> None:
        super()._begin(isolation_level, read_only)
        self._begun, self._ran = self._begin_sql(isolation_level, read_only), 0

    def _has_stale_plan(self, error: BaseException) -> bool:
        if not self._forgets_stale_plan(self.raw, error):
            return False
        if self.in_transaction:
            if self._ran > 1:
                return False  # what was done before is lost with the transaction
            self._command("ROLLBACK")
            self._command(self._begun)
            self._ran = 0
        return True

    def _begin_sql(self, isolation_level: str | None, read_only: bool) -> str:
        level = f" ISOLATION LEVEL {isolation_level}" if isolation_level else ""
        return f"BEGIN{level}{' READ ONLY' if read_only else ''}"
