"""Aggregates whose result depends on the order of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.aggregates.plain import Aggregate
from facade.expressions.base import Value
from facade.expressions.lists import OrderByList
from facade.expressions.sqltext.fragments import template

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query


class OrderedAggregate(Aggregate):
    """Base of the aggregates that take `order_by`: a name, an expression, or a list of them."""

    allow_distinct = True
    order_by: OrderByList | None

    def __init__(self, *expressions: Any, order_by: object = None, **extra: Any) -> None:
        self.order_by = OrderByList.from_param(f"{type(self).__name__}.order_by", order_by)
        super().__init__(*expressions, **extra)

    def _repr_options(self) -> dict[str, Any]:
        options = super()._repr_options()
        return options if self.order_by is None else {**options, "order_by": self.order_by}

    def get_source_expressions(self) -> list[Any]:
        return [*super().get_source_expressions(), self.order_by]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        *others, self.order_by = exprs
        super().set_source_expressions(others)

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        ordered = self.copy()
        if self.order_by is not None:
            ordered.order_by = self.order_by.resolve_expression(query, allow_joins, reuse, summarize)
        return super(OrderedAggregate, ordered).resolve_expression(
            query, allow_joins, reuse, summarize, for_save
        )

    def as_core(self, compiler: Compiler) -> Any:
        if self.order_by is not None and not compiler.features.supports_aggregate_order_by_clause:
            raise UnsupportedFeature(
                "This database backend does not support specifying an order on aggregates. "
                f"It is {compiler.features.called}."
            )
        arguments = [compiler.process(source) for source in self.source_expressions]
        condition = None if self.filter is None else compiler.condition(self.filter)
        return self.call(compiler, arguments, condition)

    def call(self, compiler: Compiler, arguments: list[Any], condition: object) -> Any:
        """Return the Core form of the call."""
        places, values = ", ".join(["%s"] * len(arguments)), list(arguments)
        if condition is not None and not compiler.words.filters_aggregates:
            values[0], condition = template("CASE WHEN %s THEN %s END", condition, values[0]), None
        text = f"{self.function}({'DISTINCT ' if self.distinct else ''}{places}"
        if self.order_by is not None:
            text += ") WITHIN GROUP (ORDER BY %s" if compiler.words.orders_within_group else " ORDER BY %s"
            values.append(compiler.process(self.order_by))
            compiler.binds.compares |= self.distinct and compiler.words.compares_parameters
        text += ")"
        if condition is not None:
            text += " FILTER (WHERE %s)"
            values.append(condition)
        return template(text, *values, type_=self.column_type)


class StringAgg(OrderedAggregate):
    """The texts of all rows as one, `delimiter` between them: an expression, `Value(", ")`.

    SQLite takes an order from 3.44 on, and with `distinct` no delimiter but the comma.
    """

    function = "STRING_AGG"
    name = "StringAgg"
    _output_field = fields.TextField()

    def __init__(self, expression: object, delimiter: object, **extra: Any) -> None:
        self.comma = isinstance(delimiter, Value) and delimiter.value == ","
        super().__init__(expression, delimiter, **extra)

    def call(self, compiler: Compiler, arguments: list[Any], condition: object) -> Any:
        called = self.copy()
        called.function = compiler.words.text_aggregate
        if self.distinct and not compiler.words.joins_distinct_texts:
            raise UnsupportedFeature(
                f"{self.name} with distinct is not supported on {compiler.features.called}."
            )
        if compiler.words.separates_texts:
            return called._separated(compiler, arguments, condition)
        if self.distinct and not compiler.features.supports_aggregate_distinct_multiple_argument:
            if not self.comma:
                raise UnsupportedFeature(
                    f"{self.name} does not support distinct with multiple expressions on this database backend."
                )
            arguments = arguments[:1]
        return super(StringAgg, called).call(compiler, arguments, condition)

    def _separated(self, compiler: Compiler, arguments: list[Any], condition: object) -> Any:
        value, delimiter = arguments
        if condition is not None:
            value = template("CASE WHEN %s THEN %s END", condition, value)
        ordering = [] if self.order_by is None else [compiler.process(self.order_by)]
        order = " ORDER BY %s" if ordering else ""
        text = f"GROUP_CONCAT({'DISTINCT ' if self.distinct else ''}%s{order} SEPARATOR %s)"
        return template(text, value, *ordering, delimiter, type_=self.column_type)


__all__ = ["OrderedAggregate", "StringAgg"]
