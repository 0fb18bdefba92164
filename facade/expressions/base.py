"""The expression tree: what may stand in a filter, an annotation, an ordering or an update.

An expression lives through three stages. Written by the user it holds plain constants. *Frozen* it holds
numbered places (:class:`Arg`) instead, so that two expressions which differ only in their constants are equal and can
share one query shape. *Resolved* its names have become columns of one query; then :meth:`Expression.as_core` makes SQLAlchemy Core of it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar, Self

import sqlalchemy as sa

from facade import fields
from facade.exceptions import EmptyResultSet, FieldError, FullResultSet
from facade.expressions.arithmetic.inference import OutputFieldIsNoneError, combined_field
from facade.expressions.freezing import PLAIN, Arg, Frozen, Values, core_expression, freeze
from facade.expressions.identity import Compared, TwoSided
from facade.expressions.sqltext.written import Written
from facade.expressions.tree import Change, Tree
from facade.fields import Field, Operand
from facade.fields.columns import DialectView
from facade.fields.descriptions import field_of_constant
from facade.fields.relations.reverse import final_target
from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query, Valued
    from facade.fields.descriptions import Kind


_new = object.__new__


class Combinable(Operand):
    """Arithmetic and comparison for everything that can become a column expression."""

    ADD, SUB, MUL, DIV, POW, MOD = "+", "-", "*", "/", "^", "%%"
    BITAND, BITOR, BITLEFTSHIFT, BITRIGHTSHIFT, BITXOR = "&", "|", "<<", ">>", "#"

    def _combine(self, other: object, connector: str, reversed: bool) -> CombinedExpression:
        other = as_value(other)
        left, right = (other, self) if reversed else (self, other)
        return CombinedExpression(left, connector, right)

    def __neg__(self) -> CombinedExpression:
        return self._combine(-1, self.MUL, False)

    def __add__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.ADD, False)

    def __sub__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.SUB, False)

    def __mul__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.MUL, False)

    def __truediv__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.DIV, False)

    def __mod__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.MOD, False)

    def __pow__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.POW, False)

    def __radd__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.ADD, True)

    def __rsub__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.SUB, True)

    def __rmul__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.MUL, True)

    def __rtruediv__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.DIV, True)

    def __rmod__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.MOD, True)

    def __rpow__(self, other: object) -> CombinedExpression:
        return self._combine(other, self.POW, True)

    def bitand(self, other: object) -> CombinedExpression:
        return self._combine(other, self.BITAND, False)

    def bitor(self, other: object) -> CombinedExpression:
        return self._combine(other, self.BITOR, False)

    def bitxor(self, other: object) -> CombinedExpression:
        return self._combine(other, self.BITXOR, False)

    def bitleftshift(self, other: object) -> CombinedExpression:
        return self._combine(other, self.BITLEFTSHIFT, False)

    def bitrightshift(self, other: object) -> CombinedExpression:
        return self._combine(other, self.BITRIGHTSHIFT, False)

    def _logical(self, other: object, method: str) -> Any:
        if getattr(self, "conditional", False) and getattr(other, "conditional", False):
            return getattr(as_condition(self), method)(as_condition(other))
        raise NotImplementedError("Use .bitand(), .bitor(), and .bitxor() for bitwise logical operations.")

    def __and__(self, other: object) -> Any:
        return self._logical(other, "__and__")

    def __or__(self, other: object) -> Any:
        return self._logical(other, "__or__")

    def __xor__(self, other: object) -> Any:
        return self._logical(other, "__xor__")

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Any:
        return NegatedExpression(self)

    def resolve(self, model: type[Any], using: object = None) -> Any:
        """Return what this is in a statement of SQLAlchemy Core on the table of `model`, its constants bound parameters.

        It is for the database that `using` names (an alias, session or connection), by default the model's own. Columns of a parent
        are those of its table. Raises FieldError for names over a relation, which Core has no join for.

        >>> from facade import configure, models
        >>> configure(DATABASES={"default": "sqlite://"})
        >>> class Pupil(models.Model):
        ...     age = models.IntegerField()
        ...     class Meta:
        ...         app_label = "resolving"
        >>> print(models.F("age").resolve(Pupil) > 18)
        resolving_pupil.age > :age_1
        """
        return in_core(self, model, using)

    def asc(self, **options: Any) -> OrderBy:
        """Return an ordering, smallest first."""
        return OrderBy(self, **options)

    def desc(self, **options: Any) -> OrderBy:
        """Return an ordering, largest first."""
        return OrderBy(self, descending=True, **options)


as_condition: Seam[[object], Any] = Seam(
    "how a conditional expression becomes a Q", filled_by="facade.expressions.q"
)


# (expression, model, alias, session or connection) -> a clause
in_core: Seam[[object, type[Any], Any], Any] = Seam(
    "what an expression is in a statement of SQLAlchemy Core", filled_by="facade.sql.plan.clause"
)


class Expression(Combinable, Compared, Tree, Written, Frozen):
    """Base of all expressions.

    A subclass names its children through `get_source_expressions` and `set_source_expressions` and gives its SQLAlchemy form
    in `as_core(compiler)`. See https://docs.djangoproject.com/en/6.1/ref/models/expressions/ for the public protocol.
    """

    filterable = True
    conditional_type: ClassVar[bool] = False
    window_compatible = False
    if TYPE_CHECKING:

        @property
        def allowed_default(self) -> bool:
            """Whether a column may have it as its `db_default`; what is made of others says it of them."""

    else:
        allowed_default = False
    constraint_validation_compatible = True
    set_returning = False
    grouped_whole: ClassVar[bool] = False
    """Whether, where it is wrapped, the rows of a group need to agree in its value only, and not in its parts."""
    empty_result_set_value: Any = None
    is_composite = False
    """Whether it stands for several columns: those of a composite key, or of a relation over several."""
    allows_composite_expressions: ClassVar[bool] = False
    """Whether an expression that stands for several columns may be a part of it."""
    _output_field: Field[Any] | None = None

    def __init__(self, output_field: Field[Any] | None = None) -> None:
        if output_field is not None:
            self._output_field = output_field

    # -- the tree ---------------------------------------------------------------

    def copy(self) -> Self:
        clone = _new(type(self))
        clone.__dict__.update(self._given())
        return clone

    def __getstate__(self) -> dict[str, Any]:
        return self._given()

    def freeze(self, values: Values) -> Any:
        return (
            self.with_sources(lambda source: freeze(source, values))
            if self.get_source_expressions()
            else self
        )

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        """Return a copy bound to `query`: names become columns, joins are planned."""

        def resolve(source: Expression) -> Any:
            return self.one_value(source.resolve_expression(query, allow_joins, reuse, summarize, for_save))

        resolved = self.with_sources(resolve)
        resolved.is_summary = summarize
        return resolved

    is_summary = False

    def one_value(self, source: Valued) -> Any:
        """Return a resolved part; raise ValueError for one that stands for several columns, if this takes none."""
        if getattr(source, "is_composite", False) and not self.allows_composite_expressions:
            raise ValueError(f"{type(self).__name__} expression does not support composite primary keys.")
        return source

    def replace_expressions(self, replacements: dict[Any, Any]) -> Any:
        """Return this tree with each expression found in `replacements` exchanged."""
        if not replacements:
            return self
        if (replacement := replacements.get(self)) is not None:
            return replacement
        if not self.get_source_expressions():
            return self
        return self.with_sources(
            lambda source: (
                source.replace_expressions(replacements) if hasattr(source, "replace_expressions") else source
            )
        )

    def get_expression_for_validation(self) -> Any:
        """Return what a unique constraint compares: the expression, or the one that it says something about."""
        if self.constraint_validation_compatible:
            return self
        sources = self.get_source_expressions()
        if len(sources) != 1:
            raise ValueError(
                "Expressions with constraint_validation_compatible set to False must have only one source expression."
            )
        return sources[0]

    def get_refs(self) -> set[str]:
        """Return the names of the annotations this expression refers to."""
        return {ref for source in self._sources() for ref in source.get_refs()}

    # -- what it is --------------------------------------------------------------

    @functools.cached_property
    def contains_aggregate(self) -> bool:
        for source in self.get_source_expressions():
            if source is not None and source.contains_aggregate:
                return True
        return False

    @functools.cached_property
    def contains_over_clause(self) -> bool:
        for source in self.get_source_expressions():
            if source is not None and source.contains_over_clause:
                return True
        return False

    @functools.cached_property
    def contains_subquery(self) -> bool:
        return any(getattr(source, "contains_subquery", False) for source in self._sources())

    @functools.cached_property
    def contains_column_references(self) -> bool:
        return any(getattr(source, "contains_column_references", False) for source in self._sources())

    @property
    def conditional(self) -> bool:
        """Whether the expression is a condition: it can stand in filter() by itself."""
        field = self.known_field
        return field is not None and field.value_kind == "truth"

    @functools.cached_property
    def output_field(self) -> Field[Any]:
        """The field that describes the values: given, or derived from the children."""
        if (field := self._output_field or self._resolve_output_field()) is None:
            raise OutputFieldIsNoneError("Cannot resolve expression type, unknown output_field")
        return field

    @property
    def _output_field_or_none(self) -> Field[Any] | None:
        try:
            return self.output_field  # type: ignore[no-any-return]
        except OutputFieldIsNoneError:
            return None

    @property
    def known_field(self) -> Field[Any] | None:
        """The field that describes the values, None where there is none or several: SQL can be made without it."""
        try:
            return self._output_field_or_none
        except FieldError:  # mixed types matter where a value is read or compared
            return None

    @property
    def value_kind(self) -> Kind | None:
        """What the database takes the values for, as their field says; None where that is not known."""
        field = self.known_field
        return None if field is None else field.value_kind

    @property
    def column_type(self) -> Any:
        """The Core type of the values, None where it is not known."""
        field = self.known_field
        return None if field is None or type(field) is Field else final_target(field).column_type

    def _resolve_output_field(self) -> Field[Any] | None:
        candidates = [
            field for source in self._sources() if (field := source._output_field_or_none) is not None
        ]
        for field in candidates[1:]:
            if not field.stands_beside(candidates[0]):
                first, second = type(candidates[0]).__name__, type(field).__name__
                raise FieldError(
                    f"Expression contains mixed types: {first}, {second}. You must set output_field."
                )
        return candidates[0] if candidates else None

    @property
    def field(self) -> Field[Any]:
        return self.output_field  # type: ignore[no-any-return]

    def get_lookup(self, lookup: str) -> Any:
        return self.output_field.get_lookup(lookup)

    def get_transform(self, name: str) -> Any:
        return self.output_field.get_transform(name)

    def get_group_by_cols(self) -> list[Any]:
        if not (self.contains_aggregate or self.contains_over_clause):
            return [self]
        return [column for source in self._sources() for column in source.get_group_by_cols()]

    def reverse_ordering(self) -> Any:
        return self

    # -- SQL -----------------------------------------------------------------------

    def as_core(self, compiler: Compiler) -> Any:
        """Return the SQLAlchemy Core form. `compiler` knows the tables, the arguments and the dialect."""
        raise NotImplementedError(f"{type(self).__name__} must implement as_core().")


class Placed(Expression):
    """An expression that stands in its query: there is nothing in it to resolve."""

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return self


class Value(Expression):
    """A constant; it reaches the database as a bound parameter, never as SQL text.

    >>> Value("draft")
    Value('draft')
    """

    allowed_default = True

    def __init__(self, value: object, output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field)
        self.value: Any = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return (path, args, kwargs) from which an equal Value can be made."""
        options = {} if self._output_field is None else {"output_field": self._output_field}
        return "facade.models.Value", (self.value,), options

    def freeze(self, values: Values) -> Any:
        if self.value is None or isinstance(self.value, bool):
            return self
        frozen = self.copy()
        frozen._output_field = self._output_field_or_none
        frozen.value = values.add_constant(self.value)
        return frozen

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        resolved = self.copy()
        resolved.for_save = for_save
        if isinstance(self.value, Arg) and query is not None:
            resolved.value = query.place(self.value, self._prepare)
        return resolved

    for_save = False

    def with_parts(self, change: Change) -> Self:
        if not isinstance(self.value, Arg):
            return self
        changed = self.copy()
        changed.value = change(self.value)
        return changed

    def _prepare(self, value: object) -> Any:
        field = self._output_field_or_none
        return value if field is None else field.get_prep_value(value)

    def _resolve_output_field(self) -> Field[Any] | None:
        return field_of_constant(self.value)  # type: ignore[no-any-return]

    def get_group_by_cols(self) -> list[Any]:
        return []

    @property
    def empty_result_set_value(self) -> Any:
        return self.value

    def as_core(self, compiler: Compiler) -> Any:
        type_ = self.column_type
        field = self._output_field_or_none
        view = DialectView(compiler.dialect)
        convert = None if field is None else field.db_preparation(view, self.for_save)
        if isinstance(self.value, Arg):
            return compiler.bind(self.value, type_, convert)
        if self.value is None:
            json = field is not None and field.value_kind == "document"
            return compiler.literal(sa.JSON.NULL, type_) if json else sa.null()
        value = self._prepare(self.value)
        return compiler.literal(value if convert is None else convert(value), type_)


