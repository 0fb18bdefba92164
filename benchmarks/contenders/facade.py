"""facade, written as its users write it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import facade
from benchmarks.contenders import Contender
from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Place, Road, sqlalchemy_url
from facade import models


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


def page(author_id: int) -> Any:
    return Book.objects.filter(author_id=author_id, in_print=True).order_by("-created_at")[:PAGE]


class FacadeContender(Contender):
    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)
        facade.configure(DATABASES={"default": sqlalchemy_url(road, place)})


class FacadeSync(FacadeContender):
    def open(self) -> None:
        self.database = facade.connections["default"]

    def close(self) -> None:
        facade.close_all()

    def get(self, key: int) -> Any:
        return Book.objects.get(pk=key)

    def page(self, author_id: int) -> Any:
        return list(page(author_id))

    def list_some(self, count: int) -> Any:
        return list(Book.objects.order_by("id")[:count])

    list_all = list_some

    def values_list(self, count: int) -> Any:
        return list(Book.objects.order_by("id").values_list(*LISTED)[:count])

    def select_related(self, count: int) -> Any:
        return list(Book.objects.select_related("author").order_by("id")[:count])

    def prefetch_many(self, count: int) -> Any:
        return list(Book.objects.prefetch_related("tags").order_by("id")[:count])

    def prefetch_nested(self, count: int) -> Any:
        return list(Author.objects.prefetch_related("book_set__tags").order_by("id")[:count])

    def insert(self, values: dict[str, Any]) -> Any:
        return Draft.objects.create(**values)

    def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return Draft.objects.bulk_create([Draft(**values) for values in rows])

    def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return Draft.objects.filter(pk=key).update(price=price)

    def build(self, author_id: int) -> Any:
        return page(author_id)._plan(self.database)


class FacadeAsync(FacadeContender):
    async def close(self) -> None:
        await facade.close_all_async()

    async def get(self, key: int) -> Any:
        return await Book.objects.aget(pk=key)

    async def page(self, author_id: int) -> Any:
        return await page(author_id)

    async def list_some(self, count: int) -> Any:
        return await Book.objects.order_by("id")[:count]

    list_all = list_some

    async def values_list(self, count: int) -> Any:
        return await Book.objects.order_by("id").values_list(*LISTED)[:count]

    async def select_related(self, count: int) -> Any:
        return await Book.objects.select_related("author").order_by("id")[:count]

    async def prefetch_many(self, count: int) -> Any:
        return await Book.objects.prefetch_related("tags").order_by("id")[:count]

    async def prefetch_nested(self, count: int) -> Any:
        return await Author.objects.prefetch_related("book_set__tags").order_by("id")[:count]

    async def insert(self, values: dict[str, Any]) -> Any:
        return await Draft.objects.acreate(**values)

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return await Draft.objects.abulk_create([Draft(**values) for values in rows])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await Draft.objects.filter(pk=key).aupdate(price=price)


def contender(road: Road, place: Place) -> Contender:
    return FacadeSync(road, place) if road.face == "sync" else FacadeAsync(road, place)
