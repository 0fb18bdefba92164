"""The floor: the bare driver and a generated loader, making instances with the same types as facade's.

Nothing that makes such instances in Python can be faster: no pool, no queryset, no plan, one function
that unpacks a row, converts what the driver does not, and fills the instance's ``__dict__``. An instance
is laid out as facade's: its state is made when it is looked at, unless a related object must be kept in it.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator, Iterable, Iterator
from decimal import Decimal
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.contenders.bare import ASYNC, CHUNK, BareAsync, BareSync
from benchmarks.contenders.floor_loaders import (
    Draft,
    binder,
    dict_loader,
    loader,
    many_binder,
    one_loader,
    owned_loader,
    owner_loader,
    related_loader,
    tuple_loader,
)
from benchmarks.contenders.statements import RELEASE, SAVEPOINT
from benchmarks.roads import Place, Road
from benchmarks.schema import (
    AUTHOR_COLUMNS,
    BOOK_COLUMNS,
    BOOK_VALUES,
    EVENT_COLUMNS,
    REVIEW_COLUMNS,
    TAG_COLUMNS,
    WIDE_COLUMNS,
)


class Loading:
    """What both faces of the floor share: the loaders, and the binders of drafts."""

    road: Road

    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)  # type: ignore[call-arg]
        vendor = road.vendor
        self.load = loader("Book", BOOK_COLUMNS, vendor)
        self.load_book = one_loader("Book", BOOK_COLUMNS, vendor)
        self.load_wide = one_loader("Wide", WIDE_COLUMNS, vendor)
        self.load_wides = loader("Wide", WIDE_COLUMNS, vendor)
        self.load_events = loader("Event", EVENT_COLUMNS, vendor)
        self.load_draft = one_loader("Draft", BOOK_COLUMNS, vendor)
        self.load_drafts = loader("Draft", BOOK_COLUMNS, vendor)
        self.load_related = related_loader(vendor, BOOK_COLUMNS, AUTHOR_COLUMNS)
        self.load_authors = owner_loader("Author", AUTHOR_COLUMNS, vendor, "book_set")
        self.load_reviewed = owner_loader("Book", BOOK_COLUMNS, vendor, "review_set")
        self.load_tagged = owner_loader("Book", BOOK_COLUMNS, vendor, "tags")
        self.load_owned = owned_loader("Book", BOOK_COLUMNS, vendor, "author_id", "tags")
        self.load_reviews = owned_loader("Review", REVIEW_COLUMNS, vendor, "book_id")
        self.load_tags = owned_loader("Tag", {**TAG_COLUMNS, "of_book": "int"}, vendor, "of_book")
        self.load_tuples, self.load_dicts = tuple_loader(road), dict_loader(road)
        self.new_values = binder(vendor, *BOOK_VALUES)
        self.many_values = many_binder(vendor)
        self.saved_values = binder(vendor, *BOOK_VALUES, "id")
        self.saved_price = binder(vendor, "price", "id")

    def by_key(self, key: int) -> str:
        """The statement of ``prepare``, which is not measured."""
        return f"SELECT {', '.join(BOOK_COLUMNS)} FROM draft WHERE id = {key:d}"

    def price(self, price: Decimal) -> Any:
        return str(price) if self.road.vendor == "sqlite" else price

    def totals(self, row: Any) -> dict[str, Any]:
        """What ``aggregate`` returns: PostgreSQL's and MariaDB's sums are decimals, SQLite has no decimals."""
        count, total, price = row
        if self.road.vendor == "sqlite":
            price = Decimal("0.01") * round(price * 100)
        return {"count": count, "total": int(total), "price": price}

    def groups(self, rows: Any) -> list[tuple[int, int, int]]:
        return [(author, count, int(total)) for author, count, total in rows]

    def renumbered(self, drafts: list[Draft]) -> Any:
        """The drafts with their new pages, as the parameters of ``update_many``."""
        pairs = []
        for draft in drafts:
            assert draft.id is not None
            draft.pages = draft.id + 60
            pairs.append((draft.pages, draft.id))
        return self.pages(pairs)  # type: ignore[attr-defined]


def saved(draft: Draft, key: int) -> Draft:
    """The draft with the primary key that the database gave it."""
    draft.id = key
    draft._state.adding, draft._state.db = False, "default"
    return draft


def all_saved(drafts: list[Draft], keys: Iterable[Any]) -> list[Draft]:
    for draft, (key,) in zip(drafts, keys, strict=True):
        saved(draft, key)
    return drafts


class FloorSync(Loading, BareSync):
    def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return self.load_draft(
                    self.connection.execute(self.by_key(argument[0])).fetchone()
                ), argument[1]
            case "delete_instance":
                return self.load_draft(self.connection.execute(self.by_key(argument)).fetchone())
            case "update_many":
                drafts = f"SELECT {', '.join(BOOK_COLUMNS)} FROM draft ORDER BY id"
                return self.load_drafts(self.connection.execute(drafts).fetchall())
        return argument

    def get(self, key: int) -> Any:
        return self.load_book(self.connection.execute(self.sql.get, (key,)).fetchone())

    def get_wide(self, key: int) -> Any:
        return self.load_wide(self.connection.execute(self.sql.get_wide, (key,)).fetchone())

    def page(self, author: int) -> Any:
        return self.load(self.connection.execute(self.sql.page, (author,)).fetchall())

    def in_100(self, keys: list[int]) -> Any:
        return self.load(self.connection.execute(self.sql.in_100, self.keys(keys)).fetchall())

    def complex_filter(self, slug: str) -> Any:
        return self.load(self.connection.execute(self.sql.complex_filter, (slug,)).fetchall())

    def list_some(self, count: int) -> Any:
        return self.load(self.connection.execute(self.sql.books, (count,)).fetchall())

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return self.load_wides(self.connection.execute(self.sql.wide, (count,)).fetchall())

    def values(self, count: int) -> Any:
        return self.load_dicts(self.connection.execute(self.sql.values_list, (count,)).fetchall())

    def values_list(self, count: int) -> Any:
        return self.load_tuples(self.connection.execute(self.sql.values_list, (count,)).fetchall())

    def stream(self, _: None) -> Any:
        count = total = 0
        for rows in self.chunks(self.sql.events):
            for event in self.load_events(rows):
                count += 1
                total += event.number
        return count, total

    def select_related(self, count: int) -> Any:
        return self.load_related(self.connection.execute(self.sql.select_related, (count,)).fetchall())

    def prefetch_foreign(self, count: int) -> Any:
        rows, books, lists = self.connection.execute(self.sql.books, (count,)).fetchall(), {}, {}
        found = self.load_reviewed(rows, books, lists)
        reviews = self.connection.execute(self.sql.reviews_of_books, self.keys(list(lists))).fetchall()
        self.load_reviews(reviews, books, lists)
        return found

    def prefetch_many(self, count: int) -> Any:
        rows, books, lists = self.connection.execute(self.sql.books, (count,)).fetchall(), {}, {}
        found = self.load_tagged(rows, books, lists)
        tags = self.connection.execute(self.sql.tags_of_books, self.keys(list(lists))).fetchall()
        self.load_tags(tags, books, lists)
        return found

    def prefetch_nested(self, count: int) -> Any:
        rows, authors, lists, inner = (
            self.connection.execute(self.sql.authors, (count,)).fetchall(),
            {},
            {},
            {},
        )
        found = self.load_authors(rows, authors, lists)
        books = self.connection.execute(self.sql.books_of_authors, self.keys(list(lists))).fetchall()
        self.load_owned(books, authors, lists, inner)
        tags = self.connection.execute(self.sql.tags_of_books, self.keys(list(inner))).fetchall()
        self.load_tags(tags, None, inner)
        return found

    def count(self, author: int) -> Any:
        return self.connection.execute(self.sql.count, (author,)).fetchone()[0]

    def exists(self, author: int) -> Any:
        return self.connection.execute(self.sql.exists, (author,)).fetchone() is not None

    def aggregate(self, author: int) -> Any:
        return self.totals(self.connection.execute(self.sql.aggregate, (author,)).fetchone())

    def group_by(self, _: None) -> Any:
        return self.groups(self.connection.execute(self.sql.group_by).fetchall())

    def insert(self, values: dict[str, Any]) -> Any:
        draft = Draft(**values)
        return saved(draft, self.connection.execute(self.sql.insert, self.new_values(draft)).fetchone()[0])

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        self.connection.execute("BEGIN")
        for values in rows:
            self.insert(values)
        self.connection.execute("COMMIT")

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        drafts = [Draft(**values) for values in rows]
        return all_saved(
            drafts, self.connection.execute(self.sql.insert_many, self.many_values(drafts)).fetchall()
        )

    def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        return self.connection.execute(self.sql.save, self.saved_values(draft)).rowcount

    def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        return self.connection.execute(self.sql.update, self.saved_price(draft)).rowcount

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return self.connection.execute(self.sql.update, (self.price(price), key)).rowcount

    def update_f(self, start: int) -> Any:
        return self.connection.execute(self.sql.update_f, (start, start + 20)).rowcount

    def update_many(self, drafts: list[Draft]) -> Any:
        return super().update_many(self.renumbered(drafts))

    def get_or_create(self, values: dict[str, Any]) -> Any:
        rows = self.connection.execute(self.sql.by_isbn, (values["isbn"],)).fetchall()
        return self.load_draft(rows[0]) if rows else self.insert(values)

    def delete(self, key: int) -> Any:
        return self.connection.execute(self.sql.delete, (key,)).rowcount

    def delete_instance(self, draft: Draft) -> Any:
        self.connection.execute(self.sql.delete, (draft.id,))
        draft.id = None

    def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        self.connection.execute("BEGIN")
        self.insert(values)
        self.connection.execute(SAVEPOINT)
        self.connection.execute(self.sql.update, (self.price(price), key))
        self.connection.execute(RELEASE)
        self.connection.execute(SAVEPOINT)
        self.connection.execute(self.sql.add_page, (key,))
        self.connection.execute(RELEASE)
        self.connection.execute("COMMIT")

    def chunks(self, sql: str) -> Iterator[Any]:
        """The rows of a statement, as many at a time as the bare driver's stream fetches."""
        match self.road.vendor:
            case "sqlite":
                cursor = self.connection.execute(sql)
                yield from iter(lambda: cursor.fetchmany(CHUNK), [])
            case "postgres":
                with self.connection.transaction(), self.connection.cursor("rows") as cursor:
                    cursor.execute(sql)
                    yield from iter(lambda: cursor.fetchmany(CHUNK), [])
            case _:
                unbuffered = importlib.import_module("pymysql.cursors").SSCursor
                with self.connection.connection.cursor(unbuffered) as cursor:
                    cursor.execute(sql)
                    while rows := cursor.fetchmany(CHUNK):
                        yield rows