def as_value(value: object) -> Any:
    """Return `value` as it is if it freezes itself, an expression of Core as one of facade's, anything else as a constant."""
    if type(value) in PLAIN:
        return Value(value)
    return value if isinstance(value, Frozen) else core_expression(value) or Value(value)


class CombinedExpression(TwoSided, Expression):
    """Two expressions joined by an arithmetic or bitwise operator."""

    sources = ("lhs", "rhs")
    empty_result_set_value = NotImplemented

    def __init__(
        self, lhs: object, connector: str, rhs: object, output_field: Field[Any] | None = None
    ) -> None:
        super().__init__(output_field)
        self.lhs, self.connector, self.rhs = lhs, connector, rhs

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    @property
    def allowed_default(self) -> bool:
        return bool(self.lhs.allowed_default and self.rhs.allowed_default)

    def _resolve_output_field(self) -> Field[Any] | None:
        left, right = self.lhs._output_field_or_none, self.rhs._output_field_or_none
        field: Field[Any] | None = combined_field(self.connector, left, right)
        if field is None:
            kinds = type(left).__name__, type(right).__name__
            raise FieldError(
                f"Cannot infer type of {self.connector!r} expression involving these types: {kinds[0]}, {kinds[1]}. "
                "You must set output_field."
            )
        return field

    def as_core(self, compiler: Compiler) -> Any:
        left, right = compiler.process(self.lhs), compiler.process(self.rhs)
        return compiler.words.combine(self, left, right, self.column_type)


