"""The order of a list, and the place that a row has in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from facade.contrib.service.pagination.numbered import merges_rows, one_by_one
from facade.db.connection import connections
from facade.exceptions import FieldDoesNotExist, ImproperlyConfigured
from facade.expressions.base import OrderBy
from facade.expressions.names import referenced_paths
from facade.fields.declarations import LOOKUP_SEP
from facade.meta.options import Options
from facade.models import F, Model, Q, QuerySet
from facade.sql.query.query import Query

_KEY = "cursor_key_{number}"

_OTHER_ORDER = "A cursor needs the ordering as names and expressions: CursorPagination(ordering=…)."
_NO_ORDER = "{name!r} is no order that a cursor can go on from."
_RELATION = "A cursor cannot go on from {name!r}, which is ordered as its model is: name the columns ({attname!r}, or '{name}__…')."
_MERGED = (
    "A cursor cannot go on from {name!r}: it would be one more thing that equal rows of values() are told apart by. Name it "
    "there, or order by {known}."
)


@dataclass(frozen=True)
class Term:
    """One term of the order: what it is called in conditions, its direction, and where rows without a value come."""

    name: str
    expression: Any
    """What has to be selected for it, None for a column of the model."""
    descending: bool
    nulls_first: bool
    nullable: bool
    says_nulls: bool
    """Whether the statement has to say where nulls come."""

    def reversed(self) -> Term:
        """Return the same term read from the end."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    def order(self) -> OrderBy:
        """Return the term of the ORDER BY."""
        said = self.nullable and self.says_nulls
        nulls = {"nulls_first" if self.nulls_first else "nulls_last": True} if said else {}
        return OrderBy(F(self.name), descending=self.descending, **nulls)

    def equal(self, value: object) -> Q:
        """Return the condition on rows with the same value."""
        return Q((f"{self.name}__isnull", True) if value is None else (self.name, value))

    def behind(self, value: object) -> Q | None:
        """Return the condition on rows that come behind the value; None where there are none."""
        if value is None:
            return Q((f"{self.name}__isnull", False)) if self.nulls_first else None
        found = Q((f"{self.name}__{'lt' if self.descending else 'gt'}", value))
        if self.nullable and not self.nulls_first:
            found |= Q((f"{self.name}__isnull", True))
        return found

    def not_before(self, value: object) -> Q | None:
        """Return a condition that all rows behind the whole place meet, which an index on the first term can use."""
        if self.nullable or value is None:
            return None
        return Q((f"{self.name}__{'lte' if self.descending else 'gte'}", value))


