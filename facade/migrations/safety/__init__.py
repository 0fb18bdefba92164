"""A lint of pending revisions: what they do to those who use the database meanwhile, and the safe way to the same end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facade.migrations.runs import dialects
from facade.migrations.runs.errands import Errand
from facade.migrations.safety.findings import Finding, Level
from facade.migrations.safety.recording import record
from facade.migrations.safety.rules import Case, cases, in_words, note_effects, table_of
from facade.migrations.safety.surroundings import Surroundings

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import Script, ScriptDirectory
    from sqlalchemy.engine import Connection, Dialect

    from facade.migrations.commands.histories import History

__all__ = ["LARGE", "Finding", "Level", "findings", "lint", "pending"]

#: From how many rows on a table is large.
LARGE = 10_000


def pending(scripts: ScriptDirectory, heads: Iterable[str]) -> list[Script]:
    """Return the revisions that a database with these heads does not have yet, in the order in which they are applied."""
    found = list(scripts.iterate_revisions("heads", tuple(heads) or "base"))
    return found[::-1]


def lint(
    history: History, since: str | None = None, *, large: int = LARGE, schemas: Sequence[str] = ()
) -> tuple[list[Script], list[Finding]]:
    """Look at the revisions that a database does not have yet, or at those behind ``since``; return both.

    Of tenants' schemas the first stands for all. Raises CommandError for a revision that is not there, or was made on another
    kind of database.
    """
    scripts: list[Script] = []
    found: list[Finding] = []

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        begin = heads if since is None else (history.find(since).revision,)
        scripts.extend(pending(history.scripts, begin))
        dialects.check(scripts, context.dialect)
        found.extend(findings(scripts, context.dialect, context.connection, large=large))
        return []

    history.visit(look, Errand(schemas=tuple(schemas), first_only=True))
    return scripts, found


def findings(
    scripts: Iterable[Script], dialect: Dialect, connection: Connection | None = None, *, large: int = LARGE
) -> Iterator[Finding]:
    """Yield what there is to say of revisions that are to be applied in this order.

    Their ``upgrade()`` is called, and what it asks of ``op`` is looked at instead of done. Through ``connection`` the tables
    are asked how large they are: one below ``large`` rows keeps nobody waiting for long. Without it all tables are
    taken for large ones. What a script's ``safe = ["index-locks", …]`` names is not told.
    """
    around = Surroundings(dialect, connection, large)
    for script in scripts:
        yield from _of_script(script, around)


def _of_script(script: Script, around: Surroundings) -> Iterator[Finding]:
    known = set(getattr(script.module, "safe", ()))
    recorded, error = record(script, around.dialect)
    told: set[tuple[int, Case]] = set()
    for one in recorded:
        for case in cases(one, around):
            again = one.batch > 0 and (one.batch, case) in told
            told.add((one.batch, case))
            if case.name not in known and not again:
                yield _finding(script, around, table_of(one.operation), in_words(one.operation), case)
        note_effects(one, around)
    if error is not None and "unseen" not in known:
        yield _finding(script, around, "", "upgrade()", _unread(error))
    around.just_added.clear()


def _unread(error: Exception) -> Case:
    return Case(
        "unseen",
        Level.WARNING,
        f"It could not be read to its end without the database: {type(error).__name__}: {error}",
        "Read the rest; put what asks the database into op.run_python(), whose functions are not called here.",
    )


def _finding(script: Script, around: Surroundings, table: str, operation: str, case: Case) -> Finding:
    return Finding(
        script.revision,
        Path(script.path).stem,
        around.vendor.display_name,
        table,
        operation,
        case.name,
        case.level,
        case.what,
        case.remedy,
    )
