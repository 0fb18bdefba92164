"""Columns as arrays: on PostgreSQL a whole column of values travels as one parameter."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import types

from facade.foundation.imports import later
from facade.types.base import is_own, storage

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.engine import Dialect

    from facade.db.connection import Database
else:
    postgresql = later("sqlalchemy.dialects.postgresql")

ROWS_MAX = 30_000  # arrays need few parameters, but the whole statement is held in memory


# The element's type name, without length or precision: the column itself judges what is too long. The order matters
# where one type derives from another. A type that is not here travels as single parameters.
@functools.cache
def _names() -> list[tuple[type[types.TypeEngine[Any]], str]]:
    return [
        (types.String, "text"),
        (types.Boolean, "boolean"),
        (types.SmallInteger, "smallint"),
        (types.BigInteger, "bigint"),
        (types.Integer, "integer"),
        (types.Double, "double precision"),
        (types.REAL, "real"),
        (types.Float, "double precision"),
        (types.Numeric, "numeric"),
        (types.Date, "date"),
        (types.Uuid, "uuid"),
        (types.LargeBinary, "bytea"),
        (types.Interval, "interval"),
        (postgresql.INTERVAL, "interval"),
        (postgresql.JSONB, "jsonb"),
        (types.JSON, "json"),
        (postgresql.INET, "inet"),
    ]


def element_type(type_: types.TypeEngine[Any], dialect: Dialect) -> str | None:
    """Return the SQL name of `type_` as an array's element, None when its values have to travel one by one."""
    found = storage(type_, dialect)
    if type_.dialect_impl(dialect)._has_bind_expression or not is_own(found):
        return None
    if isinstance(found, postgresql.CITEXT) or (
        isinstance(found, types.Enum) and found.native_enum
    ):  # equal texts of these are equal as such only
        return str(dialect.type_compiler_instance.process(found))
    if isinstance(found, types.DateTime):
        return "timestamptz" if found.timezone else "timestamp"
    if isinstance(found, types.Time):
        return "timetz" if found.timezone else "time"
    return next((name for kind, name in _names() if isinstance(found, kind)), None)


def element_types(kinds: Iterable[types.TypeEngine[Any]], database: Database) -> tuple[str, ...]:
    """Return the element type of each column, nothing at all unless every column can travel as an array."""
    if not database.features.unnests_arrays:
        return ()
    found = [element_type(kind, database.compile_dialect) for kind in kinds]
    return () if None in found else tuple(name for name in found if name is not None)


def parameters(rows: Iterable[Sequence[Any]], as_arrays: bool) -> list[Any]:
    """Return the parameters of a statement for many rows: an array for each column, or the values of one row after another."""
    return list(map(list, zip(*rows, strict=True))) if as_arrays else list(chain.from_iterable(rows))


def placeholders(database: Database, names: Sequence[str]) -> str:
    """Return the typed array parameters of a statement."""
    numbered = database.compile_dialect.paramstyle == "numeric_dollar"
    return ", ".join(f"${i}::{name}[]" if numbered else f"%s::{name}[]" for i, name in enumerate(names, 1))
