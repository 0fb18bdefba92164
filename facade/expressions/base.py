"""The expression tree: what may stand in a filter, an annotation, an ordering or an update.

An expression lives through three stages. Written by the user it holds plain constants. *Frozen* it holds
numbered places (:class:`Arg`) instead, so that two expressions which differ only in their constants are equal and can
share one query shape. *Resolved* its names have become columns of one query; then :meth:`Expression.as_core` makes SQLAlchemy Core of it.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import functools
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Self

import sqlalchemy as sa

from facade import fields
from facade.exceptions import FieldError
from facade.expressions.written import SQL, Written
from facade.fields import Field

LOOKUP_SEP = "__"

# Values of exactly these types are arguments: they never change the SQL (bool aside, see `isnull`).
PLAIN = frozenset(
    {
        int,
        str,
        float,
        bytes,
        decimal.Decimal,
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        uuid.UUID,
    }
)


class Arg:
    """The place of one value: its number among the arguments of a shape."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __eq__(self, other: object) -> bool:
        return type(other) is Arg and other.index == self.index

    def __hash__(self) -> int:
        return hash((Arg, self.index))

    def __repr__(self) -> str:
        return f"Arg({self.index})"


class ArgWithNone(Arg):
    """The place of a list with None in it, or with nothing else (`only`): NOT IN then says something about NULL as well."""

    __slots__ = ("only",)

    def __init__(self, index: int, only: bool) -> None:
        super().__init__(index)
        self.only = only

    def __eq__(self, other: object) -> bool:
        return type(other) is ArgWithNone and (other.index, other.only) == (self.index, self.only)

    def __hash__(self) -> int:
        return hash((ArgWithNone, self.index, self.only))


class Empty:
    """What stands in a key for an empty list: the SQL is another one than for a list of values."""

    def __repr__(self) -> str:
        return "EMPTY"


class OutOfRange(Exception):
    """A value no row of its column can hold; `high` tells on which side it lies."""

    def __init__(self, high: bool) -> None:
        super().__init__(high)
        self.high = high

    def __eq__(self, other: object) -> bool:
        return type(other) is OutOfRange and other.high == self.high

    def __hash__(self) -> int:
        return hash((OutOfRange, self.high))


EMPTY = Empty()
Containers = (list, tuple, set, frozenset, range)


class Values(list[Any]):
    """The values taken out of a step; `keyed` turns False when the step cannot share its shape."""

    keyed = True

    def add(self, value: Any) -> Arg:
        self.append(value)
        return Arg(len(self) - 1)


class Frozen:
    """Base of what freezes itself: expressions, conditions and querysets."""

    __slots__ = ()

    def freeze(self, values: Values) -> Any:
        """Return a hashable stand-in for this object; its constants move to `values`."""
        raise NotImplementedError


def freeze(value: Any, values: Values) -> Any:
    """Return what `value` contributes to the key of a step, its constants moved to `values`."""
    if type(value) in PLAIN:
        return values.add(value)
    if value is None:
        return None
    if isinstance(value, Frozen):
        return value.freeze(values)
    if isinstance(value, Containers):
        return _freeze_container(value, values)
    if isinstance(value, Iterator):
        return _freeze_container(list(value), values)
    return values.add(value)


def _freeze_container(items: Any, values: Values) -> Any:
    if any(isinstance(item, Frozen) for item in items):
        return tuple(freeze(item, values) for item in items)
    arg = values.add(items)
    if not items:
        return EMPTY
    if None not in items:
        return arg
    return ArgWithNone(arg.index, all(item is None for item in items))


