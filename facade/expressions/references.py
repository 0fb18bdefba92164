"""References: to fields and annotations by name (`F`), and to columns once a query is known (`Col`)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.expressions.base import Combinable, Expression, Placed
from facade.expressions.freezing import Frozen, Values
from facade.fields.declarations import LOOKUP_SEP
from facade.fields.kinds.composite import CompositePrimaryKey
from facade.fields.kinds.generated import GeneratedField

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query, Valued
    from facade.fields import Field


class F(Combinable, Frozen):
    """A reference to a field, an annotation or, across relations, a field of another model.

    It computes with ``+ - * / % **``, and a text is sliced: ``F("name")[0:1]``. FieldError, when the query is written, for a name that is none.

    >>> F("price") * 2
    <CombinedExpression: F(price) * Value(2)>
    >>> Book.objects.filter(author__age__lt=F("pages")).count()
    3
    """

    allowed_default = False
    name: Any  # inside an OuterRef the name may be one of a query further out: an F

    def __init__(self, name: str | F) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def __getitem__(self, subscript: int | slice) -> Sliced:
        return Sliced(self, subscript)

    def __contains__(self, other: object) -> bool:
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
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        assert query is not None
        return query.resolve_ref(self.name, allow_joins, reuse, summarize)

    def replace_expressions(self, replacements: dict[Any, Any]) -> Any:
        """Return what stands for this name; for the transforms of a name that has a replacement, those of the replacement."""
        found = replacements.get(self)
        if found is not None or LOOKUP_SEP not in self.name:
            return self if found is None else found
        name, *transforms = self.name.split(LOOKUP_SEP)
        found = replacements.get(F(name))
        for transform in transforms:
            field = getattr(found, "_output_field_or_none", None)
            if field is None or (make := field.get_transform(transform)) is None:
                return self
            found = make(found)
        return found

    @property
    def own_names(self) -> tuple[str, ...]:
        """The name, as a condition has the names in its pairs."""
        return (self.name,)

    def renamed(self, change: Callable[[str], str]) -> Any:
        """Return a reference to the same field under another name."""
        renamed = self.copy()
        renamed.name = change(self.name)
        return renamed

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return (path, args, kwargs) from which an equal F can be made."""
        return "facade.models.F", (self.name,), {}


class OuterRef(F):
    """A reference, inside a `Subquery` or `Exists`, to a field of the query around it. ValueError where there is none around."""

    contains_aggregate = False
    contains_over_clause = False

    def resolve_expression(self, query: Query | None = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self.name, F):
            return self.name
        return ResolvedOuterRef(self.name)

    def renamed(self, change: Callable[[str], str]) -> Any:
        return self  # the name is one of the query around


class ResolvedOuterRef(F):
    """An OuterRef whose subquery is known but not yet the query around it."""

    contains_aggregate = False
    contains_over_clause = False
    contains_subquery = False
    _output_field_or_none = None

    def resolve_expression(self, query: Query | None = None, *args: Any, **kwargs: Any) -> Any:
        resolved = super().resolve_expression(query, *args, **kwargs)
        if isinstance(resolved, (OuterRef, ResolvedOuterRef)):
            return resolved
        return Outer(resolved, crosses_relation=LOOKUP_SEP in self.name)

    def get_group_by_cols(self) -> list[Any]:
        return []

    def get_refs(self) -> set[str]:
        return set()

    def as_core(self, compiler: Compiler) -> Any:
        raise ValueError(
            "This queryset contains a reference to an outer query and may only be used in a subquery."
        )


class Outer(Placed):
    """An expression of the enclosing query, used inside a subquery.

    One that `crosses_relation` may have several values for a row of the enclosing query's model.
    """

    def __init__(self, expression: Valued, crosses_relation: bool = False) -> None:
        self.expression, self.crosses_relation = expression, crosses_relation

    def __repr__(self) -> str:
        return f"Outer({self.expression!r})"

    @property
    def is_composite(self) -> bool:  # type: ignore[override]
        return bool(self.expression.is_composite)

    @property
    def output_field(self) -> Any:
        return self.expression.output_field

    @property
    def _output_field_or_none(self) -> Any:
        return self.expression._output_field_or_none

    def at_depth(self, depth: int) -> Outer | None:
        """Return the reference as the query `depth` levels out sees it, None where it refers to another level."""
        if depth > 1:
            return self.expression.at_depth(depth - 1) if isinstance(self.expression, Outer) else None
        return None if isinstance(self.expression, Outer) else self

    def get_group_by_cols(self) -> list[Any]:
        return []

    def as_core(self, compiler: Compiler) -> Any:
        assert compiler.parent is not None
        return compiler.parent.process(self.expression)


