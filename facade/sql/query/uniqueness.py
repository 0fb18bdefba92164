"""Which rows a query cannot confuse: whether it names one row by its key, and whether its order leaves two in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldDoesNotExist
from facade.expressions.base import OrderBy
from facade.expressions.comparisons import Exact
from facade.expressions.freezing import Arg
from facade.expressions.q import AND
from facade.expressions.references import Col, F, RowValue
from facade.fields import CompositePrimaryKey

if TYPE_CHECKING:
    from facade.meta.options import Options
    from facade.sql.query.query import Query


def has_key(query: Query) -> bool:
    """Return whether the query reads one table and compares a unique column of it with a value."""
    where = query.where
    if query.source.combinator or query.source.extra_tables or where.negated or where.connector != AND:
        return False
    tables = [join.alias for join in query.joins.active()]
    return len(tables) == 1 and any(_names_a_row(condition) for condition in where.children)


def _names_a_row(condition: object) -> bool:
    return isinstance(condition, Exact) and isinstance(condition.rhs, Arg) and _is_unique(condition.lhs)


def _is_unique(column: object) -> bool:
    if isinstance(column, RowValue):
        return isinstance(column._output_field, CompositePrimaryKey)
    return type(column) is Col and bool(column.target.unique)


def totally_ordered(query: Query) -> bool:
    """Whether the query's order ends in a key: no two rows can change places between two runs."""
    if not query.is_ordered or query.grouping.group_by not in (None, True):
        return False
    names = {
        name
        for item in query.order.order_by or query.opts.ordering
        if (name := _field_name(item)) is not None
    }
    if query.opts.is_composite_pk and "pk" in names:
        return True
    fields = {field for name in names if (field := _plain_field(query.opts, name)) is not None}
    if any(field.unique and not field.null for field in fields) or fields.issuperset(query.opts.pk_fields):
        return True
    columns = {field.name for field in fields}
    keys = [tuple(group) for group in query.opts.unique_together]
    keys += [constraint.fields for constraint in getattr(query.opts, "total_unique_constraints", ())]
    return any(_covers(query.opts, key, columns) for key in keys)


def _field_name(item: object) -> str | None:
    if isinstance(item, OrderBy):
        item = item.expression
    if isinstance(item, F):
        return str(item.name)
    return item.removeprefix("-") if isinstance(item, str) else None


def _plain_field(opts: Options, name: str) -> Any:
    try:
        field = opts.pk if name == "pk" else opts.get_field(name)
    except FieldDoesNotExist:
        return next((field for field in opts.concrete_fields if field.attname == name), None)
    if not field.concrete:
        return None
    # A relation orders by its model's own order, unless that is the column itself.
    related = field.related_model._meta if field.is_relation and field.related_model else None
    return None if related is not None and related.ordering and name != field.attname else field


def _covers(opts: Options, key: tuple[str, ...], columns: set[str]) -> bool:
    return bool(key) and all(name in columns and not opts.get_field(name).null for name in key)