def hashable(value: Any) -> Any:
    """Return a hashable equivalent of a constructor argument."""
    if isinstance(value, dict):
        return tuple((key, hashable(item)) for key, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(hashable(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return frozenset(hashable(item) for item in value)
    if isinstance(value, Field):
        return field_identity(value)
    return value


def field_identity(field: Field[Any]) -> Any:
    """Return what makes a field the same field: its place in a model, else its type and its options."""
    if getattr(field, "model", None) is not None and field.name:
        return field.model._meta.label, field.name
    _, path, args, options = field.deconstruct()
    return path, hashable(args), hashable(options)


class Combinable:
    """Arithmetic and comparison for everything that can become a column expression."""

    ADD, SUB, MUL, DIV, POW, MOD = "+", "-", "*", "/", "^", "%%"
    BITAND, BITOR, BITLEFTSHIFT, BITRIGHTSHIFT, BITXOR = "&", "|", "<<", ">>", "#"

    def _combine(self, other: Any, connector: str, reversed: bool) -> CombinedExpression:
        if not isinstance(other, Frozen):
            other = Value(other)
        left, right = (other, self) if reversed else (self, other)
        return CombinedExpression(left, connector, right)

    def __neg__(self) -> CombinedExpression:
        return self._combine(-1, self.MUL, False)

    def __add__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.ADD, False)

    def __sub__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.SUB, False)

    def __mul__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MUL, False)

    def __truediv__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.DIV, False)

    def __mod__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MOD, False)

    def __pow__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.POW, False)

    def __radd__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.ADD, True)

    def __rsub__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.SUB, True)

    def __rmul__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MUL, True)

    def __rtruediv__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.DIV, True)

    def __rmod__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.MOD, True)

    def __rpow__(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.POW, True)

    def bitand(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITAND, False)

    def bitor(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITOR, False)

    def bitxor(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITXOR, False)

    def bitleftshift(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITLEFTSHIFT, False)

    def bitrightshift(self, other: Any) -> CombinedExpression:
        return self._combine(other, self.BITRIGHTSHIFT, False)

    def _logical(self, other: Any, method: str) -> Any:
        if getattr(self, "conditional", False) and getattr(other, "conditional", False):
            return getattr(as_condition(self), method)(as_condition(other))
        raise NotImplementedError("Use .bitand(), .bitor(), and .bitxor() for bitwise logical operations.")

    def __and__(self, other: Any) -> Any:
        return self._logical(other, "__and__")

    def __or__(self, other: Any) -> Any:
        return self._logical(other, "__or__")

    def __xor__(self, other: Any) -> Any:
        return self._logical(other, "__xor__")

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Any:
        return NegatedExpression(self)

    def asc(self, **options: Any) -> OrderBy:
        """Return an ordering, smallest first."""
        return OrderBy(self, **options)

    def desc(self, **options: Any) -> OrderBy:
        """Return an ordering, largest first."""
        return OrderBy(self, descending=True, **options)


# Set by `expressions.q`, which stands above this module: makes a Q of a conditional expression.
condition_class: list[Callable[..., Any]] = []


def as_condition(expression: Any) -> Any:
    return condition_class[0](expression)


