"""The bare driver: one held connection, tuples as the driver makes them, parameters as the driver takes them."""

from __future__ import annotations

import importlib
import json
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.contenders.statements import Statements
from benchmarks.roads import Place, Road
from benchmarks.schema import BOOK_COLUMNS, BOOK_VALUES, to_sqlite

SQLITE_PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA synchronous = NORMAL")


AUTHOR_ID = tuple(BOOK_COLUMNS).index("author_id")


def with_tags(books: Any, tags: Any) -> list[Any]:
    """Each book with the list of its tags; the last value of a tag is the key of its book."""
    found: dict[Any, list[Any]] = {book[0]: [] for book in books}
    for tag in tags:
        found[tag[-1]].append(tag)
    return [(book, found[book[0]]) for book in books]


def with_books(authors: Any, books: Any) -> list[Any]:
    """Each author with the list of their books, which have their tags."""
    found: dict[Any, list[Any]] = {author[0]: [] for author in authors}
    for book in books:
        found[book[0][AUTHOR_ID]].append(book)
    return [(author, found[author[0]]) for author in authors]


class BareContender(Contender):
    """Arguments become tuples of driver values before the clock starts."""

    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)
        self.sql = Statements(road.driver)
        self.driver = importlib.import_module(road.driver)

    def prepare(self, operation: str, argument: Any) -> Any:
        """A tuple of parameters, in the statement's order."""
        if operation == "insert":
            return self.encoded(argument[name] for name in BOOK_VALUES)
        if operation == "insert_many" and self.road.vendor == "postgres":
            return tuple([row[name] for row in argument] for name in BOOK_VALUES)
        if operation == "insert_many":
            return self.encoded(row[name] for row in argument for name in BOOK_VALUES)
        if operation == "update":
            key, price = argument
            return self.encoded((price, key))
        return (argument,)

    def keys(self, rows: Any) -> tuple[Any]:
        """The first values of rows, as one parameter."""
        found = [row[0] for row in rows]
        return (json.dumps(found) if self.road.vendor == "sqlite" else found,)

    def encoded(self, values: Any) -> tuple[Any, ...]:
        return tuple(map(to_sqlite, values)) if self.road.vendor == "sqlite" else tuple(values)


class BareSync(BareContender):
    """sqlite3 and psycopg agree on ``connection.execute(sql, parameters)``."""

    connection: Any

    def open(self) -> None:
        if self.road.driver == "psycopg":
            self.connection = self.driver.connect(**self.place.keywords(), autocommit=True)
            return
        self.connection = self.driver.connect(self.place.name, isolation_level=None)
        for pragma in SQLITE_PRAGMAS:
            self.connection.execute(pragma)

    def close(self) -> None:
        self.connection.close()

    def get(self, key: tuple[int]) -> Any:
        return self.connection.execute(self.sql.get, key).fetchone()

    def page(self, author: tuple[int]) -> Any:
        return self.connection.execute(self.sql.page, author).fetchall()

    def list_some(self, count: tuple[int]) -> Any:
        return self.connection.execute(self.sql.books, count).fetchall()

    list_all = list_some

    def values_list(self, count: tuple[int]) -> Any:
        return self.connection.execute(self.sql.values_list, count).fetchall()

    def select_related(self, count: tuple[int]) -> Any:
        return self.connection.execute(self.sql.select_related, count).fetchall()

    def prefetch_many(self, count: tuple[int]) -> Any:
        books = self.connection.execute(self.sql.books, count).fetchall()
        tags = self.connection.execute(self.sql.tags_of_books, self.keys(books)).fetchall()
        return with_tags(books, tags)

    def prefetch_nested(self, count: tuple[int]) -> Any:
        authors = self.connection.execute(self.sql.authors, count).fetchall()
        books = self.connection.execute(self.sql.books_of_authors, self.keys(authors)).fetchall()
        tags = self.connection.execute(self.sql.tags_of_books, self.keys(books)).fetchall()
        return with_books(authors, with_tags(books, tags))

    def insert(self, values: Any) -> Any:
        return self.connection.execute(self.sql.insert, values).fetchone()[0]

    def insert_many(self, values: Any) -> Any:
        return self.connection.execute(self.sql.insert_many, values).fetchall()

    def update(self, values: Any) -> Any:
        return self.connection.execute(self.sql.update, values).rowcount


class BareAsync(BareContender):
    """The async drivers differ in how a statement is run and read: ``fetch`` and ``execute``."""

    connection: Any

    async def close(self) -> None:
        await self.connection.close()

    async def fetch(self, sql: str, values: Any) -> Any:
        raise NotImplementedError

    async def execute(self, sql: str, values: Any) -> Any:
        raise NotImplementedError

    async def get(self, key: tuple[int]) -> Any:
        return await self.fetch(self.sql.get, key)

    async def page(self, author: tuple[int]) -> Any:
        return await self.fetch(self.sql.page, author)

    async def list_some(self, count: tuple[int]) -> Any:
        return await self.fetch(self.sql.books, count)

    list_all = list_some

    async def values_list(self, count: tuple[int]) -> Any:
        return await self.fetch(self.sql.values_list, count)

    async def select_related(self, count: tuple[int]) -> Any:
        return await self.fetch(self.sql.select_related, count)

    async def prefetch_many(self, count: tuple[int]) -> Any:
        books = await self.fetch(self.sql.books, count)
        tags = await self.fetch(self.sql.tags_of_books, self.keys(books))
        return with_tags(books, tags)

    async def prefetch_nested(self, count: tuple[int]) -> Any:
        authors = await self.fetch(self.sql.authors, count)
        books = await self.fetch(self.sql.books_of_authors, self.keys(authors))
        tags = await self.fetch(self.sql.tags_of_books, self.keys(books))
        return with_books(authors, with_tags(books, tags))

    async def insert(self, values: Any) -> Any:
        return (await self.fetch(self.sql.insert, values))[0][0]

    async def insert_many(self, values: Any) -> Any:
        return await self.fetch(self.sql.insert_many, values)

    async def update(self, values: Any) -> Any:
        return await self.execute(self.sql.update, values)


class BareAiosqlite(BareAsync):
    async def open(self) -> None:
        self.connection = await self.driver.connect(self.place.name, isolation_level=None)
        for pragma in SQLITE_PRAGMAS:
            await self.connection.execute(pragma)

    async def fetch(self, sql: str, values: Any) -> Any:
        return await self.connection.execute_fetchall(sql, values)

    execute = fetch  # both are one hop into the driver's thread


class BareAsyncpg(BareAsync):
    async def open(self) -> None:
        self.connection = await self.driver.connect(**self.place.keywords("database"))

    async def fetch(self, sql: str, values: Any) -> Any:
        return await self.connection.fetch(sql, *values)

    async def execute(self, sql: str, values: Any) -> Any:
        return await self.connection.execute(sql, *values)


class BarePsycopg(BareAsync):
    async def open(self) -> None:
        self.connection = await self.driver.AsyncConnection.connect(**self.place.keywords(), autocommit=True)

    async def fetch(self, sql: str, values: Any) -> Any:
        return await (await self.connection.execute(sql, values)).fetchall()

    async def execute(self, sql: str, values: Any) -> Any:
        return (await self.connection.execute(sql, values)).rowcount


ASYNC = {"aiosqlite": BareAiosqlite, "asyncpg": BareAsyncpg, "psycopg": BarePsycopg}


def contender(road: Road, place: Place) -> Contender:
    return BareSync(road, place) if road.face == "sync" else ASYNC[road.driver](road, place)