class FloorAsync(Loading, BareAsync):
    async def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return self.load_draft((await self.fetch(self.by_key(argument[0])))[0]), argument[1]
            case "delete_instance":
                return self.load_draft((await self.fetch(self.by_key(argument)))[0])
            case "update_many":
                drafts = f"SELECT {', '.join(BOOK_COLUMNS)} FROM draft ORDER BY id"
                return self.load_drafts(await self.fetch(drafts))
        return argument

    async def get(self, key: int) -> Any:
        return self.load_book((await self.fetch(self.sql.get, (key,)))[0])

    async def get_wide(self, key: int) -> Any:
        return self.load_wide((await self.fetch(self.sql.get_wide, (key,)))[0])

    async def page(self, author: int) -> Any:
        return self.load(await self.fetch(self.sql.page, (author,)))

    async def in_100(self, keys: list[int]) -> Any:
        return self.load(await self.fetch(self.sql.in_100, self.keys(keys)))

    async def complex_filter(self, slug: str) -> Any:
        return self.load(await self.fetch(self.sql.complex_filter, (slug,)))

    async def list_some(self, count: int) -> Any:
        return self.load(await self.fetch(self.sql.books, (count,)))

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return self.load_wides(await self.fetch(self.sql.wide, (count,)))

    async def values(self, count: int) -> Any:
        return self.load_dicts(await self.fetch(self.sql.values_list, (count,)))

    async def values_list(self, count: int) -> Any:
        return self.load_tuples(await self.fetch(self.sql.values_list, (count,)))

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for rows in self.chunks(self.sql.events):
            for event in self.load_events(rows):
                count += 1
                total += event.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return self.load_related(await self.fetch(self.sql.select_related, (count,)))

    async def prefetch_foreign(self, count: int) -> Any:
        rows, books, lists = await self.fetch(self.sql.books, (count,)), {}, {}
        found = self.load_reviewed(rows, books, lists)
        reviews = await self.fetch(self.sql.reviews_of_books, self.keys(list(lists)))
        self.load_reviews(reviews, books, lists)
        return found

    async def prefetch_many(self, count: int) -> Any:
        rows, books, lists = await self.fetch(self.sql.books, (count,)), {}, {}
        found = self.load_tagged(rows, books, lists)
        tags = await self.fetch(self.sql.tags_of_books, self.keys(list(lists)))
        self.load_tags(tags, books, lists)
        return found

    async def prefetch_nested(self, count: int) -> Any:
        rows, authors, lists, inner = await self.fetch(self.sql.authors, (count,)), {}, {}, {}
        found = self.load_authors(rows, authors, lists)
        books = await self.fetch(self.sql.books_of_authors, self.keys(list(lists)))
        self.load_owned(books, authors, lists, inner)
        tags = await self.fetch(self.sql.tags_of_books, self.keys(list(inner)))
        self.load_tags(tags, None, inner)
        return found

    async def count(self, author: int) -> Any:
        return (await self.fetch(self.sql.count, (author,)))[0][0]

    async def exists(self, author: int) -> Any:
        return bool(await self.fetch(self.sql.exists, (author,)))

    async def aggregate(self, author: int) -> Any:
        return self.totals((await self.fetch(self.sql.aggregate, (author,)))[0])

    async def group_by(self, _: None) -> Any:
        return self.groups(await self.fetch(self.sql.group_by))

    async def insert(self, values: dict[str, Any]) -> Any:
        draft = Draft(**values)
        return saved(draft, (await self.fetch(self.sql.insert, self.new_values(draft)))[0][0])

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        await self.execute("BEGIN")
        for values in rows:
            await self.insert(values)
        await self.execute("COMMIT")

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        drafts = [Draft(**values) for values in rows]
        return all_saved(drafts, await self.fetch(self.sql.insert_many, self.many_values(drafts)))

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        return await self.execute(self.sql.save, self.saved_values(draft))

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        return await self.execute(self.sql.update, self.saved_price(draft))

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await self.execute(self.sql.update, (self.price(price), key))

    async def update_f(self, start: int) -> Any:
        return await self.execute(self.sql.update_f, (start, start + 20))

    async def update_many(self, drafts: list[Draft]) -> Any:
        return await super().update_many(self.renumbered(drafts))

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        rows = await self.fetch(self.sql.by_isbn, (values["isbn"],))
        return self.load_draft(rows[0]) if rows else await self.insert(values)

    async def delete(self, key: int) -> Any:
        return await self.execute(self.sql.delete, (key,))

    async def delete_instance(self, draft: Draft) -> Any:
        await self.execute(self.sql.delete, (draft.id,))
        draft.id = None

    async def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        await self.execute("BEGIN")
        await self.insert(values)
        await self.execute(SAVEPOINT)
        await self.execute(self.sql.update, (self.price(price), key))
        await self.execute(RELEASE)
        await self.execute(SAVEPOINT)
        await self.execute(self.sql.add_page, (key,))
        await self.execute(RELEASE)
        await self.execute("COMMIT")

    async def gets_10(self, keys: list[int]) -> Any:
        found = await super().gets_10([(key,) for key in keys])
        return [self.load_book(row) for row in found]

    gets_50 = gets_100 = gets_10

    async def chunks(self, sql: str) -> AsyncIterator[Any]:
        """The rows of a statement, as many at a time as the bare driver's stream fetches."""
        async with CURSORS[self.road.driver](self.connection, sql) as fetch:
            while rows := await fetch(CHUNK):
                yield rows


