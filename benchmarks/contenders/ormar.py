"""ormar, which is async alone: pydantic models over an async engine of SQLAlchemy.

- No ``group_by``, and no expressions in updates, so no ``update_f``; a transaction's second savepoint reads the pages,
  as ormar's programs have to. ``aggregate`` is three queries.
- SQLite: moments come naive.
- ``insert_many`` does not tell the instances their keys.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import ormar
import sqlalchemy

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road, sqlalchemy_url
from benchmarks.schema import WIDE_COLUMNS

# Models must have a database from the start; the road's own takes its place when the contender is opened.
base = ormar.OrmarConfig(
    metadata=sqlalchemy.MetaData(), database=ormar.DatabaseConnection("sqlite+aiosqlite://")
)


class Author(ormar.Model):
    ormar_config = base.copy(tablename="author")

    id = ormar.BigInteger(primary_key=True)
    name = ormar.String(max_length=200)
    email = ormar.String(max_length=200)
    born = ormar.Date()
    active = ormar.Boolean()


class Tag(ormar.Model):
    ormar_config = base.copy(tablename="tag")

    id = ormar.BigInteger(primary_key=True)
    name = ormar.String(max_length=200)
    slug = ormar.String(max_length=200)


class BookTag(ormar.Model):
    ormar_config = base.copy(tablename="book_tags")

    id = ormar.BigInteger(primary_key=True)


class Keys:
    """The foreign keys' values under the names of their columns."""

    author: Any
    editor: Any

    @property
    def author_id(self) -> Any:
        return self.author.pk

    @property
    def editor_id(self) -> Any:
        return self.editor and self.editor.pk


class Book(Keys, ormar.Model):
    ormar_config = base.copy(tablename="book")

    id = ormar.BigInteger(primary_key=True)
    title = ormar.String(max_length=200)
    isbn = ormar.String(max_length=200)
    price = ormar.Decimal(max_digits=10, decimal_places=2)
    pages = ormar.BigInteger()
    published = ormar.Date()
    created_at = ormar.DateTime(timezone=True)
    in_print = ormar.Boolean()
    author = ormar.ForeignKey(Author, name="author_id", nullable=False, related_name="book_set")
    editor = ormar.ForeignKey(Author, name="editor_id", related_name="edited_set")
    tags = ormar.ManyToMany(
        Tag, through=BookTag, through_relation_name="book_id", through_reverse_relation_name="tag_id"
    )


class Draft(ormar.Model):
    ormar_config = base.copy(tablename="draft")

    id = ormar.BigInteger(primary_key=True)
    title = ormar.String(max_length=200)
    isbn = ormar.String(max_length=200)
    price = ormar.Decimal(max_digits=10, decimal_places=2)
    pages = ormar.BigInteger()
    published = ormar.Date()
    created_at = ormar.DateTime(timezone=True)
    in_print = ormar.Boolean()
    author = ormar.ForeignKey(Author, name="author_id", nullable=False, related_name="draft_set")
    editor = ormar.ForeignKey(Author, name="editor_id", related_name="edited_draft_set")


class Review(ormar.Model):
    ormar_config = base.copy(tablename="review")

    id = ormar.BigInteger(primary_key=True)
    book = ormar.ForeignKey(Book, name="book_id", nullable=False, related_name="review_set")
    stars = ormar.BigInteger()
    text = ormar.String(max_length=200)

    @property
    def book_id(self) -> Any:
        return self.book.pk


class Event(ormar.Model):
    ormar_config = base.copy(tablename="event")

    id = ormar.BigInteger(primary_key=True)
    kind = ormar.String(max_length=200)
    number = ormar.BigInteger()
    happened_at = ormar.DateTime(timezone=True)


def wide_field(kind: str) -> Any:
    made: dict[str, Any] = {
        "pk": lambda: ormar.BigInteger(primary_key=True),
        "int": ormar.BigInteger,
        "text": lambda: ormar.String(max_length=200),
        "bool": ormar.Boolean,
        "decimal": lambda: ormar.Decimal(max_digits=10, decimal_places=2),
        "date": ormar.Date,
        "datetime": lambda: ormar.DateTime(timezone=True),
    }
    return made[kind]()


Wide: Any = type(ormar.Model)(
    "Wide",
    (ormar.Model,),
    {name: wide_field(kind) for name, kind in WIDE_COLUMNS.items()}
    | {"ormar_config": base.copy(tablename="wide"), "__module__": __name__},
)
MODELS: tuple[Any, ...] = (Author, Tag, BookTag, Book, Draft, Review, Event, Wide)


