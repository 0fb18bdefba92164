"""Shapes: the tree of queries without their values, each built once and found again by its steps."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facade.configuration import settings
from facade.db.plan_keys import outdated
from facade.exceptions import FieldError, ValidationError
from facade.expressions.freezing import (
    Arg,
    ConstantWanted,
    ItemByItem,
    NotAnArgument,
    Structured,
    StructuredArg,
    showing,
)
from facade.expressions.q import AND, Condition, FilteredRelation, mark_argument, refuse_q_options
from facade.fields import lookup_registry
from facade.foundation.tracebacks import shortened
from facade.meta import registry
from facade.sql.plan.retention import Retention
from facade.sql.query.aggregation import reduce_to_existence, summarize
from facade.sql.query.assignments import set_stored, set_updates
from facade.sql.query.depth import too_deep
from facade.sql.query.extra import add_extra
from facade.sql.query.filtered_relations import add_filtered_relation
from facade.sql.query.loading import check_mask, check_select_related, mask_of
from facade.sql.query.merging import merge_queries
from facade.sql.query.query import Query
from facade.sql.query.state import Loading, Source

if TYPE_CHECKING:
    from facade.expressions.contracts import Resolvable
    from facade.sql.query.extra import RawCondition
    from facade.sql.query.state import RowLock

Step = Callable[..., None]
STEPS: dict[str, Step] = {}


def step(function: Step) -> Step:
    """Register a function that applies a step to a fresh Query; a step's key is its name and the function's arguments."""
    STEPS[function.__name__] = function
    return function


class Shape:
    """A Query and what was made of it: the shapes one step further, and the plans.

    Shapes are found by structure: two querysets written alike share one. Nothing depends on that but speed.
    """

    __slots__ = (
        "__weakref__",
        "children",
        "current",
        "key",
        "keyed",
        "number",
        "parent",
        "plans",
        "prepare",
        "query",
        "used",
    )

    def __init__(
        self,
        query: Query,
        keyed: bool = True,
        prepare: tuple[Any, ...] = (),
        parent: Shape | None = None,
        key: tuple[Any, ...] = (),
    ) -> None:
        self.query, self.keyed, self.prepare = query, keyed, prepare
        self.parent, self.key = parent, key
        self.children: dict[Any, Shape] = {}
        self.plans: dict[Any, Any] = {}
        self.number = 0
        self.current = True  # of a root: False once the shapes were cleared
        self.used = False  # whether it was found since it was last looked at
        with _lock:
            _living.add(self)

    def child(self, key: tuple[Any, ...], count: int, keyed: bool = True) -> Shape:
        """Return the shape that the step `key`, which carries `count` values, leads to."""
        if not keyed or not self.keyed or not settings.FACADE_SHAPE_CACHE:
            return self._build(key, count, keyed=False)
        try:
            if (found := self.children.get(key)) is not None:
                found.used = True
                return found
        except TypeError:  # an unhashable part: correct, but not shared
            return self._build(key, count, keyed=False)
        except RecursionError as error:
            raise too_deep(self.query, key[0]) from error
        try:
            built = self._build(key, count, keyed=True)
        except ConstantWanted as error:
            built = Detour(self, key, error)
        try:
            built.number = hash((self.number, key))
            with _lock:
                if (found := self.children.setdefault(key, built)) is built:
                    _kept.add(built)
        except RecursionError as error:
            raise too_deep(self.query, key[0]) from error
        return found

    def advance(
        self, key: tuple[Any, ...], values: Sequence[Any], keyed: bool = True
    ) -> tuple[Shape, tuple[Any, ...]]:
        """Return the shape one step further and the step's values, prepared for their columns.

        What proves to say something about the SQL moves from the values into the step, which is then another one.
        """
        try:
            shape = self.child(key, len(values), keyed)
        except ItemByItem as error:
            return self.advance(*_spread(error.arg, key, values), keyed)
        except ConstantWanted as error:
            wanted = error.arg, error.prepare
        except Exception as error:
            if "Arg(" in str(error):
                with showing(self.query.arity, values):
                    self._build(key, len(values), keyed=False)  # raises it in the user's own words
            if isinstance(error, FieldError):
                raise shortened(error) from error.__cause__
            raise
        else:
            try:
                return shape, shape.bind(values)
            except NotAnArgument:
                return self.advance(*_marked(shape, key, values), keyed)
            except ConstantWanted as error:
                wanted = error.arg, error.prepare
            except (TypeError, ValueError, ValidationError) as error:
                raise shortened(error) from error.__cause__
        return self.advance(*_constant(*wanted, key, values), keyed)

    def _build(self, key: tuple[Any, ...], count: int, keyed: bool) -> Shape:
        try:
            query = self.query.clone()
            STEPS[key[0]](query, *key[1:])
        except RecursionError as error:
            raise too_deep(self.query, key[0]) from error
        except FieldError as error:
            raise shortened(error) from error.__cause__
        query.arity = self.query.arity + count
        prepare = tuple(query.prepare.get(index) for index in range(count))
        query.prepare = {}
        return Shape(query, keyed, prepare if any(prepare) else (), self, key)

    def steps(self) -> list[tuple[tuple[Any, ...], int]]:
        """Return the steps from the root to this shape: the key of each, and how many values it carries."""
        found, shape = [], self
        while shape.parent is not None:
            found.append((shape.key, shape.query.arity - shape.parent.query.arity))
            shape = shape.parent
        return found[::-1]

    def __reduce__(self) -> tuple[Any, ...]:
        return shape_of, (registry.model_reference(self.query.model), self.steps(), self.keyed)

    def __copy__(self) -> Shape:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Shape:
        return self

    def bind(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values of the step that led here, prepared for their columns."""
        prepare = self.prepare
        if not prepare:
            return tuple(values)
        if len(prepare) == 1:
            (fit,), (value,) = prepare, values
            return (fit(value),)
        return tuple(
            [value if fit is None else fit(value) for fit, value in zip(prepare, values, strict=True)]
        )


