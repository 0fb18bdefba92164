"""The managers of rows that refer to one object: `author.books`, `publisher.book_set`."""

from __future__ import annotations

import pytest

from facade.exceptions import FieldError
from tests.models import Author, Book, City, Country, Publisher

returning_databases = pytest.mark.without(
    "mariadb",
    reason="no UPDATE … RETURNING, no conflict targets; its BEGIN and COMMIT are no statements that are counted",
)


@pytest.fixture
def library(database):
    database.create(Author, Publisher, Book)
    return database


@pytest.fixture
def ada(library):
    return Author.objects.create(name="Ada")


@pytest.fixture
def grace(library):
    return Author.objects.create(name="Grace")


@pytest.fixture
def press(library):
    return Publisher.objects.create(name="Press")


def book(author, title="x", **values):
    return Book.objects.create(title=title, author=author, **values)


def titles(rows):
    return sorted(row.title for row in rows)


# -- reading -----------------------------------------------------------------------------------------


def test_rows_of_one_object(face, ada, grace):
    book(ada, "a"), book(ada, "b"), book(grace, "c")
    assert titles(face.list(ada.books.all())) == ["a", "b"]
    assert face(ada.books.count) == 2
    assert face(ada.books.filter(title="b").get).title == "b"
    assert face(ada.books.exists) is True


def test_rows_know_the_object(face, ada, assert_queries):
    book(ada)
    row = face(ada.books.get)
    with assert_queries(0):
        assert row.author is ada


def test_prefetched_rows_ask_nothing(face, ada, assert_queries):
    book(ada, "a")
    author = face(Author.objects.prefetch_related("books").get)
    with assert_queries(0):
        rows = list(author.books.all())
        assert titles(rows) == ["a"]
        assert rows[0].author is author


def test_unsaved_object_has_no_rows(face, library):
    message = "'Author' instance needs to have a primary key value before this relationship can be used."
    with pytest.raises(ValueError, match=message):
        face(Author(name="x").books.count)


def test_reference_to_a_field_that_is_no_key(face, database):
    database.create(Country, City)
    austria = face(Country.objects.create, code="AT", name="Austria")
    city = face(City.objects.create, name="Wien", country=austria, twin_country=austria)
    assert face.list(austria.twin_cities.all()) == [city]
    assert database.observe("SELECT twin FROM tests_city") == [("Austria",)]


def test_unknown_names_are_refused(face, ada):
    with pytest.raises(FieldError):
        face(ada.books.filter(titel="x").count)


# -- making ------------------------------------------------------------------------------------------


def test_create_refers_to_the_object(face, ada, library, assert_queries):
    with assert_queries(1):
        row = face(ada.books.create, title="a")
    assert row.author is ada
    assert library.observe("SELECT author_id FROM tests_book") == [(ada.pk,)]


def test_get_or_create_looks_among_the_objects_rows(face, ada, grace):
    book(grace, "a")
    row, created = face(ada.books.get_or_create, title="a")
    assert (row.author_id, created) == (ada.pk, True)
    assert face(ada.books.get_or_create, title="a") == (row, False)


def test_update_or_create_looks_among_the_objects_rows(face, ada, grace, library):
    book(grace, "a", pages=1)
    row, created = face(ada.books.update_or_create, title="a", defaults={"pages": 2})
    assert created
    assert face(ada.books.update_or_create, title="a", defaults={"pages": 3}) == (row, False)
    assert library.observe("SELECT pages FROM tests_book ORDER BY id") == [(1,), (3,)]


# -- add ---------------------------------------------------------------------------------------------


def test_add_is_one_update(face, ada, grace, assert_queries):
    rows = [book(grace, "a"), book(grace, "b")]
    with assert_queries(1):
        face(ada.books.add, *rows)
    assert [row.author for row in rows] == [ada, ada]
    assert titles(face.list(ada.books.all())) == ["a", "b"]


def test_add_saves_each_row_when_asked(face, ada):
    rows = [Book(title="a"), Book(title="b")]
    face(ada.books.add, *rows, bulk=False)
    assert titles(face.list(ada.books.all())) == ["a", "b"]


