"""What SQLite says in words of its own. `FACADE_…` are functions that facade gives to it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.arithmetic import durations
from facade.expressions.sqltext.fragments import template
from facade.sql.core.words.base import StandardWords

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Aggregation, Combined, Compiler, Convert, Core, CoreType
    from facade.expressions.freezing import Arg
    from facade.sql.query.query import Lock
    from facade.sql.query.query import Query as SQLQuery

# Types whose values survive a trip through JSON, as the column stores them.
_JSON_SAFE = (
    sa.Integer,
    sa.String,
    sa.Float,
    sa.Date,
    sa.DateTime,
    sa.Time,
    sa.Uuid,
    sa.Boolean,
    sa.Numeric,
    sa.Interval,
)


class SQLiteWords(StandardWords):
    """The words of SQLite."""

    filters_aggregates = True

    # -- lists ---------------------------------------------------------------------------------

    def in_list(
        self, compiler: Compiler, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None
    ) -> Any:
        if type_ is None or not isinstance(_storage(type_, compiler.dialect), _JSON_SAFE):
            return super().in_list(compiler, left, arg, type_, convert)
        each = sa.func.json_each(compiler.bind(arg, ListParameter(type_), convert)).table_valued("value")
        return left.in_(sa.select(each.c.value))

    # -- text ----------------------------------------------------------------------------------

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        right = template("('(?i)' || %s)", right) if ignore_case else right
        return left.op("REGEXP", is_comparison=True)(right)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        temporal = durations.combine("sqlite", expression, left, right, type_)
        if temporal is not None:
            return temporal
        if expression.connector == "#":  # there is no XOR of bits
            return template("((%s | %s) - (%s & %s))", left, right, left, right, type_=type_)
        if expression.connector == "/" and isinstance(expression.known_field, fields.DecimalField):
            left = left * sa.literal_column("1.0")  # whole decimals are stored as integers
        return super().combine(expression, left, right, type_)

    # -- functions -----------------------------------------------------------------------------

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        source = expression.get_source_expressions()[0] if expression.calculates else None
        # Values of mixed types are numbers.
        if source is not None and isinstance(source.known_field, (fields.DateField, fields.TimeField)):
            raise UnsupportedFeature(
                f"{expression.name} of dates and times is not possible on SQLite, which saves them as text."
            )
        return super().aggregate(expression, arguments, type_)

    # -- combinations and locks ------------------------------------------------------------------

    def combinable(self, select: sa.Select[Any], query: SQLQuery) -> Any:
        """Return a select as a part of UNION, which takes no parentheses."""
        if query.is_sliced or query.order_by or query.combinator:
            return sa.select(*select.subquery().c)
        return select

    def for_update(self, statement: sa.Select[Any], lock: Lock, tables: list[Any]) -> Any:
        """Return the select as it is: there are no row locks."""
        return statement


class ListParameter(sa.types.TypeDecorator[Any]):
    """A list as one parameter: JSON."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, item: CoreType) -> None:
        super().__init__()
        self.item = item

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        if process is None:
            return _as_json
        return lambda values: _as_json([process(value) for value in values])


def _as_json(values: list[Any]) -> str:
    """Return a list as JSON for SQLite, to which NaN is NULL, and a number beyond its range infinity."""
    try:
        return json.dumps(values, allow_nan=False)
    except ValueError:
        return f"[{','.join(map(_item_as_json, values))}]"


def _item_as_json(value: object) -> str:
    if value != value:  # noqa: PLR0124 - only NaN is unequal to itself
        return "null"
    return json.dumps(value).replace("Infinity", "1e999") if isinstance(value, float) else json.dumps(value)


@functools.lru_cache(maxsize=256)  # every expression may bring a type of its own
def _storage(type_: CoreType, dialect: Dialect) -> Any:
    impl = type_.dialect_impl(dialect)
    return getattr(impl, "impl_instance", None) or impl


__all__ = ["SQLiteWords"]
