"""`squashmigrations`: one revision instead of several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.util import CommandError

from facade.migrations.commands.histories import nothing_to_do
from facade.migrations.revisions.squashed import source_of
from facade.migrations.runs.progress import title

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import Script

    from facade.migrations.commands.histories import History

__all__ = ["Chosen", "choose", "squash"]


@dataclass
class Chosen:
    """The revisions to squash, in their order."""

    scripts: list[Script]

    @property
    def titles(self) -> list[str]:
        """Their names."""
        return [title(one) for one in self.scripts]


def choose(history: History, first: str | None, last: str) -> Chosen:
    """Return the revisions from ``first``, or the history's beginning, to ``last``.

    Raises CommandError where they do not follow one another.
    """
    start = None if first is None else history.find(first)
    scripts = [history.find(last)]
    while scripts[0] != start and scripts[0].down_revision is not None:
        _check_simple(scripts[0])
        scripts.insert(0, history.scripts.get_revision(str(scripts[0].down_revision)))
    if start is not None and scripts[0] != start:
        raise CommandError(f"{title(start)} is not before {title(scripts[-1])}.")
    if len(scripts) < 2:
        raise CommandError(f"There is one revision only up to {title(scripts[0])}: nothing to squash.")
    for one in scripts[:-1]:
        if len(one.nextrev) > 1:
            raise CommandError(
                f"The history branches behind {title(one)}: squash what is before it, or after it."
            )
    return Chosen(scripts)


def _check_simple(script: Script) -> None:
    if not isinstance(script.down_revision, str) or script.dependencies or script.branch_labels:
        raise CommandError(
            f"{title(script)} joins branches, depends on others or has labels: squash what is before it, or after it."
        )


def squash(history: History, chosen: Chosen, *, name: str | None = None) -> Path:
    """Write one file instead of the chosen ones', and return its path.

    It has the last one's id, so databases that have them applied need nothing. Raises CommandError where this
    database, or one of its schemas, has some of them and not all.
    """
    _check_place(history, chosen)
    last = chosen.scripts[-1]
    name = name or f"squashed_{chosen.scripts[0].revision}"
    text = source_of(chosen.scripts, name)
    path = Path(last.path).with_name(f"{last.revision}_{name}.py")
    unfinished = path.with_suffix(".py.unfinished")
    unfinished.write_text(text, "utf-8")
    for script in chosen.scripts:
        Path(script.path).unlink()
    return unfinished.rename(path)


def _check_place(history: History, chosen: Chosen) -> None:
    inside = {one.revision: title(one) for one in chosen.scripts[:-1]}

    def look(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        for head in heads:
            if head in inside:
                raise CommandError(
                    f"The database {history.alias!r} stands at {inside[head]}: run `facade migrate` first."
                )
        return nothing_to_do(heads, context)

    history.visit(look)
