"""Core expressions where a queryset takes an expression: `filter(table.c.price * 2 > 20)`.

A column of the model's own table, or of a parent's, means the model's column: it joins, groups and is renamed as `F("price")` is.
The values in it are arguments of the queryset, so that querysets which differ in nothing else share their SQL: SQLAlchemy's own
cache key tells that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import Grouping

from facade import fields
from facade.exceptions import FieldError, UnsupportedFeature
from facade.expressions.base import Expression, OrderBy
from facade.expressions.freezing import Values, core_expression
from facade.expressions.references import Col
from facade.fields.kinds.typed import TypedField
from facade.types import JSON

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import BindParameter, ClauseElement, ColumnElement

    from facade.expressions.contracts import Compiler, Convert, Query, Valued
    from facade.expressions.freezing import Arg
    from facade.expressions.tree import Change
    from facade.fields import Field

Clause = TypeVar("Clause", bound="ClauseElement")

# A field that reads the same values adds lookups and transforms of its own.
_FIELDS: dict[type[Any], type[Field[Any]]] = {
    sa.SmallInteger: fields.SmallIntegerField,
    sa.Integer: fields.IntegerField,
    sa.BigInteger: fields.BigIntegerField,
    sa.String: fields.TextField,
    sa.Text: fields.TextField,
    sa.VARCHAR: fields.TextField,
    sa.TEXT: fields.TextField,
    sa.Float: fields.FloatField,
    sa.Double: fields.FloatField,
}


class CoreExpression(Expression):
    """An expression of SQLAlchemy Core in a queryset."""

    def __init__(self, element: ColumnElement[Any]) -> None:
        super().__init__()
        self.element = element
        self.key: Any = None
        self.args: tuple[tuple[str, Arg], ...] = ()
        self.columns: tuple[tuple[sa.Column[Any], Any], ...] = ()

    def __repr__(self) -> str:
        return f"CoreExpression({str(self.element)!r})"

    @property
    def identity(self) -> Any:
        args, columns = (tuple(part for _, part in pairs) for pairs in (self.args, self.columns))
        return CoreExpression, id(self.element) if self.key is None else self.key, args, columns

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            f"A Core expression cannot be pickled, nor a queryset with one: {self.element}. Pickle the results, list(queryset)."
        )

    # -- the tree -------------------------------------------------------------------------

    def get_source_expressions(self) -> list[Any]:
        return [expression for _, expression in self.columns]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.columns = tuple(
            (column, expression) for (column, _), expression in zip(self.columns, exprs, strict=True)
        )

    def flatten(self) -> Iterator[Any]:
        """Walk this expression and the columns that it reads of its row; selects inside read others of rows of their own."""
        yield self
        read = set(_read_of_the_row(self.element, frozenset()))
        for column, expression in self.columns:
            if column in read:
                yield from expression.flatten()

    def with_parts(self, change: Change) -> Self:
        changed = self.with_sources(change)
        changed.args = tuple((name, change(arg)) for name, arg in self.args)
        return changed

    def freeze(self, values: Values) -> Any:
        frozen, key = self.copy(), self.element._generate_cache_key()
        parameters: Iterable[BindParameter[Any]]
        if key is None:  # of a part that SQLAlchemy cannot compare with others
            values.keyed = False
            parameters = [
                item for item in visitors.iterate(self.element) if isinstance(item, sa.BindParameter)
            ]
        else:
            frozen.key, parameters = key.key, key.bindparams
        given = {parameter.key: parameter for parameter in parameters}
        frozen.args = tuple((name, values.add(_value(parameter))) for name, parameter in given.items())
        return frozen

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        if self.args:
            self.element = without_values(self.element)  # a shape is kept, whatever the values were
        resolved = self.copy()
        resolved.is_summary = summarize
        if query is None:
            return resolved
        resolved.args = tuple((name, query.place(arg, None)) for name, arg in self.args)
        resolved.columns = tuple(
            (column, query.resolve_ref(name, allow_joins, reuse, summarize))
            for column, name in _own_columns(self.element, query)
        )
        return resolved

    # -- what it is -----------------------------------------------------------------------

    @functools.cached_property
    def contains_aggregate(self) -> bool:
        return any(_is_aggregate(item) for item in _outermost(self.element))

    @functools.cached_property
    def contains_over_clause(self) -> bool:
        return any(isinstance(item, sa.Over) for item in _outermost(self.element))

    def get_group_by_cols(self) -> list[Any]:
        if not (self.contains_aggregate or self.contains_over_clause):
            return [self] if self.columns else []
        outside = {
            item for item in _outermost(self.element, below_aggregates=False) if isinstance(item, sa.Column)
        }
        return [
            found
            for column, expression in self.columns
            if column in outside
            for found in expression.get_group_by_cols()
        ]

    @property
    def conditional(self) -> bool:
        return is_condition(self.element)

    def _resolve_output_field(self) -> Field[Any] | None:
        return field_of(self.element, [expression for _, expression in self.columns])

    # -- SQL ------------------------------------------------------------------------------

    def as_core(self, compiler: Compiler) -> Any:
        known: dict[Any, Any] = {column: compiler.process(expression) for column, expression in self.columns}
        for column, expression in self.columns:
            if isinstance(expression, Col):  # a select inside may read the table, or say that it does not
                known[column.table] = compiler.table(expression.alias)
        places, missing = dict(self.args), {name for name, _ in self.args}

        def replaced(item: object) -> Any:
            if isinstance(item, sa.BindParameter):
                missing.discard(item.key)
                return placed(compiler, item, places[item.key])
            return known.get(item) if isinstance(item, (sa.Column, sa.Table)) else None

        made = replaced_throughout(self.element, replaced)
        if missing:  # its value would be NULL
            raise UnsupportedFeature(
                f"{self!r} has parameters that a queryset cannot reach: {', '.join(sorted(missing))}."
            )
        return made


@core_expression.fill
def as_core_expression(value: object) -> CoreExpression | OrderBy | None:
    """Return a Core expression, or what stands for one (an attribute of a mapped class), as an expression; else None."""
    element: Any = value
    if not isinstance(value, sa.sql.ClauseElement):
        asked = getattr(type(value), "__clause_element__", None)
        if asked is None or getattr(asked, "__self__", None) is type(
            value
        ):  # the table of an instance's model
            return None
        element = asked(value)
    if isinstance(element, sa.Select | sa.CompoundSelect):
        return CoreExpression(element.scalar_subquery())
    if isinstance(element, sa.ColumnElement):
        return _ordered(element) or CoreExpression(element)
    raise TypeError(f"{type(element).__name__} is no Core expression that has a value: {element}")


_DIRECTIONS: dict[Any, dict[str, bool]] = {
    operators.asc_op: {},
    operators.desc_op: {"descending": True},
    operators.nulls_first_op: {"nulls_first": True},
    operators.nulls_last_op: {"nulls_last": True},
}


def _ordered(element: ColumnElement[Any]) -> OrderBy | None:
    """Return an ordering, `column.desc().nulls_last()`, as one of the queryset's own; None for anything else."""
    given, options = element, dict[str, Any]()
    while isinstance(element, sa.UnaryExpression) and element.modifier in _DIRECTIONS:
        options |= _DIRECTIONS[element.modifier]
        element = element.element
    return None if element is given else OrderBy(CoreExpression(element), **options)


