"""facade, written as its users write it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import facade
from benchmarks.contenders import Contender
from benchmarks.contenders.bare import SQLITE_PRAGMAS
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road, sqlalchemy_url
from benchmarks.schema import WIDE_COLUMNS
from facade import models
from facade.models import Count, F, Max, Q, Sum
from facade.transaction import atomic


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


FIELDS: dict[str, Callable[[], models.Field[Any]]] = {
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


def page(author_id: int) -> Any:
    return Book.objects.filter(author_id=author_id, in_print=True).order_by("-created_at")[:PAGE]


def complex_filter(slug: str) -> Any:
    wanted = Book.objects.filter(Q(author__name__startswith="A") | Q(editor__active=True), tags__slug=slug)
    return wanted.exclude(pages__lt=100).order_by("id")[:50]


def books(count: int) -> Any:
    return Book.objects.order_by("id")[:count]


def of_author(author_id: int) -> Any:
    return Book.objects.filter(author_id=author_id)


def totals() -> dict[str, Any]:
    return {"count": Count("id"), "total": Sum("pages")}


def by_author() -> Any:
    counted = Book.objects.values("author_id").annotate(**totals())
    return counted.order_by("author_id").values_list("author_id", "count", "total")


def some_drafts(start: int) -> Any:
    return Draft.objects.filter(id__gt=start, id__lte=start + 20)


def renumbered(drafts: list[Any]) -> list[Any]:
    for draft in drafts:
        draft.pages = draft.id + 60
    return drafts


class FacadeContender(Contender):
    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)
        options = {"init_command": "; ".join(SQLITE_PRAGMAS)} if road.vendor == "sqlite" else {}
        facade.configure(DATABASES={"default": {"URL": sqlalchemy_url(road, place), "OPTIONS": options}})


class FacadeSync(FacadeContender):
    def open(self) -> None:
        self.database = facade.connections["default"]

    def close(self) -> None:
        facade.close_all()

    def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return Draft.objects.get(pk=argument[0]), argument[1]
            case "delete_instance":
                return Draft.objects.get(pk=argument)
            case "update_many":
                return list(Draft.objects.order_by("id"))
        return argument

    def get(self, key: int) -> Any:
        return Book.objects.get(pk=key)

    def get_wide(self, key: int) -> Any:
        return Wide.objects.get(pk=key)

    def page(self, author_id: int) -> Any:
        return list(page(author_id))

    def in_100(self, keys: list[int]) -> Any:
        return list(Book.objects.filter(id__in=keys).order_by("id"))

    def complex_filter(self, slug: str) -> Any:
        return list(complex_filter(slug))

    def list_some(self, count: int) -> Any:
        return list(books(count))

    list_all = list_some

    def list_wide(self, count: int) -> Any:
        return list(Wide.objects.order_by("id")[:count])

    def values(self, count: int) -> Any:
        return list(books(count).values(*LISTED))

    def values_list(self, count: int) -> Any:
        return list(books(count).values_list(*LISTED))

    def stream(self, _: None) -> Any:
        count = total = 0
        for event in Event.objects.order_by("id").iterator():
            count += 1
            total += event.number
        return count, total

    def select_related(self, count: int) -> Any:
        return list(books(count).select_related("author"))

    def prefetch_foreign(self, count: int) -> Any:
        return list(books(count).prefetch_related("review_set"))

    def prefetch_many(self, count: int) -> Any:
        return list(books(count).prefetch_related("tags"))

    def prefetch_nested(self, count: int) -> Any:
        return list(Author.objects.prefetch_related("book_set__tags").order_by("id")[:count])

    def count(self, author_id: int) -> Any:
        return of_author(author_id).count()

    def exists(self, author_id: int) -> Any:
        return of_author(author_id).filter(pages__gt=1100).exists()

    def aggregate(self, author_id: int) -> Any:
        return of_author(author_id).aggregate(**totals(), price=Max("price"))

    def group_by(self, _: None) -> Any:
        return list(by_author())

    def insert(self, values: dict[str, Any]) -> Any:
        return Draft.objects.create(**values)

    def inserts(self, rows: list[dict[str, Any]]) -> Any:
        with atomic():
            for values in rows:
                Draft.objects.create(**values)

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return Draft.objects.bulk_create([Draft(**values) for values in rows])

    def save(self, change: tuple[Any, Decimal]) -> Any:
        draft, price = change
        draft.price = price
        draft.save()

    def save_field(self, change: tuple[Any, Decimal]) -> Any:
        draft, price = change
        draft.price = price
        draft.save(update_fields=["price"])

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return Draft.objects.filter(pk=key).update(price=price)

    def update_f(self, start: int) -> Any:
        return some_drafts(start).update(pages=F("pages") + 1)

    def update_many(self, drafts: list[Any]) -> Any:
        return Draft.objects.bulk_update(renumbered(drafts), ["pages"])

    def get_or_create(self, values: dict[str, Any]) -> Any:
        return (Draft.objects.get_or_create(isbn=values["isbn"], defaults=values))[0]

    def delete(self, key: int) -> Any:
        return Draft.objects.filter(pk=key).delete()

    def delete_instance(self, draft: Any) -> Any:
        return draft.delete()

    def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        with atomic():
            Draft.objects.create(**values)
            with atomic():
                Draft.objects.filter(pk=key).update(price=price)
            with atomic():
                Draft.objects.filter(pk=key).update(pages=F("pages") + 1)

    def build(self, author_id: int) -> Any:
        return page(author_id)._plan(self.database)


class FacadeAsync(FacadeContender):
    async def close(self) -> None:
        await facade.close_all_async()

    async def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return await Draft.objects.aget(pk=argument[0]), argument[1]
            case "delete_instance":
                return await Draft.objects.aget(pk=argument)
            case "update_many":
                return await Draft.objects.order_by("id")
        return argument

    async def get(self, key: int) -> Any:
        return await Book.objects.aget(pk=key)

    async def get_wide(self, key: int) -> Any:
        return await Wide.objects.aget(pk=key)

    async def page(self, author_id: int) -> Any:
        return await page(author_id)

    async def in_100(self, keys: list[int]) -> Any:
        return await Book.objects.filter(id__in=keys).order_by("id")

    async def complex_filter(self, slug: str) -> Any:
        return await complex_filter(slug)

    async def list_some(self, count: int) -> Any:
        return await books(count)

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return await Wide.objects.order_by("id")[:count]

    async def values(self, count: int) -> Any:
        return await books(count).values(*LISTED)

    async def values_list(self, count: int) -> Any:
        return await books(count).values_list(*LISTED)

    async def stream(self, _: None) -> Any:
        count = total = 0
        async for event in Event.objects.order_by("id").aiterator():
            count += 1
            total += event.number
        return count, total

    async def select_related(self, count: int) -> Any:
        return await books(count).select_related("author")

    async def prefetch_foreign(self, count: int) -> Any:
        return await books(count).prefetch_related("review_set")

    async def prefetch_many(self, count: int) -> Any:
        return await books(count).prefetch_related("tags")

    async def prefetch_nested(self, count: int) -> Any:
        return await Author.objects.prefetch_related("book_set__tags").order_by("id")[:count]

    async def count(self, author_id: int) -> Any:
        return await of_author(author_id).acount()

    async def exists(self, author_id: int) -> Any:
        return await of_author(author_id).filter(pages__gt=1100).aexists()

    async def aggregate(self, author_id: int) -> Any:
        return await of_author(author_id).aaggregate(**totals(), price=Max("price"))

    async def group_by(self, _: None) -> Any:
        return await by_author()

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.objects.acreate(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with atomic():
            for values in rows:
                await Draft.objects.acreate(**values)

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return await Draft.objects.abulk_create([Draft(**values) for values in rows])

    async def save(self, change: tuple[Any, Decimal]) -> Any:
        draft, price = change
        draft.price = price
        await draft.asave()

    async def save_field(self, change: tuple[Any, Decimal]) -> Any:
        draft, price = change
        draft.price = price
        await draft.asave(update_fields=["price"])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await Draft.objects.filter(pk=key).aupdate(price=price)

    async def update_f(self, start: int) -> Any:
        return await some_drafts(start).aupdate(pages=F("pages") + 1)

    async def update_many(self, drafts: list[Any]) -> Any:
        return await Draft.objects.abulk_update(renumbered(drafts), ["pages"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        return (await Draft.objects.aget_or_create(isbn=values["isbn"], defaults=values))[0]

    async def delete(self, key: int) -> Any:
        return await Draft.objects.filter(pk=key).adelete()

    async def delete_instance(self, draft: Any) -> Any:
        return await draft.adelete()

    async def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        async with atomic():
            await Draft.objects.acreate(**values)
            async with atomic():
                await Draft.objects.filter(pk=key).aupdate(price=price)
            async with atomic():
                await Draft.objects.filter(pk=key).aupdate(pages=F("pages") + 1)

    async def gets_10(self, keys: list[int]) -> Any:
        return await asyncio.gather(*[Book.objects.aget(pk=key) for key in keys])

    gets_50 = gets_100 = gets_10


def contender(road: Road, place: Place) -> Contender:
    return FacadeSync(road, place) if road.face == "sync" else FacadeAsync(road, place)
