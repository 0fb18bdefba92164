"""Conditions on window functions: the rows are made first, in a subquery, and filtered around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from facade.expressions.references import Ref

if TYPE_CHECKING:
    from facade.expressions.base import OrderBy
    from facade.expressions.contracts import Core, Valued
    from facade.sql.query.query import Query


class Ordering(Protocol):
    """The compiler of the query, whose order holds around the subquery, too."""

    query: Query
    labels: dict[str, Any]

    @property
    def ordered_terms(self) -> list[OrderBy]:
        """The terms of ORDER BY."""

    def process(self, expression: Valued) -> Any: ...
    def boolean(self, expression: Valued) -> Any: ...
    def ordering(self, item: OrderBy, core: Core | None = None) -> Any: ...


def qualified(compiler: Ordering, statement: sa.Select[Any], columns: list[Any], condition: Valued) -> Any:
    """Return the select of the rows of `statement` that meet `condition`, in the query's order."""
    keys = [_order_key(compiler, item) for item in compiler.ordered_terms]
    added = [key.label(f"order{index}") for index, key in enumerate(keys) if key not in _Identities(columns)]
    rows = statement.add_columns(compiler.boolean(condition).label("qualified"), *added).subquery("rows")
    found = list(rows.c)
    width = len(columns)
    outer = sa.select(*found[:width]).where(found[width])
    behind = iter(found[width + 1 :])
    terms = []
    for item, key in zip(compiler.ordered_terms, keys, strict=True):
        position = _Identities(columns).index(key)
        terms.append(compiler.ordering(item, next(behind) if position is None else found[position]))
    outer = outer.distinct() if compiler.query.grouping.distinct else outer
    return outer.order_by(*terms) if terms else outer


def _order_key(compiler: Ordering, item: OrderBy) -> Any:
    expression = item.expression
    if isinstance(expression, Ref) and expression.refs in compiler.labels:
        return compiler.labels[expression.refs]
    return compiler.process(expression)


class _Identities:
    """Columns compared as objects: `==` on them makes SQL."""

    def __init__(self, columns: list[Any]) -> None:
        self.columns = columns

    def index(self, column: object) -> int | None:
        return next((index for index, item in enumerate(self.columns) if item is column), None)

    def __contains__(self, column: object) -> bool:
        return self.index(column) is not None