@dataclass(frozen=True)
class Keyset:
    """The columns by which a row has its place in a list."""

    name: str
    terms: tuple[Term, ...]

    @classmethod
    def of(cls, rows: QuerySet[Any, Any], ordering: Sequence[Any]) -> Keyset:
        """Return that of a queryset. Raises ImproperlyConfigured for an order that does not place rows."""
        query = rows._shape.query
        given = list(ordering)
        if not given:
            own = query.opts.ordering if query.order.default_ordering and not query.grouping.group_by else ()
            given = list(query.order.order_by or own)
            if not query.order.standard_ordering or not all(isinstance(item, str) for item in given):
                raise ImproperlyConfigured(_OTHER_ORDER)
        merged = bool(rows._fields) and merges_rows(query)
        given = _of_merged(rows, given) if merged else _completed(query.opts, given)
        first = connections[rows.db].features.order_by_nulls_first
        terms = tuple(_term(query, item, number, first) for number, item in enumerate(given))
        if rows._fields:
            terms = tuple(_selected(term, number, rows._fields) for number, term in enumerate(terms))
        about = ",".join(f"{item!r}" for item in given)
        return cls(f"{query.opts.label}:{about}", terms)

    def ordered(self, rows: QuerySet[Any, Any], backward: bool) -> QuerySet[Any, Any]:
        """Return the queryset in this order, with what `place_of` reads."""
        terms = [term.reversed() for term in self.terms] if backward else self.terms
        more = {term.name: term.expression for term in self.terms if term.expression is not None}
        rows = rows.annotate(**more) if more else rows if rows._fields else _loading(rows, self.terms)
        return rows.order_by(*(term.order() for term in terms))

    def behind(self, rows: QuerySet[Any, Any], place: Sequence[Any], backward: bool) -> QuerySet[Any, Any]:
        """Return the rows behind a place."""
        terms = [term.reversed() for term in self.terms] if backward else self.terms
        found: Q | None = None
        for term, value in reversed([*zip(terms, place, strict=True)]):
            further, found = found, term.behind(value)
            if further is not None:
                tied = term.equal(value) & further
                found = tied if found is None else found | tied
        if found is None:
            return rows.none()
        if (whole := _row_behind(rows, terms, place)) is not None:
            return rows.filter(whole)
        bound = terms[0].not_before(place[0]) if len(terms) > 1 else None
        return rows.filter(found) if bound is None else rows.filter(bound, found)

    def place_of(self, row: object) -> list[Any]:
        """Return the values that place a row."""
        loaded = row if isinstance(row, Mapping) else vars(row)
        for term in self.terms:
            if isinstance(loaded[term.name], Mapping):
                raise ImproperlyConfigured(_NO_ORDER.format(name=term.name))
        return [loaded[term.name] for term in self.terms]

    def clean(self, rows: Sequence[Any]) -> None:
        """Take what was selected for the cursor alone out of dicts."""
        extra = [term.name for term in self.terms if term.expression is not None]
        for row in rows if extra else ():
            if isinstance(row, dict):
                for name in extra:
                    del row[name]


def _loading(rows: QuerySet[Any, Any], terms: Sequence[Term]) -> QuerySet[Any, Any]:
    """Return the queryset with the columns of the order, which only() and defer() may have left out."""
    names, left_out = rows._shape.query.loading.deferred
    ordered = {term.name for term in terms}
    columns = [
        one for one in rows.model._meta.concrete_fields if one.attname in ordered and not one.primary_key
    ]
    if not names:
        return rows
    if left_out:
        again = names.intersection(name for column in columns for name in (column.name, column.attname))
        return rows.defer(None).defer(*sorted(names - again)) if again else rows
    missing = [column.attname for column in columns if names.isdisjoint((column.name, column.attname))]
    return rows.only(*sorted(names), *missing) if missing else rows


def _row_behind(rows: QuerySet[Any, Any], terms: Sequence[Term], place: Sequence[Any]) -> Any:
    """Return the condition as one comparison of rows, (a, b) > (1, 2), whose place an index finds; None where it is none."""
    features, table = connections[rows.db].features, rows.model.__table__
    same = len(terms) > 1 and len({term.descending for term in terms}) == 1
    if not same or not features.finds_rows_by_index or any(term.nullable for term in terms):
        return None
    columns = {column.attname: column.column for column in rows.model._meta.local_concrete_fields}
    if not all(term.expression is None and term.name in columns for term in terms):
        return None
    own = [table.c[columns[term.name]] for term in terms]
    given = [sa.literal(value, column.type) for value, column in zip(place, own, strict=True)]
    one, other = sa.tuple_(*own), sa.tuple_(*given)
    return one < other if terms[0].descending else one > other


