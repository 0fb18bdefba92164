"""What SQLAlchemy has read of a table, as a script can say it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import TextClause, UnaryExpression, conv

from facade.migrations.comparing.named_types import named_type
from facade.migrations.texts import IndexSQL, SQLText
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.migrations.comparing.described import TableWords

    Object = sa.Index | sa.UniqueConstraint | sa.CheckConstraint

__all__ = ["as_unique_constraint", "complete", "make_writable", "objects_of"]


def make_writable(table: sa.Table, dialect: Dialect) -> None:
    """Turn the texts of a reflected table into such as come out of a script as they were read."""
    for column in table.columns:
        if (named := named_type(column.type)) is not None:
            named.create_type = False  # the type is made by an operation of its own
        default = column.server_default
        if isinstance(default, sa.Computed):
            default.sqltext = _as_written(default.sqltext)
        elif isinstance(default, sa.DefaultClause) and isinstance(default.arg, TextClause):
            default.arg = _as_written(default.arg)
    for constraint in table.constraints:
        if isinstance(constraint, sa.CheckConstraint):
            constraint.sqltext = _as_written(constraint.sqltext)
    for index in table.indexes:
        index.expressions = [_index_item(item, dialect) for item in index.expressions]
        for options in index.dialect_options.values():
            for name, value in options.items():
                if isinstance(value, TextClause):
                    options[name] = _as_written(value)


def _as_written(element: object) -> Any:
    if isinstance(element, TextClause) and not isinstance(element, SQLText):
        return SQLText(element.text.replace("\\:", ":"))
    return element


def _index_item(item: object, dialect: Dialect) -> Any:
    return item if isinstance(item, (sa.Column, IndexSQL)) else IndexSQL(_index_text(item, dialect))


def _index_text(item: object, dialect: Dialect) -> str:
    if isinstance(item, UnaryExpression):
        return f"{_index_text(item.element, dialect)} {_ORDERS[item.modifier]}"
    if isinstance(item, sa.Column):
        return dialect.identifier_preparer.quote(item.name)
    assert isinstance(item, TextClause)
    text = str(item.text)
    # What is read of SQLite tells the order, too, which parentheses would take in.
    return text if vendor_of(dialect).is_embedded else f"({text})"


_ORDERS: dict[Any, str] = {
    operators.asc_op: "ASC",
    operators.desc_op: "DESC",
    operators.nulls_first_op: "NULLS FIRST",
    operators.nulls_last_op: "NULLS LAST",
}


def complete(table: sa.Table, words: TableWords) -> None:
    """Give a reflected table what SQLAlchemy does not read: the order of MySQL's indexes, and what PostgreSQL defers."""
    for index in table.indexes:
        item = words.items.get(str(index.name))
        if item is not None and any(part.endswith(" DESC") for part in item.columns):
            index.expressions = [
                IndexSQL(part) if part.endswith(" DESC") else expression
                for part, expression in zip(item.columns, index.expressions, strict=True)
            ]
    for constraint in table.constraints:
        item = words.items.get(str(constraint.name))
        if isinstance(constraint, sa.UniqueConstraint) and item is not None and " DEFERRABLE" in item.text:
            constraint.deferrable = True
            constraint.initially = "DEFERRED" if item.text.endswith(" DEFERRED") else "IMMEDIATE"


def objects_of(table: sa.Table) -> dict[str, Object]:
    """Return the indexes, unique constraints and checks of a table by name."""
    found: dict[str, Object] = {str(index.name): index for index in table.indexes}
    for constraint in table.constraints:
        if isinstance(constraint, (sa.UniqueConstraint, sa.CheckConstraint)) and constraint.name:
            found[str(constraint.name)] = constraint
    return found


def as_unique_constraint(index: sa.Index) -> sa.UniqueConstraint:
    """Return a unique index as the constraint that it is where there is no difference."""
    assert index.table is not None
    made = sa.UniqueConstraint(*index.columns, name=conv(str(index.name)))
    index.table.append_constraint(made)
    return made
