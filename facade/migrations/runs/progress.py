"""What a run tells while it goes on: who it waits for, where it is, which revision it applies."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.script import Script
    from sqlalchemy.engine import Connection

__all__ = ["Progress", "title"]

_log = logging.getLogger("alembic.runtime.migration")


def title(script: Script) -> str:
    """Return how users see a revision: its file's name, as Django calls its migrations."""
    return Path(script.path).stem


class Progress:
    """Tells the log. A command's progress tells its terminal.

    ``schema`` and ``revision`` are what the run is at, for whoever has to say where it failed.
    """

    def __init__(self) -> None:
        self.schema: str | None = None
        self.revision: str | None = None
        self.applied = 0
        self.whole: bool | None = True  # a transaction holds each revision; None where nobody knows
        self.committed = False  # the revision has ended it by itself

    def waiting(self, message: str) -> None:
        """Another deployer has the lock."""
        _log.warning(message)

    def enter(self, schema: str | None) -> None:
        """The run comes to a tenant's schema; None where there are none."""
        self.schema = schema
        if schema is not None:
            _log.info("Schema %s", schema)

    def begin(self, revision: str, *, up: bool, faked: bool = False) -> None:
        """A revision is about to be applied, or undone."""
        self.revision = revision
        self.committed = False

    def commit(self, connection: Connection) -> None:
        """The connection commits."""
        self.committed = True

    def end(self) -> None:
        """The revision is committed."""
        self.revision = None
        self.applied += 1

    def say(self, message: str) -> None:
        """What the user should know besides."""
        _log.warning(message)

    def make_room(self) -> None:
        """Something else is about to move in the terminal: a bar of rows."""

    def kept(self) -> str:
        """Say what is left of a revision that failed."""
        if self.whole is None:
            return "What is kept of it is for its env.py to say."
        if self.whole and self.committed:
            return (
                "It ended its transaction by itself, so what came before that is kept (an index that was to be made "
                "concurrently may be there, and invalid): look before you run it again."
            )
        if self.whole:
            return "Nothing of it was kept; those before it are applied."
        return "This database commits each statement: run migrate again to see what to look at."