def field_of(element: ColumnElement[Any], sources: Iterable[Valued]) -> Field[Any]:
    """Return the field of an expression's values: that of the source whose type it has, else one of its type."""
    if is_condition(element):
        return fields.BooleanField()
    for source in sources:
        field = source._output_field_or_none
        if field is not None and field.column_type is element.type:
            return field  # type: ignore[no-any-return]
    if isinstance(element.type, (sa.JSON, JSON)):
        return fields.JSONField()
    kind = _FIELDS.get(type(element.type))
    return TypedField(element.type) if kind is None else kind()


def is_condition(element: ColumnElement[Any]) -> bool:
    """Return whether an expression is true or false; SQLAlchemy gives not all that are the type."""
    type_ = element.type
    if isinstance(type_.impl if isinstance(type_, sa.TypeDecorator) else type_, sa.Boolean):
        return True
    if isinstance(element, sa.BinaryExpression):
        return operators.is_comparison(element.operator)
    inside = isinstance(element, Grouping) or getattr(element, "operator", None) is operators.inv
    return inside and is_condition(element.element)


def placed(
    compiler: Compiler, parameter: BindParameter[Any], arg: Arg, convert: Convert | None = None
) -> Any:
    """Return the parameter of the statement that takes an argument in the place of one in the expression."""
    if not parameter.expanding:
        return compiler.bind(arg, parameter.type, convert)
    placed = compiler.bind_each(arg, parameter.type, convert)
    placed.expand_op = parameter.expand_op
    return placed


