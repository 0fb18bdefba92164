"""`qs1 & qs2` and `qs1 | qs2`: two queries on one model become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facade.expressions.base import Expression
from facade.expressions.calls import RawSQL
from facade.expressions.freezing import Arg
from facade.expressions.q import AND, OR
from facade.expressions.references import Col, Outer
from facade.expressions.subquery import Embedded
from facade.sql.query.joins import Promoter
from facade.sql.query.where import Nothing

if TYPE_CHECKING:
    from facade.sql.query.query import Query


def merge_queries(query: Query, other: Embedded, connector: str) -> None:
    """Join the conditions of `other` to `query`; what `other` selects, orders and loads wins where it has any."""
    right = other.query
    conjunction = connector == AND
    reuse = set() if conjunction else set(query.joins)
    base = query.initial_alias()
    query.relations = {
        **{name: relation.moved(other.offset) for name, relation in right.relations.items()},
        **query.relations,
    }
    renamed = _merge_joins(query, other, reuse, base, conjunction)

    def move(item: object) -> Any:
        return _moved(item, renamed, other.offset)

    query.where.add(move(right.where), connector)
    query.annotations = {
        **query.annotations,
        **{name: move(item) for name, item in right.annotations.items()},
    }
    if right.select:
        query.select = {name: move(item) for name, item in right.select.items()}
    if right.order_by:
        query.order_by, query.order_base = right.order_by, other.offset + right.order_base
    if right.group_by is not None:
        query.group_by = (
            right.group_by if right.group_by is True else tuple(move(item) for item in right.group_by)
        )


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
        relation = query.relations[join.relation.alias] if join.relation else None
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
    if isinstance(item, Col):
        column = item.copy()
        column.alias = renamed.get(item.alias, item.alias)
        return column
    if isinstance(item, Arg):
        return item.moved(offset)
    if isinstance(item, Embedded):
        return _moved_inside(item, lambda outer: _moved(outer, renamed, offset), offset)
    if not isinstance(item, Expression) or isinstance(item, Nothing):
        return item
    moved = (
        item.with_sources(lambda source: _moved(source, renamed, offset))
        if item.get_source_expressions()
        else item.copy()
    )
    for name in ("rhs", "value"):
        if isinstance(getattr(moved, name, None), Arg):
            setattr(moved, name, _moved(getattr(moved, name), renamed, offset))
    if isinstance(moved, RawSQL):
        moved.params = tuple(_moved(param, renamed, offset) for param in moved.params)
    return moved


def _moved_inside(
    embedded: Embedded, move: Callable[[Any], Any], offset: int = 0, depth: int = 1
) -> Embedded:
    """Move what a query inside refers to in the query `depth` levels around it."""

    def change(item: object) -> Any:
        return _moved_reference(item, move, depth)

    inner = embedded.query.clone()
    inner.where = change(inner.where)
    inner.joins.map_conditions(change)
    inner.annotations = {name: change(item) for name, item in inner.annotations.items()}
    inner.select = {name: change(item) for name, item in inner.select.items()}
    inner.order_by = tuple(change(item) for item in inner.order_by)
    inner.combined = tuple(_moved_inside(part, move, 0, depth) for part in inner.combined)
    return Embedded(inner, embedded.offset + offset)


def _moved_reference(item: object, move: Callable[[Any], Any], depth: int) -> Any:
    if isinstance(item, Outer):
        if item.at_depth(depth) is None:
            return item
        moved = item.copy()
        moved.expression = (
            move(item.expression) if depth == 1 else _moved_reference(item.expression, move, depth - 1)
        )
        return moved
    if isinstance(item, Embedded):
        return _moved_inside(item, move, 0, depth + 1)
    if isinstance(item, Expression) and not isinstance(item, Nothing) and item.get_source_expressions():
        return item.with_sources(lambda source: _moved_reference(source, move, depth))
    return item
