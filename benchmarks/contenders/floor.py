"""The floor: the bare driver and a generated loader, making instances with the same types as facade's.

Nothing that makes such instances in Python can be faster: no pool, no queryset, no plan, one function
that unpacks a row, converts what the driver does not, and fills the instance's ``__dict__``. An instance
is laid out as facade's: its state is made when it is looked at, unless a related object must be kept in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.contenders.bare import ASYNC, BareAsync, BareSync
from benchmarks.operations import LISTED
from benchmarks.roads import Place, Road, Vendor
from benchmarks.schema import AUTHOR_COLUMNS, BOOK_COLUMNS, BOOK_VALUES, TAG_COLUMNS

SQLITE_CONVERSIONS = {
    "decimal": 'Decimal(f"{{{0}:.2f}}")',
    "date": "day({0})",
    "datetime": 'moment({0} + "+00:00")',
    "bool": "{0} == 1",
}
"""Kind → the quickest expression found that reads it; PostgreSQL's drivers convert by themselves."""

SQLITE_PARAMETERS = {
    "decimal": "str({0})",
    "date": "{0}.isoformat()",
    "datetime": '{0}.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")',
}
"""Kind → the quickest expression found that writes it."""


class State:
    """What an instance knows of its row."""

    __slots__ = ("adding", "db", "fields_cache")
    adding: bool
    db: str | None
    fields_cache: dict[str, Any]


class LazyState:
    """``_state``, made when it is first looked at, as facade's is: a row only leaves its database's alias."""

    def __get__(self, instance: Any, owner: Any = None) -> State:
        state = instance.__dict__["_state"] = State()
        state.adding, state.db, state.fields_cache = False, instance.__dict__.pop("_loaded_from"), {}
        return state


class Author:
    _state = LazyState()
    id: int
    book_set: list[Book]


class Tag:
    _state = LazyState()
    of_book: int


class Book:
    _state = LazyState()
    id: int
    author_id: int
    tags: list[Tag]

    @property
    def author(self) -> Author:
        author: Author = self._state.fields_cache["author"]
        return author


class Draft:
    id: int | None
    price: Decimal

    def __init__(self, **values: Any) -> None:
        state = self._state = State()
        state.adding, state.db = True, None
        self.id = None
        self.__dict__.update(values)


NAMESPACE = {
    "Author": Author,
    "Book": Book,
    "Tag": Tag,
    "State": State,
    "Decimal": Decimal,
    "UTC": UTC,
    "day": date.fromisoformat,
    "moment": datetime.fromisoformat,
    "new": object.__new__,
}
Loader = Callable[[Iterable[Any]], list[Any]]


def _items(columns: dict[str, str], prefix: str, vendor: Vendor) -> str:
    conversions = SQLITE_CONVERSIONS if vendor == "sqlite" else {}
    values = {name: conversions.get(kind, "{0}").format(prefix + name) for name, kind in columns.items()}
    return ", ".join(f'"{name}": {value}' for name, value in values.items())


def _instance(name: str, model: str, items: str) -> str:
    return f"        {name} = new({model}); {name}.__dict__ = {{{items}}}"


def _compiled(lines: list[str]) -> Callable[[Any], Any]:
    namespace: dict[str, Any] = dict(NAMESPACE)
    exec("\n".join(lines), namespace)
    load: Callable[[Any], Any] = namespace["load"]
    return load


def row_binder(vendor: Vendor) -> Callable[[list[Draft]], list[Any]]:
    """The function that turns drafts into parameters, one draft's after another's."""
    conversions = SQLITE_PARAMETERS if vendor == "sqlite" else {}
    values = ", ".join(
        conversions.get(BOOK_COLUMNS[name], "{0}").format(f"draft.{name}") for name in BOOK_VALUES
    )
    return _compiled(["def load(drafts):", f"    return [value for draft in drafts for value in ({values})]"])


def array_binder() -> Callable[[list[Draft]], list[Any]]:
    """The function that turns drafts into PostgreSQL's arrays, one a column."""
    arrays = ", ".join(f"[draft.{name} for draft in drafts]" for name in BOOK_VALUES)
    return _compiled(["def load(drafts):", f"    return [{arrays}]"])


