"""The floor's instances, the generated loaders that make them of rows, and the binders that make parameters of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from benchmarks.operations import LISTED
from benchmarks.roads import Road, Vendor
from benchmarks.schema import BOOK_COLUMNS, BOOK_VALUES

READS: dict[Vendor, dict[str, str]] = {
    "sqlite": {
        "decimal": "CENT * round({0} * 100)",
        "date": "day({0})",
        "datetime": 'moment({0} + "Z")',
        "bool": "{0} == 1",
    },
    "mariadb": {"datetime": "{0}.replace(tzinfo=UTC)", "bool": "{0} == 1"},
    "postgres": {},
}
"""Vendor → kind → the quickest expression found that reads it; what is left out is the driver's own work."""

WRITES: dict[Vendor, dict[str, str]] = {
    "sqlite": {
        "decimal": "str({0})",
        "date": "{0}.isoformat()",
        "datetime": '{0}.astimezone(UTC).isoformat(" ", "microseconds")[:-6]',
    },
    "mariadb": {"datetime": "{0}.astimezone(UTC).replace(tzinfo=None)"},
    "postgres": {},
}
"""Vendor → kind → the quickest expression found that writes it."""


class State:
    """What an instance knows of its row."""

    __slots__ = ("adding", "db", "fields_cache")
    adding: bool
    db: str | None
    fields_cache: dict[str, Any]


class LazyState:
    """``_state``, made when it is first looked at, as facade's is: a row only leaves its database's alias.

    What was prefetched leaves the instances that it belongs to as well: those with its keys.
    """

    def __init__(self, owner: str = "", key: str = "") -> None:
        self.owner, self.key = owner, key

    def __get__(self, instance: Any, owner: Any = None) -> State:
        found = instance.__dict__
        state = found["_state"] = State()
        state.adding, state.db, state.fields_cache = False, found.pop("_loaded_from"), {}
        if owners := found.pop("_owners", None):
            state.fields_cache[self.owner] = owners[found[self.key]]
        return state


class Author:
    _state = LazyState()
    id: int
    book_set: list[Book]


class Book:
    _state = LazyState("author", "author_id")
    id: int
    author_id: int
    tags: list[Tag]
    review_set: list[Review]

    @property
    def author(self) -> Author:
        author: Author = self._state.fields_cache["author"]
        return author


class Tag:
    _state = LazyState()


class Review:
    _state = LazyState("book", "book_id")

    @property
    def book(self) -> Book:
        book: Book = self._state.fields_cache["book"]
        return book


class Wide:
    _state = LazyState()


class Event:
    _state = LazyState()
    number: int


class Draft:
    _state: Any = LazyState()
    id: int | None
    price: Decimal
    pages: int

    def __init__(self, **values: Any) -> None:
        state = self._state = State()
        state.adding, state.db = True, None
        self.id = None
        self.__dict__.update(values)


NAMESPACE = {
    **{model.__name__: model for model in (Author, Book, Tag, Review, Wide, Event, Draft, State)},
    "CENT": Decimal("0.01"),
    "UTC": UTC,
    "day": date.fromisoformat,
    "moment": datetime.fromisoformat,
    "new": object.__new__,
}


