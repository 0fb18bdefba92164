"""Indexes and unique constraints that not every database has, or has under the same name, as with Django."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.fields.columns import DialectView, WrittenType
from facade.foundation.imports import later
from facade.meta.naming import MAX_NAME, follows_django, object_name
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    from facade.fields import Field
    from facade.vendors import Vendor
else:
    postgresql = later("sqlalchemy.dialects.postgresql")

__all__ = ["add_indexes", "add_together", "only_where"]

#: As long as Django's names get where the database sets no limit.
UNLIMITED_NAME = 200


def only_where(item: Any, wanted: Callable[[Vendor], bool]) -> Any:
    """Leave a constraint or an index out of the DDL of databases that are not wanted."""

    def decide(ddl: object, target: object, bind: object, *, dialect: sa.Dialect, **details: Any) -> bool:
        return wanted(vendor_of(dialect))

    return item.ddl_if(callable_=decide)


# -- unique_together ---------------------------------------------------------------------------------


def add_together(table: sa.Table, columns: Sequence[sa.Column[Any]]) -> None:
    """Let the database keep combinations of values unique.

    It is an index where a table's constraints cannot be changed without making it anew.
    """
    if not follows_django(table.metadata):
        table.append_constraint(sa.UniqueConstraint(*columns))
        return
    names = [column.name for column in columns]
    constraint = sa.UniqueConstraint(*columns, name=object_name(table.name, names, "_uniq"))
    table.append_constraint(only_where(constraint, lambda vendor: vendor.alters_tables))
    name = object_name(table.name, names, "_uniq", UNLIMITED_NAME)
    only_where(sa.Index(name, *columns, unique=True), lambda vendor: not vendor.alters_tables)


# -- the indexes of a field -------------------------------------------------------------------------


def add_indexes(table: sa.Table, field: Field[Any]) -> None:
    """Give the column of a field the indexes that the field asks for."""
    column = table.c[field.column]
    if field.db_index and not field.unique:
        _add_index(table, column)
    if (field.db_index or field.unique) and follows_django(table.metadata):
        _add_pattern_index(table, column, field)


def _add_index(table: sa.Table, column: sa.Column[Any]) -> None:
    short, long = (
        object_name(table.name, [column.name], limit=limit) for limit in (MAX_NAME, UNLIMITED_NAME)
    )
    if short == long or not follows_django(table.metadata):
        sa.Index(None, column)
        return
    only_where(sa.Index(short, column), lambda vendor: vendor.limits_names)
    only_where(sa.Index(long, column), lambda vendor: not vendor.limits_names)


def _add_pattern_index(table: sa.Table, column: sa.Column[Any], field: Field[Any]) -> None:
    """Index a text by its characters, for ``LIKE 'a%'``: PostgreSQL's other indexes follow the language's order."""
    operators = _pattern_operators(column.type, field)
    if operators is None:
        return
    name = object_name(table.name, [column.name], "_like")
    index = sa.Index(name, column, postgresql_ops={column.key: operators})
    only_where(index, lambda vendor: vendor.has_pattern_operators)


def _pattern_operators(column_type: sa.types.TypeEngine[Any], field: Field[Any]) -> str | None:
    if isinstance(column_type, WrittenType):
        dialect: Any = postgresql.dialect
        view: Any = DialectView(dialect())
        written = str(column_type.field.db_type(view)).lower()
    elif type(column_type) in {sa.String, sa.Text, sa.VARCHAR, sa.TEXT}:
        written = "text" if isinstance(column_type, sa.Text) else "varchar"
    else:
        return None
    if "[" in written or not _is_deterministic(getattr(column_type, "collation", None)):
        return None
    return next((f"{kind}_pattern_ops" for kind in ("varchar", "text") if written.startswith(kind)), None)


# The collations that come with PostgreSQL. They tell all texts apart; one that somebody made may not, and has no such index.
_SHIPPED = re.compile(
    r"default|C|C\.(UTF-?8|utf8)|POSIX|ucs_basic|unicode|pg_c_utf8|pg_unicode_fast|.+-x-icu|[a-z]{2,3}_[A-Z]{2}(\..+)?(@.+)?"
)


def _is_deterministic(collation: str | None) -> bool:
    return collation is None or _SHIPPED.fullmatch(collation) is not None
