"""What a command asks of the environment, which Alembic runs for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from facade.migrations.runs.progress import Progress

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.migration import RevisionStep, StampStep

__all__ = ["Errand", "errand_of"]

_ATTRIBUTE = "facade.errand"


@dataclass
class Errand:
    """Which schemas a command is for (those of the environment, where it names none), and whom it tells about it.

    ``again`` says that the user has undone what an interrupted revision left behind; ``first_only`` that one schema
    stands for all. ``ran`` is set by `environment.run`: an env.py of another kind does not know of errands. Its steps are
    ``unsaid`` until it has come to its end, since nobody knows when it commits.
    """

    schemas: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Progress)
    again: bool = False
    first_only: bool = False
    ran: bool = False
    unsaid: list[RevisionStep | StampStep] | None = None

    def give(self, config: Config) -> None:
        """Let the environment of this configuration find the errand."""
        config.attributes[_ATTRIBUTE] = self


def errand_of(config: Config) -> Errand | None:
    """Return the errand that a command gave; None where one of Alembic's own commands runs."""
    found: Errand | None = config.attributes.get(_ATTRIBUTE)
    return found