def _compiled(*lines: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = dict(NAMESPACE)
    exec("\n".join(lines), namespace)
    made: Callable[..., Any] = namespace["made"]
    return made


def _read(kind: str, name: str, vendor: Vendor) -> str:
    return READS[vendor].get(kind, "{0}").format(name)


def _items(columns: dict[str, str], vendor: Vendor, prefix: str = "") -> str:
    return ", ".join(f'"{name}": {_read(kind, prefix + name, vendor)}' for name, kind in columns.items())


def loader(model: str, columns: dict[str, str], vendor: Vendor) -> Callable[[Any], list[Any]]:
    """The function that turns rows into instances."""
    return _compiled(
        "def made(rows):",
        "    found = []",
        f"    for {', '.join(columns)} in rows:",
        f"        one = new({model}); one.__dict__ = {{'_loaded_from': 'default', {_items(columns, vendor)}}}",
        "        found.append(one)",
        "    return found",
    )


def one_loader(model: str, columns: dict[str, str], vendor: Vendor) -> Callable[[Any], Any]:
    """The function that turns a row into an instance."""
    return _compiled(
        "def made(row):",
        f"    {', '.join(columns)} = row",
        f"    one = new({model}); one.__dict__ = {{'_loaded_from': 'default', {_items(columns, vendor)}}}",
        "    return one",
    )


def related_loader(
    vendor: Vendor, columns: dict[str, str], far: dict[str, str]
) -> Callable[[Any], list[Any]]:
    """The function that turns rows of ``book`` and ``author`` into books that know their authors."""
    return _compiled(
        "def made(rows):",
        "    found = []",
        f"    for {', '.join(columns)}, {', '.join(f'a_{name}' for name in far)} in rows:",
        f"        author = new(Author); author.__dict__ = {{'_loaded_from': 'default', {_items(far, vendor, 'a_')}}}",
        "        state = new(State); state.db = 'default'; state.adding = False",
        "        state.fields_cache = {'author': author}",
        f"        book = new(Book); book.__dict__ = {{'_state': state, {_items(columns, vendor)}}}",
        "        found.append(book)",
        "    return found",
    )


def owner_loader(
    model: str, columns: dict[str, str], vendor: Vendor, attribute: str
) -> Callable[[Any, Any, Any], list[Any]]:
    """The function of rows, ``owners`` and ``lists`` that makes instances with an empty list each.

    It enters them into ``owners`` and their lists into ``lists``, both by key.
    """
    return _compiled(
        "def made(rows, owners, lists):",
        "    found = []",
        f"    for {', '.join(columns)} in rows:",
        "        items = lists[id] = []",
        f"        one = owners[id] = new({model})",
        f"        one.__dict__ = {{'_loaded_from': 'default', '{attribute}': items, {_items(columns, vendor)}}}",
        "        found.append(one)",
        "    return found",
    )


def owned_loader(
    model: str, columns: dict[str, str], vendor: Vendor, key: str, attribute: str = ""
) -> Callable[..., None]:
    """The function that makes instances and puts them into the lists of their owners, whose key is in ``key``.

    With an ``attribute`` they have an empty list each, as those of ``owner_loader``, entered into ``inner``.
    Those that are not related by a column of their own, tags, do not learn who their owners are.
    """
    items = _items({name: kind for name, kind in columns.items() if name != "of_book"}, vendor)
    owners = "" if key == "of_book" else "'_owners': owners, "
    inner = f"'{attribute}': items, " if attribute else ""
    return _compiled(
        "def made(rows, owners, lists, inner=None):",
        f"    for {', '.join(columns)} in rows:",
        "        items = inner[id] = []" if attribute else "",
        f"        one = new({model})",
        f"        one.__dict__ = {{'_loaded_from': 'default', {owners}{inner}{items}}}",
        f"        lists[{key}].append(one)",
    )


def _row_of_listed(road: Road) -> str:
    return ", ".join(_read(BOOK_COLUMNS[name], name, road.vendor) for name in LISTED)


def tuple_loader(road: Road) -> Callable[[Any], list[Any]]:
    """The function that turns rows of ``values_list`` into tuples of Python values."""
    if road.driver == "asyncpg":
        return lambda records: list(map(tuple, records))
    if road.vendor != "sqlite":
        return list
    return _compiled(
        "def made(rows):", f"    return [({_row_of_listed(road)}) for {', '.join(LISTED)} in rows]"
    )


def dict_loader(road: Road) -> Callable[[Any], list[Any]]:
    """The function that turns the same rows into dicts."""
    items = _items({name: BOOK_COLUMNS[name] for name in LISTED}, road.vendor)
    return _compiled("def made(rows):", f"    return [{{{items}}} for {', '.join(LISTED)} in rows]")


def _written(names: tuple[str, ...], vendor: Vendor) -> str:
    expressions = (WRITES[vendor].get(BOOK_COLUMNS[name], "{0}").format(f"draft.{name}") for name in names)
    return f"({', '.join(expressions)},)"


def binder(vendor: Vendor, *names: str) -> Callable[[Draft], tuple[Any, ...]]:
    """The function that turns these columns of a draft into parameters."""
    return _compiled("def made(draft):", f"    return {_written(names, vendor)}")


def many_binder(vendor: Vendor) -> Callable[[list[Draft]], list[Any]]:
    """The function that turns drafts into the parameters of one statement: PostgreSQL's arrays, or all values in a row."""
    if vendor == "postgres":
        arrays = ", ".join(f"[draft.{name} for draft in drafts]" for name in BOOK_VALUES)
        return _compiled("def made(drafts):", f"    return [{arrays}]")
    values = _written(BOOK_VALUES, vendor)
    return _compiled("def made(drafts):", f"    return [value for draft in drafts for value in {values}]")
