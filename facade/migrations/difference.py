"""What a live database has otherwise than the models say: `facade diff`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import produce_migrations
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext

from facade.db.connection import connections
from facade.db.routing import DEFAULT_DB_ALIAS
from facade.migrations import plugin
from facade.migrations.commands.making import _tables_of
from facade.migrations.environment import _settings
from facade.migrations.revisions.names import descriptions
from facade.migrations.runs.errands import Errand
from facade.migrations.runs.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from alembic.runtime.migration import RevisionStep
    from sqlalchemy import Inspector

    from facade.migrations.commands.histories import History

__all__ = ["Difference", "difference_of", "find", "find_without_history"]


@dataclass
class Difference:
    """What would bring a database, or a tenant's schema in it, to the models; and the tables that no model has."""

    schema: str | None = None
    changes: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def find(history: History, *, schemas: Sequence[str] = ()) -> list[Difference]:
    """Compare a database with the models and what else env.py names; one answer for each schema of a tenant.

    A table that the revisions have made, and no model has any more, is a difference; others are nobody's business.
    """
    found: list[Difference] = []
    progress = Progress()
    known = _tables_of(history)

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        found.append(difference_of(context, known, progress.schema))
        return []

    history.visit(look, Errand(schemas=tuple(schemas), progress=progress))
    return found


def find_without_history(alias: str = DEFAULT_DB_ALIAS) -> Difference:
    """Compare a database with the models where there are no migrations; tables that no model has are no difference."""
    plugin.install()
    database = connections[alias]
    return database.inspect(partial(_look, _settings(database, (), {})))


def _look(settings: dict[str, Any], inspector: Inspector) -> Difference:
    connection: Any = inspector.bind
    return difference_of(MigrationContext.configure(connection, opts=settings), ())


def difference_of(context: MigrationContext, known: Collection[str], schema: str | None = None) -> Difference:
    """Compare what a context of Alembic's is configured for; ``known`` are the tables that revisions have made."""
    script = produce_migrations(context, context.opts["target_metadata"])
    assert script.upgrade_ops is not None
    gone = {one.table_name for one in script.upgrade_ops.ops if isinstance(one, ops.DropTableOp)}
    others = gone - set(known)
    wanted = [one for one in script.upgrade_ops.ops if getattr(one, "table_name", None) not in others]
    return Difference(schema, descriptions(wanted), sorted(others))
