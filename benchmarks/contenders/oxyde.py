"""oxyde, which is async alone: pydantic models over drivers of its own, written in Rust.

- No ``stream``: every query fetches all of its rows.
- ``aggregate`` is three queries. ``complex_filter`` is two: filters do not cross many-to-many relations, and there are
  no subqueries.
- SQLite: moments come naive, and what ``values`` and ``values_list`` give is not converted.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from oxyde import F, Field, Model, Q, db
from oxyde.db import PoolSettings, transaction
from oxyde.queries.aggregates import Count, Sum

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road
from benchmarks.schema import WIDE_COLUMNS

BATCH = 500  # an UPDATE of a thousand is too deep for SQLite
DECIMAL: dict[str, Any] = {"max_digits": 10, "decimal_places": 2}
MOMENT: dict[str, Any] = {"db_type": "TIMESTAMPTZ"}


class Author(Model):
    id: int | None = Field(default=None, db_pk=True)
    name: str = Field(max_length=200)
    email: str = Field(max_length=200)
    born: date
    active: bool
    book_set: list[Book] = Field(db_reverse_fk="author")

    class Meta:
        is_table = True
        table_name = "author"


class Tag(Model):
    id: int | None = Field(default=None, db_pk=True)
    name: str = Field(max_length=200)
    slug: str = Field(max_length=200)

    class Meta:
        is_table = True
        table_name = "tag"


class Book(Model):
    id: int | None = Field(default=None, db_pk=True)
    title: str = Field(max_length=200)
    isbn: str = Field(max_length=200)
    price: Decimal = Field(**DECIMAL)
    pages: int
    published: date
    created_at: datetime = Field(**MOMENT)
    in_print: bool
    author: Author | None = Field(default=None, db_nullable=False)
    editor: Author | None = Field(default=None)
    tags: list[Tag] = Field(db_m2m=True, db_through="BookTag")
    review_set: list[Review] = Field(db_reverse_fk="book")

    class Meta:
        is_table = True
        table_name = "book"


class BookTag(Model):
    id: int | None = Field(default=None, db_pk=True)
    book: Book | None = Field(default=None, db_nullable=False)
    tag: Tag | None = Field(default=None, db_nullable=False)

    class Meta:
        is_table = True
        table_name = "book_tags"


class Draft(Model):
    id: int | None = Field(default=None, db_pk=True)
    title: str = Field(max_length=200)
    isbn: str = Field(max_length=200)
    price: Decimal = Field(**DECIMAL)
    pages: int
    published: date
    created_at: datetime = Field(**MOMENT)
    in_print: bool
    author: Author | None = Field(default=None, db_nullable=False)
    editor: Author | None = Field(default=None)

    class Meta:
        is_table = True
        table_name = "draft"


class Review(Model):
    id: int | None = Field(default=None, db_pk=True)
    book: Book | None = Field(default=None, db_nullable=False)
    stars: int
    text: str = Field(max_length=200)

    class Meta:
        is_table = True
        table_name = "review"


def wide_members() -> dict[str, Any]:
    made: dict[str, tuple[Any, Any]] = {
        "int": (int, {}),
        "text": (str, {"max_length": 200}),
        "bool": (bool, {}),
        "decimal": (Decimal, DECIMAL),
        "date": (date, {}),
        "datetime": (datetime, MOMENT),
    }
    members: dict[str, Any] = {"id": Field(default=None, db_pk=True)}
    annotations: dict[str, Any] = {"id": int | None, "Meta": ClassVar[Any]}
    for name, kind in list(WIDE_COLUMNS.items())[1:]:
        annotations[name], options = made[kind]
        members[name] = Field(**options)
    return {"__annotations__": annotations, **members}


class WideMeta:
    is_table = True
    table_name = "wide"


Wide: Any = type(Model)("Wide", (Model,), {**wide_members(), "Meta": WideMeta, "__module__": __name__})


def read_numbers() -> None:
    """Have decimals read as SQLite has them: oxyde's own tables keep texts, and it takes numbers for NULL."""
    for model in (Book, Draft, Wide):
        types = model._db_meta.column_types
        model._db_meta.column_types = {
            name: kind for name, kind in types.items() if kind["kind"] != "decimal"
        }


