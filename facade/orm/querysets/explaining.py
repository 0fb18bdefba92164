"""EXPLAIN, in each database's words."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from facade.db.channels.channel import Params, Statement
from facade.exceptions import UnsupportedFeature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.db.database import Database


_POSTGRES_OPTIONS = (
    "ANALYZE",
    "BUFFERS",
    "COSTS",
    "GENERIC_PLAN",
    "MEMORY",
    "SERIALIZE",
    "SETTINGS",
    "SUMMARY",
    "TIMING",
    "VERBOSE",
    "WAL",
)
_FORMATS = {
    "postgresql": ("JSON", "TEXT", "XML", "YAML"),
    "mysql": ("JSON", "TEXT", "TRADITIONAL", "TREE"),
    "sqlite": (),
}

_OPTION = re.compile(r"[\w-]+", re.ASCII)


def explain_sql(
    database: Database, sql: str, params: Params, format: str | None, options: dict[str, Any]
) -> str:
    """Return the database's plan for a statement as text.

    Raises ValueError for a format or an option that the database does not have.
    """
    prefix = _prefix(database, format, options)
    rows = database.fetch(
        Statement(f"{prefix} {sql}", reads=not options.get("analyze"), returns=True), params
    )
    return "\n".join(_line(database.vendor, row) for row in rows)


def _prefix(database: Database, format: str | None, options: dict[str, Any]) -> str:
    vendor = database.vendor
    for name in options:
        if not _OPTION.fullmatch(name) or "--" in name:
            raise ValueError(f"Invalid option name: {name!r}.")
    formats = _FORMATS.get(vendor, ())
    if format is not None and format.upper() not in formats:
        known = (
            f" Allowed formats: {', '.join(formats)}."
            if formats
            else f" {database.display_name} does not support any formats."
        )
        raise ValueError(f"{format.upper()} is not a recognized format.{known}")
    if vendor == "postgresql":
        return _postgres(format, options)
    if options and not (vendor == "mysql" and set(options) == {"analyze"}):
        raise ValueError(f"Unknown options: {', '.join(sorted(options))}")
    if vendor == "sqlite":
        return "EXPLAIN QUERY PLAN"
    if options.get("analyze"):
        return "ANALYZE"
    if vendor != "mysql":
        raise UnsupportedFeature(f"explain() is not supported on {vendor}.")
    return f"EXPLAIN FORMAT={format.upper()}" if format and format.upper() == "JSON" else "EXPLAIN"


def _postgres(format: str | None, options: dict[str, Any]) -> str:
    if unknown := [name for name in options if name.upper() not in _POSTGRES_OPTIONS]:
        raise ValueError(f"Unknown options: {', '.join(sorted(unknown))}")
    words = [f"{name.upper()} {'true' if value else 'false'}" for name, value in options.items()]
    if format:
        words.append(f"FORMAT {format.upper()}")
    return f"EXPLAIN ({', '.join(words)})" if words else "EXPLAIN"


def _line(vendor: str, row: Sequence[Any]) -> str:
    values = tuple(row)
    if len(values) == 1:
        return values[0] if isinstance(values[0], str) else json.dumps(values[0])
    return " ".join(str(value) for value in values)