def replaced_throughout(element: Clause, replace: Callable[[object], Any]) -> Clause:
    """Return a copy of a clause with what `replace` gives in the place of its parts, where it does not return None.

    SQLAlchemy's `replacement_traverse` leaves out what `relationship.any()` and `has()` were given.
    """
    cloned: dict[int, Any] = {}

    def clone(item: ClauseElement, **options: Any) -> Any:
        if (found := replace(item)) is not None:
            return found
        if (made := cloned.get(id(item))) is not None:
            return made
        # A select asks for its columns to be those of what its tables have become.
        if "replace" in options and (found := options["replace"](item)) is not None:
            return found
        made = cloned[id(item)] = item._clone(**options)
        made._copy_internals(clone=clone, **options)
        return made

    def later(item: Clause) -> Clause:
        return replaced_throughout(item, replace)

    return clone(element, deferred_copy_internals=later)  # type: ignore[no-any-return]


def without_values(element: Clause) -> Clause:
    """Return the same clause to be kept, whatever its values were: those of another one take their places."""

    def forget(parameter: BindParameter[Any]) -> None:
        parameter.value = None
        if parameter.callable is not None:
            parameter.callable = _no_value

    return visitors.cloned_traverse(element, {"maintain_key": True}, {"bindparam": forget})


def _no_value() -> None:
    """Stand where a function was that gives a value."""


def _value(parameter: BindParameter[Any]) -> Any:
    if parameter.required:
        raise TypeError(f"bindparam({parameter.key!r}) has no value.")
    return parameter.effective_value


def _own_columns(element: ClauseElement, query: Query) -> list[tuple[sa.Column[Any], str]]:
    """Return the columns that belong to the query's model, with the names of their fields; FieldError for other tables' columns.

    A select inside may read other tables.
    """
    model: Any = query.model
    names = {
        field.column_in(field.model._meta.table): field.name
        for field in (model._meta.concrete_fields if model else ())
    }
    found: dict[sa.Column[Any], str] = {}
    for item in visitors.iterate(element):
        if isinstance(item, sa.Column) and item in names:
            found[item] = names[item]
    for item in _outermost(element):
        if isinstance(item, sa.Column) and item not in found:
            of = "nothing" if model is None else model.__name__
            raise FieldError(
                f"The column {item} is not one of {of}'s: name it by its path, F('relation__field'), or select it in a "
                "subquery."
            )
    return list(found.items())


def _read_of_the_row(element: ClauseElement, inside: frozenset[object]) -> Iterator[sa.Column[Any]]:
    """Yield the columns of an expression but those of the tables `inside`, which a select that is no correlated one reads."""
    if isinstance(element, sa.Column) and element.table not in inside:
        yield element
    if isinstance(element, sa.Select) and len(froms := element.get_final_froms()) == 1:
        inside |= {item for item in visitors.iterate(froms[0]) if isinstance(item, sa.Table)}
    for child in element.get_children():
        yield from _read_of_the_row(child, inside)


def _outermost(element: ClauseElement, *, below_aggregates: bool = True) -> Iterator[ClauseElement]:
    """Yield the parts of an expression that are not inside a select of its own."""
    todo = [element]
    while todo:
        item = todo.pop()
        yield item
        if isinstance(item, sa.Over):
            todo += _below_window(item)
        elif not isinstance(item, sa.SelectBase) and (below_aggregates or not _is_aggregate(item)):
            todo += item.get_children()


def _below_window(window: sa.Over[Any]) -> list[Any]:
    """Return the parts of a window and of its function, but the function: over a window, it makes no group."""
    function: Any = window.element
    parts = [part for part in window.get_children() if part is not function]
    while isinstance(function, sa.FunctionFilter | sa.WithinGroup):
        wrapped = function.func if isinstance(function, sa.FunctionFilter) else function.element
        parts += [part for part in function.get_children() if part is not wrapped]
        function = wrapped
    return [*parts, *function.get_children()]


def _is_aggregate(element: object) -> bool:
    if isinstance(element, sa.FunctionFilter | sa.WithinGroup):
        return True
    return isinstance(element, sa.sql.functions.FunctionElement) and (
        getattr(element, "name", "").lower() in _AGGREGATES
    )


# SQLAlchemy takes any name for a function, and knows of none that it is an aggregate.
_AGGREGATES = frozenset(
    [
        "aggregate_strings",
        "any_value",
        "array_agg",
        "avg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "bool_and",
        "bool_or",
        "corr",
        "count",
        "covar_pop",
        "covar_samp",
        "every",
        "group_concat",
        "json_agg",
        "json_arrayagg",
        "json_group_array",
        "json_group_object",
        "json_object_agg",
        "json_objectagg",
        "jsonb_agg",
        "jsonb_object_agg",
        "listagg",
        "max",
        "min",
        "mode",
        "percentile_cont",
        "percentile_disc",
        "regr_avgx",
        "regr_avgy",
        "regr_count",
        "regr_intercept",
        "regr_r2",
        "regr_slope",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
        "std",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "string_agg",
        "sum",
        "total",
        "var_pop",
        "var_samp",
        "variance",
    ]
)
