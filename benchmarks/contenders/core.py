"""SQLAlchemy Core as it is usually written: a statement built per call, a connection per call, rows as they come."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.contenders import Contender
from benchmarks.contenders.bare import SQLITE_PRAGMAS, with_books, with_tags
from benchmarks.operations import PAGE
from benchmarks.roads import Place, Road, sqlalchemy_url

metadata = MetaData()
author = Table(
    "author",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("email", String(200), nullable=False),
    Column("born", Date, nullable=False),
    Column("active", Boolean, nullable=False),
)


def _book_table(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("title", String(200), nullable=False),
        Column("isbn", String(200), nullable=False),
        Column("price", Numeric(10, 2), nullable=False),
        Column("pages", BigInteger, nullable=False),
        Column("published", Date, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),  # naive UTC on SQLite
        Column("in_print", Boolean, nullable=False),
        Column("author_id", ForeignKey("author.id"), nullable=False),
        Column("editor_id", ForeignKey("author.id")),
    )


book = _book_table("book")
draft = _book_table("draft")
tag = Table(
    "tag",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("slug", String(200), nullable=False),
)
book_tags = Table(
    "book_tags",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("book_id", ForeignKey("book.id"), nullable=False),
    Column("tag_id", ForeignKey("tag.id"), nullable=False),
)


def sync_engine(road: Road, place: Place) -> Engine:
    engine = create_engine(sqlalchemy_url(road, place))
    if road.vendor == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    return engine


def async_engine(road: Road, place: Place) -> AsyncEngine:
    engine = create_async_engine(sqlalchemy_url(road, place))
    if road.vendor == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def page_statement(author_id: int) -> Any:
    wanted = select(book).where(book.c.author_id == author_id, book.c.in_print)
    return wanted.order_by(book.c.created_at.desc()).limit(PAGE)


def books_statement(count: int) -> Any:
    return select(book).order_by(book.c.id).limit(count)


def listed_statement(count: int) -> Any:
    return select(book.c.id, book.c.title, book.c.price, book.c.published).order_by(book.c.id).limit(count)


def related_statement(count: int) -> Any:
    joined = book.join(author, book.c.author_id == author.c.id)
    return select(book, author).select_from(joined).order_by(book.c.id).limit(count)


def authors_statement(count: int) -> Any:
    return select(author).order_by(author.c.id).limit(count)


def books_of_statement(authors: Any) -> Any:
    return select(book).where(book.c.author_id.in_([row.id for row in authors]))


def tags_of_statement(books: Any) -> Any:
    joined = tag.join(book_tags, book_tags.c.tag_id == tag.c.id)
    wanted = select(tag, book_tags.c.book_id).select_from(joined)
    return wanted.where(book_tags.c.book_id.in_([row.id for row in books]))


class CoreSync(Contender):
    def open(self) -> None:
        self.engine = sync_engine(self.road, self.place)

    def close(self) -> None:
        self.engine.dispose()

    def _all(self, statement: Any) -> Any:
        with self.engine.connect() as connection:
            return list(connection.execute(statement).all())

    def get(self, key: int) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(select(book).where(book.c.id == key)).one()

    def page(self, author_id: int) -> Any:
        return self._all(page_statement(author_id))

    def list_some(self, count: int) -> Any:
        return self._all(books_statement(count))

    list_all = list_some

    def values_list(self, count: int) -> Any:
        return self._all(listed_statement(count))

    def select_related(self, count: int) -> Any:
        return self._all(related_statement(count))

    def prefetch_many(self, count: int) -> Any:
        with self.engine.connect() as connection:
            books = connection.execute(books_statement(count)).all()
            return with_tags(books, connection.execute(tags_of_statement(books)))

    def prefetch_nested(self, count: int) -> Any:
        with self.engine.connect() as connection:
            authors = connection.execute(authors_statement(count)).all()
            books = connection.execute(books_of_statement(authors)).all()
            return with_books(authors, with_tags(books, connection.execute(tags_of_statement(books))))

    def insert(self, values: dict[str, Any]) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(insert(draft).values(**values)).inserted_primary_key

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(insert(draft).returning(draft.c.id), rows).scalars().all()

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        with self.engine.begin() as connection:
            return connection.execute(update(draft).where(draft.c.id == key).values(price=price)).rowcount


class CoreAsync(Contender):
    async def open(self) -> None:
        self.engine = async_engine(self.road, self.place)

    async def close(self) -> None:
        await self.engine.dispose()

    async def _all(self, statement: Any) -> Any:
        async with self.engine.connect() as connection:
            return list((await connection.execute(statement)).all())

    async def get(self, key: int) -> Any:
        async with self.engine.connect() as connection:
            return (await connection.execute(select(book).where(book.c.id == key))).one()

    async def page(self, author_id: int) -> Any:
        return await self._all(page_statement(author_id))

    async def list_some(self, count: int) -> Any:
        return await self._all(books_statement(count))

    list_all = list_some

    async def values_list(self, count: int) -> Any:
        return await self._all(listed_statement(count))

    async def select_related(self, count: int) -> Any:
        return await self._all(related_statement(count))

    async def prefetch_many(self, count: int) -> Any:
        async with self.engine.connect() as connection:
            books = (await connection.execute(books_statement(count))).all()
            return with_tags(books, await connection.execute(tags_of_statement(books)))

    async def prefetch_nested(self, count: int) -> Any:
        async with self.engine.connect() as connection:
            authors = (await connection.execute(authors_statement(count))).all()
            books = (await connection.execute(books_of_statement(authors))).all()
            tagged = with_tags(books, await connection.execute(tags_of_statement(books)))
            return with_books(authors, tagged)

    async def insert(self, values: dict[str, Any]) -> Any:
        async with self.engine.begin() as connection:
            return (await connection.execute(insert(draft).values(**values))).inserted_primary_key

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        async with self.engine.begin() as connection:
            return (await connection.execute(insert(draft).returning(draft.c.id), rows)).scalars().all()

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        async with self.engine.begin() as connection:
            found = await connection.execute(update(draft).where(draft.c.id == key).values(price=price))
            return found.rowcount


def contender(road: Road, place: Place) -> Contender:
    return CoreSync(road, place) if road.face == "sync" else CoreAsync(road, place)