@contextlib.asynccontextmanager
async def aiosqlite_cursor(connection: Any, sql: str) -> AsyncIterator[Any]:
    async with connection.execute(sql) as cursor:
        yield cursor.fetchmany


@contextlib.asynccontextmanager
async def asyncpg_cursor(connection: Any, sql: str) -> AsyncIterator[Any]:
    async with connection.transaction():
        yield (await connection.cursor(sql)).fetch


@contextlib.asynccontextmanager
async def psycopg_cursor(connection: Any, sql: str) -> AsyncIterator[Any]:
    async with connection.transaction(), connection.cursor("rows") as cursor:
        await cursor.execute(sql)
        yield cursor.fetchmany


@contextlib.asynccontextmanager
async def asyncmy_cursor(connection: Any, sql: str) -> AsyncIterator[Any]:
    async with connection.cursor(importlib.import_module("asyncmy.cursors").SSCursor) as cursor:
        await cursor.execute(sql)
        yield cursor.fetchmany


CURSORS = {
    "aiosqlite": aiosqlite_cursor,
    "asyncpg": asyncpg_cursor,
    "psycopg": psycopg_cursor,
    "asyncmy": asyncmy_cursor,
}


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync":
        return FloorSync(road, place)
    face: type[Contender] = type("FloorAsync", (FloorAsync, ASYNC[road.driver]), {})
    return face(road, place)
