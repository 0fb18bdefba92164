"""What rows are grouped by where aggregates, subqueries and conditions meet, and what is counted then."""

from __future__ import annotations

import pytest

from facade.exceptions import FieldError
from facade.models import (
    Avg,
    Case,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from tests.models import Author, Book, Publisher


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


# -- negations over several rows -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [~Q(author__books__title="a"), ~Q(author__books__title="a", author__books__pages=100)],
    ids=["one lookup", "two lookups"],
)
def test_a_negation_over_several_rows_beside_an_aggregate_splits_the_groups(face, books, condition):
    """The group of a publisher is the rows that agree in what the negation looks at."""
    ada, _ = books
    Book.objects.create(title="d", author=ada, publisher=Publisher.objects.get(name="South"), pages=700)
    grouped = Book.objects.values("publisher__name").annotate(longest=Max("pages"))
    found = grouped.filter(condition | Q(longest__gte=700)).order_by("publisher__name", "longest")
    assert face.list(found.values_list("publisher__name", "longest")) == [("South", 500), ("South", 700)]


def test_a_negation_over_several_rows_can_be_annotated_beside_an_aggregate(face, books):
    is_other = Case(When(~Q(books__title="a"), then=Value(1)), default=Value(0))
    authors = Author.objects.annotate(n=Count("books")).filter(~Q(books__title="a")).annotate(other=is_other)
    assert face.list(authors.values_list("name", "n", "other")) == [("Bob", 1, 1)]


# -- aggregates over rows that a subquery makes ---------------------------------------------------------


def test_an_aggregate_over_a_slice_asks_subqueries_about_its_rows(face, books, assert_queries):
    long = Book.objects.filter(author=OuterRef("pk"), pages__gte=500)
    first = long.order_by("-pages").values("pages")[:1]
    authors = Author.objects.order_by("name")
    with assert_queries(4):
        assert face(authors[:5].aggregate, n=Count("pk", filter=Exists(long))) == {"n": 1}
        assert face(authors[:5].aggregate, n=Count("pk", filter=~Exists(long)), all=Count("pk")) == {
            "n": 1,
            "all": 2,
        }
        assert face(authors.distinct().aggregate, n=Sum(Subquery(first))) == {"n": 500}
        counted = authors.annotate(books_written=Count("books"))
        assert face(counted.aggregate, n=Sum("books_written", filter=Exists(long))) == {"n": 1}


def test_a_condition_on_an_annotated_outer_ref_needs_a_type(face, books):
    with pytest.raises(FieldError, match=r"OuterRef\('name'\) cannot be compared in the subquery itself"):
        Book.objects.annotate(by=OuterRef("name")).filter(by="Ada")
    by = ExpressionWrapper(OuterRef("name"), output_field=CharField())
    ada = Book.objects.annotate(by=by).filter(by="Ada")
    assert face.list(Author.objects.filter(Exists(ada)).values_list("name", flat=True)) == ["Ada"]


def test_rows_grouped_by_a_constant_are_one(face, books):
    """Nothing is left to group by, so the aggregates make one row, also of no rows."""
    for rows in (Book.objects.all(), Book.objects.filter(pages=0)):
        grouped = rows.annotate(c=Value(1)).values("c").annotate(n=Count("pk"))
        for asked in (grouped, grouped.values("n"), grouped[:3], grouped.filter(n__gte=0)):
            assert len(face.list(asked)) == 1
            assert face(asked.count) == 1
        assert face(grouped.filter(n__lt=0).count) == 0
        assert face(grouped.values("c").count) == len(face.list(grouped.values("c")))  # no aggregate is left