class Detour(Shape):
    """Stands where a step leads to no shape, but to another step: a value in it says something about the SQL."""

    __slots__ = ("arg", "made")

    def __init__(self, parent: Shape, key: tuple[Any, ...], wanted: ConstantWanted) -> None:
        super().__init__(parent.query, parent=parent, key=key)
        self.arg, self.made = wanted.arg, wanted.prepare

    def bind(self, values: Sequence[Any]) -> tuple[Any, ...]:
        raise ConstantWanted(self.arg, self.made)


Advance = tuple[tuple[Any, ...], list[Any]]


def _marked(shape: Shape, key: tuple[Any, ...], values: Sequence[Any]) -> Advance:
    """Move what says something about the SQL, a value that stands for none for instance, from the values into the step."""
    name, children, *rest = _written_out(key)
    marked = list(values)
    for index, (fit, value) in enumerate(zip(shape.prepare, values, strict=True)):
        try:
            if fit is not None and value is not None:
                fit(value)
        except NotAnArgument as error:
            children = mark_argument(children, Arg(index), error.mark)
            marked[index] = None
    return (name, children, *rest), marked


def _spread(arg: Arg, key: tuple[Any, ...], values: Sequence[Any]) -> Advance:
    """Make each item of a list a value of its own; the list's place stays, unused."""
    name, children, *rest = _written_out(key)
    spread, items = list(values), list[Arg | None]()
    for item in values[arg.index]:
        items.append(None if item is None else Arg(len(spread)))
        if item is not None:
            spread.append(item)
    spread[arg.index] = None
    return (name, mark_argument(children, arg, tuple(items)), *rest), spread


def _constant(
    arg: Arg, prepare: Callable[[Any], Any], key: tuple[Any, ...], values: Sequence[Any]
) -> Advance:
    """Let a value stand in the step itself, where its place stays, unused; or what is no value in it."""
    name, children, *rest = _written_out(key)
    left, made = list(values), prepare(values[arg.index])
    mark, left[arg.index] = made, None
    if isinstance(made, Structured):
        mark, left[arg.index] = StructuredArg(arg.index, made.structure), made.values
    return (name, mark_argument(children, arg, mark), *rest), left


