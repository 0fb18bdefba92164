"""Pages that begin behind a row, whatever is inserted or deleted before it: keyset pagination with signed cursors.

See https://use-the-index-luke.com/no-offset
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from facade.bridge import twin
from facade.contrib.service.errors import ParameterError
from facade.contrib.service.evaluation import as_queryset
from facade.contrib.service.filtering import asked_order
from facade.contrib.service.pagination.keysets import Keyset
from facade.contrib.service.pagination.numbered import CUT, Sized, with_one_more
from facade.contrib.service.pagination.tokens import BadToken, Key, keys_of, read, sign
from facade.contrib.service.parameters import Parameter
from facade.expressions.base import OrderBy
from facade.models import QuerySet

T = TypeVar("T")
N = TypeVar("N")

FORWARD: Final = 1
BACKWARD: Final = 0
_LONGEST = 4096

_REFUSED = "This cursor was not made by this service for this list."
_COMBINED = "A cursor goes through the rows of one query: not through those of {what}."
_TUPLES = "A cursor reads where it is from objects or dicts, not from tuples: use values()."


@dataclass(frozen=True)
class CursorPage(Generic[T]):
    """Some items of a list, and the cursors that continue it; None where it ends. ``total`` is None where nobody counts."""

    items: list[T]
    next: str | None
    previous: str | None
    total: int | None = None

    def map(self, change: Callable[[T], N]) -> CursorPage[N]:
        """Return the same page with each item changed."""
        same: CursorPage[Any] = self
        return replace(same, items=[change(item) for item in self.items])


class CursorPagination(Sized):
    """Pages that begin behind the last row of the page before: ``?cursor=…&size=20``.

        pages = CursorPagination(["-published", "title"], size=50)

    ``ordering``: names, with "-" for descending, and expressions; that of the queryset otherwise. One that the client
    asks for by `Filtering` comes before both. It may hold nulls, ties, columns of other tables and annotations; the primary key is added where it leaves rows in doubt. A
    cursor holds the values of a row, readable, and is signed with ``key``, or the setting SECRET_KEY, for this model
    and order: another one is refused. Of several keys the first one signs.

    A page costs what its rows cost, however far behind, where an index has the ordering, and its columns are the model's
    own, not null and in one direction (``["-sold", "-pk"]``), on PostgreSQL and SQLite; else rows that tie in the first
    column are skipped one by one. Rows that come or go in between are neither repeated nor left out.
    """

    def __init__(
        self,
        ordering: str | OrderBy | Sequence[Any] | None = None,
        size: int = 20,
        max_size: int = 100,
        *,
        total: bool = False,
        key: Key | Sequence[Key] | None = None,
    ) -> None:
        super().__init__(size, max_size, total=total)
        one = isinstance(ordering, str) or hasattr(ordering, "resolve_expression")
        self.ordering: Sequence[Any] = [ordering] if one else ordering or []  # type: ignore[assignment]
        self.key = key

    @property
    def parameters(self) -> Sequence[Parameter]:
        """``cursor`` and ``size``."""
        return (
            Parameter("cursor", str, None, "Where to go on: `next` or `previous` of another page."),
            Parameter("size", int, self.size, "How many items a page has.", minimum=1, maximum=self.max_size),
        )

    def bind(self, values: Mapping[str, Any]) -> PageByCursor:
        """Return what cuts a queryset for one request. Raises ParameterError."""
        return PageByCursor(
            values.get("cursor") or None, self._size(values, "size"), self.total, self.ordering, self.key
        )


class PageByCursor:
    """Cuts a queryset at the cursor that a request has."""

    def __init__(
        self,
        cursor: str | None,
        size: int,
        total: bool = False,
        ordering: Sequence[Any] = (),
        key: Key | Sequence[Key] | None = None,
    ) -> None:
        self.cursor, self.size, self.total = cursor, size, total
        self.ordering, self.key = ordering, key

    def page(self, queryset: QuerySet[Any, T]) -> CursorPage[T]:
        """Load the page behind the cursor. Raises ParameterError for one that is not of this list."""
        rows = as_queryset(queryset, CUT)
        _check(rows)
        keyset = Keyset.of(rows, asked_order(rows) or self.ordering)
        keys = keys_of(self.key)
        direction, place = self._place(keyset, keys)
        found = keyset.ordered(rows, backward=direction == BACKWARD)
        if any(one.contains_over_clause for one in found._shape.query.annotation_select.values()):
            raise TypeError(_COMBINED.format(what="a Window(), which looks at rows before the cursor, too"))
        if place is not None:
            found = keyset.behind(found, place, backward=direction == BACKWARD)
        items, more = with_one_more(found, self.size)
        if direction == BACKWARD:
            items.reverse()
        places = [keyset.place_of(items[index]) for index in (0, -1)] if items else []
        keyset.clean(items)

        def cursor(wanted: bool, way: int, at: int) -> str | None:
            return sign([way, places[at]], keyset.name, keys) if wanted and places else None

        forward = direction == FORWARD
        return CursorPage(
            items,
            next=cursor(more if forward else True, FORWARD, 1),
            previous=cursor(self.cursor is not None if forward else more, BACKWARD, 0),
            total=rows.count() if self.total else None,
        )

    apage = twin(page)

    def _place(self, keyset: Keyset, keys: Sequence[bytes]) -> tuple[int, list[Any] | None]:
        if self.cursor is None:
            return FORWARD, None
        try:
            if len(self.cursor) > _LONGEST:
                raise BadToken  # noqa: TRY301 - no more of it is looked at
            direction, place = read(self.cursor, keyset.name, keys)
        except BadToken:
            raise ParameterError("cursor", _REFUSED, "cursor") from None
        return direction, place


def _check(rows: QuerySet[Any, Any]) -> None:
    query = rows._shape.query
    if query.source.combinator:
        raise TypeError(_COMBINED.format(what=f"{query.source.combinator}()"))
    if rows._low or rows._high is not None:
        raise TypeError(_COMBINED.format(what="a slice"))
    if query.grouping.distinct_fields:
        raise TypeError(_COMBINED.format(what="distinct() on fields"))
    if rows._kind not in ("instances", "dicts"):
        raise TypeError(_TUPLES)
