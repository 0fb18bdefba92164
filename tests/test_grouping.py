"""What rows are grouped by where aggregates, subqueries and conditions meet, and what is counted then."""

from __future__ import annotations

import pytest

from facade.models import Avg, Case, Count, Exists, F, Max, OuterRef, Q, Subquery, Sum, Value, When
from tests.models import Author, Book, Publisher

pytestmark = pytest.mark.portable


@pytest.fixture
def books(database):
    database.create(Publisher, Author, Book)
    ada, bob = Author.objects.create(name="Ada", age=36), Author.objects.create(name="Bob", age=50)
    north, south = Publisher.objects.create(name="North"), Publisher.objects.create(name="South")
    Book.objects.create(title="a", author=ada, publisher=north, pages=100)
    Book.objects.create(title="b", author=ada, publisher=north, pages=300)
    Book.objects.create(title="c", author=bob, publisher=south, pages=500)
    return ada, bob


def test_a_string_in_a_case_names_a_field(face, books):
    size = Case(When(pages__gt=200, then="pages"), default="author__age")
    assert face.list(Book.objects.order_by("title").values_list(size)) == [(36,), (300,), (500,)]
    counted = Count(Case(When(pages__gt=200, then="pages")), distinct=True)
    assert face(Book.objects.aggregate, n=counted) == {"n": 2}


def test_a_subquery_is_grouped_by_the_columns_it_depends_on(face, books):
    longest = Book.objects.filter(author=OuterRef("pk")).order_by("-pages").values("title")[:1]
    authors = Author.objects.annotate(longest=Subquery(longest)).annotate(n=Count("books")).order_by("name")
    assert face.list(authors.values_list("name", "longest", "n")) == [("Ada", "b", 2), ("Bob", "c", 1)]
    assert face.list(authors.values_list("name", "n")) == [("Ada", 2), ("Bob", 1)]


def test_a_subquery_over_several_rows_is_grouped_by_itself(face, books):
    """Once the rows carry other values the subquery no longer splits the groups."""
    same = Author.objects.filter(age__lt=OuterRef("books__pages")).order_by("-age").values("name")[:1]
    authors = Author.objects.annotate(other=Subquery(same)).annotate(most=Max("books__pages"))
    assert sorted(face.list(authors.values_list("name", "other", "most"))) == [
        ("Ada", "Bob", 300),
        ("Bob", "Bob", 500),
    ]
    assert sorted(face.list(authors.values_list("name", "most"))) == [("Ada", 300), ("Bob", 500)]


def test_grouping_by_a_subquery(face, books):
    books_of = Book.objects.filter(author=OuterRef("pk")).values("author").annotate(n=Count("pk")).values("n")
    assert sorted(face.list(Author.objects.values_list(Subquery(books_of)).annotate(total=Count("*")))) == [
        (1, 1),
        (2, 1),
    ]
    assert sorted(face.list(Author.objects.values_list(books_of).annotate(total=Count("*")))) == [
        (1, 1),
        (2, 1),
    ]


def test_an_exists_that_holds_for_no_row_is_not_grouped_by(face, books):
    queryset = Author.objects.annotate(n=Count("books"), never=Exists(Book.objects.none())).order_by("name")
    assert face.list(queryset.values_list("n", "never")) == [(2, False), (1, False)]
    assert len(face.list(queryset)) == 2


def test_a_condition_beside_an_aggregate_splits_the_groups_in_the_count_too(face, books):
    long = Case(When(books__pages__gt=200, then=Value(True)), default=Value(False))
    for queryset in (Author.objects.all(), Author.objects.values("id", "name")):
        authors = queryset.annotate(total=Sum("books__pages")).annotate(long=long)
        assert len(face.list(authors)) == face(authors.count) == 3


def test_an_order_that_splits_the_groups_splits_them_in_the_count_too(face, books):
    rows = Book.objects.values("author__name").annotate(n=Count("id"))
    for order, expected in (("id", 3), ("-id", 3), ("-author__name", 2), ("-n", 2), ("?", 2)):
        assert face(rows.order_by(order).count) == len(face.list(rows.order_by(order))) == expected


def test_the_filter_of_an_aggregate_may_compare_with_an_annotation(face, books):
    authors = Author.objects.annotate(most=Max("books__author"))
    assert face(authors.aggregate, n=Count("id", filter=Q(id=F("most")))) == {"n": 2}
    assert face(authors.aggregate, n=Count("id", filter=Q(id__in=[F("most"), 0]))) == {"n": 2}


def test_an_aggregate_may_test_what_is_not_selected(face, books):
    authors = Author.objects.annotate(n=Count("books")).values("pk")
    assert face(authors.aggregate, several=Sum(Case(When(n__gt=1, then=1)))) == {"several": 1}


def test_an_average_of_counts(face, books):
    assert face(Author.objects.annotate(n=Count("books")).aggregate, Avg("n")) == {"n__avg": 1.5}
