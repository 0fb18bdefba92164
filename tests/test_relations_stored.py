"""Conditions on relations where a row is stored: one's own column is enough, and what no row fulfils asks for no join."""

from __future__ import annotations

import datetime as dt

import pytest

from facade.exceptions import FieldError
from facade.models import Case, DateField, DateTimeField, ExpressionWrapper, F, Prefetch, Q, Value, When
from tests.models import Author, Book, Publisher

DAY = dt.timedelta(days=1)


@pytest.fixture
def ada(database):
    database.create(Author, Publisher, Book)
    ada, bob = Author.objects.create(name="Ada", age=1), Author.objects.create(name="Bob", age=2)
    for author, pages in ((ada, 1), (bob, 2), (ada, 3)):
        Book.objects.create(title=f"{pages}", author=author, pages=pages)
    return ada


IMPOSSIBLE = {
    "nothing": lambda: Q(books__in=[]),
    "None": lambda: Q(books__in=[None]),
    "none()": lambda: Q(books__in=Book.objects.none()),
    "and": lambda: Q(name="Ada", books__in=[]),
    "not not": lambda: ~~Q(books__in=[]),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_no_row_fulfils_asks_for_no_join(face, ada, name):
    condition = IMPOSSIBLE[name]()
    for when, expected in ((condition, "no"), (~condition, "yes"), (condition | Q(age=1), "yes")):
        face(Author.objects.update, name=Case(When(when, then=Value("yes")), default=Value("no")))
        assert face(Author.objects.get, pk=ada.pk).name == expected
        ada.name = Case(When(when, then=Value("Yes")), default=Value("No"))
        face(ada.save)
        assert face(Author.objects.get, pk=ada.pk).name == expected.title()
        face(Author.objects.update, name="Ada")


@pytest.mark.parametrize("condition", [Q(books__in=[1]), Q(books=1), Q(books__title__in=["x"])], ids=repr)
def test_what_needs_a_join_is_refused(face, ada, condition):
    with pytest.raises(FieldError, match="Joined field references are not permitted"):
        face(Author.objects.update, name=Case(When(condition, then=Value("yes")), default=F("name")))


RELATED = {
    "object": lambda ada: Q(author=ada),
    "objects": lambda ada: Q(author__in=[ada]),
    "None": lambda ada: Q(author__in=[None, ada.pk]),
    "expressions": lambda ada: Q(author__in=[Value(ada.pk), ada.pk]),
    "queryset": lambda ada: Q(author__in=Author.objects.filter(name="Ada", age=F("age"))),
}


@pytest.mark.parametrize("name", RELATED)
def test_a_row_is_stored_by_a_condition_on_its_relation(face, ada, name):
    for book in face.list(Book.objects.all()):
        book.pages = Case(When(RELATED[name](ada), then=F("pages") + 10), default=F("pages"))
        face(book.save)
    assert face.list(Book.objects.order_by("pages").values_list("pages", flat=True)) == [2, 11, 13]


@pytest.mark.parametrize("name", RELATED)
def test_a_sliced_prefetch_is_ordered_by_a_condition_on_a_relation(face, ada, name):
    order = Case(When(RELATED[name](ada), then=10 - F("pages")), default=F("pages"))
    books = Book.objects.order_by(order, "pk")[:1]
    found = face.list(
        Author.objects.order_by("name").prefetch_related(Prefetch("books", books, to_attr="first"))
    )
    assert [[book.pages for book in author.first] for author in found] == [[3], [2]]


@pytest.mark.vendors("sqlite")
def test_a_text_and_a_duration_make_a_moment_where_the_text_is_one(face, ada):
    texts = {"abc": None, "2024-02-28": dt.date(2024, 2, 29), "": None, "7": None}
    for text, expected in texts.items():
        face(Author.objects.update, name=text)
        for sum_ in (F("name") + DAY, DAY + F("name"), F("name") - -DAY):
            found = Author.objects.annotate(e=ExpressionWrapper(sum_, output_field=DateField()))
            assert face.list(found.values_list("e", flat=True)) == [expected] * 2
    face(Author.objects.update, name="2024-02-28 12:30:00")
    found = Author.objects.annotate(e=ExpressionWrapper(F("name") - DAY, output_field=DateTimeField()))
    assert face(found.first).e == dt.datetime(2024, 2, 27, 12, 30, tzinfo=dt.UTC)
