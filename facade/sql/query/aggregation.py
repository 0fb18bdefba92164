"""aggregate(), count() and exists(): queries turned into questions about all their rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facade.expressions.base import Expression
from facade.expressions.freezing import Arg
from facade.expressions.references import Col, F, Ref
from facade.expressions.subquery import Embedded, references_outside
from facade.sql.query.column_names import check_alias
from facade.sql.query.combined import combined_columns
from facade.sql.query.joins import Joins
from facade.sql.query.state import Grouping, Loading, Placement, Selection, Slice, Source
from facade.sql.query.where import Where

if TYPE_CHECKING:
    from facade.sql.query.query import Query as SQLQuery


Places = tuple[Arg | None, Arg | None]


def summarize(query: SQLQuery, aggregates: dict[str, Any], sliced: Places) -> None:
    """Turn `query` into the one row of its aggregates."""
    resolved = _resolve(_rows_of(query), aggregates)
    query.asks_when_empty = any(item.empty_result_set_value is NotImplemented for item in resolved.values())
    low, high = (None if place is None else Arg(query.base + place.index) for place in sliced)
    if low is not None or high is not None or _needs_subquery(query, resolved):
        _wrap(query, resolved, Slice(low, high))
    else:
        _flatten(query, resolved)
    query.clear_ordering(force=True)
    query.lock = None
    query.loading = Loading()
    query.slice = Slice()


def _rows_of(query: SQLQuery) -> Any:
    """Return the query that gives the names in aggregates their meaning: of a combined one only what its rows hold."""
    if not query.source.combinator:
        return query
    rows = query.given({})
    rows.selection = Selection(default_cols=False, annotations=combined_columns(query))
    return rows


def _resolve(query: SQLQuery, aggregates: dict[str, Any]) -> dict[str, Any]:
    """Resolve the aggregates in order; each may refer to those before it."""
    replacements: dict[Any, Any] = {}
    found: dict[str, Any] = {}
    selection = query.selection
    for name, expression in aggregates.items():
        check_alias(name)
        resolved = expression.resolve_expression(query, allow_joins=True, reuse=None, summarize=True)
        if not resolved.contains_aggregate:
            raise TypeError(f"{name} is not an aggregate expression")
        found[name] = resolved.replace_expressions(replacements)
        query.selection = query.selection.annotated(name, found[name])
        replacements[Ref(name, found[name])] = found[name]
    query.selection = selection
    return found


def _needs_subquery(query: SQLQuery, aggregates: dict[str, Any]) -> bool:
    """Whether the rows must be made first and aggregated around them."""
    referenced = {ref for aggregate in aggregates.values() for ref in aggregate.get_refs()}
    return bool(
        isinstance(query.grouping.group_by, tuple)
        or query.grouping.distinct
        or query.source.combinator
        or query.where.contains_aggregate
        or query.where.contains_over_clause
        or any(annotation.contains_aggregate for annotation in query.annotations.values())
        or any(
            query.annotations[ref].contains_subquery or query.annotations[ref].contains_over_clause
            for ref in referenced
        )
    )


def _flatten(query: SQLQuery, aggregates: dict[str, Any]) -> None:
    """Aggregate directly over the query's own tables."""
    inline = {Ref(name, annotation): annotation for name, annotation in query.annotations.items()}
    computed = {name: aggregate.replace_expressions(inline) for name, aggregate in aggregates.items()}
    query.selection = Selection(default_cols=False, annotations=computed)
    query.grouping = Grouping()


def _wrap(query: SQLQuery, aggregates: dict[str, Any], sliced: Slice) -> None:
    """Aggregate over the query as a subquery."""
    inner = query.clone()
    inner.base, inner.slice, inner.placement = 0, sliced, Placement(subquery=True)
    inner.lock, inner.loading = None, replace(inner.loading, select_related=False)
    _reduce(inner, aggregates)
    outer: dict[str, Any] = {}
    columns: dict[Any, Ref] = {}
    for name, aggregate in aggregates.items():
        replacements = {}
        for column in _columns_of(aggregate):
            if column not in columns:
                alias = f"__col{len(columns) + 1}"
                columns[column] = Ref(alias, column)
                inner.add_annotation(column, alias)
            replacements[column] = columns[column]
        outer[name] = aggregate.replace_expressions(replacements)
    if not (inner.source.combinator or inner.selection.has_columns):
        key = inner.opts.pk_fields[0]
        column = {key.attname: Col(inner.initial_alias(), key)}
        inner.selection = replace(inner.selection, select=column, selected=None)
    _replace_by(query, Embedded(inner, 0), outer)


def _reduce(inner: SQLQuery, aggregates: dict[str, Any]) -> None:
    """Select no more in the subquery than the result depends on."""
    has_aggregation = inner.where.contains_aggregate or any(
        a.contains_aggregate for a in inner.annotations.values()
    )
    if not _order_splits_groups(inner):
        inner.clear_ordering(force=False)
    if inner.grouping.distinct or inner.source.combinator:
        return
    if inner.selection.default_cols and has_aggregation:
        inner.grouping = Grouping(tuple(Col(inner.initial_alias(), key) for key in inner.opts.pk_fields))
    inner.selection = replace(inner.selection, default_cols=False)
    if inner.where.contains_over_clause:
        return
    used = {ref for aggregate in aggregates.values() for ref in aggregate.get_refs()}
    used |= {ref for item in inner.grouping.named for ref in item.get_refs()}
    used |= {name for name, annotation in inner.annotation_select.items() if annotation.get_group_by_cols()}
    if inner.grouping.group_by == () and not used:
        return  # what it selects decides whether it is one row
    inner.selection = inner.selection.reduced(frozenset(used))


def _order_splits_groups(query: SQLQuery) -> bool:
    """Whether the order reads columns that are not grouped by: they make the groups smaller."""
    group_by = query.grouping.group_by
    if not isinstance(group_by, tuple):
        return False
    probe = query.clone()
    probe.base = query.order.order_base
    return any(column not in group_by for column in _order_columns(probe))


def _order_columns(query: SQLQuery) -> Iterator[Any]:
    for item in query.order.extra_order or query.order.order_by:
        if item == "?":
            continue
        term = F(item.removeprefix("-")) if isinstance(item, str) else item
        yield from term.resolve_expression(query).get_group_by_cols()


def _columns_of(expression: object) -> list[Any]:
    """Return the parts of an aggregate that only the rows themselves know: columns, and subqueries that refer to them."""
    if isinstance(expression, Col):
        return [expression]
    if isinstance(expression, Ref) or not isinstance(expression, Expression):
        return []
    sources = [source for source in expression.get_source_expressions() if source is not None]
    if any(isinstance(source, Embedded) and any(references_outside(source.query)) for source in sources):
        return [expression]
    return [column for source in sources for column in _columns_of(source)]


def _replace_by(query: SQLQuery, inner: Embedded, annotations: dict[str, Any]) -> None:
    query.source, query.joins, query.where = Source(inner=inner), Joins(), Where()
    query.selection, query.grouping = Selection(default_cols=False, annotations=annotations), Grouping()


def reduce_to_existence(query: SQLQuery, sliced: bool) -> None:
    """Turn `query` into the question whether it has a row."""
    reduced = query.for_exists(sliced)
    query.__dict__.update(reduced.__dict__)