def test_add_refuses_rows_that_are_not_saved(face, ada):
    with pytest.raises(ValueError, match=r"instance isn't saved. Use bulk=False or save the object first."):
        face(ada.books.add, Book(title="a"))


def test_add_refuses_other_models(face, ada, grace):
    with pytest.raises(TypeError, match=r"'Book' instance expected, got <Author: Grace>"):
        face(ada.books.add, grace)


def test_add_forgets_what_was_prefetched(face, ada, grace):
    row = book(grace, "a")
    author = face(Author.objects.prefetch_related("books").get, pk=ada.pk)
    face(author.books.add, row)
    assert titles(face.list(author.books.all())) == ["a"]


# -- remove and clear --------------------------------------------------------------------------------


def test_remove_sets_null(face, ada, press, assert_queries):
    rows = [book(ada, title, publisher=press) for title in "abc"]
    with assert_queries(1):
        face(press.book_set.remove, rows[0], rows[1])
    assert titles(face.list(press.book_set.all())) == ["c"]
    face(press.book_set.remove, rows[2], bulk=False)
    assert face(press.book_set.count) == 0


def test_remove_of_nothing_does_nothing(face, press, assert_queries):
    with assert_queries(0):
        face(press.book_set.remove)


def test_remove_refuses_rows_of_others(face, ada, press):
    row = book(ada, "a")
    with pytest.raises(Publisher.DoesNotExist, match=r"<Book: a> is not related to <Publisher: Press>."):
        face(press.book_set.remove, row)


def test_clear_lets_all_go(face, ada, press):
    for title in "ab":
        book(ada, title, publisher=press)
    face(press.book_set.clear)
    assert face(press.book_set.count) == 0
    book(ada, "c", publisher=press)
    face(press.book_set.clear, bulk=False)
    assert face(press.book_set.count) == 0


def test_key_that_cannot_be_null_lets_nothing_go(face, ada):
    for name in ("remove", "aremove", "clear", "aclear"):
        assert not hasattr(ada.books, name)


# -- set ---------------------------------------------------------------------------------------------


@returning_databases
def test_set_changes_what_differs(face, ada, press, assert_queries):
    a, b, c = (book(ada, title) for title in "abc")
    face(press.book_set.set, [a, b])
    with assert_queries(5) as captured:  # BEGIN, SELECT, two UPDATEs, COMMIT
        face(press.book_set.set, [b, c])
    assert len([query for query in captured.captured_queries if query["sql"].startswith("UPDATE")]) == 2
    assert titles(face.list(press.book_set.all())) == ["b", "c"]
    face(press.book_set.set, [a], clear=True)
    assert titles(face.list(press.book_set.all())) == ["a"]
    face(press.book_set.set, [])
    assert face(press.book_set.count) == 0


def test_set_takes_a_queryset(face, ada, press):
    for title in "ab":
        book(ada, title, publisher=press)
    face(press.book_set.set, press.book_set.filter(title="a"))
    assert titles(face.list(press.book_set.all())) == ["a"]


def test_set_keeps_the_rest_where_the_key_cannot_be_null(face, ada, grace):
    a, b = book(ada, "a"), book(grace, "b")
    face(ada.books.set, [b])
    assert titles(face.list(ada.books.all())) == ["a", "b"]
    assert a.author is ada


def test_assignment_says_what_to_do(face, ada):
    with pytest.raises(TypeError, match=r"Use books.set\(\) instead."):
        ada.books = []


def test_object_without_a_key_cannot_make_rows(face, library):
    with pytest.raises(
        ValueError, match=r'needs to have a value for field "id" before this relationship can be used.'
    ):
        face(Author(name="x").books.create, title="a")


def test_the_rows_of_two_managers_together_know_whose_they_are(face, ada, grace, assert_queries):
    book(ada, "Alpha"), book(grace, "Gamma")
    with assert_queries(1):
        rows = face.list(ada.books.all() | grace.books.all())
        assert {row.title: row.author.name for row in rows} == {"Alpha": "Ada", "Gamma": "Grace"}
