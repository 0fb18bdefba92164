"""Django's ORM, with its ``a`` methods on the async roads: they run in one thread, over the sync road's driver.

Its transactions are for sync code only: on async roads a block of them is a function given to ``sync_to_async``,
as its documentation says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection, models, transaction
from django.db.models import Count, F, Max, Q, Sum

from benchmarks.contenders import Contender
from benchmarks.operations import LISTED, PAGE
from benchmarks.schema import WIDE_COLUMNS


class Author(models.Model):
    name = models.CharField(max_length=200)
    email = models.CharField(max_length=200)
    born = models.DateField()
    active = models.BooleanField()

    class Meta:
        app_label = "benchmarks"
        db_table = "author"


class Tag(models.Model):
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=200)

    class Meta:
        app_label = "benchmarks"
        db_table = "tag"


class Volume(models.Model):
    """The columns that ``book`` and ``draft`` have in common."""

    title = models.CharField(max_length=200)
    isbn = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    pages = models.BigIntegerField()
    published = models.DateField()
    created_at = models.DateTimeField()
    in_print = models.BooleanField()
    author = models.ForeignKey(Author, models.CASCADE)
    editor = models.ForeignKey(Author, models.CASCADE, related_name="+", null=True)

    class Meta:
        app_label = "benchmarks"
        abstract = True


class Book(Volume):
    tags = models.ManyToManyField(Tag)

    class Meta(Volume.Meta):
        db_table = "book"


class Draft(Volume):
    class Meta(Volume.Meta):
        db_table = "draft"


class Review(models.Model):
    book = models.ForeignKey(Book, models.CASCADE)
    stars = models.BigIntegerField()
    text = models.CharField(max_length=200)

    class Meta:
        app_label = "benchmarks"
        db_table = "review"


class Event(models.Model):
    kind = models.CharField(max_length=200)
    number = models.BigIntegerField()
    happened_at = models.DateTimeField()

    class Meta:
        app_label = "benchmarks"
        db_table = "event"


FIELDS: dict[str, Callable[[], models.Field[Any, Any]]] = {
    "int": models.BigIntegerField,
    "text": lambda: models.CharField(max_length=200),
    "bool": models.BooleanField,
    "decimal": lambda: models.DecimalField(max_digits=10, decimal_places=2),
    "date": models.DateField,
    "datetime": models.DateTimeField,
}


class WideMeta:
    app_label = "benchmarks"
    db_table = "wide"


Wide: Any = type(
    "Wide",
    (models.Model,),
    {name: FIELDS[kind]() for name, kind in WIDE_COLUMNS.items() if kind != "pk"}
    | {"Meta": WideMeta, "__module__": __name__},
)


class Querysets:
    """The querysets of every face: ``manager`` is the name of the attribute that the face's managers have."""

    def __init__(self, manager: str) -> None:
        self.books, self.drafts = getattr(Book, manager), getattr(Draft, manager)
        self.authors, self.wides = getattr(Author, manager), getattr(Wide, manager)
        self.events = getattr(Event, manager)

    def page(self, author_id: int) -> Any:
        return self.books.filter(author_id=author_id, in_print=True).order_by("-created_at")[:PAGE]

    def with_keys(self, keys: list[int]) -> Any:
        return self.books.filter(id__in=keys).order_by("id")

    def complex(self, slug: str) -> Any:
        wanted = self.books.filter(Q(author__name__startswith="A") | Q(editor__active=True), tags__slug=slug)
        return wanted.exclude(pages__lt=100).order_by("id")[:50]

    def listed(self, count: int) -> Any:
        return self.books.order_by("id")[:count]

    def nested(self, count: int) -> Any:
        return self.authors.prefetch_related("book_set__tags").order_by("id")[:count]

    def of_author(self, author_id: int) -> Any:
        return self.books.filter(author_id=author_id)

    def long_books(self, author_id: int) -> Any:
        return self.books.filter(author_id=author_id, pages__gt=1100)

    def by_author(self) -> Any:
        counted = self.books.values("author_id").annotate(**totals())
        return counted.order_by("author_id").values_list("author_id", "count", "total")

    def some_drafts(self, start: int) -> Any:
        return self.drafts.filter(id__gt=start, id__lte=start + 20)


def totals() -> dict[str, Any]:
    return {"count": Count("id"), "total": Sum("pages")}


def renumbered(drafts: list[Draft]) -> list[Draft]:
    for draft in drafts:
        draft.pages = draft.pk + 60
    return drafts


def close_here() -> None:
    """Close the current thread's connection: the proxy means another one in every thread."""
    connection.close()


sets = Querysets("objects")


def inserts(rows: list[dict[str, Any]]) -> None:
    with transaction.atomic():
        for values in rows:
            sets.drafts.create(**values)


def write_in_blocks(values: dict[str, Any], key: int, price: Decimal) -> None:
    with transaction.atomic():
        sets.drafts.create(**values)
        with transaction.atomic():
            sets.drafts.filter(pk=key).update(price=price)
        with transaction.atomic():
            sets.drafts.filter(pk=key).update(pages=F("pages") + 1)


