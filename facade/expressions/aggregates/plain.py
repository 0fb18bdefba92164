"""Aggregates: one value of many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade import fields
from facade.exceptions import FieldError, FullResultSet, UnsupportedFeature
from facade.expressions.base import Value
from facade.expressions.calls import Func
from facade.expressions.references import Star, parts_of

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query, Valued
    from facade.expressions.freezing import Values
    from facade.fields import Field


class Aggregate(Func):
    """Base of the aggregates.

    `filter` is a condition rows must meet to be counted in, `distinct` drops repeated values (where the
    function allows it), `default` replaces the NULL of an empty set, `order_by` orders the values where the function looks at it.
    See https://docs.djangoproject.com/en/6.1/ref/models/expressions/#aggregate-expressions

    >>> from facade.models import Q
    >>> Book.objects.aggregate(thick=Count("pk", filter=Q(pages__gt=200)), none=Sum("pages", filter=Q(pages=0), default=0))
    {'thick': 1, 'none': 0}
    """

    name: ClassVar[str]
    allow_distinct: ClassVar[bool] = False
    calculates: ClassVar[bool] = False
    """Whether it needs numbers, which SQLite's dates and times are not."""
    keeps_json = False
    window_compatible = True
    contains_aggregate = True
    contains_over_clause = False
    empty_result_set_value: Any = None

    def __init__(
        self,
        *expressions: Any,
        distinct: bool = False,
        filter: object = None,
        default: object = None,
        order_by: object = None,
        **extra: Any,
    ) -> None:
        if distinct and not self.allow_distinct:
            raise TypeError(f"{type(self).__name__} does not allow distinct.")
        if default is not None and self.empty_result_set_value is not None:
            raise TypeError(f"{type(self).__name__} does not allow default.")
        self.distinct, self.filter = distinct, None if filter is None else as_filter(filter)
        self.default: Any = default
        super().__init__(*expressions, **extra)

    def _repr_options(self) -> dict[str, Any]:
        options = {"distinct": self.distinct or None, "filter": self.filter}
        return {name: value for name, value in options.items() if value is not None}

    def get_source_expressions(self) -> list[Any]:
        return [*self.source_expressions, self.filter]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        *sources, self.filter = exprs
        self.source_expressions = [source for source in sources if source is not None]

    def _resolve_output_field(self) -> Field[Any] | None:
        fields_ = [source._output_field_or_none for source in self.source_expressions]
        return next((field for field in fields_ if field is not None), None)

    @property
    def default_alias(self) -> str:
        expressions = [source for source in self.source_expressions if not isinstance(source, Value)]
        if len(expressions) == 1 and hasattr(expressions[0], "name"):
            return f"{expressions[0].name}__{self.name.lower()}"
        raise TypeError("Complex expressions require an alias")

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        resolved = self.copy()
        resolved.source_expressions = [
            self.one_value(source.resolve_expression(query, allow_joins, reuse, summarize))
            for source in self.source_expressions
        ]
        if self.filter is not None:
            assert query is not None
            resolved.filter = query.resolve_condition(
                self.filter, allow_joins=allow_joins, reuse=reuse, summarize=summarize
            )
        resolved.is_summary = summarize
        if not summarize:
            self._refuse_aggregates(resolved.source_expressions)
        elif query is not None:
            self._refuse_own_references(query, resolved)
        if (default := self.default) is None:
            return resolved
        if hasattr(default, "resolve_expression"):
            if isinstance(default, Default):
                default = default.beside(resolved._output_field_or_none)
            default = default.resolve_expression(query, allow_joins, reuse, summarize)
        else:
            default = Value(default, output_field=resolved._output_field_or_none)
        resolved.default = None
        coalesce = WithDefault(resolved, default, output_field=resolved._output_field_or_none)
        coalesce.is_summary = summarize
        return coalesce

    def freeze(self, values: Values) -> Any:
        frozen = super().freeze(values)
        if self.default is not None:
            default = self.default if hasattr(self.default, "resolve_expression") else Default(self.default)
            frozen.default = default.freeze(values)
        return frozen

    def _refuse_aggregates(self, resolved: list[Any]) -> None:
        for written, source in zip(self.source_expressions, resolved, strict=True):
            if source.contains_aggregate:
                name = getattr(written, "name", repr(written))
                raise FieldError(f"Cannot compute {self.name}('{name}'): '{name}' is an aggregate")

    def _refuse_own_references(self, query: Query, resolved: Aggregate) -> None:
        for source in resolved.source_expressions:
            for ref in source.get_refs():
                if (
                    ref in query.annotations
                    and query.annotations[ref].contains_aggregate
                    and query.annotations[ref].is_summary
                ):
                    raise FieldError(f"Cannot compute {self.name}('{ref}'): '{ref}' is an aggregate")

    def get_group_by_cols(self) -> list[Any]:
        return []

    def _condition(self, compiler: Compiler) -> Any:
        """Return the Core form of the filter, None where it lets every row through."""
        try:
            return None if self.filter is None else compiler.condition(self.filter)
        except FullResultSet:
            return None

    def as_core(self, compiler: Compiler) -> Any:
        arguments = [compiler.process(source) for source in self.source_expressions]
        condition = self._condition(compiler)
        if condition is not None and not compiler.words.filters_aggregates:
            arguments[0] = sa.case(
                (
                    condition,
                    sa.literal_column("1") if isinstance(self.source_expressions[0], Star) else arguments[0],
                )
            )
            condition = None
        if self.distinct:
            arguments[0] = sa.distinct(arguments[0])
        call = compiler.words.aggregate(self, arguments, self.column_type)
        return call if condition is None else call.filter(condition)


