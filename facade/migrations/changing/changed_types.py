"""Enumerations and domains, which PostgreSQL makes before the tables that have them, and keeps after those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from facade.foundation.imports import later
from facade.migrations.comparing.named_types import (
    create_type,
    drop_type,
    is_as_wanted,
    named_type,
    type_name,
    types_of,
)
from facade.migrations.comparing.words import quoted
from facade.migrations.plain import PlainMetaData
from facade.migrations.texts import SQLText
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import DropTableOp, MigrateOperation
    from sqlalchemy.engine import Connection, Dialect

    from facade.migrations.changing import operations
    from facade.migrations.comparing.named_types import Key, Named
else:
    operations = later("facade.migrations.changing.operations")

__all__ = ["changed_types"]

_THERE = sa.text("""
SELECT CASE WHEN pg_type_is_visible(t.oid) THEN NULL ELSE n.nspname END, t.typname,
    ARRAY(SELECT CAST(e.enumlabel AS text) FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd')
""")
_USERS = sa.text("""
SELECT CASE WHEN pg_type_is_visible(t.oid) THEN NULL ELSE n.nspname END, t.typname, c.relname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm', 'v')
JOIN pg_type t ON a.atttypid IN (t.oid, t.typarray) JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd') AND NOT a.attisdropped
""")


def changed_types(
    context: AutogenContext, dropped: Iterable[DropTableOp]
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """Return what makes and changes named types before anything else, and what drops those that nobody has afterwards."""
    plain = next(
        (table.metadata for table in context.sorted_tables if isinstance(table.metadata, PlainMetaData)), None
    )
    connection = context.connection
    if not vendor_of(context.dialect).names_types or connection is None or plain is None:
        return [], []
    there = {(schema, name): list(labels) for schema, name, labels in connection.execute(_THERE)}
    wanted = types_of(plain.tables.values())
    first: list[MigrateOperation] = []
    for key, type_ in sorted(wanted.items(), key=str):
        if key not in there:
            first.append(
                operations.Statements(
                    [create_type(type_, context.dialect)], [drop_type(type_, context.dialect)]
                )
            )
        elif isinstance(type_, postgresql.ENUM) and type_.enums != there[key]:
            first.append(_relabelled(type_, there[key], plain, context.dialect))
        elif isinstance(type_, postgresql.DOMAIN) and not is_as_wanted(connection, type_):
            first += _redefined(key, type_, plain, context.dialect)
    return first, list(_gone(context, connection, plain, [_table(one) for one in dropped], wanted))


def _table(operation: DropTableOp) -> sa.Table:
    return operation.to_table()


def _gone(
    context: AutogenContext,
    connection: Connection,
    plain: PlainMetaData,
    dropped: list[sa.Table],
    wanted: dict[Key, Named],
) -> Iterator[MigrateOperation]:
    before = [*(both.conn_table for both in plain.compared.values()), *dropped]
    known = {table.name for table in before}
    left = {key: type_ for key, type_ in types_of(before).items() if key not in wanted}
    if not left:
        return
    used_elsewhere = {
        (schema, name) for schema, name, table in connection.execute(_USERS) if table not in known
    }
    for key, type_ in sorted(left.items(), key=str):
        if key not in used_elsewhere:
            yield operations.Statements(
                [drop_type(type_, context.dialect)], [create_type(type_, context.dialect)]
            )


def _relabelled(
    type_: postgresql.ENUM, labels: list[str], plain: PlainMetaData, dialect: Dialect
) -> MigrateOperation:
    """Give an enumeration other labels: new ones are added, and for all else there is a new type in its place."""
    old = postgresql.ENUM(*labels, name=type_.name, schema=type_.schema)
    if [label for label in type_.enums if label in labels] == labels:
        forward = list(_additions(type_, labels, dialect))
    else:
        forward = list(_replacement(type_, plain, dialect))
    return operations.Statements(forward, list(_replacement(old, plain, dialect)))


def _redefined(
    key: Key, type_: postgresql.DOMAIN, plain: PlainMetaData, dialect: Dialect
) -> Iterator[MigrateOperation]:
    """Put a new domain in the place of one that is another now; what it was, its columns tell."""
    old = types_of(both.conn_table for both in plain.compared.values()).get(key)
    if old is not None:
        yield operations.Statements(
            list(_replacement(type_, plain, dialect)), list(_replacement(old, plain, dialect))
        )


def _additions(type_: postgresql.ENUM, labels: list[str], dialect: Dialect) -> Iterator[str]:
    name = type_name(type_, dialect)
    for position, label in enumerate(type_.enums):
        if label not in labels:
            place = (
                f" AFTER {_literal(type_.enums[position - 1])}"
                if position
                else f" BEFORE {_literal(labels[0])}"
            )
            yield f"ALTER TYPE {name} ADD VALUE {_literal(label)}{place}"


def _replacement(type_: Named, plain: PlainMetaData, dialect: Dialect) -> Iterator[str]:
    preparer = dialect.identifier_preparer
    name, former = type_name(type_, dialect), f"{type_.name}_former"
    yield f"ALTER TYPE {name} RENAME TO {preparer.quote(former)}"
    yield create_type(type_, dialect)
    for both in plain.compared.values():
        for column in both.conn_table.columns:
            found = named_type(column.type)
            if found is not None and (found.schema, found.name) == (type_.schema, type_.name):
                new = both.plain.c.get(column.name)
                yield from _moved(
                    column if new is None or named_type(new.type) is None else new, name, dialect
                )
    place = f"{preparer.quote(type_.schema)}." if type_.schema else ""
    yield f"DROP TYPE {place}{preparer.quote(former)}"


def _moved(column: sa.Column[Any], name: str, dialect: Dialect) -> Iterator[str]:
    """Give a column the new type; its default is of the old one, and goes meanwhile."""
    table, quoted_name = dialect.identifier_preparer.format_table(column.table), quoted(column.name)
    target = f"{name}[]" if isinstance(column.type, sa.ARRAY) else name
    default = column.server_default
    alter = f"ALTER TABLE {table} ALTER COLUMN {quoted_name}"
    if isinstance(default, sa.DefaultClause):
        yield f"{alter} DROP DEFAULT"
    yield f"{alter} TYPE {target} USING {quoted_name}::text::{target}"
    if isinstance(default, sa.DefaultClause) and isinstance(default.arg, SQLText):
        yield f"{alter} SET DEFAULT {default.arg.sql}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