class Expression(Combinable, Written, Frozen):
    """Base of all expressions.

    A subclass names its children through `get_source_expressions` and `set_source_expressions` and gives its SQLAlchemy form
    in `as_core(compiler)`. See https://docs.djangoproject.com/en/6.1/ref/models/expressions/ for the public protocol.
    """

    filterable = True
    conditional_type: ClassVar[bool] = False
    window_compatible = False
    allowed_default = False
    constraint_validation_compatible = True
    set_returning = False
    empty_result_set_value: Any = None
    _output_field: Field[Any] | None = None
    _derived: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._derived = frozenset(
            name
            for base in cls.__mro__
            for name, item in vars(base).items()
            if isinstance(item, functools.cached_property)
        )

    def __init__(self, output_field: Field[Any] | None = None) -> None:
        if output_field is not None:
            self._output_field = output_field

    # -- the tree ---------------------------------------------------------------

    def get_source_expressions(self) -> list[Any]:
        return []

    def set_source_expressions(self, exprs: list[Any]) -> None:
        if exprs:
            raise ValueError(f"{type(self).__name__} takes no source expressions.")

    def _sources(self) -> Iterator[Any]:
        return (source for source in self.get_source_expressions() if source is not None)

    def copy(self) -> Self:
        clone = copy.copy(self)
        for name in self._derived:
            clone.__dict__.pop(name, None)
        return clone

    def with_sources(self, change: Callable[[Any], Any]) -> Self:
        """Return a copy whose children went through `change`."""
        clone = self.copy()
        clone.set_source_expressions(
            [None if source is None else change(source) for source in self.get_source_expressions()]
        )
        return clone

    def flatten(self) -> Iterator[Any]:
        """Walk this expression and everything below it, depth first."""
        yield self
        for source in self._sources():
            yield from source.flatten() if hasattr(source, "flatten") else (source,)

    def freeze(self, values: Values) -> Any:
        return (
            self.with_sources(lambda source: freeze(source, values))
            if self.get_source_expressions()
            else self
        )

    def resolve_expression(
        self,
        query: Any = None,
        allow_joins: bool = True,
        reuse: Any = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        """Return a copy bound to `query`: names become columns, joins are planned."""

        def resolve(source: Any) -> Any:
            return source.resolve_expression(query, allow_joins, reuse, summarize, for_save)

        resolved = self.with_sources(resolve)
        resolved.is_summary = summarize
        return resolved

    is_summary = False

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
                source.replace_expressions(replacements) if isinstance(source, Expression) else source
            )
        )

    def get_refs(self) -> set[str]:
        """Return the names of the annotations this expression refers to."""
        return {ref for source in self._sources() for ref in source.get_refs()}

    # -- what it is --------------------------------------------------------------

    @functools.cached_property
    def contains_aggregate(self) -> bool:
        return any(source.contains_aggregate for source in self._sources())

    @functools.cached_property
    def contains_over_clause(self) -> bool:
        return any(source.contains_over_clause for source in self._sources())

    @functools.cached_property
    def contains_subquery(self) -> bool:
        return any(getattr(source, "contains_subquery", False) for source in self._sources())

    @functools.cached_property
    def contains_column_references(self) -> bool:
        return any(getattr(source, "contains_column_references", False) for source in self._sources())

    @property
    def conditional(self) -> bool:
        """Whether the expression is a condition: it can stand in filter() by itself."""
        field = self._output_field_or_none
        return field is not None and isinstance(field, fields.BooleanField)

    @functools.cached_property
    def output_field(self) -> Field[Any]:
        """The field that describes the values: given, or derived from the children."""
        if (field := self._output_field or self._resolve_output_field()) is None:
            raise OutputFieldIsNoneError("Cannot resolve expression type, unknown output_field")
        return field

    @functools.cached_property
    def _output_field_or_none(self) -> Field[Any] | None:
        try:
            return self.output_field
        except OutputFieldIsNoneError:
            return None

    @property
    def column_type(self) -> Any:
        """The Core type of the values, None where it is not known."""
        field = self._output_field_or_none
        return None if field is None or type(field) is Field else field.column_type

    def _resolve_output_field(self) -> Field[Any] | None:
        candidates = [
            field for source in self._sources() if (field := source._output_field_or_none) is not None
        ]
        for field in candidates[1:]:
            if not isinstance(candidates[0], type(field)):
                first, second = type(candidates[0]).__name__, type(field).__name__
                raise FieldError(
                    f"Expression contains mixed types: {first}, {second}. You must set output_field."
                )
        return candidates[0] if candidates else None

    @property
    def field(self) -> Field[Any]:
        return self.output_field

    def get_lookup(self, lookup: str) -> Any:
        return self.output_field.get_lookup(lookup)

    def get_transform(self, name: str) -> Any:
        return self.output_field.get_transform(name)

    def get_group_by_cols(self) -> list[Any]:
        if not self.contains_aggregate:
            return [self]
        return [column for source in self._sources() for column in source.get_group_by_cols()]

    def reverse_ordering(self) -> Any:
        return self

    # -- equality ------------------------------------------------------------------

    @property
    def identity(self) -> Any:
        parts = [
            (name, hashable(value))
            for name, value in sorted(self.__dict__.items())
            if name not in self._derived
        ]
        return type(self), tuple(parts)

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Expression):
            return NotImplemented
        return other.identity == self.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    # -- SQL -----------------------------------------------------------------------

    def as_core(self, compiler: Any) -> Any:
        """Return the SQLAlchemy Core form. `compiler` knows the tables, the arguments and the dialect."""
        raise NotImplementedError(f"{type(self).__name__} must implement as_core().")


