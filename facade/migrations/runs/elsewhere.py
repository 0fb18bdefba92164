"""facade's commands on an env.py that a team wrote itself: it knows of no lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext

from facade.migrations.runs import locks
from facade.migrations.runs.dialects import checked
from facade.migrations.runs.signalling import announce
from facade.migrations.runs.telling import known, told
from facade.signals import pre_migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import RevisionStep, StampStep

    from facade.migrations.runs.errands import Errand
    from facade.migrations.runs.telling import Steps

__all__ = ["Overtaken", "steps_elsewhere"]


class Overtaken(Exception):
    """While the command waited for the lock, another deployer has moved the database: the environment is to be run again."""


def steps_elsewhere(
    work: Steps, errand: Errand, alias: str, heads: tuple[str, ...], context: MigrationContext
) -> Iterator[RevisionStep | StampStep]:
    """Yield the steps behind the lock, which a connection of its own holds: that of the env.py has begun its transaction.

    Raises Overtaken where the heads are others by then.
    """
    errand.progress.whole = None
    if "destination_rev" not in context.opts or context.connection is None or context.as_sql:
        yield from checked(work, heads, context)
        return
    with (
        context.connection.engine.connect() as connection,
        locks.held(connection, alias, errand.progress.waiting),
    ):
        options = {
            name: context.opts[name]
            for name in ("version_table", "version_table_schema")
            if name in context.opts
        }
        if set(MigrationContext.configure(connection, opts=options).get_current_heads()) != set(heads):
            raise Overtaken
        connection.rollback()
        errand.unsaid = checked(work, heads, context)
        announce(pre_migrate, alias, errand.unsaid)
        yield from told(known(errand.unsaid), errand.progress, None, heads, context)
