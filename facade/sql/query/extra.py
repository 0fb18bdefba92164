"""QuerySet.extra(): SQL text of the program's own beside what the query makes itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facade import fields
from facade.expressions.base import Placed
from facade.expressions.calls import RawSQL
from facade.expressions.q import AND
from facade.expressions.sqltext.fragments import Fragment
from facade.sql.query.column_names import check_alias

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler
    from facade.sql.query.query import Query as SQLQuery


class RawCondition(RawSQL):
    """Conditions as SQL text, all of which must hold."""

    conditional = True

    def __init__(self, conditions: Iterable[str], params: Iterable[Any] = ()) -> None:
        super().__init__(" AND ".join(f"({text})" for text in conditions), params, fields.BooleanField())


class QualifiedColumn(Placed):
    """`table.column`, as extra(order_by=…) names it."""

    contains_aggregate = False

    def __init__(self, name: str) -> None:
        super().__init__(fields.Field())
        self.table, _, self.column = name.partition(".")

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def as_core(self, compiler: Compiler) -> Any:
        quote = compiler.dialect.identifier_preparer.quote
        return Fragment([f"{quote(self.table)}.{quote(self.column)}"])


def selections(select: dict[str, Any] | None, params: Iterable[Any] | None) -> Iterator[tuple[str, RawSQL]]:
    """Yield (name, SQL) of extra(select=…), each text with the parameters that its placeholders take."""
    left = iter(params or ())
    for name, text in (select or {}).items():
        check_alias(name)
        text = str(text)
        yield name, RawSQL(text, [next(left) for _ in range(text.replace("%%", "").count("%s"))])


def add_extra(
    query: SQLQuery,
    select: tuple[tuple[str, RawSQL], ...],
    where: RawCondition | None,
    tables: tuple[str, ...],
    order_by: tuple[str, ...],
) -> None:
    """Add what extra() asks for to a query."""
    for name, expression in select:
        query.add_annotation(expression, name, select=query.selection.selected is None)
    names = query.selection.extra_names | {name for name, _ in select}
    query.selection = replace(query.selection, extra_names=names)
    if where is not None:
        query.where.add(where.resolve_expression(query), AND)
    query.source = replace(query.source, extra_tables=query.source.extra_tables + tables)
    query.order = replace(query.order, extra_order=order_by or query.order.extra_order)