class OutputFieldIsNoneError(FieldError):
    """An expression whose type cannot be told."""


class F(Combinable, Frozen):
    """A reference to a field, an annotation or, across relations, a field of another model.

    >>> F("price") * 2
    <CombinedExpression: F(price) * Value(2)>
    """

    allowed_default = False

    def __init__(self, name: Any) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def __getitem__(self, subscript: Any) -> Sliced:
        return Sliced(self, subscript)

    def __contains__(self, other: Any) -> bool:
        raise TypeError(f"argument of type '{type(self).__name__}' is not iterable")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def freeze(self, values: Values) -> Any:
        return self

    def flatten(self) -> Iterator[Any]:
        yield self

    def copy(self) -> F:
        return copy.copy(self)

    def resolve_expression(
        self,
        query: Any = None,
        allow_joins: bool = True,
        reuse: Any = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        return query.resolve_ref(self.name, allow_joins, reuse, summarize)

    def replace_expressions(self, replacements: dict[Any, Any]) -> Any:
        return replacements.get(self, self)


class OuterRef(F):
    """A reference, inside a Subquery or Exists, to a field of the query around it."""

    contains_aggregate = False
    contains_over_clause = False

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self.name, F):
            return self.name
        return ResolvedOuterRef(self.name)


class ResolvedOuterRef(F):
    """An OuterRef whose subquery is known but not yet the query around it."""

    contains_aggregate = False
    contains_over_clause = False
    contains_subquery = False
    _output_field_or_none = None

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        resolved = super().resolve_expression(query, *args, **kwargs)
        return resolved if isinstance(resolved, ResolvedOuterRef) else Outer(resolved)

    def get_group_by_cols(self) -> list[Any]:
        return []

    def get_refs(self) -> set[str]:
        return set()

    def as_core(self, compiler: Any) -> Any:
        raise ValueError(
            "This queryset contains a reference to an outer query and may only be used in a subquery."
        )


class Outer(Expression):
    """An expression of the enclosing query, used inside a subquery."""

    def __init__(self, expression: Any, depth: int = 1) -> None:
        self.expression = expression

    def __repr__(self) -> str:
        return f"Outer({self.expression!r})"

    @property
    def output_field(self) -> Any:
        return self.expression.output_field

    @property
    def _output_field_or_none(self) -> Any:
        return self.expression._output_field_or_none

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def get_group_by_cols(self) -> list[Any]:
        return []

    def as_core(self, compiler: Any) -> Any:
        return compiler.parent.process(self.expression)


