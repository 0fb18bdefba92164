"""What a lint of migrations finds."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = ["Finding", "Level"]


class Level(IntEnum):
    """How bad a finding is."""

    NOTE = 1
    """Worth knowing: it is over soon, or cannot be judged."""
    WARNING = 2
    """Somebody has to wait, or may fail, while the revision is applied."""
    ERROR = 3
    """The revision fails, or what runs now does after it."""


class Finding(NamedTuple):
    """One thing that a pending revision does to those who use the database meanwhile."""

    revision: str
    """The revision's identifier."""
    script: str
    """The name of its file."""
    database: str
    """Which database it is, such as ``PostgreSQL``."""
    table: str
    operation: str
    """What the script says, in short: ``create_index('book_title_idx')``."""
    name: str
    """Which rule it is: a script with ``safe = ["index-locks"]`` is not asked for that one."""
    level: Level
    what: str
    """What happens."""
    remedy: str
    """The safe way to the same end."""

    def __str__(self) -> str:
        where = f" on {self.table}" if self.table else ""
        return (
            f"{self.level.name} {self.script}: {self.operation}{where} [{self.name}]\n"
            f"  On {self.database}: {self.what}\n"
            f"  The safe way: {self.remedy}"
        )
