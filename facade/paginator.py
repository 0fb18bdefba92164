"""Pages of a list or a queryset, by their numbers: Django's paginators.

See https://docs.djangoproject.com/en/6.1/ref/paginator/
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeGuard, TypeVar, cast, overload

from facade.bridge.workers import TWIN_OF

__all__ = [
    "AsyncPage",
    "AsyncPaginator",
    "BasePaginator",
    "EmptyPage",
    "InvalidPage",
    "Page",
    "PageNotAnInteger",
    "Paginator",
    "UnorderedObjectListWarning",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_MANY_ORPHANS = (
    "Support for the orphans argument being larger than or equal to the per_page argument is deprecated. "
    "This will raise a ValueError in Django 2028."
)
_INDICES = "{name} indices must be integers or slices, not {kind}."
_NOT_AWAITED = "AsyncPage.aget_object_list() must be awaited before {doing}."


class UnorderedObjectListWarning(RuntimeWarning):
    """A queryset without an order is cut into pages: each page may come in another order."""


class InvalidPage(Exception):
    """There is no such page."""


class PageNotAnInteger(InvalidPage):
    """The page's number is no integer."""


class EmptyPage(InvalidPage):
    """The page's number is one that no page has."""


class ObjectList(Protocol[T_co]):
    """What can be cut into pages: a queryset, a list, a tuple or anything that slices and has `count()` or a length."""

    def __iter__(self) -> Iterator[T_co]: ...
    def __getitem__(self, key: slice, /) -> Any: ...