def _of_merged(rows: QuerySet[Any, Any], ordering: Sequence[Any]) -> list[Any]:
    """Return the order with all that tells the rows of values() apart; ImproperlyConfigured for what they have not."""
    columns = {name: one for one in rows.model._meta.concrete_fields for name in (one.name, one.attname)}
    columns["pk"] = rows.model._meta.pk
    there = {columns.get(name, name) for name in rows._fields or ()}
    ordering = [part for item in ordering for part in _expanded(rows.model._meta, item)]
    for item in ordering:
        name = _name_of(item)
        used = map(LOOKUP_SEP.join, referenced_paths(item)) if name is None else [name.removeprefix("-")]
        if any(columns.get(one, one) not in there for one in used):
            known = ", ".join(map(repr, rows._fields or ()))
            raise ImproperlyConfigured(_MERGED.format(name=name or item, known=known))
    ordered = {columns.get(name, name) for item in ordering if (name := (_name_of(item) or "").lstrip("-"))}
    return [*ordering, *(name for name in one_by_one(rows) if columns.get(name, name) not in ordered)]


def _completed(opts: Options, ordering: Sequence[Any]) -> list[Any]:
    """Return the order with the primary key behind it, as far as it is missing there."""
    there = {item.removeprefix("-") for item in map(_name_of, ordering) if item}
    found = [part for item in ordering for part in _expanded(opts, item)]
    unique = {name for name in there if _is_key(opts, name)}
    if unique or "pk" in there:
        return found
    return [*found, *(key.attname for key in opts.pk_fields if not {key.attname, key.name} & there)]


def _expanded(opts: Options, item: object) -> list[Any]:
    """Return the columns of a primary key in the place of ``pk``."""
    if isinstance(item, str) and item.removeprefix("-") == "pk":
        sign_ = "-" if item.startswith("-") else ""
        return [f"{sign_}{key.attname}" for key in opts.pk_fields]
    return [item]


def _name_of(item: object) -> str | None:
    if isinstance(item, OrderBy):
        item = item.expression
    if isinstance(item, F):
        return str(item.name)
    return item if isinstance(item, str) else None


def _is_key(opts: Options, name: str) -> bool:
    try:
        column = opts.get_field(name)
    except FieldDoesNotExist:
        return False
    return bool(column.concrete and column.unique and not column.null)


def _term(query: Query, item: object, number: int, nulls_come_first: bool | None) -> Term:
    descending, nulls_first = False, None
    if isinstance(item, OrderBy):
        descending = item.descending
        nulls_first = True if item.nulls_first else False if item.nulls_last else None
        item = item.expression.name if isinstance(item.expression, F) else item.expression
    elif isinstance(item, str):
        descending, item = item.startswith("-"), item.removeprefix("-")
    elif isinstance(item, F):
        item = item.name
    said = nulls_first is not None or nulls_come_first is None
    if nulls_first is None:
        nulls_first = (nulls_come_first is not False) != descending
    if isinstance(item, str):
        name, expression, nullable = _column(query, item, number)
    elif hasattr(item, "resolve_expression"):
        name, expression, nullable = _KEY.format(number=number), item, True
    else:
        raise ImproperlyConfigured(_NO_ORDER.format(name=item))
    return Term(name, expression, descending, nulls_first, nullable, said)


def _selected(term: Term, number: int, fields: Sequence[Any]) -> Term:
    """Have a column selected that the rows of `values()` are without."""
    if term.expression is not None or term.name in fields:
        return term
    return replace(term, name=_KEY.format(number=number), expression=F(term.name))


def _column(query: Query, name: str, number: int) -> tuple[str, Any, bool]:
    """Return what a named term is called in rows and conditions, what it takes to have it there, and whether it may be null."""
    if name == "?":
        raise ImproperlyConfigured(_NO_ORDER.format(name=name))
    if name in query.annotation_select:
        return name, None, True
    opts = query.opts
    column = next((one for one in opts.concrete_fields if name in (one.name, one.attname)), None)
    if column is None:
        return _KEY.format(number=number), F(name), True
    related = column.related_model if column.is_relation else None
    if (
        isinstance(related, type)
        and issubclass(related, Model)
        and related._meta.ordering
        and name != column.attname
    ):
        raise ImproperlyConfigured(_RELATION.format(name=name, attname=column.attname))
    return column.attname, None, bool(column.null)
