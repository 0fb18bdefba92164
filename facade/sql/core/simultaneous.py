"""Assignments that all read the row as it was, on MySQL, too, which carries them out from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors

from facade.expressions.sqltext.fragments import RawFragment
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.sql.compiler import SQLCompiler

Assignment = tuple[sa.Column[Any], sa.ColumnElement[Any]]

# A derived table with a limit is read in full before the first row is written.
_ALL_ROWS: sa.ColumnElement[int] = sa.literal_column("18446744073709551615")


class OrderedUpdate(sa.Update):
    """An UPDATE of MySQL's with ORDER BY."""

    inherit_cache = False
    terms: Sequence[sa.ColumnElement[Any]] = ()


@compiles(OrderedUpdate)
def _compile_update(element: OrderedUpdate, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.visit_update(element, **options)
    if not element.terms:
        return text
    return f"{text} ORDER BY {', '.join(compiler.process(term, **options) for term in element.terms)}"


def update_statement(
    table: sa.Table,
    values: Mapping[sa.Column[Any], Any],
    keys: Sequence[sa.Column[Any]],
    restricted: Callable[[Any], Any],
    dialect: sa.Dialect,
    order: Callable[[], list[Any]] = list,
) -> sa.Update:
    """Return the UPDATE of the rows to which `restricted` limits a statement; `keys` identify a row.

    MySQL updates them in an `order`: unique numbers can be moved by one, from the last to the first.
    """
    if not vendor_of(dialect).assigns_in_turn:
        return restricted(table.update().values(dict(values)))  # type: ignore[no-any-return]
    assigned = _readers_first(values)
    if assigned is not None:
        update: OrderedUpdate = restricted(OrderedUpdate(table).ordered_values(*assigned))
        update.terms = order()
        return update
    names = [f"k{position}" for position in range(len(keys))]
    read = [
        *(key.label(name) for key, name in zip(keys, names, strict=True)),
        *(value.label(f"v{position}") for position, value in enumerate(values.values())),
    ]
    before = restricted(sa.select(*read).select_from(table)).limit(_ALL_ROWS).subquery("d")
    after = {column: before.c[f"v{position}"] for position, column in enumerate(values)}
    same = [key == before.c[name] for key, name in zip(keys, names, strict=True)]
    return table.update().values(after).where(*same)


def _readers_first(values: Mapping[sa.Column[Any], Any]) -> list[Assignment] | None:
    """Return the assignments in an order in which none reads what another has assigned; None if there is none."""
    waiting = {column: _read_of(value, values) - {column} for column, value in values.items()}
    ordered: list[Assignment] = []
    while waiting:
        awaited = set().union(*waiting.values())
        unread = [column for column in waiting if column not in awaited]
        if not unread:
            return None
        ordered += [(column, values[column]) for column in unread]
        for column in unread:
            del waiting[column]
    return ordered


def _read_of(value: sa.ColumnElement[Any], values: Mapping[sa.Column[Any], Any]) -> set[sa.Column[Any]]:
    """Return those of the assigned columns that a value reads; SQL text of a developer's may read any."""
    found: set[sa.Column[Any]] = set()
    for element in visitors.iterate(value):
        if isinstance(element, RawFragment):
            return set(values)
        found.update(column for column in values if element is column)
    return found
