"""Each revision's beginning and end, told to those who watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep

from facade.migrations.runs.progress import Progress, title

if TYPE_CHECKING:
    from facade.migrations.runs.marks import Marks

__all__ = ["Steps", "known", "nothing", "told"]

#: What a command gives to Alembic: from the heads of a database to the steps that it wants.
Steps = Callable[[tuple[str, ...], MigrationContext], Iterable[RevisionStep | StampStep]]


def known(steps: list[RevisionStep | StampStep]) -> Steps:
    """Return what gives Alembic the steps that were found before."""
    return lambda heads, context: steps


def nothing(**options: object) -> None:
    """Stand in for what a revision does, where its place in the history is taken without it."""


def told(
    steps: Steps, progress: Progress, marks: Marks | None, heads: tuple[str, ...], context: MigrationContext
) -> Iterator[RevisionStep | StampStep]:
    """Yield the steps, and tell of each before it is run and when it is committed."""
    for step in steps(heads, context):
        if isinstance(step, StampStep):
            yield step
            continue
        if marks is not None:
            marks.begin("upgrade" if step.is_upgrade else "downgrade", step.revision.revision)
        progress.begin(title(step.revision), up=step.is_upgrade, faked=step.migration_fn is nothing)
        yield step
        if marks is not None:
            marks.end()
        progress.end()