class DjangoSync(Contender):
    def close(self) -> Any:
        connection.close()

    def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return sets.drafts.get(pk=argument[0]), argument[1]
            case "delete_instance":
                return sets.drafts.get(pk=argument)
            case "update_many":
                return list(sets.drafts.order_by("id"))
        return argument

    def get(self, key: int) -> Any:
        return sets.books.get(pk=key)

    def get_wide(self, key: int) -> Any:
        return sets.wides.get(pk=key)

    def page(self, author_id: int) -> Any:
        return list(sets.page(author_id))

    def in_100(self, keys: list[int]) -> Any:
        return list(sets.with_keys(keys))

    def complex_filter(self, slug: str) -> Any:
        return list(sets.complex(slug))

    def list_some(self, count: int) -> Any:
        return list(sets.listed(count))

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return list(sets.wides.order_by("id")[:count])

    def values(self, count: int) -> Any:
        return list(sets.listed(count).values(*LISTED))

    def values_list(self, count: int) -> Any:
        return list(sets.listed(count).values_list(*LISTED))

    def stream(self, _: None) -> Any:
        count = total = 0
        for event in sets.events.order_by("id").iterator():
            count += 1
            total += event.number
        return count, total

    def select_related(self, count: int) -> Any:
        return list(sets.listed(count).select_related("author"))

    def prefetch_foreign(self, count: int) -> Any:
        return list(sets.listed(count).prefetch_related("review_set"))

    def prefetch_many(self, count: int) -> Any:
        return list(sets.listed(count).prefetch_related("tags"))

    def prefetch_nested(self, count: int) -> Any:
        return list(sets.nested(count))

    def count(self, author_id: int) -> Any:
        return sets.of_author(author_id).count()

    def exists(self, author_id: int) -> Any:
        return sets.long_books(author_id).exists()

    def aggregate(self, author_id: int) -> Any:
        return sets.of_author(author_id).aggregate(**totals(), price=Max("price"))

    def group_by(self, _: None) -> Any:
        return list(sets.by_author())

    def insert(self, values: dict[str, Any]) -> Any:
        return sets.drafts.create(**values)

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        inserts(rows)

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return sets.drafts.bulk_create([Draft(**values) for values in rows])

    def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        draft.save()

    def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        draft.save(update_fields=["price"])

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return sets.drafts.filter(pk=key).update(price=price)

    def update_f(self, start: int) -> Any:
        return sets.some_drafts(start).update(pages=F("pages") + 1)

    def update_many(self, drafts: list[Draft]) -> Any:
        return sets.drafts.bulk_update(renumbered(drafts), ["pages"])

    def get_or_create(self, values: dict[str, Any]) -> Any:
        return (sets.drafts.get_or_create(isbn=values["isbn"], defaults=values))[0]

    def delete(self, key: int) -> Any:
        return sets.drafts.filter(pk=key).delete()

    def delete_instance(self, draft: Draft) -> Any:
        return draft.delete()

    def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        write_in_blocks(*given)

    def build(self, author_id: int) -> Any:
        return sets.page(author_id).query.get_compiler("default").as_sql()


class DjangoAsync(Contender):
    async def close(self) -> None:
        await sync_to_async(close_here)()

    async def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return await sets.drafts.aget(pk=argument[0]), argument[1]
            case "delete_instance":
                return await sets.drafts.aget(pk=argument)
            case "update_many":
                return [found async for found in sets.drafts.order_by("id")]
        return argument

    async def get(self, key: int) -> Any:
        return await sets.books.aget(pk=key)

    async def get_wide(self, key: int) -> Any:
        return await sets.wides.aget(pk=key)

    async def page(self, author_id: int) -> Any:
        return [found async for found in sets.page(author_id)]

    async def in_100(self, keys: list[int]) -> Any:
        return [found async for found in sets.with_keys(keys)]

    async def complex_filter(self, slug: str) -> Any:
        return [found async for found in sets.complex(slug)]

    async def list_some(self, count: int) -> Any:
        return [found async for found in sets.listed(count)]

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return [found async for found in sets.wides.order_by("id")[:count]]

    async def values(self, count: int) -> Any:
        return [found async for found in sets.listed(count).values(*LISTED)]

    async def values_list(self, count: int) -> Any:
        return [found async for found in sets.listed(count).values_list(*LISTED)]

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for event in sets.events.order_by("id").aiterator():
            count += 1
            total += event.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return [found async for found in sets.listed(count).select_related("author")]

    async def prefetch_foreign(self, count: int) -> Any:
        return [found async for found in sets.listed(count).prefetch_related("review_set")]

    async def prefetch_many(self, count: int) -> Any:
        return [found async for found in sets.listed(count).prefetch_related("tags")]

    async def prefetch_nested(self, count: int) -> Any:
        return [found async for found in sets.nested(count)]

    async def count(self, author_id: int) -> Any:
        return await sets.of_author(author_id).acount()

    async def exists(self, author_id: int) -> Any:
        return await sets.long_books(author_id).aexists()

    async def aggregate(self, author_id: int) -> Any:
        return await sets.of_author(author_id).aaggregate(**totals(), price=Max("price"))

    async def group_by(self, _: None) -> Any:
        return [found async for found in sets.by_author()]

    async def insert(self, values: dict[str, Any]) -> Any:
        return await sets.drafts.acreate(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        return await sync_to_async(inserts)(rows)

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return await sets.drafts.abulk_create([Draft(**values) for values in rows])

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.asave()

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.asave(update_fields=["price"])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await sets.drafts.filter(pk=key).aupdate(price=price)

    async def update_f(self, start: int) -> Any:
        return await sets.some_drafts(start).aupdate(pages=F("pages") + 1)

    async def update_many(self, drafts: list[Draft]) -> Any:
        return await sets.drafts.abulk_update(renumbered(drafts), ["pages"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        return (await sets.drafts.aget_or_create(isbn=values["isbn"], defaults=values))[0]

    async def delete(self, key: int) -> Any:
        return await sets.drafts.filter(pk=key).adelete()

    async def delete_instance(self, draft: Draft) -> Any:
        return await draft.adelete()

    async def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        return await sync_to_async(write_in_blocks)(*given)

    async def gets_10(self, keys: list[int]) -> Any:
        return await asyncio.gather(*[self.get(key) for key in keys])

    gets_50 = gets_100 = gets_10