def renamed(values: dict[str, Any]) -> dict[str, Any]:
    """A draft's values under the names of the fields."""
    return {name.removesuffix("_id"): value for name, value in values.items()}


def set_synchronous(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


class OrmarContender(Contender):
    database: Any

    async def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances; ormar's names for what makes new ones."""
        match operation:
            case "save" | "save_field":
                key, price = argument
                return await Draft.objects.get(id=key), price
            case "delete_instance":
                return await Draft.objects.get(id=argument)
            case "update_many":
                return await Draft.objects.order_by("id").all()
            case "insert" | "get_or_create":
                return renamed(argument)
            case "inserts" | "insert_many":
                return list(map(renamed, argument))
            case "transaction":
                values, *change = argument
                return renamed(values), *change
        return argument

    async def open(self) -> None:
        url = sqlalchemy_url(self.road, self.place)
        self.database = ormar.DatabaseConnection(url, pool_size=POOL_SIZE, max_overflow=0)
        for model in MODELS:
            model.ormar_config.database = self.database
        await self.database.connect()
        if self.road.vendor == "sqlite":
            sqlalchemy.event.listen(self.database.engine.sync_engine, "connect", set_synchronous)

    async def close(self) -> None:
        await self.database.disconnect()

    async def get(self, key: int) -> Any:
        return await Book.objects.get(id=key)

    async def get_wide(self, key: int) -> Any:
        return await Wide.objects.get(id=key)

    async def page(self, author_id: int) -> Any:
        wanted = Book.objects.filter(author=author_id, in_print=True)
        return await wanted.order_by("-created_at").limit(PAGE).all()

    async def in_100(self, keys: list[int]) -> Any:
        return await Book.objects.filter(id__in=keys).order_by("id").all()

    async def complex_filter(self, slug: str) -> Any:
        wanted = Book.objects.filter(
            ormar.or_(author__name__startswith="A", editor__active=True), tags__slug=slug
        )
        return await wanted.exclude(pages__lt=100).order_by("id").limit(50).all()

    async def list_some(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).all()

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await Wide.objects.order_by("id").limit(count).all()

    async def values(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).values(list(LISTED))

    async def values_list(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).values_list(list(LISTED))

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for event in Event.objects.iterate():
            count += 1
            total += event.number
        return count, total

    async def select_related(self, count: int) -> Any:
        wanted = Book.objects.select_related("author").order_by("id")
        return await wanted.limit(count, limit_raw_sql=True).all()

    async def prefetch_foreign(self, count: int) -> Any:
        return await Book.objects.prefetch_related("review_set").order_by("id").limit(count).all()

    async def prefetch_many(self, count: int) -> Any:
        return await Book.objects.prefetch_related("tags").order_by("id").limit(count).all()

    async def prefetch_nested(self, count: int) -> Any:
        return await Author.objects.prefetch_related("book_set__tags").order_by("id").limit(count).all()

    async def count(self, author_id: int) -> Any:
        return await Book.objects.filter(author=author_id).count()

    async def exists(self, author_id: int) -> Any:
        return await Book.objects.filter(author=author_id, pages__gt=1_100).exists()

    async def aggregate(self, author_id: int) -> Any:
        books = Book.objects.filter(author=author_id)
        return await books.count(), await books.sum("pages"), await books.max("price")

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.objects.create(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with self.database.transaction():
            return [await Draft.objects.create(**values) for values in rows]

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        drafts = [Draft(**values) for values in rows]
        await Draft.objects.bulk_create(drafts)
        return drafts

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.update()

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.update(_columns=["price"])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await Draft.objects.filter(id=key).update(price=price)

    async def update_many(self, drafts: list[Draft]) -> Any:
        for draft in drafts:
            draft.pages = draft.id + 60
        await Draft.objects.bulk_update(drafts, columns=["pages"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        draft, _ = await Draft.objects.get_or_create(_defaults=values, isbn=values["isbn"])
        return draft

    async def delete(self, key: int) -> Any:
        return await Draft.objects.delete(id=key)

    async def delete_instance(self, draft: Draft) -> Any:
        await draft.delete()

    async def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        async with self.database.transaction():
            await Draft.objects.create(**values)
            async with self.database.transaction():
                await Draft.objects.filter(id=key).update(price=price)
            async with self.database.transaction():
                draft = await Draft.objects.get(id=key)
                await draft.update(pages=draft.pages + 1)

    async def gets_10(self, keys: list[int]) -> Any:
        return list(await asyncio.gather(*map(self.get, keys)))

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync":
        raise Absent("ormar is async alone")
    return OrmarContender(road, place)
