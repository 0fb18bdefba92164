"""Piccolo, which is async alone and reaches PostgreSQL through asyncpg alone.

- No ``values_list``: ``select()`` gives dicts; no prefetching along a foreign key's far side, so neither
  ``prefetch_foreign`` nor ``prefetch_nested``.
- ``prefetch_many`` is a ``select()`` with the tags' columns: dicts, as Piccolo has no instances with related ones.
- ``update_many`` is an upsert, there is no bulk update.
- SQLite: a connection for every query, and no way to set ``synchronous``. Values are converted by the declared types
  of Piccolo's own tables (``NUMERIC``, ``TIMESTAMPTZ``, ``BOOLEAN``): on other tables, these come as SQLite has them.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from piccolo.columns import (
    M2M,
    BigInt,
    BigSerial,
    Boolean,
    Date,
    ForeignKey,
    LazyTableReference,
    Numeric,
    Timestamptz,
    Varchar,
)
from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine, TransactionType
from piccolo.query.functions.aggregate import Count, Max, Sum
from piccolo.table import Table, create_table_class

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.contenders.bare import CHUNK
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road
from benchmarks.schema import WIDE_COLUMNS


class Author(Table, tablename="author"):
    id = BigSerial(primary_key=True)
    name = Varchar(length=200)
    email = Varchar(length=200)
    born = Date()
    active = Boolean()


class Tag(Table, tablename="tag"):
    id = BigSerial(primary_key=True)
    name = Varchar(length=200)
    slug = Varchar(length=200)


class Book(Table, tablename="book"):
    id = BigSerial(primary_key=True)
    title = Varchar(length=200)
    isbn = Varchar(length=200)
    price = Numeric(digits=(10, 2))
    pages = BigInt()
    published = Date()
    created_at = Timestamptz()
    in_print = Boolean()
    author = ForeignKey(Author, null=False, db_column_name="author_id")
    editor = ForeignKey(Author, db_column_name="editor_id")
    tags = M2M(LazyTableReference("BookTag", module_path=__name__))

    @property
    def author_id(self) -> Any:
        return getattr(self.author, "id", self.author)

    @property
    def editor_id(self) -> Any:
        return self.editor


class BookTag(Table, tablename="book_tags"):
    id = BigSerial(primary_key=True)
    book = ForeignKey(Book, db_column_name="book_id")
    tag = ForeignKey(Tag, db_column_name="tag_id")


class Draft(Table, tablename="draft"):
    id = BigSerial(primary_key=True)
    title = Varchar(length=200)
    isbn = Varchar(length=200)
    price = Numeric(digits=(10, 2))
    pages = BigInt()
    published = Date()
    created_at = Timestamptz()
    in_print = Boolean()
    author = ForeignKey(Author, null=False, db_column_name="author_id")
    editor = ForeignKey(Author, db_column_name="editor_id")


class Event(Table, tablename="event"):
    id = BigSerial(primary_key=True)
    kind = Varchar(length=200)
    number = BigInt()
    happened_at = Timestamptz()


def wide_column(kind: str) -> Any:
    made: dict[str, Any] = {
        "pk": lambda: BigSerial(primary_key=True),
        "int": BigInt,
        "text": lambda: Varchar(length=200),
        "bool": Boolean,
        "decimal": lambda: Numeric(digits=(10, 2)),
        "date": Date,
        "datetime": Timestamptz,
    }
    return made[kind]()


Wide: Any = create_table_class(
    "Wide",
    class_kwargs={"tablename": "wide"},
    class_members=dict(zip(WIDE_COLUMNS, map(wide_column, WIDE_COLUMNS.values()), strict=True)),
)
COLUMNS = {str(column._meta.db_column_name): column for column in Draft._meta.columns}
TABLES = (Author, Tag, Book, BookTag, Draft, Event, Wide)


def complex_filter(slug: str) -> Any:
    tagged = BookTag.select(BookTag.book).where(BookTag.tag.slug == slug)
    wanted = Book.objects().where(
        Book.id.is_in(tagged), Book.author.name.like("A%") | Book.editor.active.eq(True), Book.pages >= 100
    )
    return wanted.order_by(Book.id).limit(50)


class PiccoloContender(Contender):
    engine: Any

    async def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances; columns instead of names where Piccolo wants them."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return await Draft.objects().get(Draft.id == key), price
        if operation == "delete_instance":
            return await Draft.objects().get(Draft.id == argument)
        if operation == "update_many":
            return await Draft.objects().order_by(Draft.id)
        if operation == "get_or_create":
            return {column: argument[name] for name, column in COLUMNS.items() if name in argument}
        return argument

    async def open(self) -> None:
        if self.road.vendor == "sqlite":
            self.engine = SQLiteEngine(path=self.place.name)
        else:
            self.engine = PostgresEngine(config=self.place.keywords("database"))
            await self.engine.start_connection_pool(min_size=POOL_SIZE, max_size=POOL_SIZE)
        for table in TABLES:
            table._meta.db = self.engine

    async def close(self) -> None:
        if self.road.vendor == "postgres":
            await self.engine.close_connection_pool()

    def _transaction(self) -> Any:
        """SQLite's kind for writing, where it has to be told."""
        if self.road.vendor == "sqlite":
            return self.engine.transaction(transaction_type=TransactionType.immediate)
        return self.engine.transaction()

    async def get(self, key: int) -> Any:
        return await Book.objects().get(Book.id == key)

    async def get_wide(self, key: int) -> Any:
        return await Wide.objects().get(Wide.id == key)

    async def page(self, author_id: int) -> Any:
        wanted = Book.objects().where(Book.author == author_id, Book.in_print.eq(True))
        return await wanted.order_by(Book.created_at, ascending=False).limit(PAGE)

    async def in_100(self, keys: list[int]) -> Any:
        return await Book.objects().where(Book.id.is_in(keys)).order_by(Book.id)

    async def complex_filter(self, slug: str) -> Any:
        return await complex_filter(slug)

    async def list_some(self, count: int) -> Any:
        return await Book.objects().order_by(Book.id).limit(count)

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await Wide.objects().order_by(Wide.id).limit(count)

    async def values(self, count: int) -> Any:
        return await Book.select(*(getattr(Book, name) for name in LISTED)).order_by(Book.id).limit(count)

    async def stream(self, _: None) -> Any:
        count = total = 0
        async with await Event.objects().batch(batch_size=CHUNK) as batch:
            async for events in batch:
                count += len(events)
                total += sum(event.number for event in events)
        return count, total

    async def select_related(self, count: int) -> Any:
        return await Book.objects(Book.author).order_by(Book.id).limit(count)

    async def prefetch_many(self, count: int) -> Any:
        keys = (Book.author.as_alias("author_id"), Book.editor.as_alias("editor_id"))
        wanted = Book.select(Book.all_columns(), *keys, Book.tags(Tag.all_columns()))
        return await wanted.order_by(Book.id).limit(count)

    async def count(self, author_id: int) -> Any:
        return await Book.count().where(Book.author == author_id)

    async def exists(self, author_id: int) -> Any:
        return await Book.exists().where(Book.author == author_id, Book.pages > 1_100)

    async def aggregate(self, author_id: int) -> Any:
        wanted = Book.select(Count(), Sum(Book.pages, alias="total"), Max(Book.price, alias="price"))
        return await wanted.where(Book.author == author_id).first()

    async def group_by(self, _: None) -> Any:
        wanted = Book.select(Book.author.as_alias("author_id"), Count(), Sum(Book.pages, alias="total"))
        return await wanted.group_by(Book.author).order_by(Book.author)

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.objects().create(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with self._transaction():
            return [await Draft.objects().create(**values) for values in rows]

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        drafts = [Draft(**values) for values in rows]
        await Draft.insert(*drafts)
        return drafts

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.save()

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.save(columns=[Draft.price])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        await Draft.update({Draft.price: price}).where(Draft.id == key)

    async def update_f(self, start: int) -> Any:
        await Draft.update({Draft.pages: Draft.pages + 1}).where(Draft.id > start, Draft.id <= start + 20)

    async def update_many(self, drafts: list[Draft]) -> Any:
        for draft in drafts:
            draft.pages = draft.id + 60
        await Draft.insert(*drafts).on_conflict(target=Draft.id, action="DO UPDATE", values=[Draft.pages])

    async def get_or_create(self, values: dict[Any, Any]) -> Any:
        return await Draft.objects().get_or_create(Draft.isbn == values[Draft.isbn], defaults=values)

    async def delete(self, key: int) -> Any:
        await Draft.delete().where(Draft.id == key)

    async def delete_instance(self, draft: Draft) -> Any:
        await draft.remove()

    async def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        async with self._transaction() as transaction:
            await Draft.objects().create(**values)
            savepoint = await transaction.savepoint()
            await Draft.update({Draft.price: price}).where(Draft.id == key)
            await savepoint.release()
            savepoint = await transaction.savepoint()
            await Draft.update({Draft.pages: Draft.pages + 1}).where(Draft.id == key)
            await savepoint.release()

    async def gets_10(self, keys: list[int]) -> Any:
        return list(await asyncio.gather(*map(self.get, keys)))

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync":
        raise Absent("Piccolo's run_sync() only starts an event loop for a query of its async face")
    if road.driver == "psycopg":
        raise Absent("Piccolo reaches PostgreSQL through asyncpg alone")
    return PiccoloContender(road, place)
