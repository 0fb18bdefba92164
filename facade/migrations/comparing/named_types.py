"""Enumerations and domains: types that have names of their own on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from facade.migrations.texts import SQLText

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect

    Named = postgresql.ENUM | postgresql.DOMAIN
    Key = tuple[str | None, str]

__all__ = ["create_type", "drop_type", "is_as_wanted", "make_types", "named_type", "type_name", "types_of"]

_DOMAIN = sa.text("""
SELECT format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault, t.typcollation,
    ARRAY(SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c' ORDER BY 1)
FROM pg_type t WHERE t.oid = to_regtype(:name)
""")


def named_type(type_: object) -> Named | None:
    """Return the type with a name of its own that a column's type is, or is an array of."""
    if isinstance(type_, sa.ARRAY):
        type_ = type_.item_type
    return type_ if isinstance(type_, (postgresql.ENUM, postgresql.DOMAIN)) else None


def types_of(tables: Iterable[sa.Table]) -> dict[Key, Named]:
    """Return the named types that the columns of tables have."""
    columns = (column for table in tables for column in table.columns)
    found = [named_type(column.type) for column in columns]
    return {(one.schema, str(one.name)): one for one in found if one is not None}


def make_types(connection: Connection, table: sa.Table) -> None:
    """Make the types of a table's columns that the database has not."""
    for type_ in types_of([table]).values():
        name = type_name(type_, connection.dialect)
        if connection.scalar(sa.text("SELECT to_regtype(:name)"), {"name": name}) is None:
            connection.execute(SQLText(create_type(type_, connection.dialect)))


def create_type(type_: Named, dialect: Dialect) -> str:
    """Return the statement that makes a type."""
    create = postgresql.CreateEnumType if isinstance(type_, postgresql.ENUM) else postgresql.CreateDomainType
    return _text(create(type_), dialect)


def drop_type(type_: Named, dialect: Dialect) -> str:
    """Return the statement that drops a type."""
    drop = postgresql.DropEnumType if isinstance(type_, postgresql.ENUM) else postgresql.DropDomainType
    return _text(drop(type_), dialect)


def is_as_wanted(connection: Connection, type_: postgresql.DOMAIN) -> bool:
    """Return whether the domain that is there is the one that a model has, in the words of the database.

    It is asked by a domain for the time being. Of a user that may make none, nothing is compared but names.
    """
    twin = copy(type_)
    twin.name, twin.schema = "facade_wanted", "pg_temp"
    try:
        with _made_for_now(connection, twin):
            there, wanted = (
                connection.execute(_DOMAIN, {"name": type_name(one, connection.dialect)}).one()
                for one in (type_, twin)
            )
    except sa.exc.DBAPIError:
        return True
    return bool(there == wanted)


@contextmanager
def _made_for_now(connection: Connection, type_: Named) -> Iterator[None]:
    commits = connection.get_isolation_level() == "AUTOCOMMIT"
    block = None if commits else connection.begin_nested()
    try:
        connection.execute(SQLText(create_type(type_, connection.dialect)))
        yield
        if block is None:
            connection.execute(SQLText(drop_type(type_, connection.dialect)))
    finally:
        if block is not None:
            block.rollback()


def _text(statement: sa.ClauseElement, dialect: Dialect) -> str:
    text = str(statement.compile(dialect=dialect))
    return text.replace("%%", "%") if dialect.identifier_preparer._double_percents else text


def type_name(type_: Named, dialect: Dialect) -> str:
    """Return a type's name as it is written."""
    preparer: Any = dialect.identifier_preparer
    return str(preparer.format_type(type_))
