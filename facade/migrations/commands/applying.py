"""`migrate` and `showmigrations`: bring a database to a revision, back or forth, and show where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationStep
from alembic.util import CommandError

from facade.migrations.revisions.calls import operations_of
from facade.migrations.runs import dialects
from facade.migrations.runs.errands import Errand
from facade.migrations.runs.errors import said
from facade.migrations.runs.progress import Progress, title
from facade.migrations.runs.recording import tables_made_by
from facade.migrations.runs.telling import nothing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import Script

    from facade.migrations.commands.histories import History

    Tables = list[tuple[str, str | None]]

__all__ = ["Place", "Planned", "check_known", "migrate", "places", "plan", "steps_to"]

_BACK_TO_NOTHING = ("zero", "base")


def migrate(
    history: History,
    target: str | None = None,
    *,
    fake: bool = False,
    fake_initial: bool = False,
    schemas: Sequence[str] = (),
    again: bool = False,
    progress: Progress | None = None,
) -> int:
    """Apply the revisions up to ``target``, or undo those behind it; returns how many there were.

    ``target`` is a revision as `History.find` takes it, one of Alembic's words ("head", "heads", "base", "+1", "-1") or Django's
    "zero"; the last revision by default. ``fake`` takes them as applied without running them, ``fake_initial`` the first ones
    whose tables are there already. ``again`` runs a revision that was interrupted, after what it did was undone by hand.

    Raises CommandError for a revision that fails: it names the revision, the schema, and what was kept; and, before anything
    is changed, for one that was made on another kind of database. ``fake`` asks nothing of the kind, as nothing is run.
    """
    progress = progress or Progress()
    initial = _initial_tables(history) if fake_initial else {}

    def steps(heads: tuple[str, ...], context: MigrationContext) -> Iterator[RevisionStep]:
        for step in steps_to(history, target, heads):
            if fake or _is_there(step, context, initial):
                step.migration_fn = nothing
            yield step

    errand = Errand(schemas=tuple(schemas), progress=progress, again=again or fake)
    try:
        history.visit(steps, errand, destination_rev=target or "head")
    except Exception as error:
        raise CommandError(_failure(error, progress)) from error
    return progress.applied


def steps_to(history: History, target: str | None, heads: tuple[str, ...]) -> list[RevisionStep]:
    """Return the steps from where a database is to the target."""
    scripts = history.scripts
    check_known(history, heads)
    if target in _BACK_TO_NOTHING:
        return _down(history, heads, "base")
    if target is None or target == "head":
        history.check_heads()
        return _up(history, heads, "heads")
    if target == "heads" or target.startswith("+"):
        return _up(history, heads, target)
    if target.startswith("-"):
        return _down(history, heads, target)
    wanted = history.find(target).revision
    behind = {one.revision for one in scripts.iterate_revisions(heads, "base")} if heads else set()
    return _down(history, heads, wanted) if wanted in behind else _up(history, heads, wanted)


def check_known(history: History, heads: tuple[str, ...]) -> None:
    """Raise CommandError for a database that stands where the history has nothing."""
    known = {one.revision for one in history.scripts.walk_revisions()}
    for head in heads:
        if head not in known:
            squashed = next((one for one in history.scripts.walk_revisions() if head in _replaced(one)), None)
            raise CommandError(
                f"The database stands at {head}, which {title(squashed)} has squashed: take the version of the program that still "
                "has it, migrate, and come back."
                if squashed
                else f"The database stands at {head}, which is no revision of this history: take the version of the program that "
                "has it. To give the database another history, say `facade migrate zero --fake` with the one that it has."
            )


def _replaced(script: Script) -> Sequence[str]:
    replaced: Sequence[str] = getattr(script.module, "replaces", ())
    return replaced


def _up(history: History, heads: tuple[str, ...], wanted: str) -> list[RevisionStep]:
    found = history.scripts.iterate_revisions(wanted, heads, implicit_base=True)
    return [
        MigrationStep.upgrade_from_script(history.scripts.revision_map, one) for one in reversed([*found])
    ]


def _down(history: History, heads: tuple[str, ...], wanted: str) -> list[RevisionStep]:
    found = history.scripts.iterate_revisions(heads, wanted, select_for_downgrade=True)
    return [MigrationStep.downgrade_from_script(history.scripts.revision_map, one) for one in found]


def _initial_tables(history: History) -> dict[str, Tables]:
    """Return the tables that the first revisions make."""
    seen = []

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        seen.append(context.dialect)
        return []

    history.visit(look, Errand(first_only=True))
    first = history.scripts.get_revisions(history.scripts.get_bases())
    dialects.check(first, seen[0])
    return {one.revision: tables_made_by(one.module.upgrade, seen[0]) for one in first}


def _is_there(step: RevisionStep, context: MigrationContext, initial: dict[str, Tables]) -> bool:
    """Tell whether a first revision makes only tables that are there."""
    made = initial.get(step.revision.revision)
    if not made or not step.is_upgrade:
        return False
    connection = context.connection
    assert connection is not None
    schema = context.version_table_schema
    return all(connection.dialect.has_table(connection, name, schema=where or schema) for name, where in made)


def _failure(error: Exception, progress: Progress) -> str:
    """Say in one line what failed where, and what is left of it."""
    place = f" in schema {progress.schema!r}" if progress.schema else ""
    what = said(error)
    if progress.revision is None:
        return f"{what}{place and f' (schema {progress.schema!r})'}"
    return f"{progress.revision} failed{place}: {what} {progress.kept()}"


# -- looking ---------------------------------------------------------------------------------------


@dataclass
class Planned:
    """A revision that would be applied or undone, and the operations in its file."""

    title: str
    is_upgrade: bool
    operations: list[str]
    schema: str | None = None


def plan(history: History, target: str | None = None, *, schemas: Sequence[str] = ()) -> list[Planned]:
    """Return what `migrate` would do."""
    found: list[Planned] = []
    progress = Progress()

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        steps = steps_to(history, target, heads)
        dialects.check((step.revision for step in steps), context.dialect)
        for step in steps:
            way = "upgrade" if step.is_upgrade else "downgrade"
            operations = operations_of(step.revision, way)
            found.append(Planned(title(step.revision), step.is_upgrade, operations, progress.schema))
        return []

    history.visit(look, Errand(schemas=tuple(schemas), progress=progress))
    return found


@dataclass
class Place:
    """Where a database, or a tenant's schema in it, is: each revision in its order, and whether it is applied."""

    schema: str | None
    revisions: list[tuple[str, bool]] = field(default_factory=list)


def places(history: History, *, schemas: Sequence[str] = ()) -> list[Place]:
    """Return which revisions are applied, for each schema."""
    found: list[Place] = []
    progress = Progress()

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        check_known(history, heads)
        scripts = history.scripts
        applied = {one.revision for one in scripts.iterate_revisions(heads, "base")} if heads else set()
        every = reversed([*scripts.walk_revisions()])
        found.append(Place(progress.schema, [(title(one), one.revision in applied) for one in every]))
        return []

    history.visit(look, Errand(schemas=tuple(schemas), progress=progress))
    return found
