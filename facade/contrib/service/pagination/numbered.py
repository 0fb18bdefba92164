"""Lists in parts: by the number of a page, or by limit and offset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from facade.bridge import twin
from facade.contrib.service.errors import ParameterError
from facade.contrib.service.evaluation import as_queryset
from facade.contrib.service.parameters import Parameter
from facade.exceptions import ImproperlyConfigured
from facade.models import QuerySet, prefetch_related_objects
from facade.sql.query.query import Query

T = TypeVar("T")
N = TypeVar("N")
CUT = "A page is cut"
FARTHEST = 2**31 - 1
"""The largest offset: what is behind it is a mistake, or an attack."""


@dataclass(frozen=True)
class NumberedPage(Generic[T]):
    """One page: its number, from 1, and how many items a page has; ``total`` and ``pages`` are None where nobody counts.

    >>> NumberedPage([1, 2], page=1, size=2, total=3, pages=2, has_next=True).map(str).items
    ['1', '2']
    """

    items: list[T]
    page: int
    size: int
    total: int | None
    pages: int | None
    has_next: bool

    def map(self, change: Callable[[T], N]) -> NumberedPage[N]:
        """Return the same page with each item changed, say into what is told of it."""
        same: NumberedPage[Any] = self
        return replace(same, items=[change(item) for item in self.items])


@dataclass(frozen=True)
class OffsetPage(Generic[T]):
    """A part of a list: at most ``limit`` items from ``offset`` on; ``total`` is None where nobody counts."""

    items: list[T]
    limit: int
    offset: int
    total: int | None
    has_next: bool

    def map(self, change: Callable[[T], N]) -> OffsetPage[N]:
        """Return the same part with each item changed."""
        same: OffsetPage[Any] = self
        return replace(same, items=[change(item) for item in self.items])


class Sized:
    """What all paginations are told: how many items a page has, how many it may have, whether all are counted."""

    def __init__(self, size: int = 20, max_size: int = 100, *, total: bool = True) -> None:
        if not 1 <= size <= max_size:
            raise ImproperlyConfigured(
                f"size is a number from 1 to max_size, not {size!r} (max_size is {max_size!r})."
            )
        self.size, self.max_size, self.total = size, max_size, total

    def check_names(self, given: Iterable[str]) -> None:
        """Take any: other parameters are not a pagination's business."""

    def _size(self, values: Mapping[str, Any], name: str) -> int:
        return within(name, values, self.size, 1, self.max_size)


