"""UNION and its kin: which columns the rows have, in which order they come, and what is calculated over them."""

from __future__ import annotations

import pytest

from facade import models
from facade.exceptions import FieldError, NotSupportedError
from facade.models import Count, F, Max, OuterRef, Q, Subquery, Sum, Value
from facade.models.functions import Lower, Upper
from tests.models import Author, Book, Publisher


class Chapter(models.Model):
    """A model that is ordered by a related one."""

    title = models.CharField(max_length=20)
    book = models.ForeignKey(Book, models.DO_NOTHING)  # other tests delete books and have no chapters

    class Meta:
        ordering = ["-book__title", "title"]


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Chapter)
    ada, bob = Author.objects.create(name="Ada", age=36), Author.objects.create(name="Bob", age=50)
    for title, author, pages in (("x", ada, 30), ("y", bob, 20), ("z", ada, 10)):
        book = Book.objects.create(title=title, author=author, pages=pages)
        Chapter.objects.create(title=f"in {title}", book=book)


def parts(*names):
    books = Book.objects.values(*names) if names else Book.objects.all()
    return books.filter(title="x"), books.exclude(title="x")


def test_values_of_a_union_picks_columns_by_their_names(face, library):
    first, second = parts("title", "pages")
    both = first.union(second).order_by("title")
    assert face.list(both.values_list("pages", flat=True)) == [30, 20, 10]
    assert face.list(both.values("pages")) == [{"pages": 30}, {"pages": 20}, {"pages": 10}]
    assert face.list(both.values_list("pages", "title", "pages")[1:2]) == [(20, "y", 20)]
    assert face.list(both.order_by("-pages").values_list("title", flat=True)) == ["x", "y", "z"]
    assert sorted(face.list(Book.objects.filter(pages__in=both.values("pages")).values_list("title"))) == [
        ("x",),
        ("y",),
        ("z",),
    ]


def test_values_of_a_union_picks_annotations_by_their_names(face, library):
    first, second = (part.annotate(more=F("pages") + 1).values("more", "title") for part in parts())
    both = first.union(second).order_by("-more")
    assert face.list(both.values_list("title", flat=True)) == ["x", "y", "z"]
    assert face.list(both.values_list("more", flat=True)) == [31, 21, 11]


def test_the_names_are_those_of_the_first_part(face, library):
    first, second = Book.objects.filter(pk__in=[]).values("pages"), Author.objects.values("age")
    assert face.list(first.union(second).order_by("pages")) == [{"pages": 36}, {"pages": 50}]
    named = parts()[0].values_list(Lower("title"), named=True).union(parts()[1].values_list(Upper("title")))
    assert sorted(row.lower1 for row in face.list(named)) == ["Y", "Z", "x"]


def test_a_column_that_stands_twice_in_the_first_part(face, library):
    twice = Book.objects.values_list("pages", "title", "pages")
    both = twice.filter(title="x").union(Author.objects.values_list("age", "name", "pk"))
    assert face.list(both.order_by("-pages")) == [(50, "Bob", 2), (36, "Ada", 1), (30, "x", 30)]


def test_a_column_that_no_part_selects_is_refused(face, library, assert_queries):
    first, second = parts("title")
    with (
        assert_queries(0),
        pytest.raises(FieldError, match="Cannot select 'pages' after union.*select title"),
    ):
        face.list(first.union(second).values("pages"))


@pytest.mark.parametrize("name", ["union", "intersection", "difference"])
def test_querysets_of_different_widths_are_refused_with_the_columns_of_both(
    face, library, assert_queries, name
):
    books, authors = Book.objects.order_by().values("title", "pages"), Author.objects.values("name")
    both = getattr(books, name)(authors)
    said = (
        rf"different widths by {name}\(\): that of tests.Book selects 2 columns \(title, pages\), "
        r"that of tests.Author 1 column \(name\). Let values\(\)"
    )
    for read in (both.count, both.exists, both.order_by("title").first):
        with assert_queries(0), pytest.raises(FieldError, match=said):
            face(read)
    with assert_queries(0), pytest.raises(FieldError, match=r"tests.Author selects \d columns \(id, name, "):
        face.list(getattr(Author.objects.all(), name)(Book.objects.all()))


def test_columns_that_only_an_order_needs_do_not_count(face, library):
    first, second = parts("title")
    inner = first.union(Author.objects.values("name"))
    assert face.list(inner.union(second).order_by("title")) == [
        {"title": one} for one in ("Ada", "Bob", *"xyz")
    ]
    first, second = parts()
    both = first.union(second).union(Book.objects.all())
    assert [book.title for book in face.list(both.order_by("-author__name", "title"))] == ["y", "x", "z"]


def test_a_union_is_ordered_through_a_relation(face, library, assert_queries):
    first, second = parts()
    both = first.union(second).order_by("-author__name", "title")
    with assert_queries(1):
        assert [book.title for book in face.list(both)] == ["y", "x", "z"]
    assert face.list(both.values_list("title", flat=True)) == ["y", "x", "z"]
    assert face(both.count) == 3
    assert face(both.first).title == "y"
    selected = [part.values_list("title", "author__name") for part in parts()]
    assert face.list(selected[0].union(selected[1]).order_by("-author__name", "-title")) == [
        ("y", "Bob"),
        ("z", "Ada"),
        ("x", "Ada"),
    ]


