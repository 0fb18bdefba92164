"""The bare driver: one held connection, tuples as the driver makes them, parameters as the driver takes them."""

from __future__ import annotations

import asyncio
import importlib
import json
from typing import Any

from benchmarks import schema
from benchmarks.contenders import POOL_SIZE, Contender
from benchmarks.contenders.statements import RELEASE, SAVEPOINT, Statements
from benchmarks.roads import Place, Road
from benchmarks.schema import BOOK_COLUMNS, BOOK_VALUES, REVIEW_COLUMNS, to_mariadb, to_sqlite

SQLITE_PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA synchronous = NORMAL")
CHUNK = 2_000
"""How many rows of a stream a driver fetches at once."""
NUMBER = tuple(schema.EVENT_COLUMNS).index("number")
AUTHOR_ID = tuple(BOOK_COLUMNS).index("author_id")
BOOK_ID = tuple(REVIEW_COLUMNS).index("book_id")
ENCODERS = {"sqlite": to_sqlite, "mariadb": to_mariadb}


def with_related(owners: Any, related: Any, position: int = -1) -> list[Any]:
    """Each owner with the list of those that belong to it: the value at ``position`` is the key of their owner."""
    found: dict[Any, list[Any]] = {owner[0]: [] for owner in owners}
    for item in related:
        found[item[position]].append(item)
    return [(owner, found[owner[0]]) for owner in owners]


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
        self.sql = Statements(road)
        self.driver = importlib.import_module(road.driver)

    def prepare(self, operation: str, argument: Any) -> Any:
        """The parameters of the operation's statement or statements, in their order."""
        match operation:
            case "stream" | "group_by":
                return argument
            case "in_100":
                return self.keys(argument)
            case "insert":
                return self.book(argument)
            case "inserts":
                return [self.book(values) for values in argument]
            case "insert_many" if self.road.vendor == "postgres":
                return tuple([row[name] for row in argument] for name in BOOK_VALUES)
            case "insert_many":
                return tuple(value for row in argument for value in self.book(row))
            case "save":
                key, price = argument
                return (*self.book(schema.book_row(key) | {"price": price}), key)
            case "update" | "save_field":
                key, price = argument
                return self.encoded((price, key))
            case "update_f":
                return (argument, argument + 20)
            case "update_many":
                return self.pages([(key + 60, key) for key in range(1, argument + 1)])
            case "get_or_create":
                return (argument["isbn"],), self.book(argument)
            case "transaction":
                values, key, price = argument
                return self.book(values), self.encoded((price, key)), (key,)
            case "gets_10" | "gets_50" | "gets_100":
                return [(key,) for key in argument]
        return (argument,)

    def keys(self, keys: list[int]) -> tuple[Any]:
        """Keys as one parameter."""
        return (keys if self.road.vendor == "postgres" else json.dumps(keys),)

    def keys_of(self, rows: Any) -> tuple[Any]:
        """The first values of rows, as one parameter."""
        return self.keys([row[0] for row in rows])

    def pages(self, pairs: list[tuple[int, int]]) -> Any:
        """Pairs of pages and key as the parameters of ``update_many``."""
        if self.road.vendor == "sqlite":
            return pairs
        return (
            tuple(map(list, zip(*pairs, strict=True)))
            if self.road.vendor == "postgres"
            else (json.dumps(pairs),)
        )

    def book(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return self.encoded([values[name] for name in BOOK_VALUES])

    def encoded(self, values: Any) -> tuple[Any, ...]:
        encode = ENCODERS.get(self.road.vendor)
        return tuple(map(encode, values)) if encode else tuple(values)


class BareSync(BareContender):
    """sqlite3 and psycopg agree on ``connection.execute(sql, parameters)``; PyMySQL is given it."""

    connection: Any

    def open(self) -> None:
        match self.road.vendor:
            case "sqlite":
                self.connection = self.driver.connect(self.place.name, isolation_level=None)
                for pragma in SQLITE_PRAGMAS:
                    self.connection.execute(pragma)
            case "postgres":
                self.connection = self.driver.connect(**self.place.keywords(), autocommit=True)
            case _:
                keywords = self.place.keywords("database")
                self.connection = Executing(
                    self.driver.connect(**keywords, autocommit=True, charset="utf8mb4")
                )

    def close(self) -> None:
        self.connection.close()

    def get(self, key: tuple[int]) -> Any:
        return self.connection.execute(self.sql.get, key).fetchone()

    def get_wide(self, key: tuple[int]) -> Any:
        return self.connection.execute(self.sql.get_wide, key).fetchone()

    def page(self, author: tuple[int]) -> Any:
        return self.connection.execute(self.sql.page, author).fetchall()

    def in_100(self, keys: tuple[Any]) -> Any:
        return self.connection.execute(self.sql.in_100, keys).fetchall()

    def complex_filter(self, slug: tuple[str]) -> Any:
        return self.connection.execute(self.sql.complex_filter, slug).fetchall()

    def list_some(self, count: tuple[int]) -> Any:
        return self.connection.execute(self.sql.books, count).fetchall()

    list_all = list_some

    def list_wide(self, count: tuple[int]) -> Any:
        return self.connection.execute(self.sql.wide, count).fetchall()

    def values_list(self, count: tuple[int]) -> Any:
        return self.connection.execute(self.sql.values_list, count).fetchall()

    values = values_list

    def stream(self, _: None) -> Any:
        count = total = 0
        for row in self.rows(self.sql.events):
            count += 1
            total += row[NUMBER]
        return count, total

    def rows(self, sql: str) -> Any:
        """The rows of a statement, a chunk at a time."""
        match self.road.vendor:
            case "sqlite":
                yield from self.connection.execute(sql)
            case "postgres":
                with self.connection.transaction(), self.connection.cursor("rows") as cursor:
                    cursor.itersize = CHUNK
                    yield from cursor.execute(sql)
            case _:
                yield from self.connection.rows(sql)

    def select_related(self, count: tuple[int]) -> Any:
        return self.connection.execute(self.sql.select_related, count).fetchall()

    def prefetch_foreign(self, count: tuple[int]) -> Any:
        books = self.connection.execute(self.sql.books, count).fetchall()
        reviews = self.connection.execute(self.sql.reviews_of_books, self.keys_of(books)).fetchall()
        return with_related(books, reviews, BOOK_ID)

    def prefetch_many(self, count: tuple[int]) -> Any:
        books = self.connection.execute(self.sql.books, count).fetchall()
        tags = self.connection.execute(self.sql.tags_of_books, self.keys_of(books)).fetchall()
        return with_related(books, tags)

    def prefetch_nested(self, count: tuple[int]) -> Any:
        authors = self.connection.execute(self.sql.authors, count).fetchall()
        books = self.connection.execute(self.sql.books_of_authors, self.keys_of(authors)).fetchall()
        tags = self.connection.execute(self.sql.tags_of_books, self.keys_of(books)).fetchall()
        return with_books(authors, with_related(books, tags))

    def count(self, author: tuple[int]) -> Any:
        return self.connection.execute(self.sql.count, author).fetchone()[0]

    def exists(self, author: tuple[int]) -> Any:
        return self.connection.execute(self.sql.exists, author).fetchone() is not None

    def aggregate(self, author: tuple[int]) -> Any:
        return self.connection.execute(self.sql.aggregate, author).fetchone()

    def group_by(self, _: None) -> Any:
        return list(self.connection.execute(self.sql.group_by).fetchall())

    def insert(self, values: Any) -> Any:
        return self.connection.execute(self.sql.insert, values).fetchone()[0]

    def inserts(self, rows: Any) -> Any:
        self.connection.execute("BEGIN")
        for values in rows:
            self.connection.execute(self.sql.insert, values).fetchone()
        self.connection.execute("COMMIT")

    def insert_many(self, values: Any) -> Any:
        return self.connection.execute(self.sql.insert_many, values).fetchall()

    def save(self, values: Any) -> Any:
        return self.connection.execute(self.sql.save, values).rowcount

    def update(self, values: Any) -> Any:
        return self.connection.execute(self.sql.update, values).rowcount

    save_field = update

    def update_f(self, bounds: tuple[int, int]) -> Any:
        return self.connection.execute(self.sql.update_f, bounds).rowcount

    def update_many(self, values: Any) -> Any:
        if self.road.vendor != "sqlite":
            return self.connection.execute(self.sql.update_many, values).rowcount
        self.connection.execute("BEGIN")
        found = self.connection.executemany(self.sql.update_many, values).rowcount
        self.connection.execute("COMMIT")
        return found

    def get_or_create(self, given: Any) -> Any:
        isbn, values = given
        if found := self.connection.execute(self.sql.by_isbn, isbn).fetchone():
            return found
        return self.connection.execute(self.sql.insert, values).fetchone()

    def delete(self, key: tuple[int]) -> Any:
        return self.connection.execute(self.sql.delete, key).rowcount

    delete_instance = delete

    def transaction(self, given: Any) -> Any:
        values, price, key = given
        self.connection.execute("BEGIN")
        self.connection.execute(self.sql.insert, values).fetchone()
        self.connection.execute(SAVEPOINT)
        self.connection.execute(self.sql.update, price)
        self.connection.execute(RELEASE)
        self.connection.execute(SAVEPOINT)
        self.connection.execute(self.sql.add_page, key)
        self.connection.execute(RELEASE)
        self.connection.execute("COMMIT")


class Executing:
    """PyMySQL's connection with sqlite3's ``execute``, after which it is the cursor, and gives lists of rows."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.close = connection.close

    def execute(self, sql: str, values: Any = None) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(sql, values)
        self.fetchone, self.rowcount = cursor.fetchone, cursor.rowcount
        self._fetchall = cursor.fetchall
        return self

    def fetchall(self) -> Any:
        return list(self._fetchall())

    def rows(self, sql: str) -> Any:
        with self.connection.cursor(importlib.import_module("pymysql.cursors").SSCursor) as cursor:
            cursor.execute(sql)
            yield from cursor


class BareAsync(BareContender):
    """The async drivers differ in how a statement is run and read: ``fetch``, ``execute`` and ``rows``."""

    connection: Any
    pool: asyncio.LifoQueue[Any] | None = None

    async def open(self) -> None:
        self.connection = await self.connect()

    async def close(self) -> None:
        for connection in [self.connection, *self.pooled()]:
            await self.hang_up(connection)

    async def connect(self) -> Any:
        raise NotImplementedError

    async def hang_up(self, connection: Any) -> None:
        await connection.close()

    async def fetch(self, sql: str, values: Any = (), connection: Any = None) -> Any:
        raise NotImplementedError

    async def execute(self, sql: str, values: Any = ()) -> Any:
        raise NotImplementedError

    def rows(self, sql: str) -> Any:
        """The rows of a statement, a chunk at a time, as an asynchronous iterator."""
        raise NotImplementedError

    def pooled(self) -> list[Any]:
        return [self.pool.get_nowait() for _ in range(self.pool.qsize())] if self.pool else []

    async def get(self, key: tuple[int]) -> Any:
        return await self.fetch(self.sql.get, key)

    async def get_wide(self, key: tuple[int]) -> Any:
        return await self.fetch(self.sql.get_wide, key)

    async def page(self, author: tuple[int]) -> Any:
        return await self.fetch(self.sql.page, author)

    async def in_100(self, keys: tuple[Any]) -> Any:
        return await self.fetch(self.sql.in_100, keys)

    async def complex_filter(self, slug: tuple[str]) -> Any:
        return await self.fetch(self.sql.complex_filter, slug)

    async def list_some(self, count: tuple[int]) -> Any:
        return await self.fetch(self.sql.books, count)

    list_all = list_some

    async def list_wide(self, count: tuple[int]) -> Any:
        return await self.fetch(self.sql.wide, count)

    async def values_list(self, count: tuple[int]) -> Any:
        return await self.fetch(self.sql.values_list, count)

    values = values_list

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for row in self.rows(self.sql.events):
            count += 1
            total += row[NUMBER]
        return count, total

    async def select_related(self, count: tuple[int]) -> Any:
        return await self.fetch(self.sql.select_related, count)

    async def prefetch_foreign(self, count: tuple[int]) -> Any:
        books = await self.fetch(self.sql.books, count)
        reviews = await self.fetch(self.sql.reviews_of_books, self.keys_of(books))
        return with_related(books, reviews, BOOK_ID)

    async def prefetch_many(self, count: tuple[int]) -> Any:
        books = await self.fetch(self.sql.books, count)
        tags = await self.fetch(self.sql.tags_of_books, self.keys_of(books))
        return with_related(books, tags)

    async def prefetch_nested(self, count: tuple[int]) -> Any:
        authors = await self.fetch(self.sql.authors, count)
        books = await self.fetch(self.sql.books_of_authors, self.keys_of(authors))
        tags = await self.fetch(self.sql.tags_of_books, self.keys_of(books))
        return with_books(authors, with_related(books, tags))

    async def count(self, author: tuple[int]) -> Any:
        return (await self.fetch(self.sql.count, author))[0][0]

    async def exists(self, author: tuple[int]) -> Any:
        return bool(await self.fetch(self.sql.exists, author))

    async def aggregate(self, author: tuple[int]) -> Any:
        return (await self.fetch(self.sql.aggregate, author))[0]

    async def group_by(self, _: None) -> Any:
        return list(await self.fetch(self.sql.group_by))

    async def insert(self, values: Any) -> Any:
        return (await self.fetch(self.sql.insert, values))[0][0]

    async def inserts(self, rows: Any) -> Any:
        await self.execute("BEGIN")
        for values in rows:
            await self.fetch(self.sql.insert, values)
        await self.execute("COMMIT")

    async def insert_many(self, values: Any) -> Any:
        return await self.fetch(self.sql.insert_many, values)

    async def save(self, values: Any) -> Any:
        return await self.execute(self.sql.save, values)

    async def update(self, values: Any) -> Any:
        return await self.execute(self.sql.update, values)

    save_field = update

    async def update_f(self, bounds: tuple[int, int]) -> Any:
        return await self.execute(self.sql.update_f, bounds)

    async def update_many(self, values: Any) -> Any:
        return await self.execute(self.sql.update_many, values)

    async def get_or_create(self, given: Any) -> Any:
        isbn, values = given
        return await self.fetch(self.sql.by_isbn, isbn) or await self.fetch(self.sql.insert, values)

    async def delete(self, key: tuple[int]) -> Any:
        return await self.execute(self.sql.delete, key)

    delete_instance = delete

    async def transaction(self, given: Any) -> Any:
        values, price, key = given
        await self.execute("BEGIN")
        await self.fetch(self.sql.insert, values)
        await self.execute(SAVEPOINT)
        await self.execute(self.sql.update, price)
        await self.execute(RELEASE)
        await self.execute(SAVEPOINT)
        await self.execute(self.sql.add_page, key)
        await self.execute(RELEASE)
        await self.execute("COMMIT")

    async def gets_10(self, keys: list[tuple[int]]) -> Any:
        if self.pool is None:
            self.pool = asyncio.LifoQueue()
            for _ in range(POOL_SIZE):
                self.pool.put_nowait(await self.connect())
        found = await asyncio.gather(*[self.get_pooled(key) for key in keys])
        return [rows[0] for rows in found]

    gets_50 = gets_100 = gets_10

    async def get_pooled(self, key: tuple[int]) -> Any:
        """``get`` on one of ten connections."""
        assert self.pool is not None
        connection = await self.pool.get()
        try:
            return await self.fetch(self.sql.get, key, connection)
        finally:
            self.pool.put_nowait(connection)


class BareAiosqlite(BareAsync):
    async def connect(self) -> Any:
        connection = await self.driver.connect(self.place.name, isolation_level=None)
        for pragma in SQLITE_PRAGMAS:
            await connection.execute(pragma)
        return connection

    async def fetch(self, sql: str, values: Any = (), connection: Any = None) -> Any:
        return await (connection or self.connection).execute_fetchall(sql, values)

    execute = fetch  # both are one hop into the driver's thread

    async def rows(self, sql: str) -> Any:
        async with self.connection.execute(sql) as cursor:
            while chunk := await cursor.fetchmany(CHUNK):
                for row in chunk:
                    yield row

    async def update_many(self, values: Any) -> Any:
        await self.connection.execute("BEGIN")
        await self.connection.executemany(self.sql.update_many, values)
        await self.connection.execute("COMMIT")


class BareAsyncpg(BareAsync):
    async def connect(self) -> Any:
        return await self.driver.connect(**self.place.keywords("database"))

    async def fetch(self, sql: str, values: Any = (), connection: Any = None) -> Any:
        return await (connection or self.connection).fetch(sql, *values)

    async def execute(self, sql: str, values: Any = ()) -> Any:
        return await self.connection.execute(sql, *values)

    async def rows(self, sql: str) -> Any:
        async with self.connection.transaction():
            async for row in self.connection.cursor(sql, prefetch=CHUNK):
                yield row


class BarePsycopg(BareAsync):
    async def connect(self) -> Any:
        return await self.driver.AsyncConnection.connect(**self.place.keywords(), autocommit=True)

    async def fetch(self, sql: str, values: Any = (), connection: Any = None) -> Any:
        return await (await (connection or self.connection).execute(sql, values)).fetchall()

    async def execute(self, sql: str, values: Any = ()) -> Any:
        return (await self.connection.execute(sql, values)).rowcount

    async def rows(self, sql: str) -> Any:
        async with self.connection.transaction(), self.connection.cursor("rows") as cursor:
            cursor.itersize = CHUNK
            await cursor.execute(sql)
            async for row in cursor:
                yield row


class BareAsyncmy(BareAsync):
    async def connect(self) -> Any:
        keywords = self.place.keywords("database")
        return await self.driver.connect(**keywords, autocommit=True, charset="utf8mb4")

    async def hang_up(self, connection: Any) -> None:
        connection.close()

    async def fetch(self, sql: str, values: Any = (), connection: Any = None) -> Any:
        async with (connection or self.connection).cursor() as cursor:
            await cursor.execute(sql, values)
            return list(await cursor.fetchall())

    async def execute(self, sql: str, values: Any = ()) -> Any:
        async with self.connection.cursor() as cursor:
            return await cursor.execute(sql, values)

    async def rows(self, sql: str) -> Any:
        unbuffered = importlib.import_module("asyncmy.cursors").SSCursor
        async with self.connection.cursor(unbuffered) as cursor:
            await cursor.execute(sql)
            while chunk := await cursor.fetchmany(CHUNK):
                for row in chunk:
                    yield row


ASYNC = {"aiosqlite": BareAiosqlite, "asyncpg": BareAsyncpg, "psycopg": BarePsycopg, "asyncmy": BareAsyncmy}


def contender(road: Road, place: Place) -> Contender:
    return BareSync(road, place) if road.face == "sync" else ASYNC[road.driver](road, place)
