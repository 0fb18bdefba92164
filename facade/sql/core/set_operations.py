"""UNION, INTERSECT and EXCEPT: from a combined Query to Core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from facade.exceptions import EmptyResultSet, FieldError, UnsupportedFeature
from facade.expressions.base import Expression, OrderBy
from facade.expressions.references import F, RowValue
from facade.sql.query.combined import column_names, keeps_names, spread_names
from facade.sql.query.paths import split

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Core
    from facade.expressions.subquery import Embedded
    from facade.sql.core.layout import Binds, Layout
    from facade.sql.core.words import StandardWords
    from facade.sql.query.query import Query

Behind = tuple[tuple[OrderBy, int], ...]
"""Terms of orders that are selected behind the columns, each with the number of its first argument."""

NOT_SELECTED = "ORDER BY term does not match any column in the result set."


class CombinationCompiler(Protocol):
    """What is asked of the compiler of a combined query."""

    query: Query
    layout: Layout
    dialect: Dialect
    words: StandardWords
    offset: int
    level: int
    parent: Any
    binds: Binds
    form: Any
    behind: Behind

    def __init__(
        self, query: Query, dialect: Dialect, parent: CombinationCompiler | None = None, offset: int = 0
    ) -> None: ...
    def statement(self) -> Any: ...
    def correlated(self, statement: sa.Select[Any]) -> Any: ...
    def limited(self, statement: sa.Select[Any]) -> Any: ...


class Combination:
    """A query made of several, on its way to Core; the compiler gets the layout of its rows."""

    def __init__(self, compiler: CombinationCompiler) -> None:
        self.compiler, self.query = compiler, compiler.query

    def statement(self) -> Any:
        """Return the statement; raises EmptyResultSet where no row can be in it."""
        query, whole = self.query, self.compiler
        if query.is_empty:
            raise EmptyResultSet
        order = self._combined_terms()
        hidden = self._unselected(order)
        selects: list[Any] = []
        shown: list[tuple[Query, list[str]]] = []
        for position, embedded in enumerate(query.combined):
            part = self._part(embedded, hidden)
            try:
                select = part.statement()
            except EmptyResultSet:
                if query.source.combinator == "intersection" or (
                    query.source.combinator == "difference" and position == 0
                ):
                    raise
                continue
            select = _spread(part.correlated(select), part.layout)
            if not selects:
                whole.layout = part.layout
            names = [str(column.key) for column in select.selected_columns]
            shown.append((part.query, names[: len(names) - len(part.behind)]))
            selects.append(whole.words.combinable(select, part.query))
        if not selects:
            raise EmptyResultSet
        self._check_widths(shown)
        return whole.limited(self._ordered_combination(selects, order, hidden))

    def _part(self, embedded: Embedded, hidden: list[OrderBy]) -> CombinationCompiler:
        """Return the compiler of a part, which selects what the queries around it sort by behind its own columns."""
        whole = self.compiler
        whole.binds.note_options(embedded.query)
        part = type(whole)(embedded.query, whole.dialect, None, whole.offset + embedded.offset)
        part.binds, part.level, part.parent, part.form = whole.binds, whole.level, whole.parent, whole.form
        self._share_selection(part.query)
        base = whole.offset + self.query.order.order_base
        part.behind = (*whole.behind, *[(item, base) for item in hidden])
        if not part.query.source.combinator:  # its own parts do so, else
            for item, number in part.behind:
                part.query.base = number - part.offset
                part.query.add_annotation(item.expression, f"__order{len(part.query.annotations) + 1}")
        return part

    # -- columns -----------------------------------------------------------------------------

    def _check_widths(self, shown: list[tuple[Query, list[str]]]) -> None:
        """Raise FieldError unless all parts select as many columns as the first."""
        (first, names), *others = shown
        for other, more in others:
            if len(more) != len(names):
                raise FieldError(
                    f"Cannot combine querysets of different widths by {self.query.source.combinator}(): that of {first.opts.label} "
                    f"selects {_counted(names)}, that of {other.opts.label} {_counted(more)}. Let values() or values_list() pick "
                    "as many columns of each."
                )

    @property
    def _first(self) -> Any:
        """The query whose names are those of the rows."""
        return self.query.combined[0].query

    def _share_selection(self, part: Query) -> None:
        """Give a part that selects objects the columns that values() on the whole asks for."""
        if self.query.selection.selected is not None and not keeps_names(self.query):
            part.set_values(self.query.selection.selected)
            if not part.is_sliced:
                part.order = replace(part.order, order_by=())

    def _unselected(self, order: list[OrderBy]) -> list[OrderBy]:
        """Return the terms of the order that are no columns of the rows: each part selects them behind its columns."""
        known = {name for column in column_names(self.query) for name in column}
        hidden = [item for item in order if _name(item) not in known]
        if hidden and keeps_names(self.query):
            raise UnsupportedFeature(NOT_SELECTED)
        _refuse_transforms(self._first, hidden)
        return hidden

    def _picked(self) -> list[int] | None:
        """Return which columns of the parts values() on the whole asks for, None for all."""
        query, first = self.query, self._first
        if query.selection.selected is None or not keeps_names(query):
            return None
        if (query.selection.selected, query.selection.repeated) == (
            first.selection.selected,
            first.selection.repeated,
        ):
            return None
        known = spread_names(first)
        for name in query.selection.selected:
            if name not in known:
                raise FieldError(
                    f"Cannot select {name!r} after {query.source.combinator}(): the combined querysets select {', '.join(known)}."
                )
        return [known.index(name) for name in query.selection.selected]

    def _ordered_combination(self, selects: list[Any], order: list[OrderBy], hidden: list[OrderBy]) -> Any:
        query = self.query
        combine: dict[str | None, Any] = {
            "union": sa.union_all if query.source.combinator_all else sa.union,
            "intersection": sa.intersect,
            "difference": sa.except_,
        }
        picked = self._picked()
        statement = combine[query.source.combinator](*selects) if len(selects) > 1 else selects[0]
        columns: list[Any] = [sa.literal_column(str(n + 1)) for n in range(len(statement.selected_columns))]
        wrapped = query.is_sliced and not self.compiler.words.slices_combinations
        if len(selects) == 1 or picked is not None or wrapped:
            columns = list(statement.subquery().c)
            places = range(len(columns)) if picked is None else _places(self.compiler.layout, picked)
            statement = sa.select(*[columns[place] for place in places])
        self._hide(len(hidden))
        positions = [self._position(item, hidden) for item in order]
        terms = [
            self._combined_term(item, columns[place]) for item, place in zip(order, positions, strict=True)
        ]
        self._name_columns(picked)
        return statement.order_by(*terms) if terms else statement

    def _hide(self, count: int) -> None:
        """Leave the columns that only the order needs out of the rows."""
        layout = self.compiler.layout
        if count:
            shown = layout.columns if layout.part is None else layout.annotations
            del shown[-count:]
            layout.width -= count

    def _name_columns(self, picked: list[int] | None) -> None:
        """Describe the columns of a row: the names are the first part's, whichever part has rows."""
        layout, query = self.compiler.layout, self.query
        if layout.part is not None or query.selection.selected is None:
            return
        if keeps_names(query):
            names = spread_names(self._first)
            layout.columns = [(name, item) for name, (_, item) in zip(names, layout.columns, strict=True)]
        if picked is not None:
            layout.width = len(_places(layout, picked))
            layout.columns = [layout.columns[index] for index in picked]
        if picked is not None or not keeps_names(query):
            layout.repeated = query.selection.repeated

    # -- order -------------------------------------------------------------------------------

    def _combined_terms(self) -> list[OrderBy]:
        query = self.query
        items = query.order.order_by
        if not items and query.order.default_ordering:
            items = tuple(query.opts.ordering or ())
        return [term for item in items for term in self._by_columns(_as_order(item))]

    def _by_columns(self, item: OrderBy) -> list[OrderBy]:
        """Return a term for each column, where the name in it is that of a composite key."""
        name = _name(item)
        if name is None or split(name)[-1] != "pk":
            return [item]
        targets = self._first.resolve_path(split(name)).targets
        if len(targets) == 1:
            return [item]
        names = [name.removesuffix("pk") + target.attname for target in targets]
        return [OrderBy(F(one), item.descending, item.nulls_first, item.nulls_last) for one in names]

    def _combined_term(self, item: OrderBy, column: Core) -> Any:
        descending = item.descending == self.query.order.standard_ordering
        term = column.desc() if descending else column.asc()
        if item.nulls_first or item.nulls_last:
            return self.compiler.words.nulls(
                term, column, first=bool(item.nulls_first) == self.query.order.standard_ordering
            )
        return term

    def _position(self, item: OrderBy, hidden: list[OrderBy]) -> int:
        """Return the position of the column that a term of the order stands for."""
        for number, other in enumerate(hidden):
            if other is item:
                return self.compiler.layout.width + number
        name = _name(item)
        return next(index for index, names in enumerate(column_names(self.query)) if name in names)