def test_a_union_is_ordered_as_its_model_is(face, library):
    both = Chapter.objects.filter(title="in x").union(Chapter.objects.all())
    assert [chapter.title for chapter in face.list(both)] == ["in z", "in y", "in x"]
    assert face.list(both.values_list("title", flat=True)) == ["in z", "in y", "in x"]
    assert face(both.count) == 3
    assert face(both.exists) is True
    assert face(both.last).title == "in x"


@pytest.mark.without("mariadb", reason="its unsigned numbers have nothing below zero")
def test_a_union_is_ordered_by_an_expression(face, library):
    first, second = parts()
    both = first.union(second.order_by("-title")[:1])
    assert [book.title for book in face.list(both.order_by((F("pages") - 11) * -1))] == ["x", "z"]
    nested = both.union(second).order_by(Lower("author__name").desc(), F("pages") + Value(2))
    assert [book.title for book in face.list(nested)] == ["y", "z", "x"]
    smallest = Book.objects.filter(pk__in=nested.values("pk")[1:2])
    assert face.list(smallest.values_list("title", flat=True)) == ["z"]
    found = first.union(second).order_by("-author__name").values("title")[:1]
    assert face.list(Author.objects.order_by("pk").values_list(Subquery(found))) == [("y",), ("y",)]


def test_an_order_that_the_parts_do_not_select_is_refused(face, library, assert_queries):
    first, second = parts("title")
    for order in ("pages", "author__name", Lower("title"), "?"):
        with assert_queries(0), pytest.raises(NotSupportedError):
            face.list(first.union(second).order_by(order))


def test_aggregates_over_a_union(face, library, assert_queries):
    first, second = parts("title", "pages")
    with assert_queries(1):
        totals = face(first.union(second).aggregate, total=Sum("pages"), n=Count("title"), last=Max("title"))
    assert totals == {"total": 60, "n": 3, "last": "z"}
    short = Sum("pages", filter=Q(pages__lt=25))
    assert face(first.union(second).values("pages").aggregate, short=short, double=Sum(F("pages") * 2)) == {
        "short": 30,
        "double": 120,
    }
    assert face(first.union(second).order_by("pages")[:2].aggregate, total=Sum("pages")) == {"total": 30}


def test_aggregates_over_a_union_of_objects(face, library):
    first, second = parts()
    both = first.union(second)
    assert face(both.aggregate, n=Count("pk"), writers=Count("author", distinct=True)) == {
        "n": 3,
        "writers": 2,
    }
    related = [part.values("author__name") for part in parts()]
    assert face(related[0].union(related[1]).aggregate, last=Max("author__name")) == {"last": "Bob"}


def test_aggregates_over_a_union_speak_of_its_columns(face, library, assert_queries):
    first, second = parts("title")
    with assert_queries(0), pytest.raises(FieldError, match="keyword 'pages'.*Choices are: title"):
        face(first.union(second).aggregate, total=Sum("pages"))


@pytest.mark.without("mariadb", reason="its derived tables see no query around them")
def test_a_union_in_a_subquery_is_ordered_by_the_query_around_it(face, library):
    first, second = (part.filter(author=OuterRef("pk")) for part in parts())
    found = first.union(second).order_by("-author__name", F("pages") * -1).values("title")[:1]
    authors = Author.objects.order_by("pk").annotate(title=Subquery(found))
    assert face.list(authors.values_list("title", flat=True)) == ["x", "y"]


def test_a_combination_of_objects_in_a_condition_stands_for_their_keys(face, library):
    short, late = Book.objects.filter(pages__lt=25), Book.objects.filter(title__gt="x")
    found = {
        "union": short.filter(title="z").union(Book.objects.filter(title="x")),
        "intersection": short.intersection(late.filter(author__name="Ada")),
        "difference": Book.objects.difference(short),
        "slice": late.union(Book.objects.filter(title="x")).order_by("pages", "title")[:2],
        "of combinations": short.filter(title="z").union(Book.objects.filter(title="x")).union(late),
    }
    titles = {
        name: face.list(Book.objects.filter(pk__in=books).order_by("title").values_list("title", flat=True))
        for name, books in found.items()
    }
    assert titles == {
        "union": ["x", "z"],
        "intersection": ["z"],
        "difference": ["x"],
        "slice": ["y", "z"],
        "of combinations": ["x", "y", "z"],
    }
    chapters = Chapter.objects.filter(book__in=found["slice"]).exclude(book__in=found["intersection"])
    assert face.list(chapters.values_list("title", flat=True)) == ["in y"]


def test_a_combination_of_one_row_is_a_value(face, library):
    first, second = parts()
    last = first.union(second).order_by("-title")[:1]
    assert [book.title for book in face.list(Book.objects.filter(pk=last))] == ["z"]
    assert face(Chapter.objects.update, book=last) == 3
    assert face.list(Chapter.objects.order_by().values_list("book__title", flat=True).distinct()) == ["z"]