class BasePaginator(Generic[T]):
    """What the paginators of both faces have in common.

    ``object_list`` is cut into pages of ``per_page`` objects. A last page of no more than ``orphans`` objects joins the
    one before it. With ``allow_empty_first_page=False`` a list without objects has no page. ``error_messages`` replaces
    the messages of "invalid_page", "min_page" and "no_results".
    """

    ELLIPSIS = "…"
    default_error_messages: ClassVar[Mapping[str, str]] = {
        "invalid_page": "That page number is not an integer",
        "min_page": "That page number is less than 1",
        "no_results": "That page contains no results",
    }

    def __init__(
        self,
        object_list: ObjectList[T],
        per_page: int | str,
        orphans: int | str = 0,
        allow_empty_first_page: bool = True,
        error_messages: Mapping[str, str] | None = None,
    ) -> None:
        self.object_list = object_list
        self._check_object_list_is_ordered()
        self.per_page = int(per_page)
        self.orphans = int(orphans)
        self.allow_empty_first_page = allow_empty_first_page
        self.error_messages = {**self.default_error_messages, **(error_messages or {})}
        if self.per_page <= self.orphans:
            warnings.warn(_MANY_ORPHANS, DeprecationWarning, stacklevel=2)

    def _check_object_list_is_ordered(self) -> None:
        """Warn of a list that says itself that it has no order."""
        objects: Any = self.object_list
        if getattr(objects, "ordered", None) not in (None, True):
            named = (
                f"{objects.model} {type(objects).__name__}" if hasattr(objects, "model") else repr(objects)
            )
            warnings.warn(
                f"Pagination may yield inconsistent results with an unordered object_list: {named}.",
                UnorderedObjectListWarning,
                stacklevel=3,
            )

    def _get_elided_page_range(
        self, number: int, num_pages: int, page_range: range, on_each_side: int = 3, on_ends: int = 2
    ) -> Iterator[int | str]:
        if num_pages <= (on_each_side + on_ends) * 2:
            yield from page_range
            return
        first, last = number - on_each_side, number + on_each_side
        if first > on_ends + 2:  # an ellipsis in the place of one page would save nothing
            yield from range(1, on_ends + 1)
            yield self.ELLIPSIS
        else:
            first = 1
        if last < num_pages - on_ends - 1:
            yield from range(first, last + 1)
            yield self.ELLIPSIS
            yield from range(num_pages - on_ends + 1, num_pages + 1)
        else:
            yield from range(first, num_pages + 1)

    def _get_page(self, *args: Any, **kwargs: Any) -> Any:
        """Return a page: for subclasses with a page class of their own."""
        return Page(*args, **kwargs)

    def _validate_number(self, number: object, num_pages: int) -> int:
        try:
            found = int(cast("int", number))
        except (TypeError, ValueError, OverflowError):
            raise PageNotAnInteger(self.error_messages["invalid_page"])
        if isinstance(number, float) and found != number:
            raise PageNotAnInteger(self.error_messages["invalid_page"])
        if found < 1:
            raise EmptyPage(self.error_messages["min_page"])
        if found > num_pages:
            raise EmptyPage(self.error_messages["no_results"])
        return found

    def _count_pages(self, count: int) -> int:
        if count == 0 and not self.allow_empty_first_page:
            return 0
        return -(-max(1, count - self.orphans) // self.per_page)

    def _cut(self, number: int, count: int) -> Any:
        bottom = (number - 1) * self.per_page
        top = bottom + self.per_page
        return self.object_list[bottom : count if top + self.orphans >= count else top]


class Paginator(BasePaginator[T]):
    """The pages of a list or a queryset, for sync code.

    >>> pages = Paginator(["ada", "bob", "cyd"], per_page=2)
    >>> pages.count, pages.num_pages, pages.page_range
    (3, 2, range(1, 3))
    >>> pages.page(2)
    <Page 2 of 2>
    >>> pages.page(2).object_list, pages.page(2).has_next()
    (['cyd'], False)
    >>> pages.page(3)
    Traceback (most recent call last):
    facade.paginator.EmptyPage: That page contains no results
    """

    def __iter__(self) -> Iterator[Page[T]]:
        for number in self.page_range:
            yield self.page(number)

    def validate_number(self, number: object) -> int:
        """Return the number of a page as an integer; raises PageNotAnInteger or EmptyPage."""
        return self._validate_number(number, self.num_pages)

    def get_page(self, number: object) -> Page[T]:
        """Return a page in any case: the first one for what is no number, the last one for a number out of range."""
        try:
            number = self.validate_number(number)
        except PageNotAnInteger:
            number = 1
        except EmptyPage:
            number = self.num_pages
        return self.page(number)

    def page(self, number: object) -> Page[T]:
        """Return the page of this number, the first one is 1; raises PageNotAnInteger or EmptyPage."""
        found = self.validate_number(number)
        return cast("Page[T]", self._get_page(self._cut(found, self.count), found, self))

    @cached_property
    def count(self) -> int:
        """How many objects there are on all pages."""
        count = getattr(self.object_list, "count", None)
        if callable(count) and not inspect.isbuiltin(count) and _asks_nothing(count):
            return cast("int", count())
        return len(cast("Sequence[T]", self.object_list))

    @cached_property
    def num_pages(self) -> int:
        """How many pages there are."""
        return self._count_pages(self.count)

    @property
    def page_range(self) -> range:
        """The numbers of all pages."""
        return range(1, self.num_pages + 1)

    def get_elided_page_range(
        self, number: object = 1, *, on_each_side: int = 3, on_ends: int = 2
    ) -> Iterator[int | str]:
        """Yield the numbers around one page, and at both ends, with an ellipsis for those that are left out.

        >>> [*Paginator(range(500), per_page=10).get_elided_page_range(43)]
        [1, 2, '…', 40, 41, 42, 43, 44, 45, 46, '…', 49, 50]
        """
        found = self.validate_number(number)
        yield from self._get_elided_page_range(found, self.num_pages, self.page_range, on_each_side, on_ends)


class AsyncPaginator(BasePaginator[T]):
    """The same under asyncio: `apage()`, `acount()` and the others are awaited.

    >>> import asyncio
    >>> async def second():
    ...     page = await AsyncPaginator(["ada", "bob", "cyd"], per_page=2).apage(2)
    ...     return [name async for name in page]
    >>> asyncio.run(second())
    ['cyd']
    """

    def __init__(
        self,
        object_list: ObjectList[T],
        per_page: int | str,
        orphans: int | str = 0,
        allow_empty_first_page: bool = True,
        error_messages: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(object_list, per_page, orphans, allow_empty_first_page, error_messages)
        self._cache_acount: int | None = None
        self._cache_anum_pages: int | None = None

    async def __aiter__(self) -> AsyncIterator[AsyncPage[T]]:
        for number in await self.apage_range():
            yield await self.apage(number)

    async def avalidate_number(self, number: object) -> int:
        """Return the number of a page as an integer; raises PageNotAnInteger or EmptyPage."""
        return self._validate_number(number, await self.anum_pages())

    async def aget_page(self, number: object) -> AsyncPage[T]:
        """Return a page in any case; see `Paginator.get_page`."""
        try:
            number = await self.avalidate_number(number)
        except PageNotAnInteger:
            number = 1
        except EmptyPage:
            number = await self.anum_pages()
        return await self.apage(number)

    async def apage(self, number: object) -> AsyncPage[T]:
        """Return the page of this number; its objects are loaded when they are asked for."""
        found = await self.avalidate_number(number)
        return cast("AsyncPage[T]", self._get_page(self._cut(found, await self.acount()), found, self))

    def _get_page(self, *args: Any, **kwargs: Any) -> Any:
        return AsyncPage(*args, **kwargs)

    async def acount(self) -> int:
        """Return how many objects there are on all pages."""
        if self._cache_acount is None:
            count = getattr(self.object_list, "acount", None)
            if _is_awaitable(count) and _asks_nothing(count):
                self._cache_acount = await count()
            else:
                self._cache_acount = len(cast("Sequence[T]", self.object_list))
        return self._cache_acount

    async def anum_pages(self) -> int:
        """Return how many pages there are."""
        if self._cache_anum_pages is None:
            self._cache_anum_pages = self._count_pages(await self.acount())
        return self._cache_anum_pages

    async def apage_range(self) -> range:
        """Return the numbers of all pages."""
        return range(1, await self.anum_pages() + 1)

    async def aget_elided_page_range(
        self, number: object = 1, *, on_each_side: int = 3, on_ends: int = 2
    ) -> AsyncIterator[int | str]:
        """Yield page numbers; see `Paginator.get_elided_page_range`."""
        found = await self.avalidate_number(number)
        total, numbers = await self.anum_pages(), await self.apage_range()
        for one in self._get_elided_page_range(found, total, numbers, on_each_side, on_ends):
            yield one


class Page(Sequence[T]):
    """One page: a sequence of its objects, which are loaded when they are first asked for."""

    def __init__(self, object_list: ObjectList[T], number: int, paginator: Paginator[T]) -> None:
        self.object_list: Any = object_list
        self.number = number
        self.paginator = paginator

    def __repr__(self) -> str:
        return f"<Page {self.number} of {self.paginator.num_pages}>"

    def __len__(self) -> int:
        return len(self.object_list)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: object) -> Any:
        place = _checked("Page", index)
        if not isinstance(self.object_list, list):
            self.object_list = list(self.object_list)  # else each index would ask the database
        return self.object_list[place]

    def has_next(self) -> bool:
        """Tell whether there is a page after this one."""
        return self.number < self.paginator.num_pages

    def has_previous(self) -> bool:
        """Tell whether there is a page before this one."""
        return self.number > 1

    def has_other_pages(self) -> bool:
        """Tell whether this is not the only page."""
        return self.has_previous() or self.has_next()

    def next_page_number(self) -> int:
        """Return the number of the page after this one; raises EmptyPage."""
        return self.paginator.validate_number(self.number + 1)

    def previous_page_number(self) -> int:
        """Return the number of the page before this one; raises EmptyPage."""
        return self.paginator.validate_number(self.number - 1)

    def start_index(self) -> int:
        """Return the place of the page's first object among all, counted from 1; 0 if there is none."""
        return 0 if self.paginator.count == 0 else self.paginator.per_page * (self.number - 1) + 1

    def end_index(self) -> int:
        """Return the place of the page's last object among all, counted from 1."""
        if self.number == self.paginator.num_pages:
            return self.paginator.count
        return self.number * self.paginator.per_page


class AsyncPage(Generic[T]):
    """One page under asyncio: loop over it with ``async for``, or have its list from `aget_object_list()`."""

    def __init__(self, object_list: ObjectList[T], number: int, paginator: AsyncPaginator[T]) -> None:
        self.object_list: Any = object_list
        self.number = number
        self.paginator = paginator

    def __repr__(self) -> str:
        return f"<Async Page {self.number}>"

    async def __aiter__(self) -> AsyncIterator[T]:
        if hasattr(self.object_list, "__aiter__"):
            async for one in self.object_list:
                yield one
        else:
            for one in self.object_list:
                yield one

    def __len__(self) -> int:
        return len(self._loaded("calling len()"))

    def __reversed__(self) -> Iterator[T]:
        return reversed(self._loaded("calling reversed()"))

    def __getitem__(self, index: object) -> Any:
        place = _checked("AsyncPage", index)
        return self._loaded("using indexing")[place]

    def _loaded(self, doing: str) -> list[T]:
        if not isinstance(self.object_list, list):
            raise TypeError(_NOT_AWAITED.format(doing=doing))
        return self.object_list

    async def aget_object_list(self) -> list[T]:
        """Return the objects as a list; after that `len()`, indexing and `reversed()` work on the page."""
        if not isinstance(self.object_list, list):
            self.object_list = [one async for one in self]
        return cast("list[T]", self.object_list)

    async def ahas_next(self) -> bool:
        """Tell whether there is a page after this one."""
        return self.number < await self.paginator.anum_pages()

    async def ahas_previous(self) -> bool:
        """Tell whether there is a page before this one."""
        return self.number > 1

    async def ahas_other_pages(self) -> bool:
        """Tell whether this is not the only page."""
        return await self.ahas_previous() or await self.ahas_next()

    async def anext_page_number(self) -> int:
        """Return the number of the page after this one; raises EmptyPage."""
        return await self.paginator.avalidate_number(self.number + 1)

    async def aprevious_page_number(self) -> int:
        """Return the number of the page before this one; raises EmptyPage."""
        return await self.paginator.avalidate_number(self.number - 1)

    async def astart_index(self) -> int:
        """Return the place of the page's first object among all, counted from 1; 0 if there is none."""
        return 0 if await self.paginator.acount() == 0 else self.paginator.per_page * (self.number - 1) + 1

    async def aend_index(self) -> int:
        """Return the place of the page's last object among all, counted from 1."""
        if self.number == await self.paginator.anum_pages():
            return await self.paginator.acount()
        return self.number * self.paginator.per_page


def _checked(name: str, index: object) -> Any:
    if not isinstance(index, (int, slice)):
        raise TypeError(_INDICES.format(name=name, kind=type(index).__name__))
    return index


def _is_awaitable(method: object) -> TypeGuard[Callable[[], Awaitable[int]]]:
    return inspect.iscoroutinefunction(method) or hasattr(method, TWIN_OF)


def _asks_nothing(method: Callable[..., object]) -> bool:
    """Tell a `count()` of all from the `count(value)` of sequences."""
    kinds = [parameter.kind for parameter in inspect.signature(method).parameters.values()]
    return inspect.Parameter.POSITIONAL_OR_KEYWORD not in kinds