class Sliced(F):
    """`F("name")[2:5]`: a part of a text column, by Python's positions."""

    def __init__(self, obj: F, subscript: int | slice) -> None:
        super().__init__(obj.name)
        self.obj, self.subscript = obj, subscript
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

    def renamed(self, change: Callable[[str], str]) -> Any:
        return type(self)(self.obj.renamed(change), self.subscript)

    def resolve_expression(self, query: Query | None = None, *args: Any, **kwargs: Any) -> Any:
        resolved = self.obj.resolve_expression(query, *args, **kwargs)
        if isinstance(resolved, F):  # of a query that is not known yet
            return SlicedOuterRef(resolved, self.subscript)
        return resolved.output_field.slice_expression(resolved, self.start, self.length)


class SlicedOuterRef(Sliced, ResolvedOuterRef):
    """A part of an OuterRef's text."""


def slice_bounds(subscript: int | slice) -> tuple[int, int | None]:
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


class Settled(Expression):
    """A frozen expression that a query has already, its constants among the query's arguments from `base` on."""

    def __init__(self, expression: Expression, base: int) -> None:
        super().__init__()
        self.expression, self.base = expression, base

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r})"

    def get_source_expressions(self) -> list[Any]:
        return [self.expression]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        (self.expression,) = exprs

    def freeze(self, values: Values) -> Settled:
        return self

    def resolve_expression(self, query: Query | None = None, *args: Any, **kwargs: Any) -> Any:
        assert query is not None
        with query.behind(self.base):
            return self.expression.resolve_expression(query, *args, **kwargs)


class Col(Placed):
    """A column of one table of the query."""

    contains_aggregate = contains_over_clause = contains_subquery = False
    contains_column_references = True

    def __init__(self, alias: str, target: Field[Any], output_field: Field[Any] | None = None) -> None:
        field: Any = target if output_field is None else output_field
        super().__init__(field.output_field if isinstance(field, GeneratedField) else field)
        self.alias, self.target = alias, target

    def __repr__(self) -> str:
        return f"Col({self.alias}, {self.target})"

    @property
    def identity(self) -> Any:
        return Col, self.alias, self.target, self._output_field

    @property
    def column_type(self) -> Any:
        return self.target.column_type

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.column(self.alias, self.target)


class RowValue(Expression):
    """Several expressions as one value: the columns of a composite key, or what they are compared with."""

    is_composite = True
    allows_composite_expressions = True

    def __init__(self, items: Iterable[Any], output_field: Field[Any] | None = None) -> None:
        super().__init__(output_field)
        self.items = tuple(items)

    def __repr__(self) -> str:
        return f"RowValue({', '.join(map(repr, self.items))})"

    def __len__(self) -> int:
        return len(self.items)

    def get_source_expressions(self) -> list[Any]:
        return list(self.items)

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.items = tuple(exprs)

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return self.with_sources(lambda item: item.resolve_expression(*args, **kwargs))

    def get_lookup(self, lookup: str) -> Any:
        return CompositePrimaryKey.get_class_lookups().get(lookup)

    def get_transform(self, name: str) -> None:
        return None

    def get_group_by_cols(self) -> list[Any]:
        return [column for item in self.items for column in item.get_group_by_cols()]

    def as_core(self, compiler: Compiler) -> Any:
        raise ValueError(f"{self!r} stands for several columns, where one value is wanted.")


def columns(alias: str, targets: Sequence[Field[Any]], field: Field[Any] | None = None) -> Col | RowValue:
    """Return a column of a table, or several as one value, described by `field`."""
    if len(targets) == 1:
        return Col(alias, targets[0], field)
    return RowValue((Col(alias, target) for target in targets), field)


class Ref(Placed):
    """A reference to an annotation by its name in the SELECT list."""

    sources = ("source",)

    def __init__(self, refs: str, source: Valued) -> None:
        self.refs, self.source = refs, source

    def __repr__(self) -> str:
        return f"Ref({self.refs}, {self.source!r})"

    @property
    def is_composite(self) -> bool:  # type: ignore[override]
        return bool(self.source.is_composite)

    @property
    def output_field(self) -> Any:
        return self.source.output_field

    @property
    def _output_field_or_none(self) -> Any:
        return self.source._output_field_or_none

    def get_refs(self) -> set[str]:
        return {self.refs}

    def get_group_by_cols(self) -> list[Any]:
        return [self]

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.reference(self.refs, self.source)


def parts_of(expression: Valued) -> Sequence[Any] | None:
    """Return what a row value, or a reference to one, consists of; None where it is one value."""
    if isinstance(expression, RowValue):
        return expression.items
    if isinstance(expression, Ref):
        return parts_of(expression.source)
    if not isinstance(expression, Outer) or (inner := parts_of(expression.expression)) is None:
        return None
    return [Outer(item, expression.crosses_relation) for item in inner]


class Star(Expression):
    """The `*` of COUNT(*)."""

    def __repr__(self) -> str:
        return "'*'"

    def as_core(self, compiler: Compiler) -> Any:
        return sa.literal_column("*")
