"""What a revision would do, found by running it where nothing is stored."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

__all__ = ["tables_made_by"]


def tables_made_by(function: Callable[[], None], dialect: sa.Dialect) -> list[tuple[str, str | None]]:
    """Return the names and schemas of the tables that a revision's function creates. No environment may be running."""
    made: list[tuple[str, str | None]] = []

    def create_table(table: sa.Table, **options: object) -> None:
        made.append((table.name, table.schema))

    recording = MigrationContext.configure(
        dialect=dialect, opts={"as_sql": True, "output_buffer": StringIO(), "literal_binds": True}
    )
    recording.impl.create_table = create_table  # type: ignore[method-assign]
    with Operations.context(recording):
        function()
    return made
