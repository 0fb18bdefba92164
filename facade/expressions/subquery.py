"""Querysets inside expressions: Subquery and Exists."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade import fields
from facade.exceptions import EmptyResultSet
from facade.expressions.base import Expression, Placed
from facade.expressions.freezing import Frozen, Values, freeze
from facade.expressions.references import Col, Outer
from facade.expressions.sqltext.fragments import Fragment, Inline, template

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query, Rows
    from facade.fields import Field


class Embedded(Placed):
    """A query that has found its place in an outer query.

    `query` is the resolved inner query, `offset` the number of the first of its arguments among the outer query's,
    `low` and `high` the places of its slice.
    """

    contains_aggregate = False
    contains_over_clause = False
    contains_subquery = True

    def __init__(self, query: Query, offset: int) -> None:
        self.query: Any = query
        self.offset = offset

    def __repr__(self) -> str:
        return f"<Embedded: {self.query!r}>"

    @property
    def identity(self) -> Any:
        return Embedded, id(self.query), self.offset

    @functools.cached_property
    def output_field(self) -> Any:
        return self.query.output_field

    def get_group_by_cols(self) -> list[Any]:
        return []

    def as_core(self, compiler: Compiler) -> Any:
        select = compiler.subquery(self)
        if (count := len(select.selected_columns)) > 1:
            raise ValueError(
                f"A subquery that is a value selects one column, not {count}: name it in values()."
            )
        return select.scalar_subquery()


class Subquery(Expression):
    """A queryset as a value: its first column, of its first row.

    `OuterRef` names a field of the query around it. NULL where it has no row.
    See https://docs.djangoproject.com/en/6.1/ref/models/expressions/#subquery-expressions

    >>> from facade.models import OuterRef
    >>> longest = Book.objects.filter(author=OuterRef("pk")).order_by("-pages").values("title")[:1]
    >>> Author.objects.annotate(longest=Subquery(longest)).get(name="Ada").longest
    'Notes'
    """

    contains_aggregate = False
    contains_over_clause = False
    contains_subquery = True
    empty_result_set_value: Any = None
    template = "(%(subquery)s)"

    def __init__(self, queryset: Frozen | Rows, output_field: Field[Any] | None = None, **extra: Any) -> None:
        super().__init__(output_field)
        self.queryset: Any = queryset if isinstance(queryset, Frozen) else queryset.all()
        self.extra = extra

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.queryset!r})"
            if isinstance(self.queryset, Expression)
            else type(self).__name__
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "queryset": self.queryset._question()}

    def get_source_expressions(self) -> list[Any]:
        return [self.queryset] if isinstance(self.queryset, Embedded) else []

    def set_source_expressions(self, exprs: list[Any]) -> None:
        if exprs:
            (self.queryset,) = exprs

    def freeze(self, values: Values) -> Any:
        frozen = self.copy()
        frozen.queryset = freeze(self.queryset, values)
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
        assert query is not None
        resolved.queryset = self._embed(query, allow_joins, reuse)
        return resolved

    def _embed(self, query: Query, allow_joins: bool, reuse: set[str] | None) -> Any:
        return self.queryset.resolve_expression(query, allow_joins, reuse)

    def _resolve_output_field(self) -> Field[Any] | None:
        field: Field[Any] | None = self.query.output_field
        return field

    @property
    def query(self) -> Any:
        """The query inside."""
        return self.queryset.query

    def get_group_by_cols(self) -> list[Any]:
        """Return the columns of the outer query that the value depends on, or the value itself where they hold several for a row."""
        outer = list(references_outside(self.queryset.query))
        return [self] if any(item.crosses_relation for item in outer) else outer_columns(outer)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is written around the select."""
        return bool(self.extra.get("template", self.template) == Subquery.template)

    def as_core(self, compiler: Compiler) -> Any:
        if self.is_plain:
            return compiler.process(self.queryset)
        written = self.extra.get("template", self.template)
        return self._written(written, compiler.subquery(self.queryset))

    def _written(self, text: str, select: sa.Select[Any]) -> Fragment:
        """Return the select inside a template of the program's own."""
        options = {**vars(type(self)), **self.extra, "subquery": "%s"}
        return template(text % options, Inline(select), type_=self.column_type)


def references_outside(query: Query, depth: int = 1) -> Iterator[Outer]:
    """Yield what a query, or one inside it, refers to in the query `depth` levels around it."""
    for part in query.expressions:
        for item in part.flatten():
            if isinstance(item, Embedded):
                yield from references_outside(item.query, depth + 1)
            elif isinstance(item, Outer) and (found := item.at_depth(depth)) is not None:
                yield found
    for embedded in query.combined:
        yield from references_outside(embedded.query, depth)


def columns_read(expression: Expression) -> Iterator[Col]:
    """Yield the columns of its own query that an expression reads, those that its subqueries refer to included."""
    for item in expression.flatten():
        if isinstance(item, Embedded):
            yield from outer_columns(list(references_outside(item.query)))
        elif isinstance(item, Col):
            yield item


def outer_columns(references: list[Outer]) -> list[Any]:
    """Return the columns that the references read, each once."""
    columns = [
        column
        for reference in references
        for column in reference.expression.flatten()
        if isinstance(column, Col) and not reference.expression.contains_aggregate
    ]
    return list(dict.fromkeys(columns))


class Exists(Subquery):
    """True where the queryset has a row; a condition in `filter()`, negated by ``~``.

    >>> from facade.models import OuterRef
    >>> Author.objects.filter(~Exists(Book.objects.filter(author=OuterRef("pk"))))
    <QuerySet [<Author: Eve>]>
    """

    empty_result_set_value = False
    is_condition = True
    template = "EXISTS(%(subquery)s)"

    def __init__(self, queryset: Frozen | Rows, **extra: Any) -> None:
        super().__init__(queryset, output_field=fields.BooleanField(), **extra)

    def _embed(self, query: Query, allow_joins: bool, reuse: set[str] | None) -> Any:
        embedded = super()._embed(query, allow_joins, reuse).copy()
        embedded.query = embedded.query.for_exists()
        return embedded

    def as_core(self, compiler: Compiler) -> Any:
        if self.queryset.query.is_empty:
            return sa.false()
        written = self.extra.get("template", self.template)
        try:
            select = compiler.subquery(self.queryset)
        except EmptyResultSet:
            return sa.false()
        return sa.exists(select) if written == Exists.template else self._written(written, select)