class ExpressionWrapper(Expression):
    """An expression with a given output field.

    >>> ExpressionWrapper(Value(1) + 2, output_field=fields.FloatField())
    ExpressionWrapper(<CombinedExpression: Value(1) + Value(2)>)
    """

    sources = ("expression",)

    def __init__(self, expression: object, output_field: Field[Any]) -> None:
        super().__init__(output_field)
        self.expression: Any = expression

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r})"

    @property
    def is_condition(self) -> bool:
        """Whether it is one in SQL, and not a value that is true or false."""
        return bool(getattr(self.expression, "is_condition", False))

    @property
    def allowed_default(self) -> bool:
        return bool(self.expression.allowed_default)

    def get_group_by_cols(self) -> list[Any]:
        if self.expression.grouped_whole:
            return super().get_group_by_cols()
        return self.expression.get_group_by_cols()  # type: ignore[no-any-return]

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.process(self.expression)


class NegatedExpression(ExpressionWrapper):
    """The negation of a conditional expression."""

    is_condition = True

    def __init__(self, expression: object) -> None:
        super().__init__(expression, output_field=fields.BooleanField())

    def __invert__(self) -> Any:
        return self.expression.copy()

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        resolved = super().resolve_expression(*args, **kwargs)
        if not getattr(resolved.expression, "conditional", False):
            raise TypeError("Cannot negate non-conditional expressions.")
        return resolved

    def as_core(self, compiler: Compiler) -> Any:
        try:
            return sa.not_(compiler.condition(self.expression))
        except EmptyResultSet:
            raise FullResultSet from None
        except FullResultSet:
            raise EmptyResultSet from None


