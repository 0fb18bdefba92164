"""Rows of values: their names and order, repeated names, pickling, and in_bulk() after values() and values_list()."""

from __future__ import annotations

import pickle

import pytest

from facade.exceptions import FieldError
from facade.models import Count, F
from facade.models.functions import Lower, Upper
from tests.models import Author, Book, Category, Publisher


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Category)
    ada, bob = Author.objects.create(name="Ada", age=36), Author.objects.create(name="Bob")
    Book.objects.create(title="Alpha", author=ada, pages=100)
    Category.objects.create(name="novel")
    return ada, bob


def test_a_name_may_be_asked_for_twice(face, library):
    books = Book.objects.values_list("pages", "title", "pages")
    assert face(books.get) == (100, "Alpha", 100)
    assert face(Book.objects.values_list(F("pages"), F("pages")).get) == (100, 100)
    assert face.list(books.union(books.filter(pages=0))) == [(100, "Alpha", 100)]
    assert face(Book.objects.values("pages", "pages").get) == {"pages": 100}
    assert face(Book.objects.filter(pages__in=Book.objects.values_list("pages")).count) == 1


def test_values_of_extra_come_first_and_annotations_last(face, library):
    ada, _ = library
    authors = Author.objects.annotate(many=Count("books")).extra(select={"one": "1"}).filter(pk=ada.pk)
    row = face(authors.values_list(named=True).get)
    assert row._fields == ("one", "id", "name", "age", "email", "many")
    assert (row.one, row.name, row.many) == (1, "Ada", 1)
    assert face(authors.values_list().get) == tuple(row)


def test_a_named_row_can_be_pickled(face, library):
    row = face(Book.objects.values_list("title", "pages", named=True).get)
    copy = pickle.loads(pickle.dumps(row))
    assert copy == row
    assert copy.title == "Alpha"


@pytest.mark.parametrize(
    "name", ["nonsense", "title__nonsense", "author__nonsense", "published__year__nonsense"]
)
def test_what_is_no_field_is_named_in_the_error(library, name):
    *_, before, last = ("", *name.split("__"))
    wrong = last if before != "year" else "year"
    message = f"Cannot resolve keyword '{wrong}' into field"
    for method in (Book.objects.values, Book.objects.values_list):
        with pytest.raises(FieldError, match=message):
            method(name)
    with pytest.raises(FieldError, match=message):
        Book.objects.annotate(x=F(name))


def test_the_choices_in_the_error_include_annotations(library):
    with pytest.raises(FieldError, match="published, publisher, publisher_id, review, title, total"):
        Book.objects.annotate(total=F("pages") + 1).values("nonsense")


# -- in_bulk -------------------------------------------------------------------------------


def test_in_bulk_keeps_the_order_of_the_queryset(face, library):
    ada, bob = library
    assert list(face(Author.objects.order_by("-name").in_bulk)) == [bob.pk, ada.pk]
    assert list(face(Author.objects.order_by("name").in_bulk, [bob.pk, ada.pk])) == [ada.pk, bob.pk]


def test_in_bulk_of_dicts(face, library):
    ada, _ = library
    authors = Author.objects.annotate(many=Count("books"))
    whole = {"id": ada.pk, "name": "Ada", "age": 36, "email": "", "many": 1}
    assert face(authors.values().in_bulk, [ada.pk]) == {ada.pk: whole}
    assert face(authors.extra(select={"one": "1"}).values().in_bulk, [ada.pk]) == {
        ada.pk: {"one": 1, **whole}
    }
    assert face(authors.values("name").in_bulk, [ada.pk]) == {ada.pk: {"name": "Ada"}}
    assert face(authors.values("pk", "name").in_bulk, [ada.pk]) == {ada.pk: {"pk": ada.pk, "name": "Ada"}}


def test_in_bulk_of_tuples(face, library):
    ada, _ = library
    authors = Author.objects.annotate(many=Count("books"))
    assert face(authors.values_list("many", "name").in_bulk, [ada.pk]) == {ada.pk: (1, "Ada")}
    assert face(authors.values_list("name", flat=True).in_bulk, [ada.pk]) == {ada.pk: "Ada"}
    assert face(authors.values_list("name", "name").in_bulk, [ada.pk]) == {ada.pk: ("Ada", "Ada")}


def test_in_bulk_of_named_rows_puts_the_key_before_the_others(face, library):
    ada, _ = library
    row = face(Author.objects.values_list("name", named=True).in_bulk, [ada.pk])[ada.pk]
    assert (row._fields, row.pk, row.name) == (("pk", "name"), ada.pk, "Ada")
    row = face(Author.objects.values_list("pk", "age", named=True).in_bulk)[ada.pk]
    assert row._fields == ("pk", "age")
    found = face(Category.objects.values_list("parent", named=True).in_bulk, ["novel"], field_name="name")
    assert found["novel"]._fields == ("name", "parent")


def test_extra_after_values_adds_no_value(face, library):
    names = Book.objects.values("title").extra(select={"one": "1"})
    assert face.list(names) == [{"title": "Alpha"}]
    assert face(Book.objects.filter(title__in=names).count) == 1
    assert face(Book.objects.values().extra(select={"one": "1"}).get)["one"] == 1


def test_what_is_annotated_behind_repeated_columns(face, library):
    counted = Book.objects.values_list("title", "title").annotate(n=Count("pk"), m=Count("pk"))
    assert face.list(counted.order_by("title"))[0] == ("Alpha", "Alpha", 1, 1)
    assert face.list(counted.order_by("title").values_list("n", flat=True))[0] == 1


def test_names_of_what_has_no_name(face, library):
    rows = Book.objects.values_list(Lower("title"), Upper("title"), "pages", Lower("title"), named=True)
    assert face(rows.first)._fields == ("lower1", "upper1", "pages", "lower2")
    rows = Book.objects.values_list("title", "pages", "title", named=True).annotate(n=Count("pk"))
    assert face(rows.get)._fields == ("title", "pages", "title1", "n")
