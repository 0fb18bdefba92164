"""Subquery and Exists with templates of the program's own."""

from __future__ import annotations

import pytest

from facade.models import Count, Exists, F, IntegerField, OuterRef, Q, Subquery
from tests.models import Author, Book, Publisher


class CountOf(Subquery):
    template = "(SELECT count(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


class Missing(Exists):
    template = "NOT EXISTS(%(subquery)s)"


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book)
    ada, bob, _ = Author.objects.bulk_create([Author(name="Ada"), Author(name="Bob"), Author(name="Cyd")])
    Book.objects.bulk_create(
        [
            Book(title="Alpha", author=ada, pages=100),
            Book(title="Beta", author=ada, pages=200),
            Book(title="Gamma", author=bob, pages=300),
        ]
    )


def test_a_template_counts_the_rows_of_a_subquery(face, library, assert_queries):
    long = Book.objects.filter(pages__gte=100)
    with assert_queries(1):
        rows = face.list(Author.objects.annotate(n=CountOf(long)).order_by("name").values_list("name", "n"))
    assert rows == [("Ada", 3), ("Bob", 3), ("Cyd", 3)]


def test_a_template_may_be_given_where_it_is_used(face, library):
    pages = Subquery(Book.objects.order_by("pages").values("pages")[:1], template="(1 + (%(subquery)s))")
    rows = Author.objects.annotate(n=pages).values_list("n", flat=True)
    assert face.list(rows) == [101, 101, 101]


def test_a_template_of_exists_is_a_condition_with_outer_references(face, library):
    own = Book.objects.filter(author=OuterRef("pk"), pages__gt=150)
    assert [author.name for author in face.list(Author.objects.filter(Missing(own)))] == ["Cyd"]
    assert sorted(a.name for a in face.list(Author.objects.filter(~Missing(own)))) == ["Ada", "Bob"]


def test_a_template_over_a_subquery_that_has_no_row(face, library):
    rows = Author.objects.annotate(n=CountOf(Book.objects.filter(pages=1)), m=Count("books"))
    assert sorted(face.list(rows.values_list("n", F("m")))) == [(0, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize("none", [{"pages__in": []}, {"pages": -1}, {"pages": 2**70}])
def test_exists_is_false_where_nothing_can_be_found(face, library, none):
    found = Exists(Book.objects.filter(**none))
    books = (
        Book.objects.annotate(found=found, cheap=Q(pages__lt=200))
        .order_by("pk")
        .values_list("title", flat=True)
    )
    every = ["Alpha", "Beta", "Gamma"]
    for condition, titles in (
        (Q(found=False), every),
        (Q(found=True), []),
        (Q(found__isnull=False), every),
        (Q(found__isnull=True), []),
        (Q(found=F("cheap")), ["Beta", "Gamma"]),
        (Q(cheap=F("found")), ["Beta", "Gamma"]),
        (Q(found), []),
        (~Q(found), every),
    ):
        assert face.list(books.filter(condition)) == titles, condition
        assert face.list(books.exclude(condition)) == [title for title in every if title not in titles]


def test_a_subquery_groups_by_what_it_computes_of_the_row_outside(face, library):
    ages = {"Ada": 1, "Bob": 2, "Cyd": 3}
    for name, age in ages.items():
        face(Author.objects.filter(name=name).update, age=age)
    longer = Book.objects.filter(author=OuterRef("pk")).annotate(x=F("pages") + OuterRef("age"))
    most = longer.values("x").annotate(n=Count("id")).order_by("-x").values("x")[:1]
    rows = Author.objects.annotate(most=Subquery(most)).order_by("name").values_list("name", "most")
    assert face.list(rows) == [("Ada", 201), ("Bob", 302), ("Cyd", None)]