def book_loader(vendor: Vendor, *, with_author: bool = False) -> Loader:
    """The function that turns rows of ``book``, or of ``book`` and ``author``, into instances."""
    names = list(BOOK_COLUMNS) + [f"a_{name}" for name in AUTHOR_COLUMNS if with_author]
    lines = ["def load(rows):", "    found = []", f"    for {', '.join(names)} in rows:"]
    if with_author:
        author = _items(AUTHOR_COLUMNS, "a_", vendor)
        lines.append(_instance("author", "Author", f"'_loaded_from': 'default', {author}"))
        lines.append("        state = new(State); state.db = 'default'; state.adding = False")
        lines.append("        state.fields_cache = {'author': author}")
    start = "'_state': state" if with_author else "'_loaded_from': 'default'"
    lines.append(_instance("book", "Book", f"{start}, {_items(BOOK_COLUMNS, '', vendor)}"))
    return _compiled([*lines, "        found.append(book)", "    return found"])


def author_loader(vendor: Vendor) -> Loader:
    """The function that turns rows of ``author`` into instances."""
    return _plain_loader("Author", AUTHOR_COLUMNS, vendor)


def tag_loader(vendor: Vendor) -> Loader:
    """The function that turns rows of ``tag``, each with the key of its book, into instances."""
    return _plain_loader("Tag", {**TAG_COLUMNS, "of_book": "int"}, vendor)


def _plain_loader(model: str, columns: dict[str, str], vendor: Vendor) -> Loader:
    lines = ["def load(rows):", "    found = []", f"    for {', '.join(columns)} in rows:"]
    lines.append(_instance("one", model, f"'_loaded_from': 'default', {_items(columns, '', vendor)}"))
    return _compiled([*lines, "        found.append(one)", "    return found"])


def give_tags(books: list[Book], tags: list[Tag]) -> list[Book]:
    """The books with the lists of their tags."""
    found = {}
    for book in books:
        found[book.id] = book.tags = []
    for tag in tags:
        found[tag.of_book].append(tag)
    return books


def give_books(authors: list[Author], books: list[Book]) -> list[Author]:
    """The authors with the lists of their books, which know them."""
    found = {}
    for author in authors:
        found[author.id] = author
        author.book_set = []
    for book in books:
        author = found[book.author_id]
        author.book_set.append(book)
        book._state.fields_cache["author"] = author
    return authors


def tuple_loader(road: Road) -> Loader:
    """The function that turns rows of ``values_list`` into tuples of Python values."""
    if road.driver == "asyncpg":
        return lambda records: list(map(tuple, records))
    if road.vendor == "postgres":
        return list
    columns = {name: BOOK_COLUMNS[name] for name in LISTED}
    values = ", ".join(SQLITE_CONVERSIONS.get(kind, "{0}").format(name) for name, kind in columns.items())
    return _compiled(["def load(rows):", f"    return [({values}) for {', '.join(LISTED)} in rows]"])


class Loading:
    """What both faces of the floor share: the loaders, and instances turned into parameters."""

    road: Road

    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)  # type: ignore[call-arg]
        self.load = book_loader(road.vendor)
        self.load_related = book_loader(road.vendor, with_author=True)
        self.load_authors = author_loader(road.vendor)
        self.load_tags = tag_loader(road.vendor)
        self.load_tuples = tuple_loader(road)
        self.parameters = row_binder(road.vendor)
        self.many_parameters = self.parameters if road.vendor == "sqlite" else array_binder()

    def prepare(self, operation: str, argument: Any) -> Any:
        reading = operation not in {"insert", "insert_many", "update"}
        return (argument,) if reading else argument

    def price(self, price: Decimal) -> Any:
        return str(price) if self.road.vendor == "sqlite" else price


def saved(drafts: list[Draft], keys: Iterable[Any]) -> list[Draft]:
    """The drafts with the primary keys that the database gave them."""
    for draft, (key,) in zip(drafts, keys, strict=True):
        draft.id = key
        draft._state.adding, draft._state.db = False, "default"
    return drafts