class OrderBy(Expression):
    """One term of an ORDER BY."""

    sources = ("expression",)
    conditional = False
    constraint_validation_compatible = False
    allows_composite_expressions = True

    def __init__(
        self,
        expression: object,
        descending: bool = False,
        nulls_first: bool | None = None,
        nulls_last: bool | None = None,
    ) -> None:
        if nulls_first and nulls_last:
            raise ValueError("nulls_first and nulls_last are mutually exclusive")
        if nulls_first is False or nulls_last is False:
            raise ValueError("nulls_first and nulls_last values must be True or None.")
        if not hasattr(expression, "resolve_expression"):
            raise ValueError("expression must be an expression type")
        self.expression: Any = expression
        self.descending = descending
        self.nulls_first, self.nulls_last = nulls_first, nulls_last

    def __repr__(self) -> str:
        return f"OrderBy({self.expression!r}, descending={self.descending})"

    def get_group_by_cols(self) -> list[Any]:
        return [column for source in self._sources() for column in source.get_group_by_cols()]

    def reverse_ordering(self) -> Self:
        clone = self.copy()
        clone.descending = not self.descending
        if self.nulls_first:
            clone.nulls_first, clone.nulls_last = None, True
        elif self.nulls_last:
            clone.nulls_first, clone.nulls_last = True, None
        return clone

    def asc(self, **options: Any) -> Any:
        self.descending = False
        return self

    def desc(self, **options: Any) -> Any:
        self.descending = True
        return self

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.ordering(self)
