"""Tortoise, which is async alone: one connection for SQLite, a pool for PostgreSQL.

- No ``stream``: ``async for`` over a queryset fetches all of it first.
- ``insert_many`` does not tell the instances their keys.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from tortoise import Tortoise, fields
from tortoise.expressions import F, Q
from tortoise.functions import Count, Max, Sum
from tortoise.models import Model
from tortoise.transactions import in_transaction

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road
from benchmarks.schema import WIDE_COLUMNS

ENGINES = {"aiosqlite": "sqlite", "asyncpg": "asyncpg", "psycopg": "psycopg"}


class Author(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=200)
    email = fields.CharField(max_length=200)
    born = fields.DateField()
    active = fields.BooleanField()

    class Meta:
        table = "author"


class Tag(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=200)
    slug = fields.CharField(max_length=200)

    class Meta:
        table = "tag"


class Volume(Model):
    """The columns that ``book`` and ``draft`` have in common."""

    id = fields.BigIntField(primary_key=True)
    title = fields.CharField(max_length=200)
    isbn = fields.CharField(max_length=200)
    price = fields.DecimalField(max_digits=10, decimal_places=2)
    pages = fields.BigIntField()
    published = fields.DateField()
    created_at = fields.DatetimeField()
    in_print = fields.BooleanField()

    class Meta:
        abstract = True


class Book(Volume):
    author: Any = fields.ForeignKeyField("benchmarks.Author", related_name="book_set")
    editor: Any = fields.ForeignKeyField("benchmarks.Author", related_name="edited_set", null=True)
    tags: Any = fields.ManyToManyField(
        "benchmarks.Tag", through="book_tags", backward_key="book_id", forward_key="tag_id"
    )

    class Meta:
        table = "book"


class Draft(Volume):
    author: Any = fields.ForeignKeyField("benchmarks.Author", related_name="draft_set")
    editor: Any = fields.ForeignKeyField("benchmarks.Author", related_name="edited_draft_set", null=True)

    class Meta:
        table = "draft"


class Review(Model):
    id = fields.BigIntField(primary_key=True)
    book: Any = fields.ForeignKeyField("benchmarks.Book", related_name="review_set")
    stars = fields.BigIntField()
    text = fields.CharField(max_length=200)

    class Meta:
        table = "review"


def wide_field(kind: str) -> Any:
    made: dict[str, Any] = {
        "pk": lambda: fields.BigIntField(primary_key=True),
        "int": fields.BigIntField,
        "text": lambda: fields.CharField(max_length=200),
        "bool": fields.BooleanField,
        "decimal": lambda: fields.DecimalField(max_digits=10, decimal_places=2),
        "date": fields.DateField,
        "datetime": fields.DatetimeField,
    }
    return made[kind]()


class WideMeta:
    table = "wide"


Wide: Any = type(Model)(
    "Wide",
    (Model,),
    {name: wide_field(kind) for name, kind in WIDE_COLUMNS.items()}
    | {"Meta": WideMeta, "__module__": __name__},
)


def page(author_id: int) -> Any:
    return Book.filter(author_id=author_id, in_print=True).order_by("-created_at").limit(PAGE)


def complex_filter(slug: str) -> Any:
    wanted = Book.filter(Q(author__name__startswith="A") | Q(editor__active=True), tags__slug=slug)
    return wanted.exclude(pages__lt=100).order_by("id").limit(50)


class TortoiseContender(Contender):
    async def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return await Draft.get(id=key), price
        if operation == "delete_instance":
            return await Draft.get(id=argument)
        return await Draft.all().order_by("id") if operation == "update_many" else argument

    async def open(self) -> None:
        if self.road.vendor == "sqlite":
            credentials = {"file_path": self.place.name, "foreign_keys": "ON", "synchronous": "NORMAL"}
        else:
            names = {"psycopg": ("min_size", "max_size"), "asyncpg": ("minsize", "maxsize")}
            login = {"host": "", "port": 0, "user": "", "password": ""} | self.place.keywords("database")
            credentials = login | dict.fromkeys(names[self.road.driver], POOL_SIZE)
        engine = f"tortoise.backends.{ENGINES[self.road.driver]}"
        await Tortoise.init(
            config={
                "connections": {"default": {"engine": engine, "credentials": credentials}},
                "apps": {"benchmarks": {"models": [__name__], "default_connection": "default"}},
                "use_tz": True,
                "timezone": "UTC",
            }
        )

    async def close(self) -> None:
        await Tortoise.close_connections()

    async def get(self, key: int) -> Any:
        return await Book.get(id=key)

    async def get_wide(self, key: int) -> Any:
        return await Wide.get(id=key)

    async def page(self, author_id: int) -> Any:
        return await page(author_id)

    async def in_100(self, keys: list[int]) -> Any:
        return await Book.filter(id__in=keys).order_by("id")

    async def complex_filter(self, slug: str) -> Any:
        return await complex_filter(slug)

    async def list_some(self, count: int) -> Any:
        return await Book.all().order_by("id").limit(count)

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await Wide.all().order_by("id").limit(count)

    async def values(self, count: int) -> Any:
        return await Book.all().order_by("id").limit(count).values(*LISTED)

    async def values_list(self, count: int) -> Any:
        return await Book.all().order_by("id").limit(count).values_list(*LISTED)

    async def select_related(self, count: int) -> Any:
        return await Book.all().select_related("author").order_by("id").limit(count)

    async def prefetch_foreign(self, count: int) -> Any:
        return await Book.all().prefetch_related("review_set").order_by("id").limit(count)

    async def prefetch_many(self, count: int) -> Any:
        return await Book.all().prefetch_related("tags").order_by("id").limit(count)

    async def prefetch_nested(self, count: int) -> Any:
        return await Author.all().prefetch_related("book_set__tags").order_by("id").limit(count)

    async def count(self, author_id: int) -> Any:
        return await Book.filter(author_id=author_id).count()

    async def exists(self, author_id: int) -> Any:
        return await Book.filter(author_id=author_id, pages__gt=1_100).exists()

    async def aggregate(self, author_id: int) -> Any:
        found = Book.filter(author_id=author_id).annotate(
            count=Count("id"), total=Sum("pages"), price_max=Max("price")
        )
        return (await found.values_list("count", "total", "price_max"))[0]

    async def group_by(self, _: None) -> Any:
        found = Book.annotate(count=Count("id"), total=Sum("pages")).group_by("author_id")
        return await found.order_by("author_id").values_list("author_id", "count", "total")

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.create(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with in_transaction():
            return [await Draft.create(**values) for values in rows]

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return await Draft.bulk_create([Draft(**values) for values in rows])

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.save()

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.save(update_fields=["price"])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await Draft.filter(id=key).update(price=price)

    async def update_f(self, start: int) -> Any:
        return await Draft.filter(id__gt=start, id__lte=start + 20).update(pages=F("pages") + 1)

    async def update_many(self, drafts: list[Draft]) -> Any:
        for draft in drafts:
            draft.pages = draft.id + 60
        return await Draft.bulk_update(drafts, fields=["pages"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        draft, _ = await Draft.get_or_create(values, isbn=values["isbn"])
        return draft

    async def delete(self, key: int) -> Any:
        return await Draft.filter(id=key).delete()

    async def delete_instance(self, draft: Draft) -> Any:
        await draft.delete()

    async def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        async with in_transaction():
            await Draft.create(**values)
            async with in_transaction():
                await Draft.filter(id=key).update(price=price)
            async with in_transaction():
                await Draft.filter(id=key).update(pages=F("pages") + 1)

    async def gets_10(self, keys: list[int]) -> Any:
        return list(await asyncio.gather(*map(self.get, keys)))

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync":
        raise Absent("Tortoise is async alone")
    return TortoiseContender(road, place)
