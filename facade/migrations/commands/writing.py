"""`sqlmigrate`: the SQL of a revision."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationStep
from alembic.util import to_tuple

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep

    from facade.migrations.commands.histories import History

__all__ = ["sql_of"]


def sql_of(history: History, name: str, *, backwards: bool = False) -> str:
    """Return the SQL of one revision, or that which undoes it; nothing is changed.

    On SQLite, where tables are made anew from what they were, the history up to it is run in memory.
    """
    script = history.find(name)
    make = MigrationStep.downgrade_from_script if backwards else MigrationStep.upgrade_from_script

    def steps(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        return [make(history.scripts.revision_map, script)]

    start = script.revision if backwards else list(to_tuple(script.down_revision, ()))
    history.config.output_buffer = written = StringIO()
    history.visit(steps, as_sql=True, starting_rev=start or None)
    return written.getvalue()
