"""The kind of database that a revision was made on: its file says so in a line of its own, ``runs_on``.

A script may run on another kind without an error, and leave columns there that take no rows, or hold them otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.util import CommandError

from facade.migrations.runs.progress import title
from facade.migrations.runs.telling import nothing
from facade.vendors import vendor_named, vendor_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alembic.operations.ops import MigrationScript
    from alembic.script import Script, ScriptDirectory
    from sqlalchemy.engine import Dialect

    from facade.migrations.runs.telling import Steps

__all__ = ["RUNS_ON", "check", "check_history", "checked", "line_of", "mark", "shared"]

RUNS_ON = "runs_on"

# Their columns are the same, and a URL of MySQL's may lead to either.
_ONE_KIND = {"mariadb": "mysql"}
_CALLED = {"mysql": "MySQL or MariaDB"}


def line_of(kinds: Sequence[str]) -> str:
    """Return the line that keeps a revision to kinds of databases; an empty one for those that are for all."""
    if not kinds:
        return ""
    said = kinds[0] if len(kinds) == 1 else tuple(kinds)
    return f"{RUNS_ON} = {said!r}  # where it was made: delete the line if it is right for others, too"


def mark(context: MigrationContext, directives: Iterable[MigrationScript]) -> None:
    """Let revisions that are about to be written say what they were made on: behind the imports, which every template has."""
    for one in directives:
        one.imports = {*one.imports, line_of([_kind_of(context.dialect)])}


def check(scripts: Iterable[Script], dialect: Dialect) -> None:
    """Raise CommandError where some of the revisions were made on another kind of database."""
    here = _kind_of(dialect)
    others = [one for one in scripts if (kinds := _kinds(one)) and here not in kinds]
    if not others:
        return
    first = others[0]
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    raise CommandError(
        f"{title(first)}{more} was made on {_called(_kinds(first))}, and this database is {vendor_of(dialect).called}, which keeps "
        "keys and values in other columns: give it a history of its own (`facade init --config FILE`, then the same --config "
        f"with each command). Where a revision is right for both, delete its line `{RUNS_ON} = …`."
    )


def check_history(scripts: ScriptDirectory, dialect: Dialect) -> None:
    """Raise CommandError where a history has revisions of another kind of database."""
    check(reversed([*scripts.walk_revisions()]), dialect)


def checked(
    steps: Steps, heads: tuple[str, ...], context: MigrationContext
) -> list[RevisionStep | StampStep]:
    """Return the steps, of which none is run yet; those that run nothing may be of any kind.

    Raises CommandError as `check` does.
    """
    found = [*steps(heads, context)]
    run = [one.revision for one in found if isinstance(one, RevisionStep) and one.migration_fn is not nothing]
    check(run, context.dialect)
    return found


def shared(scripts: Iterable[Script]) -> tuple[str, ...]:
    """Return the kinds of databases that all the revisions run on; none where no revision names one.

    Raises CommandError for revisions of different kinds.
    """
    found: tuple[str, ...] = ()
    owner: Script | None = None
    for one in scripts:
        kinds = _kinds(one)
        both = tuple(kind for kind in found if kind in kinds) if found and kinds else found or kinds
        if owner is not None and not both:
            raise CommandError(
                f"{title(owner)} was made on {_called(found)}, and {title(one)} on {_called(kinds)}: no database runs both. Make one "
                f"of them anew where the other was made; or where it is right for both, delete its line `{RUNS_ON} = …`."
            )
        if kinds and both != found:
            found, owner = both, one
    return found


def _kind_of(dialect: Dialect) -> str:
    return _ONE_KIND.get(dialect.name, dialect.name)


def _kinds(script: Script) -> tuple[str, ...]:
    """Return what a revision names; a name that holds anything else is the script's own affair."""
    said: object = getattr(script.module, RUNS_ON, ())
    names: object = (said,) if isinstance(said, str) else said
    if not isinstance(names, (tuple, list)):
        return ()
    return tuple(_ONE_KIND.get(name, name) for name in names if isinstance(name, str))


def _called(kinds: Iterable[str]) -> str:
    return " or ".join(_CALLED.get(kind, vendor_named(kind).display_name) for kind in kinds)
