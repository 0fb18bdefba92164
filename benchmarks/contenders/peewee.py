"""Peewee, and its own asyncio support: ordinary code in a greenlet, given to ``run`` of an async database.

SQLite has naive moments, as Peewee has no field there that knows zones. Its async PostgreSQL driver is asyncpg.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from peewee import (
    JOIN,
    PREFETCH_TYPE,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    DatabaseProxy,
    DateField,
    DecimalField,
    ForeignKeyField,
    Load,
    Model,
    SqliteDatabase,
    fn,
)
from playhouse.postgres_ext import DateTimeTZField, PostgresqlExtDatabase, ServerSide
from playhouse.pwasyncio import AsyncPostgresqlDatabase, AsyncSqliteDatabase

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.contenders.bare import CHUNK, SQLITE_PRAGMAS
from benchmarks.operations import LISTED, OPERATIONS, PAGE
from benchmarks.roads import Place, Road
from benchmarks.schema import WIDE_COLUMNS

database = DatabaseProxy()
PRAGMAS = [pragma.removeprefix("PRAGMA ").split(" = ") for pragma in SQLITE_PRAGMAS]
Text = functools.partial(CharField, max_length=200)
Price = functools.partial(DecimalField, max_digits=10, decimal_places=2)


class Base(Model):
    id = BigAutoField()

    class Meta:
        database = database


class Author(Base):
    name = Text()
    email = Text()
    born = DateField()
    active = BooleanField()


class Tag(Base):
    name = Text()
    slug = Text()


class Book(Base):
    title = Text()
    isbn = Text()
    price = Price()
    pages = BigIntegerField()
    published = DateField()
    created_at = DateTimeTZField()
    in_print = BooleanField()
    author = ForeignKeyField(Author, backref="book_set")
    editor = ForeignKeyField(Author, backref="edited", null=True)

    @property
    def tags(self) -> list[Tag]:
        return [pair.tag for pair in self.pairs]


class Draft(Base):
    title = Text()
    isbn = Text()
    price = Price()
    pages = BigIntegerField()
    published = DateField()
    created_at = DateTimeTZField()
    in_print = BooleanField()
    author = ForeignKeyField(Author, backref="drafts")
    editor = ForeignKeyField(Author, backref="edited_drafts", null=True)


class BookTag(Base):
    book = ForeignKeyField(Book, backref="pairs")
    tag = ForeignKeyField(Tag, backref="pairs")

    class Meta:
        table_name = "book_tags"


class Review(Base):
    book = ForeignKeyField(Book, backref="review_set")
    stars = BigIntegerField()
    text = Text()


class Event(Base):
    kind = Text()
    number = BigIntegerField()
    happened_at = DateTimeTZField()


FIELDS: dict[str, Callable[[], Any]] = {
    "int": BigIntegerField,
    "text": Text,
    "bool": BooleanField,
    "decimal": Price,
    "date": DateField,
    "datetime": DateTimeTZField,
}
Wide: Any = type(Base)(
    "Wide",
    (Base,),
    {name: FIELDS[kind]() for name, kind in WIDE_COLUMNS.items() if kind != "pk"} | {"__module__": __name__},
)
Editor = Author.alias()
REVIEWS = Load(Book.review_set, strategy=PREFETCH_TYPE.MATERIALIZE)


def tags() -> Any:
    pairs = BookTag.select(BookTag, Tag).join(Tag)
    return Load(Book.pairs, pairs, strategy=PREFETCH_TYPE.MATERIALIZE)


def page(author_id: int) -> Any:
    wanted = Book.select().where(Book.author == author_id, Book.in_print)
    return wanted.order_by(Book.created_at.desc()).limit(PAGE)


def books(count: int) -> Any:
    return Book.select().order_by(Book.id).limit(count)


def listed(count: int) -> Any:
    return Book.select(*(getattr(Book, name) for name in LISTED)).order_by(Book.id).limit(count)


def of_author(author_id: int) -> Any:
    return Book.select().where(Book.author == author_id)


class PeeweeSync(Contender):
    def open(self) -> None:
        if self.road.vendor == "sqlite":
            database.initialize(SqliteDatabase(self.place.name, pragmas=PRAGMAS))
        else:
            database.initialize(
                PostgresqlExtDatabase(**self.place.keywords("database"), prefer_psycopg3=True)
            )

    def close(self) -> Any:
        database.close()

    def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return Draft.get_by_id(argument[0]), argument[1]
            case "delete_instance":
                return Draft.get_by_id(argument)
            case "update_many":
                return list(Draft.select().order_by(Draft.id))
        return argument

    def get(self, key: int) -> Any:
        return Book.get_by_id(key)

    def get_wide(self, key: int) -> Any:
        return Wide.get_by_id(key)

    def page(self, author_id: int) -> Any:
        return list(page(author_id))

    def in_100(self, keys: list[int]) -> Any:
        return list(Book.select().where(Book.id.in_(keys)).order_by(Book.id))

    def complex_filter(self, slug: str) -> Any:
        joined = Book.select().join(BookTag).join(Tag).join_from(Book, Author, on=Book.author)
        joined = joined.join_from(Book, Editor, JOIN.LEFT_OUTER, on=Book.editor == Editor.id)
        wanted = joined.where(Tag.slug == slug, Author.name.startswith("A") | Editor.active)
        return list(wanted.where(~(Book.pages < 100)).order_by(Book.id).limit(50).objects())

    def list_some(self, count: int) -> Any:
        return list(books(count))

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return list(Wide.select().order_by(Wide.id).limit(count))

    def values(self, count: int) -> Any:
        return list(listed(count).dicts())

    def values_list(self, count: int) -> Any:
        return list(listed(count).tuples())

    def stream(self, _: None) -> Any:
        count = total = 0
        events = Event.select().order_by(Event.id)
        with database.atomic():
            streamed = events.iterator() if self.road.vendor == "sqlite" else ServerSide(events, CHUNK)
            for event in streamed:
                count += 1
                total += event.number
        return count, total

    def select_related(self, count: int) -> Any:
        wanted = Book.select(Book, Author).join(Author, on=Book.author)
        return list(wanted.order_by(Book.id).limit(count))

    def prefetch_foreign(self, count: int) -> Any:
        return list(books(count).with_related(REVIEWS))

    def prefetch_many(self, count: int) -> Any:
        return list(books(count).with_related(tags()))

    def prefetch_nested(self, count: int) -> Any:
        related = Load(Author.book_set, strategy=PREFETCH_TYPE.MATERIALIZE).then(tags())
        return list(Author.select().order_by(Author.id).limit(count).with_related(related))

    def count(self, author_id: int) -> Any:
        return of_author(author_id).count()

    def exists(self, author_id: int) -> Any:
        return of_author(author_id).where(Book.pages > 1100).exists()

    def aggregate(self, author_id: int) -> Any:
        totals = Book.select(fn.COUNT(Book.id), fn.SUM(Book.pages), fn.MAX(Book.price))
        return totals.where(Book.author == author_id).scalar(as_tuple=True)

    def group_by(self, _: None) -> Any:
        totals = Book.select(Book.author, fn.COUNT(Book.id), fn.SUM(Book.pages))
        return list(totals.group_by(Book.author).order_by(Book.author).tuples())

    def insert(self, values: dict[str, Any]) -> Any:
        return Draft.create(**values)

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        with database.atomic():
            for values in rows:
                Draft.create(**values)

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        with database.atomic():
            if self.road.vendor == "sqlite":  # bulk_create leaves its instances without keys there
                return list(Draft.insert_many(rows).returning(Draft).execute())
            drafts = [Draft(**values) for values in rows]
            Draft.bulk_create(drafts)
            return drafts

    def save(self, change: tuple[Any, Decimal]) -> Any:
        draft, draft.price = change
        return draft.save()

    def save_field(self, change: tuple[Any, Decimal]) -> Any:
        draft, draft.price = change
        return draft.save(only=[Draft.price])

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return Draft.update(price=price).where(Draft.id == key).execute()

    def update_f(self, start: int) -> Any:
        some = Draft.update(pages=Draft.pages + 1).where(Draft.id > start, Draft.id <= start + 20)
        return some.execute()

    def update_many(self, drafts: list[Any]) -> Any:
        for draft in drafts:
            draft.pages = draft.id + 60
        with database.atomic():
            return Draft.bulk_update(drafts, [Draft.pages])

    def get_or_create(self, values: dict[str, Any]) -> Any:
        return Draft.get_or_create(isbn=values["isbn"], defaults=values)[0]

    def delete(self, key: int) -> Any:
        return Draft.delete_by_id(key)

    def delete_instance(self, draft: Any) -> Any:
        return draft.delete_instance()

    def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        with database.atomic():
            Draft.create(**values)
            with database.atomic():
                Draft.update(price=price).where(Draft.id == key).execute()
            with database.atomic():
                Draft.update(pages=Draft.pages + 1).where(Draft.id == key).execute()

    def build(self, author_id: int) -> Any:
        return page(author_id).sql()


class PeeweeAsync(PeeweeSync):
    """The same code; a task has a connection of the pool until it ends."""

    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)
        for name in ["prepare", *(operation.name for operation in OPERATIONS)]:
            if hasattr(PeeweeSync, name) and name not in PeeweeAsync.__dict__:
                setattr(self, name, self.bridged(getattr(self, name)))

    def bridged(self, method: Any) -> Any:
        async def run(*arguments: Any) -> Any:
            return await database.run(method, *arguments)

        return run

    def open(self) -> None:
        if self.road.vendor == "sqlite":
            made = AsyncSqliteDatabase(self.place.name, pragmas=PRAGMAS, pool_size=POOL_SIZE)
        else:
            made = AsyncPostgresqlDatabase(**self.place.keywords("database"), pool_size=POOL_SIZE)
        database.initialize(made)

    async def close(self) -> None:
        await database.close_pool()

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for event in database.iterate(Event.select().order_by(Event.id), buffer_size=CHUNK):
            count += 1
            total += event.number
        return count, total

    async def gets_10(self, keys: list[int]) -> Any:
        return await asyncio.gather(*[self.get(key) for key in keys])

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    if road.vendor == "mariadb":
        raise Absent("written for SQLite and PostgreSQL")
    if (road.face, road.driver) == ("async", "psycopg"):
        raise Absent("its async driver is asyncpg")
    return PeeweeSync(road, place) if road.face == "sync" else PeeweeAsync(road, place)