class FloorSync(Loading, BareSync):
    def get(self, key: tuple[int]) -> Any:
        return self.load(self.connection.execute(self.sql.get, key).fetchall())

    def page(self, author: tuple[int]) -> Any:
        return self.load(self.connection.execute(self.sql.page, author).fetchall())

    def list_some(self, count: tuple[int]) -> Any:
        return self.load(self.connection.execute(self.sql.books, count).fetchall())

    list_all = list_some

    def values_list(self, count: tuple[int]) -> Any:
        return self.load_tuples(self.connection.execute(self.sql.values_list, count).fetchall())

    def select_related(self, count: tuple[int]) -> Any:
        return self.load_related(self.connection.execute(self.sql.select_related, count).fetchall())

    def prefetch_many(self, count: tuple[int]) -> Any:
        rows = self.connection.execute(self.sql.books, count).fetchall()
        tags = self.connection.execute(self.sql.tags_of_books, self.keys(rows)).fetchall()
        return give_tags(self.load(rows), self.load_tags(tags))

    def prefetch_nested(self, count: tuple[int]) -> Any:
        authors = self.connection.execute(self.sql.authors, count).fetchall()
        rows = self.connection.execute(self.sql.books_of_authors, self.keys(authors)).fetchall()
        tags = self.connection.execute(self.sql.tags_of_books, self.keys(rows)).fetchall()
        return give_books(self.load_authors(authors), give_tags(self.load(rows), self.load_tags(tags)))

    def insert(self, values: Any) -> Any:
        drafts = [Draft(**values)]
        return saved(drafts, self.connection.execute(self.sql.insert, self.parameters(drafts)).fetchall())

    def insert_many(self, rows: Any) -> Any:
        drafts = [Draft(**values) for values in rows]
        keys = self.connection.execute(self.sql.insert_many, self.many_parameters(drafts)).fetchall()
        return saved(drafts, keys)

    def update(self, change: Any) -> Any:
        key, price = change
        return self.connection.execute(self.sql.update, (self.price(price), key)).rowcount


class FloorAsync(Loading, BareAsync):
    async def get(self, key: tuple[int]) -> Any:
        return self.load(await self.fetch(self.sql.get, key))

    async def page(self, author: tuple[int]) -> Any:
        return self.load(await self.fetch(self.sql.page, author))

    async def list_some(self, count: tuple[int]) -> Any:
        return self.load(await self.fetch(self.sql.books, count))

    list_all = list_some

    async def values_list(self, count: tuple[int]) -> Any:
        return self.load_tuples(await self.fetch(self.sql.values_list, count))

    async def select_related(self, count: tuple[int]) -> Any:
        return self.load_related(await self.fetch(self.sql.select_related, count))

    async def prefetch_many(self, count: tuple[int]) -> Any:
        rows = await self.fetch(self.sql.books, count)
        tags = await self.fetch(self.sql.tags_of_books, self.keys(rows))
        return give_tags(self.load(rows), self.load_tags(tags))

    async def prefetch_nested(self, count: tuple[int]) -> Any:
        authors = await self.fetch(self.sql.authors, count)
        rows = await self.fetch(self.sql.books_of_authors, self.keys(authors))
        tags = await self.fetch(self.sql.tags_of_books, self.keys(rows))
        return give_books(self.load_authors(authors), give_tags(self.load(rows), self.load_tags(tags)))

    async def insert(self, values: Any) -> Any:
        drafts = [Draft(**values)]
        return saved(drafts, await self.fetch(self.sql.insert, self.parameters(drafts)))

    async def insert_many(self, rows: Any) -> Any:
        drafts = [Draft(**values) for values in rows]
        return saved(drafts, await self.fetch(self.sql.insert_many, self.many_parameters(drafts)))

    async def update(self, change: Any) -> Any:
        key, price = change
        return await self.execute(self.sql.update, (self.price(price), key))


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync":
        return FloorSync(road, place)
    face: type[Contender] = type("FloorAsync", (FloorAsync, ASYNC[road.driver]), {})
    return face(road, place)