class Value(Expression):
    """A constant; it reaches the database as a bound parameter, never as SQL text.

    >>> Value("draft")
    Value('draft')
    """

    allowed_default = True

    def __init__(self, value: Any, output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field)
        self.value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def freeze(self, values: Values) -> Any:
        if self.value is None or isinstance(self.value, bool):
            return self
        frozen = self.copy()
        frozen._output_field = self._output_field_or_none
        frozen.value = values.add(self.value)
        return frozen

    def resolve_expression(
        self,
        query: Any = None,
        allow_joins: bool = True,
        reuse: Any = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        resolved = self.copy()
        resolved.for_save = for_save
        if isinstance(self.value, Arg) and query is not None:
            resolved.value = query.place(self.value, self._prepare)
        return resolved

    for_save = False

    def _prepare(self, value: Any) -> Any:
        field = self._output_field_or_none
        return value if field is None else field.get_prep_value(value)

    def _resolve_output_field(self) -> Field[Any] | None:
        return next((make() for kind, make in VALUE_FIELDS if isinstance(self.value, kind)), None)

    def get_group_by_cols(self) -> list[Any]:
        return []

    @property
    def empty_result_set_value(self) -> Any:
        return self.value

    def as_core(self, compiler: Any) -> Any:
        type_ = self.column_type
        if isinstance(self.value, Arg):
            return compiler.bind(self.value, type_)
        if self.value is None:
            json = isinstance(self._output_field_or_none, fields.JSONField)
            return compiler.literal(sa.JSON.NULL, type_) if json else sa.null()
        return compiler.literal(self._prepare(self.value), type_)


VALUE_FIELDS: list[tuple[type, Callable[[], Field[Any]]]] = [
    (str, fields.CharField),
    (bool, fields.BooleanField),
    (int, fields.IntegerField),
    (float, fields.FloatField),
    (datetime.datetime, fields.DateTimeField),
    (datetime.date, fields.DateField),
    (datetime.time, fields.TimeField),
    (datetime.timedelta, fields.DurationField),
    (decimal.Decimal, fields.DecimalField),
    (bytes, fields.BinaryField),
    (uuid.UUID, fields.UUIDField),
]


class CombinedExpression(Expression):
    """Two expressions joined by an arithmetic or bitwise operator."""

    def __init__(self, lhs: Any, connector: str, rhs: Any, output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field)
        self.lhs, self.connector, self.rhs = lhs, connector, rhs

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __str__(self) -> str:
        return f"{self.lhs} {self.connector} {self.rhs}"

    def get_source_expressions(self) -> list[Any]:
        return [self.lhs, self.rhs]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.lhs, self.rhs = exprs

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return bool(self.lhs.allowed_default and self.rhs.allowed_default)

    def _resolve_output_field(self) -> Field[Any] | None:
        left, right = self.lhs._output_field_or_none, self.rhs._output_field_or_none
        if (field := combined_field(self.connector, left, right)) is None:
            kinds = type(left).__name__, type(right).__name__
            raise FieldError(
                f"Cannot infer type of {self.connector!r} expression involving these types: {kinds[0]}, {kinds[1]}. "
                "You must set output_field."
            )
        return field

    def as_core(self, compiler: Any) -> Any:
        left, right = compiler.process(self.lhs), compiler.process(self.rhs)
        return compiler.combine(self, left, right, self.column_type)


def combined_field(connector: str, left: Any, right: Any) -> Field[Any] | None:
    """Return the field of `left connector right`, None where the pair has no rule."""
    if left is None or right is None:
        return left or right
    numbers = (fields.IntegerField, fields.FloatField, fields.DecimalField)
    if isinstance(left, numbers) and isinstance(right, numbers):
        return _number_field(connector, left, right)
    return _temporal_field(connector, left, right)


def _number_field(connector: str, left: Any, right: Any) -> Field[Any] | None:
    kinds = (type(left), type(right))
    if any(issubclass(kind, fields.DecimalField) for kind in kinds):
        return fields.DecimalField()
    if any(issubclass(kind, fields.FloatField) for kind in kinds):
        return fields.FloatField()
    return fields.IntegerField()


_TEMPORAL: list[tuple[str, type, type, type]] = [
    ("+-", fields.DateTimeField, fields.DurationField, fields.DateTimeField),
    ("+-", fields.DateField, fields.DurationField, fields.DateTimeField),
    ("+-", fields.TimeField, fields.DurationField, fields.TimeField),
    ("+-", fields.DurationField, fields.DurationField, fields.DurationField),
    ("+", fields.DurationField, fields.DateTimeField, fields.DateTimeField),
    ("+", fields.DurationField, fields.DateField, fields.DateTimeField),
    ("+", fields.DurationField, fields.TimeField, fields.TimeField),
    ("-", fields.DateTimeField, fields.DateTimeField, fields.DurationField),
    ("-", fields.DateField, fields.DateField, fields.DurationField),
    ("-", fields.TimeField, fields.TimeField, fields.DurationField),
    ("*/", fields.DurationField, fields.IntegerField, fields.DurationField),
    ("*/", fields.DurationField, fields.FloatField, fields.DurationField),
    ("*", fields.IntegerField, fields.DurationField, fields.DurationField),
    ("*", fields.FloatField, fields.DurationField, fields.DurationField),
]


def _temporal_field(connector: str, left: Any, right: Any) -> Field[Any] | None:
    for connectors, first, second, result in _TEMPORAL:
        if connector in connectors and isinstance(left, first) and isinstance(right, second):
            return result()
    return None


class Func(Expression):
    """A database function: `Func(F("name"), function="LOWER")`.

    `function` and `template` are written by developers, never by users of the program: they become SQL.
    """

    function: str | None = None
    template = "%(function)s(%(expressions)s)"
    arg_joiner = ", "
    arity: int | None = None

    def __init__(self, *expressions: Any, output_field: Field[Any] | None = None, **extra: Any) -> None:
        if self.arity is not None and len(expressions) != self.arity:
            raise TypeError(
                f"'{type(self).__name__}' takes exactly {self.arity} "
                f"{'argument' if self.arity == 1 else 'arguments'} ({len(expressions)} given)"
            )
        super().__init__(output_field)
        self.source_expressions = [as_expression(item) for item in expressions]
        self.extra = extra

    def __repr__(self) -> str:
        options = "".join(
            f", {name}={value}" for name, value in sorted({**self.extra, **self._repr_options()}.items())
        )
        return (
            f"{type(self).__name__}({', '.join(str(source) for source in self.source_expressions)}{options})"
        )

    def _repr_options(self) -> dict[str, Any]:
        return {}

    def get_source_expressions(self) -> list[Any]:
        return self.source_expressions

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.source_expressions = exprs

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return all(source.allowed_default for source in self._sources())

    def as_core(self, compiler: Any) -> Any:
        arguments = [compiler.process(source) for source in self._sources()]
        return compiler.function(self, arguments, self.column_type)

    def as_sql(
        self,
        compiler: Any,
        connection: Any,
        function: str | None = None,
        template: str | None = None,
        arg_joiner: str | None = None,
        **extra_context: Any,
    ) -> SQL:
        given = {"function": function, "template": template, "arg_joiner": arg_joiner}
        changed = self.copy()
        changed.extra = {**self.extra, **extra_context, **{k: v for k, v in given.items() if v is not None}}
        return "%s", [changed.as_core(compiler.core)]


def as_expression(value: Any) -> Any:
    """Return `value` as an expression: a string names a field, anything else is a constant."""
    if isinstance(value, Frozen):
        return value
    return F(value) if isinstance(value, str) else Value(value)


class Sliced(F):
    """`F("name")[2:5]`: a part of a text column, by Python's positions."""

    def __init__(self, obj: F, subscript: Any) -> None:
        super().__init__(obj.name)
        self.obj = obj
        self.start, self.length = slice_bounds(subscript)

    def __repr__(self) -> str:
        return f"Sliced({self.obj!r}, {self.start}, {self.length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sliced) and (self.obj, self.start, self.length) == (
            other.obj,
            other.start,
            other.length,
        )

    def __hash__(self) -> int:
        return hash((Sliced, self.obj, self.start, self.length))

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        resolved = self.obj.resolve_expression(query, *args, **kwargs)
        return resolved.output_field.slice_expression(resolved, self.start, self.length)


