"""What type checkers see of models, relations and managers, without a plugin."""

from __future__ import annotations

from typing import Any, assert_type

from facade import models


class Author(models.Model):
    name = models.CharField(max_length=100)


class BookManager(models.Manager["Book"]):
    def recent(self, days: int) -> str:
        return f"of {days} days"


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    editor = models.ForeignKey(Author, models.SET_NULL, null=True, related_name="edited")
    by_name = models.ForeignKey("Author", models.CASCADE, related_name="+")
    card = models.OneToOneField(Author, models.CASCADE, related_name="card")

    objects = BookManager()


def an_instance_has_its_relations(book: Book) -> None:
    assert_type(book.author, Author)
    assert_type(book.editor, Author | None)
    assert_type(book.card, Author)
    assert_type(book.by_name, Any)
    assert_type(book.author.name, str)


def a_relation_takes_its_model(book: Book, author: Author) -> None:
    book.author = author
    book.editor = None
    book.author = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    book.author = 3  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


def a_class_has_columns() -> None:
    assert_type(Author.name, models.DeferredAttribute[str])


def a_manager_belongs_to_its_model() -> None:
    assert_type(Author.objects.get(pk=1), Author)
    assert_type(Author.objects.filter(name="Ada").first(), Author | None)
    assert_type(Author._default_manager.get(), Author)


def a_model_may_have_its_own_manager() -> None:
    assert_type(Book.objects, BookManager)
    assert_type(Book.objects.recent(3), str)
    assert_type(Book.objects.get(pk=1), Book)


async def twins_have_the_same_types() -> None:
    assert_type(await Author.objects.aget(pk=1), Author)
    assert_type(await Author.objects.afirst(), Author | None)
