"""SQLObjects, which is async alone: Django's language over SQLAlchemy Core, with sessions.

- ``save`` writes what was changed. SQLite: moments come naive.
- It refuses its own subqueries in joins, although its guide shows that; and not every version of SQLAlchemy: 2.1 breaks
  foreign keys that name classes.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import event, select
from sqlobjects import Q
from sqlobjects.database import close_db, init_db
from sqlobjects.expressions import func
from sqlobjects.fields import (
    BooleanColumn,
    Column,
    DateTimeColumn,
    IntegerColumn,
    M2MTable,
    NumericColumn,
    Related,
    StringColumn,
    column,
    foreign_key,
    relationship,
)
from sqlobjects.model import ObjectModel
from sqlobjects.session import ctx_session

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.contenders.bare import CHUNK, SQLITE_PRAGMAS
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road, sqlalchemy_url
from benchmarks.schema import WIDE_COLUMNS


class Author(ObjectModel):
    id: Column[int] = IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False)
    name: Column[str] = StringColumn(length=200, nullable=False)
    email: Column[str] = StringColumn(length=200, nullable=False)
    born: Column[date] = DateTimeColumn(type="date", nullable=False)
    active: Column[bool] = BooleanColumn(nullable=False)
    book_set: Related[list[Book]] = relationship("Book", remote_fields="author_id")

    class Config:
        table_name = "author"


class Tag(ObjectModel):
    id: Column[int] = IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False)
    name: Column[str] = StringColumn(length=200, nullable=False)
    slug: Column[str] = StringColumn(length=200, nullable=False)

    class Config:
        table_name = "tag"


class Book(ObjectModel):
    id: Column[int] = IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False)
    title: Column[str] = StringColumn(length=200, nullable=False)
    isbn: Column[str] = StringColumn(length=200, nullable=False)
    price: Column[Decimal] = NumericColumn(precision=10, scale=2, nullable=False)
    pages: Column[int] = IntegerColumn(type="bigint", nullable=False)
    published: Column[date] = DateTimeColumn(type="date", nullable=False)
    created_at: Column[datetime] = column(type="datetime", timezone=True, nullable=False)
    in_print: Column[bool] = BooleanColumn(nullable=False)
    author_id: Column[int] = foreign_key("Author.id", type="bigint", nullable=False)
    editor_id: Column[int] = foreign_key("Author.id", type="bigint")
    author: Related[Author] = relationship("Author", foreign_keys="author_id")
    editor: Related[Author] = relationship("Author", foreign_keys="editor_id")
    tags: Related[list[Tag]] = relationship("Tag", secondary=M2MTable("book_tags", "Book", "Tag"))
    review_set: Related[list[Review]] = relationship("Review", remote_fields="book_id")

    class Config:
        table_name = "book"


class BookTag(ObjectModel):
    id: Column[int] = IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False)
    book_id: Column[int] = foreign_key("Book.id", type="bigint", nullable=False)
    tag_id: Column[int] = foreign_key("Tag.id", type="bigint", nullable=False)

    class Config:
        table_name = "book_tags"


class Draft(ObjectModel):
    id: Column[int] = IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False)
    title: Column[str] = StringColumn(length=200, nullable=False)
    isbn: Column[str] = StringColumn(length=200, nullable=False)
    price: Column[Decimal] = NumericColumn(precision=10, scale=2, nullable=False)
    pages: Column[int] = IntegerColumn(type="bigint", nullable=False)
    published: Column[date] = DateTimeColumn(type="date", nullable=False)
    created_at: Column[datetime] = column(type="datetime", timezone=True, nullable=False)
    in_print: Column[bool] = BooleanColumn(nullable=False)
    author_id: Column[int] = foreign_key("Author.id", type="bigint", nullable=False)
    editor_id: Column[int] = foreign_key("Author.id", type="bigint")

    class Config:
        table_name = "draft"


class Review(ObjectModel):
    id: Column[int] = IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False)
    book_id: Column[int] = foreign_key("Book.id", type="bigint", nullable=False)
    stars: Column[int] = IntegerColumn(type="bigint", nullable=False)
    text: Column[str] = StringColumn(length=200, nullable=False)

    class Config:
        table_name = "review"


class Event(ObjectModel):
    id: Column[int] = IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False)
    kind: Column[str] = StringColumn(length=200, nullable=False)
    number: Column[int] = IntegerColumn(type="bigint", nullable=False)
    happened_at: Column[datetime] = column(type="datetime", timezone=True, nullable=False)

    class Config:
        table_name = "event"


def wide_column(kind: str) -> Any:
    made: dict[str, Any] = {
        "pk": lambda: IntegerColumn(type="bigint", primary_key=True, nullable=False, init=False),
        "int": lambda: IntegerColumn(type="bigint", nullable=False),
        "text": lambda: StringColumn(length=200, nullable=False),
        "bool": lambda: BooleanColumn(nullable=False),
        "decimal": lambda: NumericColumn(precision=10, scale=2, nullable=False),
        "date": lambda: DateTimeColumn(type="date", nullable=False),
        "datetime": lambda: column(type="datetime", timezone=True, nullable=False),
    }
    return made[kind]()


class WideConfig:
    table_name = "wide"


Wide: Any = type(ObjectModel)(
    "Wide",
    (ObjectModel,),
    {name: wide_column(kind) for name, kind in WIDE_COLUMNS.items()}
    | {"Config": WideConfig, "__module__": __name__},
)


def set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


class SQLObjectsContender(Contender):
    async def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return await Draft.objects.get(Draft.id == key), price
        if operation == "delete_instance":
            return await Draft.objects.get(Draft.id == argument)
        return await Draft.objects.order_by("id").all() if operation == "update_many" else argument

    async def open(self) -> None:
        database = await init_db(sqlalchemy_url(self.road, self.place), pool_size=POOL_SIZE, max_overflow=0)
        if self.road.vendor == "sqlite":
            event.listen(database.engine.sync_engine, "connect", set_pragmas)

    async def close(self) -> None:
        await close_db()

    async def get(self, key: int) -> Any:
        return await Book.objects.get(Book.id == key)

    async def get_wide(self, key: int) -> Any:
        return await Wide.objects.get(Wide.id == key)

    async def page(self, author_id: int) -> Any:
        wanted = Book.objects.filter(Book.author_id == author_id, Book.in_print == True)  # noqa: E712
        return await wanted.order_by("-created_at").limit(PAGE).all()

    async def in_100(self, keys: list[int]) -> Any:
        return await Book.objects.filter(Book.id.in_(keys)).order_by("id").all()

    async def complex_filter(self, slug: str) -> Any:
        editor = select(Author.get_table()).subquery("editor")
        books = Book.objects.join(BookTag, BookTag.book_id == Book.id).join(Tag, Tag.id == BookTag.tag_id)
        books = books.join(Author, Author.id == Book.author_id).leftjoin(
            editor, editor.c.id == Book.editor_id
        )
        either = Q(Author.name.like("A%")) | Q(editor.c.active)
        wanted = books.filter(Tag.slug == slug, either).exclude(Book.pages < 100)
        return await wanted.order_by("id").limit(50).all()

    async def list_some(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).all()

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await Wide.objects.order_by("id").limit(count).all()

    async def values(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).values(*LISTED)

    async def values_list(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).values_list(*LISTED)

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for event_ in Event.objects.iterator(chunk_size=CHUNK):
            count += 1
            total += event_.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return await Book.objects.select_related("author").order_by("id").limit(count).all()

    async def prefetch_foreign(self, count: int) -> Any:
        return await Book.objects.prefetch_related("review_set").order_by("id").limit(count).all()

    async def prefetch_many(self, count: int) -> Any:
        return await Book.objects.prefetch_related("tags").order_by("id").limit(count).all()

    async def prefetch_nested(self, count: int) -> Any:
        return await Author.objects.prefetch_related("book_set__tags").order_by("id").limit(count).all()

    async def count(self, author_id: int) -> Any:
        return await Book.objects.filter(Book.author_id == author_id).count()

    async def exists(self, author_id: int) -> Any:
        return await Book.objects.filter(Book.author_id == author_id, Book.pages > 1_100).exists()

    async def aggregate(self, author_id: int) -> Any:
        books = Book.objects.filter(Book.author_id == author_id)
        return await books.aggregate(
            count=func.count(), total=func.sum(Book.pages), price=func.max(Book.price)
        )

    async def group_by(self, _: None) -> Any:
        found = Book.objects.annotate(count=func.count(), total=func.sum(Book.pages)).group_by("author_id")
        return await found.order_by("author_id").values("author_id", "count", "total")

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.objects.create(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with ctx_session() as session:
            return [await Draft.objects.using(session).create(**values) for values in rows]

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return list(await Draft.objects.bulk_create(rows, return_objects=True))

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.save()

    save_field = save

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await Draft.objects.filter(Draft.id == key).update(price=price)

    async def update_f(self, start: int) -> Any:
        wanted = Draft.objects.filter(Draft.id > start, Draft.id <= start + 20)
        return await wanted.update(pages=Draft.pages + 1)

    async def update_many(self, drafts: list[Draft]) -> Any:
        rows = [{"id": draft.id, "pages": draft.id + 60} for draft in drafts]
        return await Draft.objects.bulk_update(rows, match_fields=["id"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        draft, _ = await Draft.objects.get_or_create(defaults=values, isbn=values["isbn"])
        return draft

    async def delete(self, key: int) -> Any:
        return await Draft.objects.filter(Draft.id == key).delete()

    async def delete_instance(self, draft: Draft) -> Any:
        await draft.delete()

    async def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        async with ctx_session() as session:
            await Draft.objects.using(session).create(**values)
            async with await session.begin_nested():
                await Draft.objects.using(session).filter(Draft.id == key).update(price=price)
            async with await session.begin_nested():
                await Draft.objects.using(session).filter(Draft.id == key).update(pages=Draft.pages + 1)

    async def gets_10(self, keys: list[int]) -> Any:
        return list(await asyncio.gather(*map(self.get, keys)))

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync":
        raise Absent("SQLObjects is async alone")
    return SQLObjectsContender(road, place)