def slice_bounds(subscript: Any) -> tuple[int, int | None]:
    """Return (first position counted from 1, length) of an index or a slice."""
    if isinstance(subscript, int):
        if subscript < 0:
            raise ValueError("Negative indexing is not supported.")
        return subscript + 1, 1
    if not isinstance(subscript, slice):
        raise TypeError("Argument to slice must be either int or slice instance.")
    if (subscript.start is not None and subscript.start < 0) or (
        subscript.stop is not None and subscript.stop < 0
    ):
        raise ValueError("Negative indexing is not supported.")
    if subscript.step is not None:
        raise ValueError("Step argument is not supported.")
    if subscript.stop and subscript.start and subscript.stop < subscript.start:
        raise ValueError("Slice stop must be greater than slice start.")
    start = (subscript.start or 0) + 1
    return start, None if subscript.stop is None else subscript.stop - start + 1


class Col(Expression):
    """A column of one table of the query."""

    contains_column_references = True

    def __init__(self, alias: str, target: Field[Any], output_field: Field[Any] | None = None) -> None:
        super().__init__(target if output_field is None else output_field)
        self.alias, self.target = alias, target

    def __repr__(self) -> str:
        return f"Col({self.alias}, {self.target})"

    @property
    def identity(self) -> Any:
        return Col, self.alias, self.target, self._output_field

    @property
    def column_type(self) -> Any:
        return self.target.column_type

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def as_core(self, compiler: Any) -> Any:
        return compiler.column(self.alias, self.target)