class PageNumberPagination(Sized):
    """Pages by their numbers: ``?page=2&size=20``.

    ``total``: count all rows, unless the page shows how many there are. Without it one more row is read, to tell
    whether there is a next page. A page behind the last one is empty.

    Raises ImproperlyConfigured for a size that is not from 1 to ``max_size``.

    >>> PageNumberPagination(size=20).bind({"page": 0})
    Traceback (most recent call last):
    facade.contrib.service.errors.ParameterError: 'page' is a number from 1 to 107374182.
    """

    @property
    def parameters(self) -> Sequence[Parameter]:
        """``page`` and ``size``."""
        last = FARTHEST // self.size
        return (
            Parameter("page", int, 1, "The number of the page.", minimum=1, maximum=last),
            Parameter("size", int, self.size, "How many items a page has.", minimum=1, maximum=self.max_size),
        )

    def bind(self, values: Mapping[str, Any]) -> PageByNumber:
        """Return what cuts a queryset for one request. Raises ParameterError."""
        page = within("page", values, 1, 1, FARTHEST // self.size)
        return PageByNumber(page, self._size(values, "size"), self.total)


class LimitOffsetPagination(Sized):
    """Parts of a list: ``?limit=20&offset=40``; ``total`` is that of `PageNumberPagination`.

    Raises ImproperlyConfigured for a size that is not from 1 to ``max_size``.

    >>> LimitOffsetPagination(size=20).bind({"offset": -1})
    Traceback (most recent call last):
    facade.contrib.service.errors.ParameterError: 'offset' is a number from 0 to 2147483647.
    """

    @property
    def parameters(self) -> Sequence[Parameter]:
        """``limit`` and ``offset``."""
        return (
            Parameter("limit", int, self.size, "How many items.", minimum=1, maximum=self.max_size),
            Parameter("offset", int, 0, "How many to leave out.", minimum=0, maximum=FARTHEST),
        )

    def bind(self, values: Mapping[str, Any]) -> PageByOffset:
        """Return what cuts a queryset for one request. Raises ParameterError."""
        return PageByOffset(self._size(values, "limit"), within("offset", values, 0, 0, FARTHEST), self.total)


class PageByNumber:
    """Cuts a queryset at the page that a request asks for."""

    def __init__(self, number: int, size: int, total: bool) -> None:
        self.number, self.size, self.total = number, size, total

    def page(self, queryset: QuerySet[Any, T]) -> NumberedPage[T]:
        """Load the page. An order that leaves rows in doubt is completed by the primary key."""
        cut = (self.number - 1) * self.size
        items, total, more = _load_part(queryset, cut, self.size, self.total)
        pages = None if total is None else -(-total // self.size)
        return NumberedPage(items, self.number, self.size, total, pages, more)

    apage = twin(page)


class PageByOffset:
    """Cuts a queryset at the limit and the offset that a request asks for."""

    def __init__(self, limit: int, offset: int, total: bool) -> None:
        self.limit, self.offset, self.total = limit, offset, total

    def page(self, queryset: QuerySet[Any, T]) -> OffsetPage[T]:
        """Load the part. An order that leaves rows in doubt is completed by the primary key."""
        items, total, more = _load_part(queryset, self.offset, self.limit, self.total)
        return OffsetPage(items, self.limit, self.offset, total, more)

    apage = twin(page)


class Paginating(Protocol):
    """What a pagination is bound to: `page()`, and `apage()` under asyncio, load a part of a queryset."""

    page: Callable[..., Any]
    apage: Callable[..., Any]


def within(name: str, values: Mapping[str, Any], default: int, least: int, greatest: int) -> int:
    """Return the number that a parameter gives; raises ParameterError for one that is out of bounds."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or not least <= value <= greatest:
        raise ParameterError(name, f"{name!r} is a number from {least} to {greatest}.")
    return value


def _load_part(
    queryset: QuerySet[Any, Any], start: int, size: int, total: bool
) -> tuple[list[Any], int | None, bool]:
    """Return the rows of a part, the number of all rows if it is asked for, and whether there are more."""
    rows = stable(as_queryset(queryset, CUT))
    if not total:
        items, more = with_one_more(rows[start:], size)
        return items, None, more
    items = list(rows[start : start + size])
    known = start + len(items)
    count = known if len(items) < size and (items or not start) else rows.count()
    return items, count, known < count


def with_one_more(rows: QuerySet[Any, Any], size: int) -> tuple[list[Any], bool]:
    """Return the first rows, with their prefetches, and whether there is another one, which is read and not prefetched for."""
    lookups = rows._prefetch_related_lookups
    found = list((rows.prefetch_related(None) if lookups else rows)[: size + 1])
    items = found[:size]
    if lookups:
        prefetch_related_objects(items, *lookups)
    return items, len(found) > size


def stable(queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    """Return the queryset in an order that leaves no two rows in doubt, where what tells them apart can be added to it."""
    query = queryset._shape.query
    fixed = query.source.combinator or query.grouping.distinct_fields or query.order.extra_order
    if fixed or queryset._low or queryset._high is not None or queryset.totally_ordered:
        return queryset
    names = one_by_one(queryset)
    if query.grouping.distinct and queryset._fields and not query.order.order_by:
        return queryset.order_by(*names)  # the model's own order would tell equal rows apart
    return queryset._step(("order_completed", names)) if names else queryset


def one_by_one(queryset: QuerySet[Any, Any]) -> tuple[str, ...]:
    """Return the names that tell the rows apart: the primary key, or where equal rows become one all that they have."""
    query = queryset._shape.query
    if not (queryset._fields and merges_rows(query)):
        return ("pk",)
    computed, columns = query.annotation_select, {one.name: one.attname for one in query.opts.concrete_fields}
    grouped = (
        name for name in queryset._fields if not getattr(computed.get(name), "contains_aggregate", False)
    )
    return tuple(columns.get(name, name) for name in grouped)


def merges_rows(query: Query) -> bool:
    """Tell whether rows that are equal in all that is selected are one: by distinct(), or as groups of values()."""
    return query.grouping.distinct or query.grouping.group_by not in (None, True)
