"""EXPLAIN: the plan of a statement."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from facade.db.channels.channel import Params, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.db.database import Database

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
    return "\n".join(_line(row) for row in rows)


def _prefix(database: Database, format: str | None, options: dict[str, Any]) -> str:
    for name in options:
        if not _OPTION.fullmatch(name) or "--" in name:
            raise ValueError(f"Invalid option name: {name!r}.")
    formats = database.features.explain_formats
    if format is not None and format.upper() not in formats:
        known = (
            f" Allowed formats: {', '.join(formats)}."
            if formats
            else f" {database.display_name} does not support any formats."
        )
        raise ValueError(f"{format.upper()} is not a recognized format.{known}")
    return database.features.explain(format, options)


def _line(row: Sequence[Any]) -> str:
    values = tuple(row)
    if len(values) == 1:
        return values[0] if isinstance(values[0], str) else json.dumps(values[0])
    return " ".join(str(value) for value in values)