class Ref(Expression):
    """A reference to an annotation by its name in the SELECT list."""

    def __init__(self, refs: str, source: Any) -> None:
        self.refs, self.source = refs, source

    def __repr__(self) -> str:
        return f"Ref({self.refs}, {self.source!r})"

    @property
    def output_field(self) -> Any:
        return self.source.output_field

    @property
    def _output_field_or_none(self) -> Any:
        return self.source._output_field_or_none

    def get_source_expressions(self) -> list[Any]:
        return [self.source]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        (self.source,) = exprs

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def get_refs(self) -> set[str]:
        return {self.refs}

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def as_core(self, compiler: Any) -> Any:
        return compiler.reference(self.refs, self.source)


class Star(Expression):
    """The `*` of COUNT(*)."""

    def __repr__(self) -> str:
        return "'*'"

    def as_core(self, compiler: Any) -> Any:
        return sa.literal_column("*")


class ExpressionWrapper(Expression):
    """An expression with a given output field.

    >>> ExpressionWrapper(F("price") * 2, output_field=fields.FloatField())
    ExpressionWrapper(<CombinedExpression: F(price) * Value(2)>)
    """

    def __init__(self, expression: Any, output_field: Field[Any]) -> None:
        super().__init__(output_field)
        self.expression = expression

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r})"

    def get_source_expressions(self) -> list[Any]:
        return [self.expression]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        (self.expression,) = exprs

    @property
    def allowed_default(self) -> bool:  # type: ignore[override]
        return bool(self.expression.allowed_default)

    def get_group_by_cols(self) -> list[Any]:
        if isinstance(self.expression, Expression):
            return self.expression.get_group_by_cols()
        return super().get_group_by_cols()

    def as_core(self, compiler: Any) -> Any:
        return compiler.process(self.expression)


class NegatedExpression(ExpressionWrapper):
    """The negation of a conditional expression."""

    def __init__(self, expression: Any) -> None:
        super().__init__(expression, output_field=fields.BooleanField())

    def __invert__(self) -> Any:
        return self.expression

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        resolved = super().resolve_expression(*args, **kwargs)
        if not getattr(resolved.expression, "conditional", False):
            raise TypeError("Cannot negate non-conditional expressions.")
        return resolved

    def as_core(self, compiler: Any) -> Any:
        return sa.not_(compiler.condition(self.expression))


class OrderBy(Expression):
    """One term of an ORDER BY."""

    conditional = False

    def __init__(
        self,
        expression: Any,
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
        self.expression, self.descending = expression, descending
        self.nulls_first, self.nulls_last = nulls_first, nulls_last

    def __repr__(self) -> str:
        return f"OrderBy({self.expression!r}, descending={self.descending})"

    def get_source_expressions(self) -> list[Any]:
        return [self.expression]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        (self.expression,) = exprs

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

    def as_core(self, compiler: Any) -> Any:
        return compiler.ordering(self)


class RawSQL(Expression):
    """SQL text written by a developer, with `%s` for each parameter."""

    def __init__(self, sql: str, params: Iterable[Any] = (), output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field or fields.Field())
        self.sql, self.params = sql, tuple(params or ())

    def __repr__(self) -> str:
        return f"RawSQL({self.sql}, {self.params})"

    def freeze(self, values: Values) -> Any:
        frozen = self.copy()
        frozen.params = tuple(values.add(value) for value in self.params)
        return frozen

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        resolved = self.copy()
        if query is not None:
            resolved.params = tuple(
                query.place(item, None) if isinstance(item, Arg) else item for item in self.params
            )
        return resolved

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def as_core(self, compiler: Any) -> Any:
        return compiler.raw(self.sql, self.params)


class DatabaseDefault(Expression):
    """Stands for a column's `db_default` until the database has filled it in."""

    def __init__(self, expression: Any, output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field)
        self.expression = expression

    def get_source_expressions(self) -> list[Any]:
        return [self.expression]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        (self.expression,) = exprs

    def __repr__(self) -> str:
        return f"DatabaseDefault({self.expression!r})"

    def as_core(self, compiler: Any) -> Any:
        return compiler.process(self.expression)