class OxydeContender(Contender):
    async def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return await Draft.objects.get(id=key), price
        if operation == "delete_instance":
            return await Draft.objects.get(id=argument)
        return await Draft.objects.order_by("id").all() if operation == "update_many" else argument

    async def open(self) -> None:
        if self.road.vendor == "sqlite":
            read_numbers()
        settings = PoolSettings(max_connections=POOL_SIZE, min_connections=POOL_SIZE)
        await db.init(default=self.place.url(), settings=settings)

    async def close(self) -> None:
        await db.close()

    async def get(self, key: int) -> Any:
        return await Book.objects.get(id=key)

    async def get_wide(self, key: int) -> Any:
        return await Wide.objects.get(id=key)

    async def page(self, author_id: int) -> Any:
        wanted = Book.objects.filter(author_id=author_id, in_print=True)
        return await wanted.order_by("-created_at").limit(PAGE).all()

    async def in_100(self, keys: list[int]) -> Any:
        return await Book.objects.filter(id__in=keys).order_by("id").all()

    async def complex_filter(self, slug: str) -> Any:
        keys = [pair.book_id for pair in await BookTag.objects.filter(tag__slug=slug).all()]
        wanted = Book.objects.filter(Q(author__name__startswith="A") | Q(editor__active=True), id__in=keys)
        return await wanted.exclude(pages__lt=100).order_by("id").limit(50).all()

    async def list_some(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).all()

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await Wide.objects.order_by("id").limit(count).all()

    async def values(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).values(*LISTED).all()

    async def values_list(self, count: int) -> Any:
        return await Book.objects.order_by("id").limit(count).values_list(*LISTED).all()

    async def select_related(self, count: int) -> Any:
        return await Book.objects.join("author").order_by("id").limit(count).all()

    async def prefetch_foreign(self, count: int) -> Any:
        return await Book.objects.prefetch("review_set").order_by("id").limit(count).all()

    async def prefetch_many(self, count: int) -> Any:
        return await Book.objects.prefetch("tags").order_by("id").limit(count).all()

    async def prefetch_nested(self, count: int) -> Any:
        return await Author.objects.prefetch("book_set__tags").order_by("id").limit(count).all()

    async def count(self, author_id: int) -> Any:
        return await Book.objects.filter(author_id=author_id).count()

    async def exists(self, author_id: int) -> Any:
        return await Book.objects.filter(author_id=author_id, pages__gt=1_100).exists()

    async def aggregate(self, author_id: int) -> Any:
        books = Book.objects.filter(author_id=author_id)
        return await books.count(), await books.sum("pages"), await books.max("price")

    async def group_by(self, _: None) -> Any:
        found = Book.objects.values("author_id").annotate(count=Count("id"), total=Sum("pages"))
        return await found.group_by("author_id").order_by("author_id").all()

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.objects.create(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with transaction.atomic():
            return [await Draft.objects.create(**values) for values in rows]

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return await Draft.objects.bulk_create([Draft(**values) for values in rows])

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.save()

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.save(update_fields=["price"])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await Draft.objects.filter(id=key).update(price=price)

    async def update_f(self, start: int) -> Any:
        return await Draft.objects.filter(id__gt=start, id__lte=start + 20).update(pages=F("pages") + 1)

    async def update_many(self, drafts: list[Draft]) -> Any:
        for draft in drafts:
            draft.pages = (draft.id or 0) + 60
        for start in range(0, len(drafts), BATCH):
            await Draft.objects.bulk_update(drafts[start : start + BATCH], ["pages"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        draft, _ = await Draft.objects.get_or_create(defaults=values, isbn=values["isbn"])
        return draft

    async def delete(self, key: int) -> Any:
        return await Draft.objects.filter(id=key).delete()

    async def delete_instance(self, draft: Draft) -> Any:
        await draft.delete()

    async def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        async with transaction.atomic():
            await Draft.objects.create(**values)
            async with transaction.atomic():
                await Draft.objects.filter(id=key).update(price=price)
            async with transaction.atomic():
                await Draft.objects.filter(id=key).update(pages=F("pages") + 1)

    async def gets_10(self, keys: list[int]) -> Any:
        return list(await asyncio.gather(*map(self.get, keys)))

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync":
        raise Absent("oxyde is async alone")
    if road.driver == "psycopg":
        raise Absent("oxyde reaches PostgreSQL through a driver of its own, on the other asynchronous road")
    return OxydeContender(road, place)