def as_filter(condition: object) -> Any:
    if condition is not None and not getattr(condition, "conditional", False):
        raise TypeError("The filter of an aggregate must be a Q object or a conditional expression.")
    return condition


class Default(Value):
    """A constant that replaces the NULL of an empty set; beside floats, the database computes with a float."""

    _beside: Field[Any] | None = None

    def beside(self, field: Field[Any] | None) -> Default:
        """Return the constant as it stands beside values of this field."""
        own = self._output_field
        if field is None or own is None or (field.value_kind, own.value_kind) != ("float", "integer"):
            return self
        beside = self.copy()
        beside._beside = field
        return beside

    def as_core(self, compiler: Compiler) -> Any:
        if self._beside is None:
            return super().as_core(compiler)
        return compiler.bind(self.value, self._beside.column_type, float)


class WithDefault(Func):
    """An aggregate whose empty result is replaced: COALESCE(aggregate, default)."""

    function = "COALESCE"
    chooses = True

    @property
    def empty_result_set_value(self) -> Any:
        return self.source_expressions[1].empty_result_set_value


class Avg(Aggregate):
    """The mean; Decimal for decimals, timedelta for durations, else float."""

    function = "AVG"
    name = "Avg"
    allow_distinct = True
    calculates = True
    arity = 1

    def _resolve_output_field(self) -> Field[Any] | None:
        source = self.source_expressions[0]._output_field_or_none
        return None if source is None else source.of_mean()


class Count(Aggregate):
    """The number of rows (`Count("*")`) or of non-NULL values."""

    function = "COUNT"
    name = "Count"
    allow_distinct = True
    empty_result_set_value = 0
    arity = 1

    def __init__(self, expression: object, filter: object = None, **extra: Any) -> None:
        if isinstance(expression, str) and expression == "*":
            expression = Star()
        if filter is not None and isinstance(expression, Star):
            raise ValueError("Star cannot be used with filter. Please specify a field.")
        super().__init__(expression, filter=filter, **extra)

    def one_value(self, source: Valued) -> Any:
        """Return what is counted: of a composite key its first column."""
        if (parts := parts_of(source)) is None:
            return source
        if self.distinct:
            raise ValueError("COUNT(DISTINCT) doesn't support composite primary keys")
        return parts[0]

    def _resolve_output_field(self) -> Field[Any] | None:
        return fields.IntegerField()


class Max(Aggregate):
    """The largest value."""

    function = "MAX"
    name = "Max"
    arity = 1


class Min(Aggregate):
    """The smallest value."""

    function = "MIN"
    name = "Min"
    arity = 1


class Sum(Aggregate):
    """The total."""

    function = "SUM"
    name = "Sum"
    allow_distinct = True
    calculates = True
    arity = 1

    def _resolve_output_field(self) -> Field[Any] | None:
        source = super()._resolve_output_field()
        return None if source is None else source.of_total()


class _Spread(Aggregate):
    """What the deviation and the variance have in common: of the population, or of a sample."""

    arity = 1
    calculates = True
    _functions: ClassVar[tuple[str, str]]

    def __init__(self, expression: object, sample: bool = False, **extra: Any) -> None:
        self.function = self._functions[sample]
        super().__init__(expression, **extra)

    def _repr_options(self) -> dict[str, Any]:
        return {**super()._repr_options(), "sample": self.function == self._functions[1]}

    def _resolve_output_field(self) -> Field[Any] | None:
        source = self.source_expressions[0]._output_field_or_none
        exact = source is not None and source.value_kind in ("decimal", "duration")
        return source if exact else fields.FloatField()


class StdDev(_Spread):
    """The standard deviation; of a sample with `sample=True`."""

    name = "StdDev"
    _functions = ("STDDEV_POP", "STDDEV_SAMP")


class Variance(_Spread):
    """The variance; of a sample with `sample=True`."""

    name = "Variance"
    _functions = ("VAR_POP", "VAR_SAMP")


class AnyValue(Aggregate):
    """An arbitrary non-NULL value; PostgreSQL has it from 16 on, MySQL from 5.7, MariaDB not at all."""

    function = "ANY_VALUE"
    name = "AnyValue"
    arity = 1

    def as_core(self, compiler: Compiler) -> Any:
        if not compiler.features.supports_any_value:
            raise UnsupportedFeature(f"AnyValue is not supported on {compiler.features.called}.")
        return super().as_core(compiler)


__all__ = ["Aggregate", "AnyValue", "Avg", "Count", "Max", "Min", "StdDev", "Sum", "Variance"]