def _counted(names: list[str]) -> str:
    return f"{len(names)} column{'' if len(names) == 1 else 's'} ({', '.join(names)})"


def _as_order(item: str | Expression) -> OrderBy:
    if item == "?":
        raise UnsupportedFeature("Ordering combined queries at random is not supported.")
    if isinstance(item, str):
        return OrderBy(F(item.removeprefix("-")), item.startswith("-"))
    return item if isinstance(item, OrderBy) else OrderBy(item)


def _name(item: OrderBy) -> str | None:
    """Return the name that a term of the order may share with a column."""
    return item.expression.name if isinstance(item.expression, F) else None


def _refuse_transforms(first: Query, hidden: list[OrderBy]) -> None:
    """Refuse transforms of annotations, which may be of another type in each part."""
    for item in hidden:
        name, *transforms = split(_name(item) or "")
        if transforms and name in first.annotations:
            raise NotImplementedError("Ordering combined queries by transforms is not implemented.")


def _places(layout: Layout, values: Sequence[int]) -> list[int]:
    """Return the positions of the columns that these values of a row stand for."""
    widths = [len(item) if isinstance(item, RowValue) else 1 for _, item in layout.columns]
    starts = [*accumulate(widths, initial=0)]
    return [place for index in values for place in range(starts[index], starts[index + 1])]


def _spread(select: sa.Select[Any], layout: Layout) -> Any:
    """Return a part with the columns that values_list() repeats repeated: the other parts have columns in their places."""
    if layout.repeated is None:
        return select
    columns = list(select.subquery().c)
    places, repeated = _places(layout, layout.repeated), layout.repeated
    layout.columns, layout.repeated = [layout.columns[index] for index in repeated], None
    layout.width = len(places)
    return sa.select(
        *[
            columns[index].label(f"{columns[index].name}_{number}")
            if index in places[:number]
            else columns[index]
            for number, index in enumerate(places)
        ]
    )
