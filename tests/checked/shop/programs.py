"""What a program may say: no checker finds anything here, with stubs and without."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any, assert_type

import sqlalchemy as sa

from facade import models
from facade.models import Count, F, Q
from shop.models import Author, Book, BookQuerySet, Genre, Point, Tag, TagQuerySet, cheapest
from shop.schemas import BookLine, BookStruct

TODAY = dt.date(2024, 7, 1)


def attributes(author: Author, book: Book) -> None:
    assert_type(author.name, str)
    assert_type(author.born, dt.date | None)
    number: int = author.id + book.id
    assert_type(book.author_id, int)
    assert_type(book.author, Author)
    assert_type(book.translator, Author | None)
    assert_type(book.place, Point)
    assert_type(book.get_genre_display(), str)
    assert_type(author.books.get(pk=number), Book)
    assert_type(author.books.all()[0].author.name, str)
    assert_type(list(book.tags.all()), list[Tag])
    book.stock = F("stock") + 1
    book.tags.add(Tag(label="x"), 3)
    book.genre = Genre.ESSAY


def schemas(book: Book) -> None:
    assert_type(BookLine.from_instances([book])[0].author.name, str)
    assert_type(BookStruct(title="T").stock, int)
    assert_type(BookLine.from_instance(book).update(book), Book)


def rows(author: Author) -> None:
    book = Book.objects.create(author=author, title="T", price="3.50", stock=2)
    assert_type(book, Book)
    assert_type(Author(name="Ada", born=None), Author)
    assert_type(Author.objects.get_or_create(name="Ada", defaults={"born": TODAY}), tuple[Author, bool])
    assert_type(Book.objects.get(title__startswith="T", author__name="Ada"), Book)
    assert_type(Book.objects.filter(Q(stock=0) | Q(price__lt=3), published__year=2024).first(), Book | None)
    assert_type(Book.objects.recent(TODAY), BookQuerySet)
    assert_type(Book.objects.filter(translator=None, author=author, tags__label__in=["a"]).count(), int)
    assert_type(Book.objects.filter(stock__gt=F("price"), pk__in=[1, 2]).exists(), bool)
    assert_type(Author.objects.bulk_create([Author(name="x")]), list[Author])
    assert_type(Author.objects.in_bulk([1]), dict[Any, Author])
    assert_type(Author.objects.aggregate(n=Count("id")), dict[str, Any])
    assert_type(Book.objects.update(stock=F("stock") - 1, price=decimal.Decimal(3)), int)
    assert_type(author.books.create(title="x", price=3), Book)
    found: models.QuerySet[Author] = Author.objects.order_by("name", "-born", F("id").desc())
    manager: models.Manager[Author] = Author.objects
    assert_type(found[0], Author)
    assert_type(manager.get(), Author)
    assert_type(cheapest(), list[Book])


def annotated() -> None:
    author = Author.objects.annotate(titles=Count("books")).filter(titles__gt=3).order_by("titles")[0]
    assert_type(author.titles, int)


def managers(data: dict[str, Any], tag: Tag) -> None:
    assert_type(Tag.objects.short(), TagQuerySet)
    assert_type(Tag.objects.short().filter(label="x").get(), Tag)
    assert_type(Tag.long.longest(), Tag | None)
    assert_type(Tag.long.filter(label="x")[0], Tag)
    assert_type(Tag.long.get_queryset().get(), Tag)
    Author(**data).save()
    Author.objects.filter(Q(**data), **data).exclude(Q(books__tags__label="x")).update(**data)
    tag.pk = None


def columns() -> None:
    assert_type(list(Author.objects.values_list(Author.name, Author.born)), list[tuple[str, dt.date | None]])
    assert_type(list(Book.objects.values_list(Book.author_id, flat=True)), list[int])
    assert_type(Book.objects.filter(Book.stock >= 3).order_by(Book.title.desc()).get(), Book)
    assert_type(Book.objects.annotate(left=Book.stock - 1)[0], Book)
    statement = sa.select(Author.name, Author.id).where(Author.born.is_not(None))
    joined = sa.select(Author).join(Book.__table__, Book.author_id == Author.id).where(Author.c.name == "Ada")
    assert isinstance(statement.subquery(), type(joined.subquery()))


async def awaited(author: Author) -> None:
    assert_type(await Book.objects.aget(title="T"), Book)
    assert_type(await Author.objects.acreate(name="x"), Author)
    assert_type(await Author.objects.filter(name="x"), list[Author])
    assert_type([row async for row in author.books.all()], list[Book])
    assert_type(await author.books.filter(stock=0).acount(), int)
    async for number in author.books.all()[0].pages():
        assert_type(number, int)
