"""SQLAlchemy Core as it is usually written: a statement built per call, a connection per call, rows as they come.

It has no instances: ``save``, ``save_field``, ``update_many`` and ``delete_instance`` are given rows.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    MetaData,
    Numeric,
    String,
    Table,
    and_,
    bindparam,
    create_engine,
    delete,
    event,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks import schema
from benchmarks.contenders import POOL_SIZE, Contender
from benchmarks.contenders.bare import BOOK_ID, CHUNK, SQLITE_PRAGMAS, with_books, with_related
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road, sqlalchemy_url

metadata = MetaData()
TYPES = {
    "pk": BigInteger(),
    "text": String(200),
    "int": BigInteger(),
    "int?": BigInteger(),
    "decimal": Numeric(10, 2),
    "date": Date(),
    "datetime": DateTime(timezone=True),  # naive UTC on SQLite and MariaDB
    "bool": Boolean(),
}


def _table(name: str) -> Table:
    columns = [
        Column(column, TYPES[kind], primary_key=kind == "pk", nullable=kind == "int?")
        for column, kind in schema.TABLES[name].items()
    ]
    return Table(name, metadata, *columns)


author, book, draft = _table("author"), _table("book"), _table("draft")
tag, book_tags, review = _table("tag"), _table("book_tags"), _table("review")
wide, happening = _table("wide"), _table("event")
editor = author.alias("editor")


def sync_engine(road: Road, place: Place) -> Engine:
    engine = create_engine(sqlalchemy_url(road, place), pool_size=POOL_SIZE, max_overflow=0)
    if road.vendor == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    return engine


def async_engine(road: Road, place: Place) -> AsyncEngine:
    engine = create_async_engine(sqlalchemy_url(road, place), pool_size=POOL_SIZE, max_overflow=0)
    if road.vendor == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def compiled(engine: Engine, statement: Any) -> tuple[str, Any]:
    """A statement's SQL and parameters, by way of the engine's cache as when it is run."""
    cache: Any = engine._compiled_cache
    found = statement._compile_w_cache(engine.dialect, compiled_cache=cache, column_keys=[])
    return found[0].string, found[0].construct_params(extracted_parameters=found[1])


def book_statement(key: int) -> Any:
    return select(book).where(book.c.id == key)


def wide_statement(key: int) -> Any:
    return select(wide).where(wide.c.id == key)


def page_statement(author_id: int) -> Any:
    wanted = select(book).where(book.c.author_id == author_id, book.c.in_print)
    return wanted.order_by(book.c.created_at.desc()).limit(PAGE)


def keys_statement(keys: list[int]) -> Any:
    return select(book).where(book.c.id.in_(keys)).order_by(book.c.id)


def complex_statement(slug: str) -> Any:
    joined = (
        book.join(book_tags, book_tags.c.book_id == book.c.id)
        .join(tag, tag.c.id == book_tags.c.tag_id)
        .join(author, author.c.id == book.c.author_id)
        .outerjoin(editor, editor.c.id == book.c.editor_id)
    )
    wanted = select(book).select_from(joined).where(tag.c.slug == slug, ~(book.c.pages < 100))
    return wanted.where(or_(author.c.name.startswith("A"), editor.c.active)).order_by(book.c.id).limit(50)


def books_statement(count: int) -> Any:
    return select(book).order_by(book.c.id).limit(count)


def wides_statement(count: int) -> Any:
    return select(wide).order_by(wide.c.id).limit(count)


def listed_statement(count: int) -> Any:
    return select(*(book.c[name] for name in LISTED)).order_by(book.c.id).limit(count)


def events_statement() -> Any:
    return select(happening).order_by(happening.c.id).execution_options(yield_per=CHUNK)


def related_statement(count: int) -> Any:
    joined = book.join(author, book.c.author_id == author.c.id)
    return select(book, author).select_from(joined).order_by(book.c.id).limit(count)


def authors_statement(count: int) -> Any:
    return select(author).order_by(author.c.id).limit(count)


def books_of_statement(authors: Any) -> Any:
    return select(book).where(book.c.author_id.in_([row.id for row in authors]))


def reviews_of_statement(books: Any) -> Any:
    return select(review).where(review.c.book_id.in_([row.id for row in books]))


def tags_of_statement(books: Any) -> Any:
    joined = tag.join(book_tags, book_tags.c.tag_id == tag.c.id)
    wanted = select(tag, book_tags.c.book_id).select_from(joined)
    return wanted.where(book_tags.c.book_id.in_([row.id for row in books]))


def count_statement(author_id: int) -> Any:
    return select(func.count()).select_from(book).where(book.c.author_id == author_id)


def exists_statement(author_id: int) -> Any:
    return select(exists().where(book.c.author_id == author_id, book.c.pages > 1100))


def aggregate_statement(author_id: int) -> Any:
    totals = func.count(book.c.id), func.sum(book.c.pages), func.max(book.c.price)
    return select(*totals).where(book.c.author_id == author_id)


def group_statement() -> Any:
    wanted = select(book.c.author_id, func.count(book.c.id), func.sum(book.c.pages))
    return wanted.group_by(book.c.author_id).order_by(book.c.author_id)


def price_statement(key: int, price: Decimal) -> Any:
    return update(draft).where(draft.c.id == key).values(price=price)


def page_added_statement(key: int) -> Any:
    return update(draft).where(draft.c.id == key).values(pages=draft.c.pages + 1)


def pages_added_statement(start: int) -> Any:
    some = and_(draft.c.id > start, draft.c.id <= start + 20)
    return update(draft).where(some).values(pages=draft.c.pages + 1)


def pages_statement() -> Any:
    return update(draft).where(draft.c.id == bindparam("key")).values(pages=bindparam("given"))


def pages_of(drafts: Any) -> list[dict[str, int]]:
    return [{"key": row.id, "given": row.id + 60} for row in drafts]


def save_statement(row: Any, price: Decimal) -> Any:
    return update(draft).where(draft.c.id == row.id).values({**row._asdict(), "price": price})


def delete_statement(key: int) -> Any:
    return delete(draft).where(draft.c.id == key)


def draft_statement(key: int) -> Any:
    return select(draft).where(draft.c.id == key)


def isbn_statement(isbn: str) -> Any:
    return select(draft).where(draft.c.isbn == isbn)


class CoreSync(Contender):
    def open(self) -> None:
        self.engine = sync_engine(self.road, self.place)

    def close(self) -> None:
        self.engine.dispose()

    def _all(self, statement: Any) -> Any:
        with self.engine.connect() as connection:
            return list((connection.execute(statement)).all())

    def _one(self, statement: Any) -> Any:
        with self.engine.connect() as connection:
            return (connection.execute(statement)).one()

    def _write(self, statement: Any, values: Any = None) -> Any:
        with self.engine.begin() as connection:
            return (connection.execute(statement, values)).rowcount

    def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save":
                return self._one(draft_statement(argument[0])), argument[1]
            case "delete_instance":
                return self._one(draft_statement(argument))
            case "update_many":
                return self._all(select(draft).order_by(draft.c.id))
        return argument

    def get(self, key: int) -> Any:
        return self._one(book_statement(key))

    def get_wide(self, key: int) -> Any:
        return self._one(wide_statement(key))

    def page(self, author_id: int) -> Any:
        return self._all(page_statement(author_id))

    def in_100(self, keys: list[int]) -> Any:
        return self._all(keys_statement(keys))

    def complex_filter(self, slug: str) -> Any:
        return self._all(complex_statement(slug))

    def list_some(self, count: int) -> Any:
        return self._all(books_statement(count))

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return self._all(wides_statement(count))

    def values(self, count: int) -> Any:
        with self.engine.connect() as connection:
            return [dict(row) for row in (connection.execute(listed_statement(count))).mappings()]

    def values_list(self, count: int) -> Any:
        return self._all(listed_statement(count))

    def stream(self, _: None) -> Any:
        count = total = 0
        with self.engine.connect() as connection:
            for row in connection.execute(events_statement()):
                count += 1
                total += row.number
        return count, total

    def select_related(self, count: int) -> Any:
        return self._all(related_statement(count))

    def prefetch_foreign(self, count: int) -> Any:
        with self.engine.connect() as connection:
            books = (connection.execute(books_statement(count))).all()
            reviews = connection.execute(reviews_of_statement(books))
            return with_related(books, reviews, BOOK_ID)

    def prefetch_many(self, count: int) -> Any:
        with self.engine.connect() as connection:
            books = (connection.execute(books_statement(count))).all()
            return with_related(books, connection.execute(tags_of_statement(books)))

    def prefetch_nested(self, count: int) -> Any:
        with self.engine.connect() as connection:
            authors = (connection.execute(authors_statement(count))).all()
            books = (connection.execute(books_of_statement(authors))).all()
            tags = connection.execute(tags_of_statement(books))
            return with_books(authors, with_related(books, tags))

    def count(self, author_id: int) -> Any:
        with self.engine.connect() as connection:
            return connection.scalar(count_statement(author_id))

    def exists(self, author_id: int) -> Any:
        with self.engine.connect() as connection:
            return connection.scalar(exists_statement(author_id))

    def aggregate(self, author_id: int) -> Any:
        return self._one(aggregate_statement(author_id))

    def group_by(self, _: None) -> Any:
        return self._all(group_statement())

    def insert(self, values: dict[str, Any]) -> Any:
        with self.engine.begin() as connection:
            return (connection.execute(insert(draft), values)).inserted_primary_key

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        with self.engine.begin() as connection:
            for values in rows:
                connection.execute(insert(draft), values)

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        with self.engine.begin() as connection:
            return (connection.execute(insert(draft).returning(draft.c.id), rows)).scalars().all()

    def save(self, change: tuple[Any, Decimal]) -> Any:
        return self._write(save_statement(*change))

    def update(self, change: tuple[int, Decimal]) -> Any:
        return self._write(price_statement(*change))

    save_field = update

    def update_f(self, start: int) -> Any:
        return self._write(pages_added_statement(start))

    def update_many(self, drafts: list[Any]) -> Any:
        return self._write(pages_statement(), pages_of(drafts))

    def get_or_create(self, values: dict[str, Any]) -> Any:
        with self.engine.begin() as connection:
            found = (connection.execute(isbn_statement(values["isbn"]))).one_or_none()
            return found or (connection.execute(insert(draft), values)).inserted_primary_key

    def delete(self, key: int) -> Any:
        return self._write(delete_statement(key))

    def delete_instance(self, row: Any) -> Any:
        return self._write(delete_statement(row.id))

    def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        with self.engine.begin() as connection:
            connection.execute(insert(draft), values)
            with connection.begin_nested():
                connection.execute(price_statement(key, price))
            with connection.begin_nested():
                connection.execute(page_added_statement(key))

    def build(self, author_id: int) -> Any:
        return compiled(self.engine, page_statement(author_id))


class CoreAsync(Contender):
    async def open(self) -> None:
        self.engine = async_engine(self.road, self.place)

    async def close(self) -> None:
        await self.engine.dispose()

    async def _all(self, statement: Any) -> Any:
        async with self.engine.connect() as connection:
            return list((await connection.execute(statement)).all())

    async def _one(self, statement: Any) -> Any:
        async with self.engine.connect() as connection:
            return (await connection.execute(statement)).one()

    async def _write(self, statement: Any, values: Any = None) -> Any:
        async with self.engine.begin() as connection:
            return (await connection.execute(statement, values)).rowcount

    async def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save":
                return await self._one(draft_statement(argument[0])), argument[1]
            case "delete_instance":
                return await self._one(draft_statement(argument))
            case "update_many":
                return await self._all(select(draft).order_by(draft.c.id))
        return argument

    async def get(self, key: int) -> Any:
        return await self._one(book_statement(key))

    async def get_wide(self, key: int) -> Any:
        return await self._one(wide_statement(key))

    async def page(self, author_id: int) -> Any:
        return await self._all(page_statement(author_id))

    async def in_100(self, keys: list[int]) -> Any:
        return await self._all(keys_statement(keys))

    async def complex_filter(self, slug: str) -> Any:
        return await self._all(complex_statement(slug))

    async def list_some(self, count: int) -> Any:
        return await self._all(books_statement(count))

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await self._all(wides_statement(count))

    async def values(self, count: int) -> Any:
        async with self.engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(listed_statement(count))).mappings()]

    async def values_list(self, count: int) -> Any:
        return await self._all(listed_statement(count))

    async def stream(self, _: None) -> Any:
        count = total = 0
        async with self.engine.connect() as connection:
            async for row in await connection.stream(events_statement()):
                count += 1
                total += row.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return await self._all(related_statement(count))

    async def prefetch_foreign(self, count: int) -> Any:
        async with self.engine.connect() as connection:
            books = (await connection.execute(books_statement(count))).all()
            reviews = await connection.execute(reviews_of_statement(books))
            return with_related(books, reviews, BOOK_ID)

    async def prefetch_many(self, count: int) -> Any:
        async with self.engine.connect() as connection:
            books = (await connection.execute(books_statement(count))).all()
            return with_related(books, await connection.execute(tags_of_statement(books)))

    async def prefetch_nested(self, count: int) -> Any:
        async with self.engine.connect() as connection:
            authors = (await connection.execute(authors_statement(count))).all()
            books = (await connection.execute(books_of_statement(authors))).all()
            tags = await connection.execute(tags_of_statement(books))
            return with_books(authors, with_related(books, tags))

    async def count(self, author_id: int) -> Any:
        async with self.engine.connect() as connection:
            return await connection.scalar(count_statement(author_id))

    async def exists(self, author_id: int) -> Any:
        async with self.engine.connect() as connection:
            return await connection.scalar(exists_statement(author_id))

    async def aggregate(self, author_id: int) -> Any:
        return await self._one(aggregate_statement(author_id))

    async def group_by(self, _: None) -> Any:
        return await self._all(group_statement())

    async def insert(self, values: dict[str, Any]) -> Any:
        async with self.engine.begin() as connection:
            return (await connection.execute(insert(draft), values)).inserted_primary_key

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with self.engine.begin() as connection:
            for values in rows:
                await connection.execute(insert(draft), values)

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        async with self.engine.begin() as connection:
            return (await connection.execute(insert(draft).returning(draft.c.id), rows)).scalars().all()

    async def save(self, change: tuple[Any, Decimal]) -> Any:
        return await self._write(save_statement(*change))

    async def update(self, change: tuple[int, Decimal]) -> Any:
        return await self._write(price_statement(*change))

    save_field = update

    async def update_f(self, start: int) -> Any:
        return await self._write(pages_added_statement(start))

    async def update_many(self, drafts: list[Any]) -> Any:
        return await self._write(pages_statement(), pages_of(drafts))

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        async with self.engine.begin() as connection:
            found = (await connection.execute(isbn_statement(values["isbn"]))).one_or_none()
            return found or (await connection.execute(insert(draft), values)).inserted_primary_key

    async def delete(self, key: int) -> Any:
        return await self._write(delete_statement(key))

    async def delete_instance(self, row: Any) -> Any:
        return await self._write(delete_statement(row.id))

    async def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        async with self.engine.begin() as connection:
            await connection.execute(insert(draft), values)
            async with connection.begin_nested():
                await connection.execute(price_statement(key, price))
            async with connection.begin_nested():
                await connection.execute(page_added_statement(key))

    async def gets_10(self, keys: list[int]) -> Any:
        return await asyncio.gather(*[self.get(key) for key in keys])

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    return CoreSync(road, place) if road.face == "sync" else CoreAsync(road, place)
