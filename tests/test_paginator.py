"""Paginators over querysets: what is asked for, on both faces; Django's own tests look at the rest."""

from __future__ import annotations

import pytest

from facade.paginator import (
    AsyncPaginator,
    EmptyPage,
    PageNotAnInteger,
    Paginator,
    UnorderedObjectListWarning,
)
from tests.models import Author, Book, Publisher


@pytest.fixture
def library(database):
    database.create(Author, Publisher, Book)
    authors = Author.objects.bulk_create(
        [Author(name=f"author {n:02}", email=f"{n}@example.org") for n in range(7)]
    )
    Book.objects.bulk_create([Book(title=f"of {author.name}", author=author) for author in authors])


def paged(face, queryset, per_page, **options):
    """Return the function that gives the objects of a page, and the paginator."""
    if not face.is_async:
        paginator = Paginator(queryset, per_page, **options)
        return lambda number: list(paginator.page(number)), paginator
    paginator = AsyncPaginator(queryset, per_page, **options)
    return lambda number: face.list(face.wait(paginator.apage(number))), paginator


def test_a_page_costs_its_rows_and_one_count_for_all(face, database, library, assert_queries):
    queryset = Author.objects.order_by("name").prefetch_related("books")
    page, _ = paged(face, queryset, 3)
    with assert_queries(3) as captured:  # the count, the page, its books
        first = page(1)
    assert [author.name[-2:] for author in first] == ["00", "01", "02"]
    counted, rows, _ = [query["sql"] for query in captured.captured_queries]
    assert "ORDER BY" not in counted
    assert "LIMIT" in rows
    with assert_queries(2):
        assert [author.name[-2:] for author in page(3)] == ["06"]


def test_a_slice_is_counted_as_a_slice(face, database, library):
    page, paginator = paged(face, Author.objects.order_by("name")[1:6], 2)
    assert [author.name[-2:] for author in page(3)] == ["05"]
    assert (face.wait(paginator.acount()) if face.is_async else paginator.count) == 5


def test_pages_that_are_none_are_refused(face, database, library):
    page, _ = paged(face, Author.objects.order_by("name"), 3)
    for number, error in ((0, EmptyPage), (4, EmptyPage), ("x", PageNotAnInteger), (1.5, PageNotAnInteger),
                          (float("inf"), PageNotAnInteger), (None, PageNotAnInteger)):  # fmt: skip
        with pytest.raises(error):
            page(number)


def test_a_queryset_without_an_order_warns_at_the_line_that_pages_it(database, library):
    with pytest.warns(UnorderedObjectListWarning, match="Author'> QuerySet") as told:
        Paginator(Author.objects.all(), 3)
    assert told[0].filename == __file__
