"""UNION, INTERSECT and EXCEPT: from a combined Query to Core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import EmptyResultSet, UnsupportedFeature
from facade.expressions.base import OrderBy
from facade.expressions.references import F
from facade.sql.paths import split

if TYPE_CHECKING:
    from facade.sql.layout import Layout

NOT_SELECTED = "ORDER BY term does not match any column in the result set."


class Combinations:
    """The half of the compiler for queries made of several."""

    query: Any
    layout: Layout
    dialect: Any
    vendor: str
    offset: int
    level: int
    parent: Any
    binds: Any

    if TYPE_CHECKING:

        def combinable(self, select: Any, query: Any) -> Any: ...
        def correlated(self, statement: Any) -> Any: ...
        def nulls(self, term: Any, core: Any, first: bool) -> Any: ...
        def _limited(self, statement: Any) -> Any: ...

    def _combination(self) -> Any:
        query = self.query
        if query.is_empty:
            raise EmptyResultSet
        order = self._combined_terms()
        selects: list[Any] = []
        for position, embedded in enumerate(query.combined):
            compiler = self._part(embedded, order)
            try:
                select = compiler.statement()
            except EmptyResultSet:
                if query.combinator == "intersection" or (query.combinator == "difference" and position == 0):
                    raise
                continue
            if not selects:
                self.layout = compiler.layout
            selects.append(self.combinable(compiler.correlated(select), compiler.query))
        if not selects:
            raise EmptyResultSet
        return self._limited(self._ordered_combination(selects, order))

    def _part(self, embedded: Any, order: list[OrderBy]) -> Any:
        make: Any = type(self)
        compiler = make(embedded.query, self.dialect, self.vendor, None, self.offset + embedded.offset)
        compiler.binds, compiler.level, compiler.parent = self.binds, self.level, self.parent
        self._share_selection(compiler.query, order)
        return compiler

    def _share_selection(self, part: Any, order: list[OrderBy]) -> None:
        """Give a part the columns that values() on the whole asks for, and behind them those of the order."""
        query = self.query
        if query.selected is None or part.select or (query.default_cols and part.selected is not None):
            return
        if not part.default_cols and not query.select:
            return  # the parts were given names of their own, which they need not share
        behind = [name for item in order if (name := _name(item)) not in query.selected]
        part.set_values(tuple(dict.fromkeys((*query.selected, *behind))))
        part.repeated = query.repeated
        part.order_by = () if not part.is_sliced else part.order_by

    def _ordered_combination(self, selects: list[Any], order: list[OrderBy]) -> Any:
        query = self.query
        combine: dict[str, Any] = {
            "union": sa.union_all if query.combinator_all else sa.union,
            "intersection": sa.intersect,
            "difference": sa.except_,
        }
        if len(selects) > 1:
            statement = combine[query.combinator](*selects)
            columns: list[Any] = [
                sa.literal_column(str(index + 1)) for index in range(len(statement.selected_columns))
            ]
        else:
            inner = selects[0].subquery()
            statement, columns = sa.select(*inner.c), list(inner.c)
        terms = [self._combined_term(item, columns) for item in order]
        self._hide_order_columns()
        return statement.order_by(*terms) if terms else statement

    def _hide_order_columns(self) -> None:
        """Leave the columns that only the order needs out of the rows."""
        layout, query = self.layout, self.query
        if layout.part is None and query.selected and len(layout.columns) > len(query.selected):
            layout.columns = layout.columns[: len(query.selected)]
            layout.width = len(layout.columns)

    # -- order -------------------------------------------------------------------------------

    def _combined_terms(self) -> list[OrderBy]:
        query = self.query
        items = query.order_by
        if not items and query.default_ordering:
            items = tuple(query.opts.ordering or ())
        return [_as_order(item) for item in items]

    def _combined_term(self, item: OrderBy, columns: list[Any]) -> Any:
        column = columns[self._position(_name(item))]
        descending = item.descending == self.query.standard_ordering
        term = column.desc() if descending else column.asc()
        if item.nulls_first or item.nulls_last:
            return self.nulls(term, column, first=bool(item.nulls_first) == self.query.standard_ordering)
        return term

    def _position(self, name: str) -> int:
        layout = self.layout
        fields = layout.part.fields if layout.part is not None else []
        labels = [label for label, _ in (layout.annotations if layout.part is not None else layout.columns)]
        wanted = self.query.opts.pk.name if name == "pk" else name
        for known in (
            [*labels] if layout.part is None else [*[field.name for field in fields], *labels],
            [*[field.attname for field in fields], *labels],
        ):
            for candidate in (wanted, name):
                if candidate in known:
                    return known.index(candidate)
        raise UnsupportedFeature(NOT_SELECTED)


def _as_order(item: Any) -> OrderBy:
    if isinstance(item, str):
        return OrderBy(F(item.removeprefix("-")), item.startswith("-"))
    return item if isinstance(item, OrderBy) else OrderBy(item)


def _name(item: OrderBy) -> str:
    """Return the name of the column that a term of the order stands for; other terms are not possible here."""
    name = getattr(item.expression, "name", None)
    if not isinstance(name, str):
        raise UnsupportedFeature(NOT_SELECTED)
    if len(split(name)) > 1:
        raise NotImplementedError("Ordering combined queries by transforms is not implemented.")
    return name
