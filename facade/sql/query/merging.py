"""`qs1 & qs2` and `qs1 | qs2`: two queries on one model become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facade.expressions.freezing import Arg
from facade.expressions.q import AND, OR
from facade.expressions.references import Col, Outer
from facade.expressions.subquery import Embedded
from facade.expressions.tree import rewritten
from facade.sql.query.joins import Promoter

if TYPE_CHECKING:
    from facade.sql.query.query import Query


def merge_queries(query: Query, other: Embedded, connector: str) -> None:
    """Join the conditions of `other` to `query`; what `other` selects, orders and loads wins where it has any."""
    right = other.query
    conjunction = connector == AND
    reuse = set() if conjunction else set(query.joins)
    base = query.initial_alias()
    query.source = query.source.merged(right.source, other.offset)
    renamed = _merge_joins(query, other, reuse, base, conjunction)

    def move(item: object) -> Any:
        return _moved(item, renamed, other.offset)

    query.where.add(move(right.where), connector)
    query.selection = query.selection.merged(right.selection, move)
    query.order = query.order.merged(right.order, other.offset)
    query.grouping = query.grouping.merged(right.grouping, move)


def _merge_joins(
    query: Query, other: Embedded, reuse: set[str], base: str, conjunction: bool
) -> dict[str, str]:
    """Add the joins of `other`; return their aliases by those they had."""
    right = other.query
    renamed = {right.joins.base: base} if right.joins.base else {}
    promoter = Promoter(AND if conjunction else OR, negated=False, children=2)
    promoter.add_votes(alias for alias in query.joins.inner_aliases() if query.joins[alias].parent)
    mine: set[str] = set()
    available = set(reuse)
    for alias in right.joins:
        join = right.joins[alias]
        if join.parent is None or not right.joins.counts[alias]:
            continue
        known = len(query.joins)
        relation = query.source.relations[join.relation.alias] if join.relation else None
        new = query.joins.join(join.hop, renamed[join.parent], available, join.nullable, relation)
        available.discard(new)
        renamed[alias] = new
        added = len(query.joins) > known
        if join.condition is not None and added:
            query.joins.restrict(new, _moved(join.condition, renamed, other.offset))
        # A join that is new is outer where it may find no row: a condition under XOR has made its own inner.
        if not (query.joins[new] if added else join).outer:
            mine.add(new)
    promoter.add_votes(mine)
    promoter.apply(query.joins)
    return renamed


def _moved(item: object, renamed: dict[str, str], offset: int) -> Any:
    """Return an expression of the other query as one of this query."""

    def move(part: object) -> Any:
        return _moved(part, renamed, offset)

    def rename(column: Col) -> Col:
        column = column.copy()
        column.alias = renamed.get(column.alias, column.alias)
        return column

    return rewritten(
        item,
        {
            Col: rename,
            Arg: lambda arg: arg.moved(offset),
            Embedded: lambda inner: _moved_inside(inner, move, offset),
        },
    )


def _moved_inside(
    embedded: Embedded, move: Callable[[Any], Any], offset: int = 0, depth: int = 1
) -> Embedded:
    """Move what a query inside refers to in the query `depth` levels around it."""

    def change(item: object) -> Any:
        return _moved_references(item, move, depth)

    inner = embedded.query.clone()
    inner.change_expressions(change, change, lambda part: _moved_inside(part, move, 0, depth))
    return Embedded(inner, embedded.offset + offset)


def _moved_references(item: object, move: Callable[[Any], Any], depth: int) -> Any:
    """Return an expression inside with what it refers to, `depth` levels out, moved."""

    def follow(outer: Outer) -> Outer:
        if outer.at_depth(depth) is None:
            return outer
        moved = outer.copy()
        further = (
            move(outer.expression) if depth == 1 else _moved_references(outer.expression, move, depth - 1)
        )
        moved.expression = further
        return moved

    return rewritten(item, {Outer: follow, Embedded: lambda inner: _moved_inside(inner, move, 0, depth + 1)})
