"""Querysets made of querysets: UNION and its kin, `&`, `|` and `^`; and a queryset inside another one's step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from facade.db.channels.execution import Execution, key_of
from facade.expressions.freezing import Arg, Frozen, Values
from facade.expressions.q import AND, OR, XOR
from facade.expressions.subquery import Embedded
from facade.sql.plan.shape import Shape, root
from facade.sql.query.state import Placement, Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.sql.query.query import Query as SQLQuery


_new = object.__new__


class FrozenQuery(Frozen):
    """A queryset inside another one's step: its shape, and where its arguments stand among the step's values."""

    __slots__ = ("database", "empty", "high", "low", "one", "options", "shape", "start")

    def __init__(
        self,
        shape: Shape,
        start: int,
        low: bool,
        high: bool,
        one: bool,
        empty: bool,
        database: str | None = None,
        options: str | None = None,
    ) -> None:
        self.shape, self.start, self.low, self.high = shape, start, low, high
        self.one, self.empty, self.database, self.options = one, empty, database, options

    @property
    def query(self) -> Any:
        return self.shape.query

    @property
    def _key(self) -> Any:
        return self.shape, self.start, self.low, self.high, self.one, self.empty, self.database, self.options

    def __eq__(self, other: object) -> bool:
        return type(other) is FrozenQuery and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    contains_aggregate = False
    contains_over_clause = False

    def flatten(self) -> Any:
        return iter((self,))

    def freeze(self, values: Values) -> Any:
        return self

    def resolve_expression(
        self,
        query: SQLQuery,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Embedded:
        embedded = self.place(query)
        embedded.query.resolve_outer(query, allow_joins, reuse)
        return embedded

    def place(self, query: SQLQuery) -> Embedded:
        """Return this query inside `query`, what it refers to around the two of them still open."""
        inner = self.shape.query.clone()
        inner.placement = Placement(True, self.database, self.options)
        high, low = inner.arity, inner.arity + self.high
        inner.slice = Slice(Arg(low) if self.low else None, Arg(high) if self.high else None, self.one)
        if self.empty:
            inner.set_empty()
        for index in range(low + self.low):
            query.place(Arg(self.start + index), None)
        return Embedded(inner, query.base + self.start)


class Combining(Frozen):
    """The half of a queryset that combines it with others."""

    if TYPE_CHECKING:
        _frozen: Any
        _shape: Shape
        _args: tuple[Any, ...]
        _db: str | None
        _execution: Execution | None
        _low: int
        _high: int | None
        _kind: str
        _fields: tuple[str, ...] | None
        _known_related_objects: Any
        model: Any

        def _clone(self) -> Self: ...
        def _chain(self) -> Self: ...
        def _with(self, **changes: object) -> Self: ...
        def _step(self, key: tuple[Any, ...], values: Sequence[Any] = ..., keyed: bool = ...) -> Self: ...
        def filter(self, *args: Any, **kwargs: Any) -> Self: ...
        def values(self, *fields: Any, **expressions: Any) -> Any: ...

    def union(self, *other_qs: Any, all: bool = False) -> Self:
        """Return the rows of all the querysets, repeated ones once, or each time with `all`.

        They must have the same number of columns. What may follow is `order_by()`, slices, `values()`, `count()`, `aggregate()` and the like;
        UnsupportedFeature says what may not.

        >>> Author.objects.filter(age=36).union(Author.objects.filter(age=19)).order_by("name")
        <QuerySet [<Author: Ada>, <Author: Ben>]>
        """
        return self._combinator("union", other_qs, all)

    def intersection(self, *other_qs: Any) -> Self:
        """Return the rows that are in each of the querysets.

        >>> Author.objects.filter(age__gt=18).intersection(Author.objects.filter(name="Ben"))
        <QuerySet [<Author: Ben>]>
        """
        return self._combinator("intersection", other_qs, False)

    def difference(self, *other_qs: Any) -> Self:
        """Return the rows that are in none of the other querysets.

        >>> Author.objects.difference(Author.objects.filter(age__isnull=False))
        <QuerySet [<Author: Eve>]>
        """
        return self._combinator("difference", other_qs, False)

    def _combinator(self, name: str, others: tuple[Any, ...], all: bool) -> Self:
        parts: tuple[Self, ...] = (self, *others)
        if name == "union":
            parts = tuple(part for part in parts if not part._shape.query.is_empty) or (self,)
        elif self._shape.query.is_empty or (
            name == "intersection" and any(part._shape.query.is_empty for part in others)
        ):
            return next(part for part in parts if part._shape.query.is_empty)
        if len(parts) == 1 and (parts[0] is not self or self._can_filter()):
            return parts[0] if parts[0] is not self else self._chain()
        values = Values()
        frozen = tuple(part._shape_unordered(name)._frozen(values) for part in parts)
        first = parts[0]
        clone = first._with(_low=0, _high=None, _args=())
        clone.__dict__.pop("_low", None)
        clone.__dict__.pop("_high", None)
        clone._shape = root(first.model)
        return clone._step(
            ("combine", name, all, frozen, first._shape.query.selection.selected), values, values.keyed
        )

    def _shape_unordered(self, name: str) -> Self:
        query = self._shape.query
        ordered = query.order.order_by or (query.order.default_ordering and query.opts.ordering)
        return self if self._low or self._high is not None or not ordered else self._step(("unordered",))

    def __and__(self, other: object) -> Self:
        return self._combine(other, AND)  # type: ignore[no-any-return]

    def __or__(self, other: object) -> Self:
        return self._combine(other, OR)  # type: ignore[no-any-return]

    def __xor__(self, other: object) -> Self:
        return self._combine(other, XOR)  # type: ignore[no-any-return]

    def _combine(self, other: object, connector: str) -> Any:
        symbol = {AND: "&", OR: "|", XOR: "^"}[connector]
        if not isinstance(other, Combining):
            raise TypeError(f"Cannot use a {symbol} operator between a queryset and {type(other).__name__}.")
        self._check_mergeable(other, symbol)
        if other._shape.query.is_empty:
            return (other if connector == AND else self)._chain()
        if self._shape.query.is_empty:
            return (self if connector == AND else other)._chain()
        left, right = (
            part._by_pk() if connector != AND and not part._can_filter() else part for part in (self, other)
        )
        if not left._can_filter() or not right._can_filter():
            raise TypeError("Cannot combine queries once a slice has been taken.")
        values = Values()
        frozen = right.freeze(values)
        clone = left._step(("merge", connector, frozen), values, values.keyed)
        clone._known_related_objects = self._known_to_both(other)
        return clone

    def _known_to_both(self, other: Self) -> Any:
        """Return, by relation and key, the objects that the rows of either queryset are known to belong to."""
        known = {field: dict(objects) for field, objects in (self._known_related_objects or {}).items()}
        for field, objects in (other._known_related_objects or {}).items():
            known.setdefault(field, {}).update(objects)
        return known or None

    def _can_filter(self) -> bool:
        return not self._low and self._high is None

    def _by_pk(self) -> Any:
        """Return the same objects as a queryset that can be filtered."""
        base = _new(type(self))
        base.__dict__.update(
            model=self.model, _shape=root(self.model), _args=(), _db=self._db, _execution=self._execution
        )
        return base.filter(pk__in=self.values("pk"))

    def _check_mergeable(self, other: Self, symbol: str) -> None:
        if self._shape.query.source.combinator or other._shape.query.source.combinator:
            raise TypeError(f"Cannot use {symbol} operator with combined queryset.")
        if key_of(self._execution) != key_of(other._execution):
            raise TypeError(
                "Cannot combine queries that have different execution options, or limits of time."
            )
        if self.model is not other.model:
            raise TypeError("Cannot combine queries on two different base models.")
        if (self._fields or ()) != (other._fields or ()) or self._kind != other._kind:
            raise TypeError(
                f"Merging '{type(self).__name__}' classes must involve the same values in each case."
            )
        if self._shape.query.grouping.distinct != other._shape.query.grouping.distinct:
            raise TypeError("Cannot combine a unique query with a non-unique query.")
        if self._shape.query.grouping.distinct_fields != other._shape.query.grouping.distinct_fields:
            raise TypeError("Cannot combine queries with different distinct fields.")
