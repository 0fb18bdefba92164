"""The differences from Django that stand, as the comparison with Django knows them."""

from __future__ import annotations

import re

from tests.differential.explained import BOTH
from tests.differential.explained_reads import READS
from tests.differential.explained_writes import WRITES

#: What tells of the comparison, and not of what users meet.
UNSEEN = ("facade needs fewer statements", "two mistakes at once")
CODE = re.compile(r"\b[\w.]+\(\)|\bMeta\.\w+|\bUSE_TZ=False\b")
DATABASES = ("SQLite", "PostgreSQL", "MariaDB")


def all_reasons() -> list[str]:
    found = {**READS, **WRITES, **BOTH}
    return [why.rstrip(": ") for why in found if not why.startswith(UNSEEN)]


def database_of(why: str) -> str:
    """Return the database that a reason begins with; empty for what holds everywhere."""
    return next((name for name in DATABASES if why.startswith(name)), "")


def described() -> str:
    """Return the reasons as lists in Markdown, by the database that they are about."""
    lines: list[str] = []
    for database in ("", *DATABASES):
        whys = sorted(why for why in all_reasons() if database_of(why) == database)
        lines += [
            f"**{database or 'On every database'}**",
            "",
            *(f"- {_sentence(why, database)}." for why in whys),
            "",
        ]
    return "\n".join(lines)


def _sentence(why: str, database: str) -> str:
    text = CODE.sub(r"`\g<0>`", why.removeprefix(f"{database}: "))
    return text[0].upper() + text[1:]
