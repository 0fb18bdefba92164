"""libsql: Turso's databases, and files, in sync code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from facade.drivers.others import SQLITE


def defaults(pooled: bool) -> dict[str, Any]:
    """Return the arguments where the user gave none."""
    return {"check_same_thread": False}


LIBSQL = replace(
    SQLITE, name="libsql", faces=("sync",), module="libsql_experimental", package="sqlalchemy-libsql", defaults=defaults
)
