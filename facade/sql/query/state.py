"""The state of a query, in parts that never change: a step puts another part in the place of one.

What is done to a whole query (its references resolved, merged into another one, asked for existence) goes through the
parts, or leaves them out as wholes. So whatever is added to a part is carried along.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

from facade.sql.query.paths import split

if TYPE_CHECKING:
    from facade.expressions.subquery import Embedded
    from facade.expressions.tree import Change


@dataclass(frozen=True, slots=True)
class Selection:
    """What a row consists of."""

    default_cols: bool = True
    """Whether it has the columns of the model."""
    select: Mapping[str, Any] = field(default_factory=dict)
    """The fields that values() chose, by name."""
    annotations: Mapping[str, Any] = field(default_factory=dict)
    annotation_mask: frozenset[str] | None = None
    """The annotations that are part of the result, None for all."""
    selected: tuple[str, ...] | None = None
    """The names of the values in their order, where they were named."""
    repeated: tuple[int, ...] | None = None
    """The positions of values_list()'s names where one is repeated."""
    extra_names: frozenset[str] = frozenset()
    """The annotations that come from extra(), which stand before all others."""
    exists_only: bool = False
    """Whether all that is asked is whether there is a row."""

    @property
    def annotation_select(self) -> Mapping[str, Any]:
        """The annotations that are part of the result."""
        mask = self.annotation_mask
        return (
            self.annotations
            if mask is None
            else {name: item for name, item in self.annotations.items() if name in mask}
        )

    @property
    def has_columns(self) -> bool:
        """Whether it selects anything."""
        return self.default_cols or bool(self.select or self.annotation_select)

    @property
    def result_names(self) -> tuple[str, ...]:
        """The names of the values of a row, in their order."""
        if self.selected is not None:
            return self.selected
        computed = self.annotation_select
        extra = [name for name in computed if name in self.extra_names]
        return (*extra, *self.select, *[name for name in computed if name not in self.extra_names])

    def width_of(self, name: str) -> int | None:
        """Return how many columns the value of this name stands for, None where there is none."""
        found = self.annotations[name] if name in self.annotations else self.select.get(name)
        return None if found is None else len(found) if found.is_composite else 1

    @property
    def expressions(self) -> Iterator[Any]:
        """The resolved expressions in it."""
        yield from self.annotations.values()
        yield from self.select.values()

    def mapped(self, change: Change) -> Self:
        """Return the selection with each expression changed."""
        if not (self.annotations or self.select):
            return self
        return replace(
            self, annotations=_mapped(self.annotations, change), select=_mapped(self.select, change)
        )

    def merged(self, other: Selection, move: Change) -> Self:
        """Return this selection and that of another query; what the other one selects wins where it selects at all."""
        return replace(
            self,
            annotations={**self.annotations, **_mapped(other.annotations, move)},
            select=_mapped(other.select, move) if other.select else self.select,
        )

    def nothing(self) -> Selection:
        """Return a selection of nothing, where the annotations can still be spoken of."""
        return Selection(default_cols=False, annotations=self.annotations, annotation_mask=frozenset())

    def reduced(self, used: frozenset[str]) -> Self:
        """Return the selection with no more annotations than those that are used."""
        less = replace(self, annotation_mask=used)
        if self.selected is None:
            return less
        kept = tuple([name for name in self.selected if name in self.select or name in used])
        return replace(
            less, selected=kept + tuple([name for name in less.annotation_select if name not in kept])
        )

    def known(self, name: str, expression: object) -> Self:
        """Return the selection with one more annotation, whether that is selected or not."""
        return replace(self, annotations={**self.annotations, name: expression})

    def annotated(self, name: str, expression: object) -> Self:
        """Return the selection with one more annotation that is selected."""
        mask, selected, repeated = self.annotation_mask, self.selected, self.repeated
        if selected is not None and name not in selected:
            repeated = None if repeated is None else (*repeated, len(selected))
            selected = (*selected, name)
        return replace(
            self,
            annotations={**self.annotations, name: expression},
            annotation_mask=None if mask is None else mask | {name},
            selected=selected,
            repeated=repeated,
        )

    def aliased(self, name: str, expression: object) -> Self:
        """Return the selection with one more annotation that is not selected."""
        mask = frozenset(self.annotation_select) - {name}
        return replace(self, annotations={**self.annotations, name: expression}, annotation_mask=mask)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which rows become one."""

    group_by: tuple[Any, ...] | bool | None = None
    """What rows of a group agree in; True for all columns of the model, None where rows are not grouped."""
    distinct: bool = False
    distinct_fields: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[Any, ...]:
        """What was named to group by."""
        return self.group_by if isinstance(self.group_by, tuple) else ()

    def mapped(self, change: Change) -> Self:
        """Return the grouping with each expression changed."""
        if not isinstance(self.group_by, tuple):
            return self
        return replace(self, group_by=tuple([change(item) for item in self.group_by]))

    def merged(self, other: Grouping, move: Change) -> Self:
        """Return this grouping, or that of another query where it has one."""
        return self if other.group_by is None else replace(self, group_by=other.mapped(move).group_by)


@dataclass(frozen=True, slots=True)
class Order:
    """In which order the rows come."""

    order_by: tuple[Any, ...] = ()
    """Names and expressions that are not resolved yet."""
    order_base: int = 0
    """The number of the first argument of those expressions."""
    extra_order: tuple[str, ...] = ()
    default_ordering: bool = True
    """Whether the model's own order holds where there is no other."""
    standard_ordering: bool = True
    """Whether the order is not reversed."""

    def cleared(self, clear_default: bool) -> Order:
        """Return no order, and not the model's own where `clear_default` says so."""
        return Order(
            default_ordering=self.default_ordering and not clear_default,
            standard_ordering=self.standard_ordering,
        )

    def mapped(self, change: Change) -> Self:
        """Return the order with each expression, which is not resolved yet, changed."""
        if not self.order_by:
            return self
        return replace(self, order_by=tuple([change(item) for item in self.order_by]))

    def merged(self, other: Order, offset: int) -> Self:
        """Return this order, or that of another query, whose arguments come from `offset` on, where it has one."""
        if not other.order_by:
            return self
        return replace(self, order_by=other.order_by, order_base=offset + other.order_base)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which of the rows are wanted."""

    low: Any = None
    high: Any = None
    one_row: bool = False
    """Whether that is one row only."""

    @property
    def is_sliced(self) -> bool:
        return self.low is not None or self.high is not None


@dataclass(frozen=True, slots=True)
class Loading:
    """Which columns of the model, and of what is related to it, become instances."""

    select_related: Any = False
    """Names as a tree; True for all relations that always lead to a row."""
    deferred: tuple[frozenset[str], bool] = (frozenset(), True)
    """Names, and whether these are the ones that are left out."""

    def following(self, names: Iterable[str]) -> Self:
        """Return the loading with the relations that these paths go over."""
        known = self.select_related
        tree: dict[str, Any] = copy.deepcopy(known) if isinstance(known, dict) else {}
        for name in names:
            node = tree
            for part in split(name):
                node = node.setdefault(part, {})
        return replace(self, select_related=tree)

    def deferring(self, names: Iterable[str]) -> Self:
        """Return the loading without these fields."""
        existing, deferring = self.deferred
        names = frozenset(names)
        if deferring:
            return replace(self, deferred=(existing | names, True))
        if left := existing - names:
            return replace(self, deferred=(left, False))
        return replace(self, deferred=(names - existing, True))

    def limited_to(self, names: Iterable[str]) -> Self:
        """Return the loading of these fields only."""
        existing, deferring = self.deferred
        wanted = frozenset(names)
        return replace(self, deferred=(wanted - existing if deferring else wanted, False))


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows come from, but for the tables that are joined."""

    relations: Mapping[str, Any] = field(default_factory=dict)
    """The filtered relations by name."""
    extra_tables: tuple[str, ...] = ()
    combinator: str | None = None
    combinator_all: bool = False
    combined: tuple[Embedded, ...] = ()
    """The queries inside a UNION, INTERSECT or EXCEPT."""
    inner: Embedded | None = None
    """The query of whose rows this one makes its own."""

    def mapped(self, change: Callable[[Embedded], Embedded]) -> Self:
        """Return the source with each query that stands beside this one, as a part of it, changed."""
        if not self.combined:
            return self
        return replace(self, combined=tuple([change(part) for part in self.combined]))

    def merged(self, other: Source, offset: int) -> Self:
        """Return this source with what another query of the same model, whose arguments come from `offset` on, has named."""
        moved = {name: relation.moved(offset) for name, relation in other.relations.items()}
        return replace(self, relations={**moved, **self.relations})


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the query stands, and what it was given there."""

    subquery: bool = False
    database: str | None = None
    """The alias that using() named for a subquery."""
    options: str | None = None
    """The execution options, and the limit of time, that a subquery was given."""


@dataclass(frozen=True, slots=True)
class RowLock:
    """The options of SELECT … FOR UPDATE."""

    nowait: bool
    skip_locked: bool
    of: tuple[str, ...]
    no_key: bool


PARTS: Mapping[str, type[Any]] = {
    "selection": Selection,
    "grouping": Grouping,
    "order": Order,
    "slice": Slice,
    "loading": Loading,
    "source": Source,
    "placement": Placement,
}
"""The parts by the names that a query has for them."""

PART_OF: Mapping[str, str] = {item.name: part for part, kind in PARTS.items() for item in fields(kind)}
"""The name of the part that holds an attribute of Django's name."""


def _mapped(items: Mapping[str, Any], change: Change) -> dict[str, Any]:
    return {name: change(item) for name, item in items.items()}
