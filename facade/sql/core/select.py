"""From a Query to a SQLAlchemy Core `select()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

from facade.exceptions import EmptyResultSet, FieldError, FullResultSet
from facade.expressions.base import OrderBy, Value
from facade.expressions.documents import read_form
from facade.expressions.freezing import Arg, HashedOnce, OutOfRange
from facade.expressions.references import Col, Ref
from facade.expressions.sqltext.written import core_of
from facade.sql.core.constants import bound_type, is_constant, literal
from facade.sql.core.layout import Binds, Layout
from facade.sql.core.qualifying import qualified
from facade.sql.core.random_order import RandomOrder
from facade.sql.core.set_operations import Behind, Combination
from facade.sql.core.words import words_of
from facade.sql.query.extra import QualifiedColumn
from facade.sql.query.loading import select_parts
from facade.sql.query.paths import split
from facade.types.shared import BIG_INTEGER, TRUTH

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.expressions.base import Expression
    from facade.expressions.contracts import Convert, Core, CoreType, Embedding, Ordered, Valued
    from facade.fields import Field
    from facade.meta.options import Options
    from facade.sql.core.words import StandardWords
    from facade.sql.query.joins import Join
    from facade.sql.query.query import Query
    from facade.sql.query.where import Where


class Compiler:
    """Makes Core of one query; expressions ask it for tables, columns and parameters."""

    def __init__(
        self,
        query: Query,
        dialect: Dialect,
        parent: Compiler | None = None,
        offset: int = 0,
        beyond: dict[int, OutOfRange] | None = None,
    ) -> None:
        self.query = query.clone()
        self.dialect, self.parent = dialect, parent
        self.words: StandardWords = words_of(dialect) if parent is None else parent.words
        self.features = self.words.vendor
        self.vendor = self.features.name
        self.level: int = 0 if parent is None else parent.level + 1
        self.form: Callable[[Any, Any], Any] | None = read_form if parent is None else None
        self.offset: int = offset if parent is None else parent.offset + offset
        self.binds: Binds = Binds(beyond) if parent is None else parent.binds
        self.tables: dict[str, Any] = {}
        self.labels: dict[str, Any] = {}
        self.forms: dict[Any, Any] = {}
        self.null_tests: dict[tuple[int, bool], tuple[Core, Any]] = {}
        self.ordered_terms: list[OrderBy] = []
        self.positions: dict[Any, int] = {}
        self.inner: Any = None
        self.behind: Behind = ()
        self.layout = Layout(None, [], [])

    # -- what expressions ask for --------------------------------------------------------

    def process(self, expression: Valued) -> Any:
        """Return the Core form of a resolved expression: one and the same wherever the statement has it.

        PostgreSQL knows an expression again only where its constants are the same parameters.
        """
        if type(expression) is Col:  # a column and a parameter are one and the same anyway
            return self.table(expression.alias).c[expression.target.column]
        if type(expression) is Value and isinstance(expression.value, Arg):
            return expression.as_core(self)
        if isinstance(expression, Arg):
            return self.bind(expression, None)
        try:
            key = HashedOnce((expression,))
            known = self.forms.get(key)
        except TypeError:  # an expression that has no hash
            return self._form(expression)
        if known is None:
            known = self.forms[key] = self._form(expression)
        return known

    def _form(self, expression: Valued) -> Any:
        try:
            return core_of(expression, self)
        except EmptyResultSet:
            value = getattr(expression, "empty_result_set_value", None)
            if self._is_condition(expression):
                raise
            if value in (None, NotImplemented):
                return self.words.null(getattr(expression, "column_type", None))
            return self._constant(value)
        except FullResultSet:
            return sa.true()

    def _constant(self, value: object) -> Any:
        return self.bind(value, None) if isinstance(value, Arg) else self.literal(value, None)

    @staticmethod
    def _is_condition(expression: object) -> bool:
        return bool(getattr(expression, "conditional", False)) and not hasattr(expression, "default")

    def condition(self, expression: Valued) -> Any:
        """Return the Core form of a conditional expression."""
        core = core_of(expression, self)
        return core if isinstance(core.type, sa.Boolean) else sa.type_coerce(core, TRUTH)

    def boolean(self, expression: Valued) -> Any:
        """Return a condition as a value that can be selected."""
        try:
            core = self.condition(expression)
            return self.words.truth_value(core) if getattr(expression, "is_condition", False) else core
        except EmptyResultSet:
            return sa.false()
        except FullResultSet:
            return sa.true()

    def column(self, alias: str, field: Field[Any]) -> Any:
        return self.table(alias).c[field.column]

    def present(self, expression: Valued, core: Core) -> Any:
        if isinstance(expression, Col) and self._always_has(expression):
            raise FullResultSet
        return self.null_test(core, False)

    def null_test(self, core: Core, is_null: bool) -> Any:
        """Return the condition that a Core expression is NULL, or is not: one and the same for one expression."""
        key = id(core), is_null
        if (known := self.null_tests.get(key)) is None:
            known = self.null_tests[key] = core, core.is_(None) if is_null else core.is_not(None)
        return known[1]

    def _always_has(self, column: Col) -> bool:
        joins, field = self.query.joins, column.target
        return not (field.null or field.generated) and column.alias in joins and not joins[column.alias].outer

    def table(self, alias: str) -> Any:
        if (table := self.tables.get(alias)) is None:
            model = self.query.joins[alias].model
            table = model._meta.table
            if self.level or alias != model._meta.db_table:
                table = table.alias(self._alias_name(alias))
            self.tables[alias] = table
        return table

    def _alias_name(self, alias: str) -> str:
        return f"{chr(ord('T') + self.level)}{len(self.tables)}" if self.level else alias

    def bind(self, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        return self.binds.add(self.offset + arg.index, bound_type(type_, arg), convert)

    def bind_each(self, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        return self.binds.add(self.offset + arg.index, type_, convert, expanding=True)

    def in_list(self, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        return self.words.in_list(self, left, arg, type_, convert)

    def number(self, arg: Arg) -> int | None:
        if not self.binds.varies:
            return None
        self.binds.limited = True
        return self.offset + arg.index

    def beyond(self, rhs: object) -> OutOfRange | None:
        return self.binds.beyond.get(self.offset + rhs.index) if isinstance(rhs, Arg) else None

    def literal(self, value: object, type_: CoreType | None) -> Any:
        return literal(value, bound_type(type_, value))

    def reference(self, name: str, source: Valued) -> Any:
        if self.inner is not None and name in self.inner.c:
            return self.inner.c[name]
        return self.labels[name] if name in self.labels else self.process(source)

    def comes_from_inside(self, name: str) -> bool:
        return self.inner is not None and name in self.inner.c

    def subquery(self, embedded: Embedding, form: Callable[[Any, Any], Any] | None = None) -> Any:
        """Return the Core select of a query inside this one."""
        self.binds.note_options(embedded.query)
        inner = type(self)(embedded.query, self.dialect, self, embedded.offset)
        inner.form = form
        return inner.narrowed(inner.correlated(inner.statement()))

    def narrowed(self, statement: sa.Select[Any]) -> Any:
        """Return a subquery without the columns that only its order, under DISTINCT, needs."""
        width = self.layout.width
        if not width or len(statement.selected_columns) == width:
            return statement
        rows = list(statement.subquery().c)
        return sa.select(*rows[:width])

    def require_database(self, alias: str | None) -> None:
        """Note that a part of the statement was written for one database; the statement runs on no other one."""
        if alias is not None:
            self.binds.databases.add(alias)

    def correlated(self, statement: sa.Select[Any]) -> Any:
        """Return a select inside another one, the outer tables taken from there."""
        outer = [table for compiler in self.ancestors() for table in compiler.tables.values()]
        return statement.correlate(*outer) if hasattr(statement, "correlate") and outer else statement

    def ancestors(self) -> list[Compiler]:
        return [] if self.parent is None else [self.parent, *self.parent.ancestors()]

    # -- the statement ---------------------------------------------------------------------

    def statement(self) -> Any:
        """Return the Core select; `layout` then describes its rows. Raises EmptyResultSet where no row can match."""
        if self.query.source.combinator:
            return Combination(self).statement()
        return self._select()

    def _select(self) -> Any:
        query = self.query
        if query.source.inner is not None:
            self.inner = self.subquery(query.source.inner).subquery("subquery")
        elif not query.joins and query.model is not None:
            query.initial_alias()
        columns = self._columns()
        conditions, over = query.where.split_windows()
        where, having = conditions.split_having(must_group_by=query.grouping.group_by is not None)
        if having:
            having = self._of_groups(having)
        order = self._order()
        criteria = self._criteria(where), self._criteria(having)
        statement = sa.select(*columns).select_from(*self._tables())
        if criteria[0] is not None:
            statement = statement.where(criteria[0])
        statement = self._grouped(statement, columns)
        if criteria[1] is not None:
            statement = statement.having(criteria[1])
        if over:
            return self.limited(qualified(self, statement, columns, over))
        statement = self._distinct(statement, columns, order)
        if order:
            statement = statement.order_by(*order)
        return self._locked(self.limited(statement))

    def _of_groups(self, having: Where) -> Where:
        """Return conditions on aggregates as the database takes them. Raises FieldError where rows of objects make no groups."""
        grouping = self.query.grouping
        if grouping.group_by is None and self.query.selection.default_cols and not self.query.source.inner:
            raise FieldError(
                f"A filter of {self.query.model.__name__} compares an aggregate, and nothing makes groups: annotate() the aggregate, "
                "and filter by its name."
            )
        return having.of_groups() if self.words.groups_conditions else having

    def _criteria(self, where: Where | None) -> Any:
        if not where:
            return None
        try:
            return self.condition(where)
        except FullResultSet:
            return None
        except EmptyResultSet:
            if self.query.asks_when_empty:
                return sa.false()
            raise

    def _from(self) -> Any:
        if self.inner is not None:
            return self.inner
        joined = None
        for join in self.query.joins.active():
            table = self.table(join.alias)
            if joined is None:
                joined = table
            else:
                joined = joined.join(table, self._on(join), isouter=join.outer)
        return joined

    def _tables(self) -> list[Any]:
        joined = self._from()
        return self._extra_tables() if joined is None else [joined, *self._extra_tables()]

    def _extra_tables(self) -> list[Any]:
        known = {join.alias for join in self.query.joins.active()}
        return [sa.table(name) for name in self.query.source.extra_tables if name not in known]

    def _on(self, join: Join) -> Any:
        assert join.parent is not None
        assert join.hop is not None
        parts = [
            self.column(join.parent, near) == self.column(join.alias, far) for near, far in join.hop.columns
        ]
        restrict = getattr(join.hop.join_field, "get_extra_restriction", None)
        if restrict is not None and (extra := restrict(join.alias, join.parent)) is not None:
            parts.append(self.condition(extra))
        if join.condition:
            parts.append(self._condition_of(join))
        return sa.and_(*parts)

    def _condition_of(self, join: Join) -> Any:
        try:
            return self.condition(join.condition)
        except FullResultSet:
            return sa.true()
        except EmptyResultSet:
            if not (join.outer or self.query.asks_when_empty):
                raise
            return sa.false()

    # -- columns -----------------------------------------------------------------------------

    def _columns(self) -> list[Any]:
        query, layout = self.query, self.layout
        if query.selection.exists_only:
            return [sa.literal_column("1").label("a")]
        columns: list[Any] = []
        if query.selection.default_cols and query.source.inner is None:
            assert query.joins.base is not None
            part = select_parts(query, query.joins.base)
            layout.part = part
            for node in part.walk():
                columns.extend(
                    self._read(self.column(node.alias_of(query, field.model), field), field)
                    for field in node.fields
                )
        for name, expression in self._selection():
            columns.append(self._read(self._labelled(name, expression), expression))
            if query.is_ordered or query.grouping.group_by is not None:
                with suppress(TypeError):  # an expression that cannot be compared
                    self.positions.setdefault(expression, len(columns))
            (layout.annotations if layout.part is not None else layout.columns).append((name, expression))
        layout.width, layout.repeated = len(columns), query.selection.repeated
        return columns

    def _selection(self) -> list[tuple[str, Any]]:
        """Return the columns of the result that have names of their own, with their expressions."""
        query = self.query
        if query.selection.exists_only:
            return []
        annotations = query.annotation_select
        return [
            (name, annotations[name] if name in annotations else query.select[name])
            for name in query.selection.result_names
        ]

    def _labelled(self, name: str, expression: Valued) -> Any:
        if (core := self._wanted_form(expression)) is not None:
            return core.label(quoted_name(name, quote=True))
        core = (
            self.boolean(expression)
            if getattr(expression, "conditional", False)
            else self.process(expression)
        )
        if name in self.query.annotation_select or self.level:
            core = self.labels[name] = core.label(quoted_name(name, quote=True))
        return core

    def _read(self, core: Core, source: Field[Any] | Valued) -> Any:
        """Return a column of the rows, the value of a field or of an expression, as whoever runs the statement reads it."""
        return core

    def _wanted_form(self, expression: object) -> Any:
        """Return the form in which a value is read, or taken by the query around, where it differs from that in which the database uses it."""
        return None if self.form is None else self.form(self, expression)

    # -- grouping and order --------------------------------------------------------------------

    def _grouped(self, statement: sa.Select[Any], columns: list[Any]) -> Any:
        if self.query.grouping.group_by is None:
            return statement
        terms = columns[: self._model_width()]
        for item in _unique(self._group_expressions()):
            term = self._group_term(item)
            if not is_constant(term) and all(term is not known for known in terms):
                terms.append(term)
        return statement.group_by(*terms) if terms else statement

    def _group_expressions(self) -> Iterator[Any]:
        """Yield what was named to group by, and what else the rows of a group must agree in: what is selected, sorted by, tested."""
        query = self.query
        named = query.grouping.named
        names = {item.refs for item in named if isinstance(item, Ref)}
        yield from (item.source if isinstance(item, Ref) else item for item in named)
        for name, expression in self._selection():
            if name not in names:
                yield from expression.get_group_by_cols()
        for item in self.ordered_terms:
            if not isinstance(item.expression, Ref):  # what is selected was asked already
                yield from item.get_group_by_cols()
        conditions, over = query.where.split_windows()
        for tested in (conditions.split_having(must_group_by=True)[1], over):
            if tested:
                yield from tested.get_group_by_cols()

    def _model_columns(self) -> set[str]:
        part = self.layout.part
        return set() if part is None else {field.column for node in part.walk() for field in node.fields}

    def _model_width(self) -> int:
        part = self.layout.part
        return sum(len(node.fields) for node in part.walk()) if part is not None else 0

    def _group_term(self, item: Valued) -> Any:
        """Return a term of GROUP BY; what is selected, and not a mere column, goes by its position."""
        by_position = self.words.groups_by_position and not isinstance(item, Col)
        position = self._ordinal(item) if by_position else None
        return self.process(item) if position is None else position

    def _ordinal(self, item: object) -> Any:
        """Return the number of the result's column that is this expression, None where none is."""
        with suppress(TypeError):  # an expression that cannot be compared
            if (position := self.positions.get(item)) is not None:
                return sa.literal_column(str(position))
        return None

    def _selected_term(self, item: Valued) -> Any:
        """Return a term of ORDER BY: what is selected goes by its name, or by its position.

        So do constants, which databases would take for positions or refuse; those that are not selected are None.
        """
        source = item.source if isinstance(item, Ref) else item
        if not self.words.sorts_documents and getattr(source, "value_kind", None) == "document":
            return self.words.sortable_document(self.process(source))
        if isinstance(item, Ref) and item.refs in self.labels and not is_constant(self.labels[item.refs]):
            if item.refs not in self._model_columns():
                return self.labels[item.refs]
            item = source  # a column of a related model has that name, too
        by_position = self.words.orders_by_position and not isinstance(source, Col)
        position = self._ordinal(source) if by_position else None
        if position is not None:
            return position
        core = self.boolean(item) if getattr(item, "is_condition", False) else self.process(item)
        written_in = self.features.writes_parameters and isinstance(core, sa.BindParameter)
        return self._ordinal(source) if written_in or is_constant(core) else core

    def _order(self) -> list[Any]:
        self.ordered_terms = self._order_terms()
        seen: set[Any] = set()
        terms = []
        for item in self.ordered_terms:
            if item.expression not in seen:
                seen.add(item.expression)
                if (core := self._selected_term(item.expression)) is not None:
                    terms.append(self.ordering(item, core))
        return terms

    def _order_terms(self) -> list[OrderBy]:
        query = self.query
        if query.selection.exists_only and not query.is_sliced and not query.order.order_by:
            return []
        order = query.order
        query.base, items = order.order_base, order.extra_order or order.order_by
        by_default = order.default_ordering and query.grouping.group_by is None and query.source.inner is None
        if not items and by_default:
            items = tuple(query.opts.ordering or ())
        return [term for item in items for term in self._order_item(item, not order.standard_ordering)]

    def _order_item(self, item: str | Expression, reverse: bool) -> list[OrderBy]:
        query = self.query
        if item == "?":
            return [OrderBy(RandomOrder())]
        if isinstance(item, str):
            return self._order_name(item, reverse)
        ordering = item if isinstance(item, OrderBy) else item.asc()
        name = getattr(ordering.expression, "name", None)
        if name is not None and name in query.annotation_select:
            ordering = ordering.copy()
            ordering.expression = Ref(name, query.annotations[name])
        else:
            ordering = ordering.resolve_expression(query)
        return [ordering.reverse_ordering() if reverse else ordering]

    def _order_name(self, item: str, reverse: bool) -> list[OrderBy]:
        query = self.query
        name, descending = item.removeprefix("-"), item.startswith("-") != reverse
        if name in query.annotation_select:
            return [OrderBy(Ref(name, query.annotations[name]), descending)]
        if name in query.annotations:
            return [OrderBy(query.annotations[name], descending)]
        if name in query.select:
            return [OrderBy(query.select[name], descending)]
        if "." in name and query.order.extra_order:
            return [OrderBy(QualifiedColumn(name), descending)]
        if split(name)[0] in query.annotations:
            return [OrderBy(query.resolve_ref(name), descending)]
        return self._order_path(name, descending, query.opts, "", ())

    def _order_path(
        self, name: str, descending: bool, opts: Options, prefix: str, seen: tuple[Any, ...]
    ) -> list[OrderBy]:
        """Order by a field; a relation orders by the default order of the model it leads to."""
        query = self.query
        path = query.resolve_path(split(prefix + name))
        final = path.final_field
        last = split(name)[-1]
        related = path.hops[-1].target._meta if path.hops and final.is_relation else None
        if (
            related is not None
            and related.ordering
            and last not in ("pk", getattr(final, "attname", None))
            and not path.rest
        ):
            if (marker := (final, prefix + name)) in seen or any(item[0] is final for item in seen):
                raise FieldError("Infinite loop caused by ordering.")
            return [
                term
                for item in related.ordering
                for term in self._order_related(
                    item, descending, related, f"{prefix}{name}__", (*seen, marker)
                )
            ]
        return [OrderBy(query.column_of(prefix + name), descending)]

    def _order_related(
        self, item: Valued, descending: bool, opts: Options, prefix: str, seen: tuple[Any, ...]
    ) -> list[OrderBy]:
        if isinstance(item, str):
            flipped = item.startswith("-") != descending
            return self._order_path(item.removeprefix("-"), flipped, opts, prefix, seen)
        ordering = item if isinstance(item, OrderBy) else OrderBy(item)
        resolved = ordering.copy()
        resolved.expression = self.query.resolve_prefixed(ordering.expression, prefix)
        return [resolved.reverse_ordering() if descending else resolved]

    def ordering(self, item: Ordered, core: Core | None = None) -> Any:
        core = self.process(item.expression) if core is None else core
        term = core.desc() if item.descending else core.asc()
        if item.nulls_first:
            return self.words.nulls(term, core, first=True)
        return self.words.nulls(term, core, first=False) if item.nulls_last else term

    # -- the rest of the statement ----------------------------------------------------------------

    def _distinct(self, statement: sa.Select[Any], columns: list[Any], order: list[Any]) -> Any:
        query = self.query
        if not query.grouping.distinct:
            return statement
        if query.grouping.distinct_fields:
            self.binds.compares = True
            fields = [self._distinct_field(name) for name in query.grouping.distinct_fields]
            return self.words.distinct_on(statement, fields)
        present = {str(column) for column in columns}
        extra = [
            self.process(item.expression)
            for item in self.ordered_terms
            if not isinstance(item.expression, Ref)
        ]
        return statement.add_columns(*[column for column in extra if str(column) not in present]).distinct()

    def _distinct_field(self, name: str) -> Any:
        expression = self.query.resolve_ref(name)
        if name in self.query.annotation_select:  # the order, too, speaks of it by its name
            return sa.column(quoted_name(name, quote=True))
        core = self._selected_term(expression)
        return self.process(expression) if core is None else core

    def limited(self, statement: sa.Select[Any]) -> Any:
        low, high = self.query.slice.low, self.query.slice.high
        if self.query.selection.exists_only and high is None:
            high = 1
        return self.words.limited(statement, self._limit(low), self._limit(high))

    def _limit(self, value: int | Arg | None) -> Any:
        if value is None:
            return None
        return self.bind(value, BIG_INTEGER) if isinstance(value, Arg) else sa.literal_column(str(int(value)))

    def _locked(self, statement: sa.Select[Any]) -> Any:
        lock = self.query.lock
        if lock is None:
            return statement
        return self.words.for_update(statement, lock, self._lock_tables(lock.of))

    def _lock_tables(self, names: tuple[str, ...]) -> list[Any]:
        """Return the tables that select_for_update(of=…) names."""
        if not names:
            return []
        part = self.layout.part
        known = {} if part is None else dict(part.by_path())
        if unknown := [name for name in names if name not in known]:
            raise FieldError(
                f"Invalid field name(s) given in select_for_update(of=(...)): {', '.join(unknown)}. Only relational fields followed in the "
                f"query are allowed. Choices are: {', '.join(known)}."
            )
        return [self.table(known[name].alias) for name in names]


def _unique(items: Iterable[Any]) -> list[Any]:
    unique: list[Any] = []
    for item in items:
        if item not in unique:  # compared, not hashed: not every expression has a hash
            unique.append(item)
    return unique
