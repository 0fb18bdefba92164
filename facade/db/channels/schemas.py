"""SQLAlchemy's ``schema_translate_map``: tables that stand in other schemas than their models name.

A statement is compiled once, with marks where schemas are named; what the map says is filled in when it is run.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.db.channels.channel import Statement

SchemaMap = Mapping[str | None, str | None]

_MARK = re.compile(r"__\[SCHEMA_([^\]]+)\](\.?)")
_DEFAULT = "_none"


def marking(dialect: Dialect, names_default: bool) -> Dialect:
    """Return a twin of a dialect that marks schemas; those that tables do not name, too, if ``names_default``."""
    twin: Any = copy.copy(dialect)
    prepare: Any = dialect.identifier_preparer
    twin.identifier_preparer = prepare._with_schema_translate({None: None} if names_default else {})
    return twin  # type: ignore[no-any-return]


def alike(schemas: SchemaMap) -> SchemaMap:
    """Return a map without what SQLAlchemy adds to it when it runs a statement."""
    if _DEFAULT in schemas and None in schemas:
        return {name: schema for name, schema in schemas.items() if name != _DEFAULT}
    return schemas


def placed(statement: Statement, schemas: SchemaMap, dialect: Dialect) -> Statement:
    """Return a statement with the schemas that a map gives its tables."""

    def name(match: re.Match[str]) -> str:
        found = None if match[1] == _DEFAULT else match[1]
        schema = schemas.get(found, found) or dialect.default_schema_name
        return f"{dialect.identifier_preparer.quote_schema(schema)}{match[2]}" if schema else ""

    text, number = _MARK.subn(name, statement.sql)
    return replace(statement, sql=text) if number else statement
