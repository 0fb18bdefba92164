"""Going on where Django's migrations have come to: `facade migrate --from-django`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.util import CommandError

from facade.migrations.commands.applying import migrate
from facade.migrations.commands.histories import find
from facade.migrations.commands.making import make
from facade.migrations.difference import difference_of
from facade.migrations.runs import dialects
from facade.migrations.runs.errands import Errand
from facade.migrations.runs.progress import Progress, title
from facade.migrations.runs.recording import tables_made_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from sqlalchemy.engine import Dialect

    from facade.migrations.commands.histories import History

__all__ = ["Taken", "take_over"]

_TABLE = sa.table("django_migrations", sa.column("app"), sa.column("name"))

#: As many differences are told at once.
SHOWN = 20


@dataclass
class Taken:
    """What was found in ``django_migrations``: the number of migrations by application; and the revision that was written."""

    applied: dict[str, int] = field(default_factory=dict)
    written: Path | None = None


def take_over(history: History, *, schemas: Sequence[str] = (), progress: Progress | None = None) -> Taken:
    """Take the tables that Django's migrations have made for the first revision, and apply what comes behind it.

    Where there is no revision yet, the first one is written: it makes all tables of the models, for databases to come. The
    tables have to be those of the models; behind a history that has gone on, those of its first revision have to be there.
    Tables of Django's own applications stay as they are.

    Raises CommandError for a database that Django has not migrated, that has revisions already, or that differs from the
    models: it says in what.
    """
    taken = Taken()
    _check(history, schemas, taken)
    if not history.heads():
        made = make(history, name="initial", from_nothing=True, schemas=schemas)
        taken.written = made.path
        if made.path is None:
            raise CommandError("There are no models: name the modules that have them in env.py.")
        history = find(history.alias, history.config.config_file_name)
    progress = progress or Progress()
    for first in history.scripts.get_bases():
        migrate(history, first, fake=True, schemas=schemas, progress=progress)
    migrate(history, schemas=schemas, progress=progress)
    return taken


def _check(history: History, schemas: Sequence[str], taken: Taken) -> None:
    where = Progress()
    seen: list[Dialect] = []

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        connection = context.connection
        assert connection is not None
        dialects.check_history(history.scripts, context.dialect)
        if not connection.dialect.has_table(connection, _TABLE.name):
            raise CommandError(
                f"The database {history.alias!r} has no table django_migrations: Django has not migrated it. `facade migrate` "
                "makes the tables of an empty database."
            )
        if heads:
            at = ", ".join(title(one) for one in history.scripts.get_revisions(heads))
            raise CommandError(f"The database {history.alias!r} is taken over already: it stands at {at}.")
        taken.applied = dict(Counter(connection.scalars(sa.select(_TABLE.c.app).order_by(_TABLE.c.app))))
        if len(list(history.scripts.walk_revisions())) < 2:
            _check_equal(context, where.schema)
        seen.append(context.dialect)
        return []

    history.visit(look, Errand(schemas=tuple(schemas), progress=where))
    if len(list(history.scripts.walk_revisions())) > 1:
        _check_there(history, schemas, seen[0])


def _check_there(history: History, schemas: Sequence[str], dialect: Dialect) -> None:
    """Refuse to take over a database that does not have what the first revisions make: the models have gone on since."""
    first = history.scripts.get_revisions(history.scripts.get_bases())
    wanted = [made for one in first for made in tables_made_by(one.module.upgrade, dialect)]

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        there = sa.inspect(context.connection)
        missing = [name for name, schema in wanted if not there.has_table(name, schema=schema)]
        if missing:
            raise CommandError(
                f"The database {history.alias!r} does not have {', '.join(missing)}, which {title(first[0])} makes: run Django's "
                "`migrate` to its end."
            )
        return []

    history.visit(look, Errand(schemas=tuple(schemas)))


def _check_equal(context: MigrationContext, schema: str | None) -> None:
    """Refuse to take over tables that are not those of the models."""
    changes = difference_of(context, (), schema).changes
    if not changes:
        return
    place = f" of schema {schema!r}" if schema else ""
    more = f"\n    … and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    raise CommandError(
        f"The tables{place} are not those of the models. Run Django's `migrate` to its end, or let the models say what is there "
        f"(`facade diff` compares). To bring them to the models:\n    "
        + "\n    ".join(changes[:SHOWN])
        + more
    )