def _written_out(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a step whose values can be changed: that of plain values has nothing but their names."""
    if key[0] == "filter_plain":
        return "condition", _numbered(key[1:]), False
    return ("update", _numbered(key[1:])) if key[0] == "update_plain" else key


def _numbered(names: Iterable[str]) -> tuple[tuple[str, Arg], ...]:
    """Return names with the places of their values."""
    return tuple((name, Arg(index)) for index, name in enumerate(names))


_roots: dict[type[Any], Shape] = {}
_lock = threading.RLock()  # a finalizer may make a queryset while this thread holds it
_living: weakref.WeakSet[Shape] = weakref.WeakSet()
_kept = Retention()


def clear() -> None:
    """Forget all shapes: models, relations, lookups or settings have changed.

    A queryset that somebody holds keeps its shape, but nothing that was made of it.
    """
    with _lock:
        _roots.clear()
        _kept.clear()
        for shape in list(_living):
            shape.current = False
            shape.children.clear()
            shape.plans.clear()


def root(model: type[Any]) -> Shape:
    """Return the shape of `model.objects.all()`."""
    try:
        return _roots[model]
    except KeyError:
        made = Shape(Query(model))
        made.number = hash(model)
        return _roots.setdefault(model, made)


def shape_of(model: registry.ModelReference, steps: list[tuple[tuple[Any, ...], int]], keyed: bool) -> Shape:
    """Return the shape at the end of these steps: what a pickled queryset asks."""
    shape = root(registry.referenced_model(model))
    for key, count in steps:
        shape = shape.child(key, count, keyed)
    return shape


registry.on_change(clear)
lookup_registry.on_change(clear)


outdated(clear)


# -- the steps ----------------------------------------------------------------------------


@step
def filter_plain(query: Query, *names: str) -> None:
    refuse_q_options(names)
    query.add_condition(Condition(AND, False, _numbered(names)))


@step
def condition(query: Query, children: tuple[Any, ...], negated: bool) -> None:
    frozen = Condition(AND, negated, children)
    query.add_condition(Condition(AND, False, (frozen,)) if negated else frozen)


@step
def sticky(query: Query) -> None:
    query.sticky = 2


@step
def annotate(query: Query, annotations: tuple[tuple[str, Any], ...], select: bool) -> None:
    for name, expression in annotations:
        if isinstance(expression, FilteredRelation):
            add_filtered_relation(query, name, expression)
        else:
            query.add_annotation(expression, name, select)
    if any(
        query.annotations[name].contains_aggregate for name, _ in annotations if name in query.annotations
    ):
        if query.selection.selected is None:
            query.grouping = replace(query.grouping, group_by=True)
        else:
            query.set_group_by()


@step
def values(query: Query, names: tuple[str, ...]) -> None:
    unique = tuple(dict.fromkeys(names))
    query.set_values(unique)
    if len(unique) < len(names):
        query.selection = replace(query.selection, repeated=tuple(map(unique.index, names)))


@step
def order_by(query: Query, items: tuple[Any, ...]) -> None:
    query.clear_ordering(force=True, clear_default=False)
    query.add_ordering(*items)


@step
def order_completed(query: Query, names: tuple[str, ...]) -> None:
    """Let names decide where the order leaves rows in doubt: behind that of the query, or of its model."""
    order = query.order
    own = query.opts.ordering if order.default_ordering and not query.grouping.group_by else ()
    query.order = replace(order, order_by=(*(order.order_by or own), *names))


@step
def unordered(query: Query) -> None:
    query.clear_ordering(force=True)


@step
def reverse(query: Query) -> None:
    query.order = replace(query.order, standard_ordering=not query.order.standard_ordering)


@step
def distinct(query: Query, names: tuple[str, ...]) -> None:
    for name in names:
        query.check_path(name)
    query.grouping = replace(query.grouping, distinct=True, distinct_fields=names)


@step
def nothing(query: Query) -> None:
    query.set_empty()


@step
def select_related(query: Query, names: tuple[str, ...] | bool) -> None:
    if isinstance(names, bool):
        query.loading = replace(query.loading, select_related=names)
    else:
        query.loading = query.loading.following(names)
        check_select_related(query.opts, query.loading.select_related, query.source.relations)


@step
def defer(query: Query, names: tuple[str, ...] | None) -> None:
    if names is None:
        query.loading = Loading(query.loading.select_related)
    else:
        query.loading = query.loading.deferring(names)
        check_mask(query.opts, mask_of(frozenset(names)), query.source.relations)


@step
def only(query: Query, names: tuple[str, ...]) -> None:
    key = query.opts.pk.name
    query.loading = query.loading.limited_to(key if name == "pk" else name for name in names)
    check_mask(query.opts, mask_of(frozenset(names)))


@step
def lock(query: Query, options: RowLock) -> None:
    query.lock = options


@step
def combine(
    query: Query, name: str, all_rows: bool, parts: tuple[Any, ...], selected: tuple[str, ...] | None
) -> None:
    combined = tuple(part.place(query) for part in parts)
    query.source = Source(combinator=name, combinator_all=all_rows, combined=combined)
    first = combined[0].query.selection
    query.selection = replace(first, select={}, default_cols=True, selected=selected)
    if selected and first.select:
        for part in combined[1:]:
            if part.query.selection.default_cols and not part.query.select:
                part.query.set_values(selected)


@step
def merge(query: Query, connector: str, other: Resolvable) -> None:
    merge_queries(query, other.resolve_expression(query), connector)


@step
def aggregate(
    query: Query, aggregates: tuple[tuple[str, Any], ...], sliced: tuple[Arg | None, Arg | None]
) -> None:
    summarize(query, dict(aggregates), sliced)


@step
def exists(query: Query, sliced: bool) -> None:
    reduce_to_existence(query, sliced)


@step
def update(query: Query, values: tuple[tuple[str, Any], ...]) -> None:
    set_updates(query, values)


@step
def update_plain(query: Query, *names: str) -> None:
    set_updates(query, _numbered(names))


@step
def store(query: Query, values: tuple[tuple[str, Any], ...]) -> None:
    set_stored(query, values)


@step
def extra(
    query: Query,
    select: tuple[Any, ...],
    where: RawCondition | None,
    tables: tuple[str, ...],
    order_by: tuple[str, ...],
) -> None:
    add_extra(query, select, where, tables, order_by)
