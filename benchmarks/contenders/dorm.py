"""dorm (the package djanorm), both faces: Django's language over sqlite3, aiosqlite and psycopg.

- ``group_by``: ``values().annotate()`` does not group, it gives one row (SQLite) or an error (PostgreSQL).
- ``complex_filter`` asks with a subquery: a filter that crosses a many-to-many relation names a column ``None``.
- No way to set SQLite's ``synchronous``. SQLite: ``values`` and ``values_list`` are not converted.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import dorm
from dorm import F, Q, transaction
from dorm.db.connection import close_all, close_all_async, get_connection

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.contenders.bare import CHUNK
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road
from benchmarks.schema import WIDE_COLUMNS


class Author(dorm.Model):
    id = dorm.BigAutoField(primary_key=True)
    name = dorm.CharField(max_length=200)
    email = dorm.CharField(max_length=200)
    born = dorm.DateField()
    active = dorm.BooleanField()

    class Meta:
        db_table = "author"


class Tag(dorm.Model):
    id = dorm.BigAutoField(primary_key=True)
    name = dorm.CharField(max_length=200)
    slug = dorm.CharField(max_length=200)

    class Meta:
        db_table = "tag"


class Book(dorm.Model):
    id = dorm.BigAutoField(primary_key=True)
    title = dorm.CharField(max_length=200)
    isbn = dorm.CharField(max_length=200)
    price = dorm.DecimalField(max_digits=10, decimal_places=2)
    pages = dorm.BigIntegerField()
    published = dorm.DateField()
    created_at = dorm.DateTimeField()
    in_print = dorm.BooleanField()
    author = dorm.ForeignKey(Author, on_delete=dorm.CASCADE)
    editor = dorm.ForeignKey(Author, on_delete=dorm.CASCADE, null=True, related_name="edited_set")
    tags = dorm.ManyToManyField(Tag, through="BookTag")

    class Meta:
        db_table = "book"


class BookTag(dorm.Model):
    id = dorm.BigAutoField(primary_key=True)
    book = dorm.ForeignKey(Book, on_delete=dorm.CASCADE)
    tag = dorm.ForeignKey(Tag, on_delete=dorm.CASCADE)

    class Meta:
        db_table = "book_tags"


class Draft(dorm.Model):
    id = dorm.BigAutoField(primary_key=True)
    title = dorm.CharField(max_length=200)
    isbn = dorm.CharField(max_length=200)
    price = dorm.DecimalField(max_digits=10, decimal_places=2)
    pages = dorm.BigIntegerField()
    published = dorm.DateField()
    created_at = dorm.DateTimeField()
    in_print = dorm.BooleanField()
    author = dorm.ForeignKey(Author, on_delete=dorm.CASCADE)
    editor = dorm.ForeignKey(Author, on_delete=dorm.CASCADE, null=True, related_name="edited_draft_set")

    class Meta:
        db_table = "draft"


class Review(dorm.Model):
    id = dorm.BigAutoField(primary_key=True)
    book = dorm.ForeignKey(Book, on_delete=dorm.CASCADE)
    stars = dorm.BigIntegerField()
    text = dorm.CharField(max_length=200)

    class Meta:
        db_table = "review"


class Event(dorm.Model):
    id = dorm.BigAutoField(primary_key=True)
    kind = dorm.CharField(max_length=200)
    number = dorm.BigIntegerField()
    happened_at = dorm.DateTimeField()

    class Meta:
        db_table = "event"


def wide_field(kind: str) -> Any:
    made: dict[str, Any] = {
        "pk": lambda: dorm.BigAutoField(primary_key=True),
        "int": dorm.BigIntegerField,
        "text": lambda: dorm.CharField(max_length=200),
        "bool": dorm.BooleanField,
        "decimal": lambda: dorm.DecimalField(max_digits=10, decimal_places=2),
        "date": dorm.DateField,
        "datetime": dorm.DateTimeField,
    }
    return made[kind]()


class WideMeta:
    db_table = "wide"


Wide: Any = type(dorm.Model)(
    "Wide",
    (dorm.Model,),
    {name: wide_field(kind) for name, kind in WIDE_COLUMNS.items()}
    | {"Meta": WideMeta, "__module__": __name__},
)


def page(author_id: int) -> Any:
    return Book.objects.filter(author_id=author_id, in_print=True).order_by("-created_at")[:PAGE]


def in_100(keys: list[int]) -> Any:
    return Book.objects.filter(id__in=keys).order_by("id")


def complex_filter(slug: str) -> Any:
    tagged = BookTag.objects.filter(tag__slug=slug).values_list("book_id")
    wanted = Book.objects.filter(Q(author__name__startswith="A") | Q(editor__active=True), id__in=tagged)
    return wanted.exclude(pages__lt=100).order_by("id")[:50]


def books(count: int) -> Any:
    return Book.objects.order_by("id")[:count]


def wides(count: int) -> Any:
    return Wide.objects.order_by("id")[:count]


def values(count: int) -> Any:
    return Book.objects.order_by("id").values(*LISTED)[:count]


def values_list(count: int) -> Any:
    return Book.objects.order_by("id").values_list(*LISTED)[:count]


def with_author(count: int) -> Any:
    return Book.objects.select_related("author").order_by("id")[:count]


def with_reviews(count: int) -> Any:
    return Book.objects.prefetch_related("review_set").order_by("id")[:count]


def with_tags(count: int) -> Any:
    return Book.objects.prefetch_related("tags").order_by("id")[:count]


def with_books(count: int) -> Any:
    return Author.objects.prefetch_related(
        dorm.Prefetch("book_set", Book.objects.prefetch_related("tags"))
    ).order_by("id")[:count]


def by_author(author_id: int) -> Any:
    return Book.objects.filter(author_id=author_id)


def grouped() -> Any:
    numbers = {"count": dorm.Count("id"), "total": dorm.Sum("pages")}
    return Book.objects.values("author_id").annotate(**numbers).order_by("author_id")


def drafts_after(start: int) -> Any:
    return Draft.objects.filter(id__gt=start, id__lte=start + 20)


NUMBERS = {"count": dorm.Count("id"), "total": dorm.Sum("pages"), "price": dorm.Max("price")}


class DormContender(Contender):
    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)
        if road.vendor == "sqlite":
            database: dict[str, Any] = {"ENGINE": "sqlite", "NAME": place.name}
        else:
            pool = {"MIN_POOL_SIZE": POOL_SIZE, "MAX_POOL_SIZE": POOL_SIZE}
            login = {"HOST": place.host, "PORT": place.port, "USER": place.user, "PASSWORD": place.password}
            database = {"ENGINE": "postgresql", "NAME": place.name, **login, **pool}
        dorm.configure(DATABASES={"default": database}, USE_TZ=True, TIME_ZONE="UTC")

    def updated(self, drafts: list[Draft]) -> list[Draft]:
        for draft in drafts:
            draft.pages = draft.id + 60
        return drafts


class DormSync(DormContender):
    def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return Draft.objects.get(id=key), price
        if operation == "delete_instance":
            return Draft.objects.get(id=argument)
        return list(Draft.objects.order_by("id")) if operation == "update_many" else argument

    def close(self) -> None:
        close_all()

    def get(self, key: int) -> Any:
        return Book.objects.get(id=key)

    def get_wide(self, key: int) -> Any:
        return Wide.objects.get(id=key)

    def page(self, author_id: int) -> Any:
        return list(page(author_id))

    def in_100(self, keys: list[int]) -> Any:
        return list(in_100(keys))

    def complex_filter(self, slug: str) -> Any:
        return list(complex_filter(slug))

    def list_some(self, count: int) -> Any:
        return list(books(count))

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return list(wides(count))

    def values(self, count: int) -> Any:
        return list(values(count))

    def values_list(self, count: int) -> Any:
        return list(values_list(count))

    def stream(self, _: None) -> Any:
        count = total = 0
        for event in Event.objects.all().iterator(chunk_size=CHUNK):
            count += 1
            total += event.number
        return count, total

    def select_related(self, count: int) -> Any:
        return list(with_author(count))

    def prefetch_foreign(self, count: int) -> Any:
        return list(with_reviews(count))

    def prefetch_many(self, count: int) -> Any:
        return list(with_tags(count))

    def prefetch_nested(self, count: int) -> Any:
        return list(with_books(count))

    def count(self, author_id: int) -> Any:
        return by_author(author_id).count()

    def exists(self, author_id: int) -> Any:
        return by_author(author_id).filter(pages__gt=1_100).exists()

    def aggregate(self, author_id: int) -> Any:
        return by_author(author_id).aggregate(**NUMBERS)

    def group_by(self, _: None) -> Any:
        return list(grouped())

    def insert(self, values: dict[str, Any]) -> Any:
        return Draft.objects.create(**values)

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        with transaction.atomic():
            return [Draft.objects.create(**values) for values in rows]

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return Draft.objects.bulk_create([Draft(**values) for values in rows])

    def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        draft.save()

    def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        draft.save(update_fields=["price"])

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return Draft.objects.filter(id=key).update(price=price)

    def update_f(self, start: int) -> Any:
        return drafts_after(start).update(pages=F("pages") + 1)

    def update_many(self, drafts: list[Draft]) -> Any:
        return Draft.objects.bulk_update(self.updated(drafts), ["pages"])

    def get_or_create(self, values: dict[str, Any]) -> Any:
        return Draft.objects.get_or_create(defaults=values, isbn=values["isbn"])[0]

    def delete(self, key: int) -> Any:
        return Draft.objects.filter(id=key).delete()

    def delete_instance(self, draft: Draft) -> Any:
        return draft.delete()

    def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        with transaction.atomic():
            Draft.objects.create(**values)
            with transaction.atomic():
                Draft.objects.filter(id=key).update(price=price)
            with transaction.atomic():
                Draft.objects.filter(id=key).update(pages=F("pages") + 1)

    def build(self, author_id: int) -> Any:
        return page(author_id)._query.as_select(get_connection())


class DormAsync(DormContender):
    async def prepare(self, operation: str, argument: Any) -> Any:
        """Loaded drafts for what works on instances."""
        if operation in {"save", "save_field"}:
            key, price = argument
            return await Draft.objects.aget(id=key), price
        if operation == "delete_instance":
            return await Draft.objects.aget(id=argument)
        return await Draft.objects.order_by("id") if operation == "update_many" else argument

    async def close(self) -> None:
        await close_all_async()

    async def get(self, key: int) -> Any:
        return await Book.objects.aget(id=key)

    async def get_wide(self, key: int) -> Any:
        return await Wide.objects.aget(id=key)

    async def page(self, author_id: int) -> Any:
        return await page(author_id)

    async def in_100(self, keys: list[int]) -> Any:
        return await in_100(keys)

    async def complex_filter(self, slug: str) -> Any:
        return await complex_filter(slug)

    async def list_some(self, count: int) -> Any:
        return await books(count)

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await wides(count)

    async def values(self, count: int) -> Any:
        return await values(count)

    async def values_list(self, count: int) -> Any:
        return await values_list(count)

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for event in Event.objects.all().aiterator(chunk_size=CHUNK):
            count += 1
            total += event.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return await with_author(count)

    async def prefetch_foreign(self, count: int) -> Any:
        return await with_reviews(count)

    async def prefetch_many(self, count: int) -> Any:
        return await with_tags(count)

    async def prefetch_nested(self, count: int) -> Any:
        return await with_books(count)

    async def count(self, author_id: int) -> Any:
        return await by_author(author_id).acount()

    async def exists(self, author_id: int) -> Any:
        return await by_author(author_id).filter(pages__gt=1_100).aexists()

    async def aggregate(self, author_id: int) -> Any:
        return await by_author(author_id).aaggregate(**NUMBERS)

    async def group_by(self, _: None) -> Any:
        return await grouped()

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.objects.acreate(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with transaction.aatomic():
            return [await Draft.objects.acreate(**values) for values in rows]

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return await Draft.objects.abulk_create([Draft(**values) for values in rows])

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.asave()

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.asave(update_fields=["price"])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await Draft.objects.filter(id=key).aupdate(price=price)

    async def update_f(self, start: int) -> Any:
        return await drafts_after(start).aupdate(pages=F("pages") + 1)

    async def update_many(self, drafts: list[Draft]) -> Any:
        return await Draft.objects.abulk_update(self.updated(drafts), ["pages"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        draft, _ = await Draft.objects.aget_or_create(defaults=values, isbn=values["isbn"])
        return draft

    async def delete(self, key: int) -> Any:
        return await Draft.objects.filter(id=key).adelete()

    async def delete_instance(self, draft: Draft) -> Any:
        return await draft.adelete()

    async def transaction(self, argument: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = argument
        async with transaction.aatomic():
            await Draft.objects.acreate(**values)
            async with transaction.aatomic():
                await Draft.objects.filter(id=key).aupdate(price=price)
            async with transaction.aatomic():
                await Draft.objects.filter(id=key).aupdate(pages=F("pages") + 1)

    async def gets_10(self, keys: list[int]) -> Any:
        return list(await asyncio.gather(*map(self.get, keys)))

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    if road.driver == "asyncpg":
        raise Absent("dorm reaches PostgreSQL through psycopg alone")
    return DormSync(road, place) if road.face == "sync" else DormAsync(road, place)
