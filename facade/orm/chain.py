"""The half of QuerySet that asks: every method here returns another queryset and touches no database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from facade import fields as model_fields
from facade.configuration import settings
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.exceptions import UnsupportedFeature
from facade.expressions.base import LOOKUP_SEP, Expression
from facade.expressions.freezing import PLAIN, Arg, Frozen, OutOfRange, Values, freeze
from facade.expressions.functions.datetime import current_timezone, trunc
from facade.expressions.q import AND, OR, XOR, Condition, Q, freeze_condition, freeze_pair, mark_argument
from facade.expressions.references import F
from facade.expressions.subquery import Embedded
from facade.orm.fetching import FETCH_ONE
from facade.sql.aliases import check_alias
from facade.sql.extra import RawCondition, selections
from facade.sql.ordering import totally_ordered
from facade.sql.paths import field_names
from facade.sql.query import Lock
from facade.sql.shape import Shape, refuse_q_options, root

_new = object.__new__


class FrozenQuery(Frozen):
    """A queryset inside another one's step: its shape, and where its arguments stand among the step's values."""

    __slots__ = ("empty", "high", "low", "one", "shape", "start")

    def __init__(self, shape: Shape, start: int, low: bool, high: bool, one: bool, empty: bool) -> None:
        self.shape, self.start, self.low, self.high, self.one, self.empty = (
            shape,
            start,
            low,
            high,
            one,
            empty,
        )

    @property
    def _key(self) -> Any:
        return self.shape, self.start, self.low, self.high, self.one, self.empty

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
        self, query: Any, allow_joins: bool = True, reuse: Any = None, *args: Any, **kwargs: Any
    ) -> Embedded:
        embedded = self.place(query)
        embedded.query.resolve_outer(query, allow_joins, reuse)
        return embedded

    def place(self, query: Any) -> Embedded:
        """Return this query inside `query`, what it refers to around the two of them still open."""
        inner = self.shape.query.clone()
        inner.subquery = True
        position = inner.arity
        if self.high:
            inner.high, position = Arg(position), position + 1
        if self.low:
            inner.low, position = Arg(position), position + 1
        inner.one_row = self.one
        if self.empty:
            inner.set_empty()
        for index in range(position):
            query.place(Arg(self.start + index), None)
        return Embedded(inner, query.base + self.start)


class Chain(Frozen):
    """A shape, its arguments and a slice; methods that return a changed copy."""

    model: Any
    _shape: Shape
    _args: tuple[Any, ...]
    _db: str | None = None
    _low = 0
    _high: int | None = None
    _kind = "instances"
    _fields: tuple[str, ...] | None = None
    _hints: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed
    _result_cache: list[Any] | None = None
    _prefetch_related_lookups: tuple[Any, ...] = ()
    _prefetch_done = False
    _known_related_objects: Any = None
    _for_write = False
    _fetch_mode: Any = None

    # -- copies ---------------------------------------------------------------------------

    def _clone(self) -> Self:
        clone = _new(type(self))
        state = clone.__dict__ = self.__dict__.copy()
        if "_result_cache" in state:
            del state["_result_cache"]
            state.pop("_prefetch_done", None)
        return clone

    def _chain(self) -> Self:
        return self._clone()

    def _next_is_sticky(self) -> Self:
        """Return a copy whose next two filters speak of the same related rows: what filters of a related manager need."""
        return self._step(("sticky",))

    def _with(self, **changes: Any) -> Self:
        clone = self._clone()
        clone.__dict__.update(changes)
        return clone

    def _step(self, key: tuple[Any, ...], values: Any = (), keyed: bool = True) -> Self:
        """Return a copy one step further: `key` names the step, `values` are what it carries."""
        shape = self._shape.child(key, len(values), keyed)
        clone = self._clone()
        clone._shape = shape
        if values:
            clone._args = self._args + shape.bind(values)
        return clone

    def freeze(self, values: Values) -> Any:
        """Return this queryset as part of another one's step."""
        self._check_db_for_subquery()
        start = len(values)
        values.extend(self._args)
        high, low = self._high is not None, bool(self._low)
        count = None if self._high is None else self._high - self._low
        if high:
            values.append(count)
        if low:
            values.append(self._low)
        values.keyed = values.keyed and self._shape.keyed
        return FrozenQuery(self._shape, start, low, high, count == 1, count == 0)

    def _check_db_for_subquery(self) -> None:
        if self._fields and len(self._fields) > 1 and self._kind == "named":
            raise TypeError("A named values_list() cannot be used as a subquery.")

    # -- which database --------------------------------------------------------------------------

    @property
    def db(self) -> str:
        """The alias of the database this queryset runs on."""
        if self._db is not None:
            return self._db
        if self._for_write:
            return router.db_for_write(self.model, **self._hints)
        if not self._hints and not router.routers:
            return DEFAULT_DB_ALIAS
        return router.db_for_read(self.model, **self._hints)

    def using(self, alias: str | None) -> Self:
        """Return a copy that runs on another database."""
        return self._with(_db=alias)

    def _add_hints(self, **hints: Any) -> None:
        self._hints = {**self._hints, **hints}

    # -- conditions ----------------------------------------------------------------------------

    def all(self) -> Self:
        """Return a copy, without the results that were fetched."""
        return self._chain()

    def none(self) -> Self:
        """Return a queryset that never has a row and never asks the database."""
        return self._step(("nothing",))

    def filter(self, *args: Any, **kwargs: Any) -> Self:
        """Keep the objects that meet all the conditions.

        Keywords are field lookups, positional arguments Q objects or conditional expressions. All conditions of one call speak of
        the same related object. See https://docs.djangoproject.com/en/6.1/ref/models/querysets/#filter
        """
        if args or self._low or self._high is not None or self._shape.query.combinator:
            return self._filter_or_exclude(False, args, kwargs)
        clone = self._clone()
        clone._shape, clone._args = self._narrow(kwargs)
        return clone

    def exclude(self, *args: Any, **kwargs: Any) -> Self:
        """Drop the objects that meet all the conditions."""
        return self._filter_or_exclude(True, args, kwargs)

    def _narrow(self, kwargs: dict[str, Any]) -> tuple[Shape, tuple[Any, ...]]:
        """Return the shape and the arguments after `filter(**kwargs)`."""
        values = tuple(kwargs.values())
        for value in values:
            if type(value) not in PLAIN:
                return self._condition_shape(False, (), kwargs)
        key = ("filter_plain", *kwargs)
        shape = self._shape.children.get(key) or self._shape.child(key, len(values))
        try:
            return shape, self._args + shape.bind(values)
        except OutOfRange:
            return self._condition_shape(False, (), kwargs)

    def _filter_or_exclude(self, negated: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        if self._shape.query.combinator:
            self._refuse_combined("exclude" if negated else "filter")
        if (args or kwargs) and (self._low or self._high is not None):
            raise TypeError("Cannot filter a query once a slice has been taken.")
        refuse_q_options(kwargs)
        if not args and not kwargs:
            return self._chain()
        clone = self._clone()
        clone._shape, clone._args = self._condition_shape(negated, args, kwargs)
        return clone

    def _condition_shape(
        self, negated: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Shape, tuple[Any, ...]]:
        values = Values()
        children: list[Any] = []
        for arg in args:
            children.append(_freeze_condition_argument(arg, values))
        children.extend(freeze_pair(name, value, values) for name, value in kwargs.items())
        return self._apply_condition(negated, tuple(children), values)

    def _apply_condition(
        self, negated: bool, children: tuple[Any, ...], values: Values
    ) -> tuple[Shape, tuple[Any, ...]]:
        frozen = Condition(AND, negated, children)
        if negated:
            frozen = Condition(AND, False, (frozen,))
        shape = self._shape.child(("condition", frozen), len(values), values.keyed)
        try:
            return shape, self._args + shape.bind(values)
        except OutOfRange:
            children, values = _mark_out_of_range(shape, children, values)
            return self._apply_condition(negated, children, values)

    def complex_filter(self, filter_obj: Any) -> Self:
        """Filter by a Q object or a dict of lookups."""
        return (
            self.filter(filter_obj)
            if isinstance(filter_obj, Q)
            else self._filter_or_exclude(False, (), filter_obj)
        )

    # -- annotations ------------------------------------------------------------------------------

    def annotate(self, *args: Any, **kwargs: Any) -> Self:
        """Add computed values to each object, by name or, for simple aggregates, by their default alias."""
        self._refuse_combined("annotate")
        return self._annotate(args, kwargs, select=True)

    def alias(self, *args: Any, **kwargs: Any) -> Self:
        """Like annotate(), for values that are used in the query but not wanted in the result."""
        self._refuse_combined("alias")
        return self._annotate(args, kwargs, select=False)

    def _annotate(self, args: tuple[Any, ...], kwargs: dict[str, Any], select: bool) -> Self:
        annotations = named_expressions(args, kwargs, "annotate" if select else "alias")
        query = self._shape.query
        if self._fields is None:
            taken = {item.name for item in query.opts.get_fields()} | {
                item.attname for item in query.opts.get_fields() if hasattr(item, "attname")
            }
        else:
            taken = set(self._fields)
        for name in annotations:
            if name in taken:
                raise ValueError(f"The annotation '{name}' conflicts with a field on the model.")
            check_alias(name)
        values = Values()
        frozen = tuple((name, freeze(expression, values)) for name, expression in annotations.items())
        clone = self._step(("annotate", frozen, select), values, values.keyed)
        if self._fields is not None and select:
            clone._fields = (*self._fields, *[name for name in annotations if name not in self._fields])
        return clone

    # -- selection -----------------------------------------------------------------------------------

    def _values(self, *fields: Any, **expressions: Any) -> Self:
        clone = self._annotate((), expressions, select=True) if expressions else self
        for name in fields:
            check_alias(name)
        query = clone._shape.query
        clone = clone._step(("values", tuple(dict.fromkeys(fields))))
        clone._fields = tuple(fields)
        if query.combinator and not fields and clone._fields == ():
            return clone
        return clone

    def values(self, *fields: Any, **expressions: Any) -> Self:
        """Return dicts instead of objects."""
        names = tuple(_name_of(item) for item in fields) + tuple(expressions)
        clone = self._values(*names, **expressions)
        clone._kind = "dicts"
        return clone

    def values_list(self, *fields: Any, flat: bool = False, named: bool = False) -> Any:
        """Return tuples instead of objects; plain values with `flat`, named tuples with `named`."""
        if flat and named:
            raise TypeError("'flat' and 'named' can't be used together.")
        if flat and len(fields) > 1:
            raise TypeError("'flat' is not valid when values_list is called with more than one field.")
        if flat and not fields:
            fields = (self.model._meta.concrete_fields[0].attname,)
        names, expressions = _value_names(
            fields, set(self._shape.query.annotations) | field_names(self.model._meta)
        )
        clone = self._values(*names, **expressions)
        clone._kind = "named" if named else "flat" if flat else "tuples"
        return clone

    def dates(self, field_name: str, kind: str, order: str = "ASC") -> Any:
        """Return the distinct dates of a field, cut to `"year"`, `"month"`, `"week"` or `"day"`."""
        _one_of("kind", kind, ("year", "month", "week", "day"))
        _one_of("order", order, ("ASC", "DESC"))
        return self._moments(field_name, trunc(kind, field_name, model_fields.DateField()), order)

    def datetimes(self, field_name: str, kind: str, order: str = "ASC", tzinfo: Any = None) -> Any:
        """Return the distinct moments of a field, cut to `kind`, in the time zone `tzinfo` (the current one by default)."""
        _one_of("kind", kind, ("year", "month", "week", "day", "hour", "minute", "second"))
        _one_of("order", order, ("ASC", "DESC"))
        zone = (tzinfo or current_timezone()) if settings.USE_TZ else None
        return self._moments(field_name, trunc(kind, field_name, model_fields.DateTimeField(), zone), order)

    def _moments(self, field_name: str, expression: Any, order: str) -> Any:
        annotated = self.annotate(datefield=expression, plain_field=F(field_name))
        found = annotated.values_list("datefield", flat=True).distinct().filter(plain_field__isnull=False)
        return found.order_by(("-" if order == "DESC" else "") + "datefield")

    def distinct(self, *field_names: str) -> Self:
        """Drop repeated rows; with names (PostgreSQL) keep the first row of each combination."""
        self._refuse_combined("distinct")
        self._refuse_sliced("create distinct fields")
        return self._step(("distinct", field_names))

    def order_by(self, *field_names: Any) -> Self:
        """Order by fields, `-` before a name for descending, `?` for random, or by expressions."""
        self._refuse_sliced("reorder a query")
        for item in field_names:
            if type(item) is not str:
                return self._order_by_expressions(field_names)
        return self._step(("order_by", field_names))

    def _order_by_expressions(self, items: tuple[Any, ...]) -> Self:
        values = Values()
        frozen = tuple(freeze(item, values) if isinstance(item, Frozen) else _name_of(item) for item in items)
        return self._step(("order_by", frozen), values, values.keyed)

    def extra(
        self,
        select: dict[str, Any] | None = None,
        where: Iterable[str] | None = None,
        params: Iterable[Any] | None = None,
        tables: Iterable[str] | None = None,
        order_by: Iterable[str] | None = None,
        select_params: Iterable[Any] | None = None,
    ) -> Self:
        """Add SQL text of your own: columns, conditions, tables and an order, with `%s` for parameters.

        What expressions can say is better said by them. See
        https://docs.djangoproject.com/en/6.1/ref/models/querysets/#extra
        """
        self._refuse_combined("extra")
        self._refuse_sliced("change a query")
        values = Values()
        columns = tuple((name, text.freeze(values)) for name, text in selections(select, select_params))
        condition = RawCondition(where, params or ()).freeze(values) if where else None
        key = ("extra", columns, condition, tuple(tables or ()), tuple(order_by or ()))
        return self._step(key, values)

    def reverse(self) -> Self:
        """Turn the order round."""
        if self._low or self._high is not None:
            raise TypeError("Cannot reverse a query once a slice has been taken.")
        return self._step(("reverse",))

    # -- loading -----------------------------------------------------------------------------------

    def select_related(self, *fields: Any) -> Self:
        """Load related single objects in the same query; `select_related(None)` takes it back."""
        self._refuse_combined("select_related")
        if self._fields is not None:
            raise TypeError("Cannot call select_related() after .values() or .values_list()")
        if fields == (None,):
            return self._step(("select_related", False))
        return self._step(("select_related", fields if fields else True))

    def prefetch_related(self, *lookups: Any) -> Self:
        """Load related objects of all results with one more query per relation; `None` takes it back."""
        self._refuse_combined("prefetch_related")
        if lookups == (None,):
            return self._with(_prefetch_related_lookups=())
        for lookup in lookups:
            name = getattr(lookup, "prefetch_to", lookup)
            first = name.split(LOOKUP_SEP, 1)[0]
            if first in self._shape.query.relations:
                raise ValueError("prefetch_related() is not supported with FilteredRelation.")
        return self._with(_prefetch_related_lookups=self._prefetch_related_lookups + lookups)

    def defer(self, *fields: Any) -> Self:
        """Leave the fields out until they are asked for; `defer(None)` takes it back."""
        self._refuse_combined("defer")
        if self._fields is not None:
            raise TypeError("Cannot call defer() after .values() or .values_list()")
        return self._step(("defer", None if fields == (None,) else fields))

    def only(self, *fields: Any) -> Self:
        """Load nothing but these fields (and the primary key)."""
        self._refuse_combined("only")
        if self._fields is not None:
            raise TypeError("Cannot call only() after .values() or .values_list()")
        if fields == (None,):
            raise TypeError("Cannot pass None as an argument to only().")
        return self._step(("only", fields))

    def select_for_update(
        self, nowait: bool = False, skip_locked: bool = False, of: tuple[str, ...] = (), no_key: bool = False
    ) -> Self:
        """Lock the rows until the end of the transaction block; a no-op on SQLite, whose blocks lock the whole database."""
        if nowait and skip_locked:
            raise ValueError("The nowait option cannot be used with skip_locked.")
        self._refuse_combined("select_for_update")
        clone = self._step(("lock", Lock(nowait, skip_locked, tuple(of), no_key)))
        clone._for_write = True
        return clone

    def fetch_mode(self, fetch_mode: Any) -> Self:
        """Say how fields and relations that were not loaded are fetched later."""
        return self._with(_fetch_mode=None if fetch_mode is FETCH_ONE else fetch_mode)

    # -- sets -------------------------------------------------------------------------------------------

    def union(self, *other_qs: Any, all: bool = False) -> Any:
        """Return the rows of all the querysets, repeated ones once, or each time with `all`."""
        return self._combinator("union", other_qs, all)

    def intersection(self, *other_qs: Any) -> Any:
        """Return the rows that are in each of the querysets."""
        return self._combinator("intersection", other_qs, False)

    def difference(self, *other_qs: Any) -> Any:
        """Return the rows that are in none of the other querysets."""
        return self._combinator("difference", other_qs, False)

    def _combinator(self, name: str, others: tuple[Any, ...], all: bool) -> Any:
        parts = (self, *others)
        if name == "union":
            parts = tuple(part for part in parts if not part._shape.query.is_empty) or (self,)
        elif (
            self._shape.query.is_empty
            or name == "intersection"
            and any(part._shape.query.is_empty for part in others)
        ):
            return (
                self
                if self._shape.query.is_empty
                else next(part for part in others if part._shape.query.is_empty)
            )
        if len(parts) == 1:
            return parts[0] if parts[0] is not self else self._chain()
        values = Values()
        frozen = tuple(part._shape_unordered(name).freeze(values) for part in parts)
        first = parts[0]
        clone = first._with(_low=0, _high=None, _args=())
        clone.__dict__.pop("_low", None)
        clone.__dict__.pop("_high", None)
        clone._shape = root(first.model)
        return clone._step(("combine", name, all, frozen, first._shape.query.selected), values, values.keyed)

    def _shape_unordered(self, name: str) -> Self:
        query = self._shape.query
        ordered = query.order_by or query.default_ordering and query.opts.ordering
        return self if self._low or self._high is not None or not ordered else self._step(("unordered",))

    def __and__(self, other: Any) -> Any:
        return self._combine(other, AND)

    def __or__(self, other: Any) -> Any:
        return self._combine(other, OR)

    def __xor__(self, other: Any) -> Any:
        return self._combine(other, XOR)

    def _combine(self, other: Any, connector: str) -> Any:
        symbol = {AND: "&", OR: "|", XOR: "^"}[connector]
        if not isinstance(other, Chain):
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
        clone._known_related_objects = {
            **(self._known_related_objects or {}),
            **(other._known_related_objects or {}),
        } or None
        return clone

    def _can_filter(self) -> bool:
        return not self._low and self._high is None

    def _by_pk(self) -> Any:
        """Return the same objects as a queryset that can be filtered."""
        base = _new(type(self))
        base.__dict__.update(model=self.model, _shape=root(self.model), _args=(), _db=self._db)
        return base.filter(pk__in=self.values("pk"))

    def _check_mergeable(self, other: Any, symbol: str) -> None:
        if self._shape.query.combinator or other._shape.query.combinator:
            raise TypeError(f"Cannot use {symbol} operator with combined queryset.")
        if self.model is not other.model:
            raise TypeError("Cannot combine queries on two different base models.")
        if (self._fields or ()) != (other._fields or ()) or self._kind != other._kind:
            raise TypeError(
                f"Merging '{type(self).__name__}' classes must involve the same values in each case."
            )
        if self._shape.query.distinct != other._shape.query.distinct:
            raise TypeError("Cannot combine a unique query with a non-unique query.")

    # -- questions ------------------------------------------------------------------------------------------

    @property
    def ordered(self) -> bool:
        """Whether the objects come in a defined order."""
        return self._shape.query.is_empty or self._shape.query.is_ordered

    @property
    def totally_ordered(self) -> bool:
        """Whether the order leaves no two objects in doubt: it ends with the primary key or another unique field."""
        return totally_ordered(self._shape.query)

    def _refuse_combined(self, operation: str) -> None:
        if combinator := self._shape.query.combinator:
            raise UnsupportedFeature(f"Calling QuerySet.{operation}() after {combinator}() is not supported.")

    def _refuse_sliced(self, operation: str) -> None:
        if self._low or self._high is not None:
            raise TypeError(f"Cannot {operation} once a slice has been taken.")

    def _refuse_values(self, operation: str) -> None:
        if self._fields is not None:
            raise TypeError(f"Cannot call {operation}() after .values() or .values_list()")


def _freeze_condition_argument(arg: Any, values: Values) -> Any:
    if isinstance(arg, Q):
        return freeze_condition(arg, values, 0)
    if not getattr(arg, "conditional", False):
        if isinstance(arg, (tuple, list)) and len(arg) == 2 and isinstance(arg[0], str):
            return freeze_pair(arg[0], arg[1], values)
        raise TypeError("Cannot filter against a non-conditional expression.")
    return freeze(arg, values)


def _mark_out_of_range(
    shape: Shape, children: tuple[Any, ...], values: Values
) -> tuple[tuple[Any, ...], Values]:
    """Move values that no row can hold from the arguments into the conditions: the answer is then part of the shape."""
    marked = Values(values)
    marked.keyed = values.keyed
    for index, (fit, value) in enumerate(zip(shape.prepare, values, strict=True)):
        try:
            if fit is not None and value is not None:
                fit(value)
        except OutOfRange as error:
            children = tuple(mark_argument(child, Arg(index), error) for child in children)
            marked[index] = None
    return children, marked


def _name_of(item: Any) -> Any:
    """Return the name of a field given as `"name"` or as `Model.name`."""
    if isinstance(item, model_fields.Field):
        return item.name
    return item


def _value_names(items: Iterable[Any], taken: set[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the names of values_list(), its expressions under names of their own."""
    names: list[str] = []
    expressions: dict[str, Any] = {}
    counter = 1
    for item in items:
        if not hasattr(item, "resolve_expression"):
            names.append(_name_of(item))
            continue
        prefix = (
            getattr(item, "default_alias", None)
            if hasattr(item, "default_alias")
            else type(item).__name__.lower()
        )
        while (name := f"{prefix}{counter}") in expressions or name in taken:
            counter += 1
        expressions[name] = item
        names.append(name)
        counter += 1
    return tuple(names), expressions


def named_expressions(args: tuple[Any, ...], kwargs: dict[str, Any], method: str) -> dict[str, Any]:
    """Return the expressions of annotate() or aggregate() by name; raises TypeError for what is no expression."""
    if bad := [str(item) for item in (*args, *kwargs.values()) if not hasattr(item, "resolve_expression")]:
        raise TypeError(f"QuerySet.{method}() received non-expression(s): {', '.join(bad)}.")
    named: dict[str, Any] = {}
    for item in args:
        try:
            name = item.default_alias
        except (AttributeError, TypeError):
            raise TypeError(
                "Complex annotations require an alias"
                if method != "aggregate"
                else "Complex aggregates require an alias"
            ) from None
        if name in kwargs:
            raise ValueError(
                f"The named annotation '{name}' conflicts with the default name for another annotation."
            )
        named[name] = item
    return {**named, **kwargs}


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"'{what}' must be one of {', '.join(map(repr, allowed[:-1]))}, or {allowed[-1]!r}.")
