"""Models as a team would write them, with annotations where a checker without stubs would not know."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from typing import Any

from facade import models


class Genre(models.TextChoices):
    NOVEL = "n", "Novel"
    ESSAY = "e", "Essay"


class Point:
    """A value of a field of one's own."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


class PointField(models.Field[Point]):
    """A point, kept as a text."""

    def get_internal_type(self) -> str:
        return "TextField"

    def from_db_value(self, value: str, *rest: object) -> Point:
        return Point(*map(int, value.split(",")))

    def get_prep_value(self, value: object) -> Any:
        return f"{value.x},{value.y}" if isinstance(value, Point) else value


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    born = models.DateField(null=True)

    books: models.RelatedManager[Book]
    titles: int

    def __str__(self) -> str:
        return self.name


class TagQuerySet(models.QuerySet["Tag"]):
    def short(self) -> TagQuerySet:
        return self.filter(label__regex="^.{1,3}$")


class LongTags(models.Manager["Tag"]):
    def get_queryset(self) -> models.QuerySet[Tag]:
        return super().get_queryset().filter(label__regex=".{4}")

    def longest(self) -> Tag | None:
        return self.order_by("-label").first()


class Tag(models.Model):
    label = models.CharField(max_length=30)

    objects = models.Manager.from_queryset(TagQuerySet)()
    long = LongTags()


class BookQuerySet(models.QuerySet["Book"]):
    def recent(self, day: dt.date) -> BookQuerySet:
        return self.filter(published__gte=day)


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    translator = models.ForeignKey(Author, models.SET_NULL, null=True, related_name="translations")
    title = models.CharField(max_length=200)
    genre = models.CharField(max_length=1, choices=Genre, default=Genre.NOVEL)
    price = models.DecimalField(max_digits=6, decimal_places=2)
    stock = models.IntegerField(default=0)
    published = models.DateField(null=True)
    place = PointField(default=Point(0, 0))
    tags = models.ManyToManyField(Tag)

    objects = BookQuerySet.as_manager()

    author_id: models.DeferredAttribute[int]
    get_genre_display: Callable[[], str]

    class Meta:
        ordering = ["title"]

    async def pages(self) -> AsyncIterator[int]:
        yield self.stock


def cheapest(limit: int = 3) -> list[Book]:
    return list(Book.objects.order_by("price")[:limit])
