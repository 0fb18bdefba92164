"""Conditions as long as programs make them, and documents deeper than anybody can read them."""

from __future__ import annotations

import functools
import operator

import pytest

from facade.models import Q
from tests.models import Author, Everything

LENGTH = 1_500  # SQLite's trees have 1,000 levels at most


@pytest.fixture
def authors(database):
    database.create(Author)
    Author.objects.bulk_create([Author(name=name, age=age) for age, name in enumerate("abc")])


@pytest.mark.parametrize(
    ("join", "found"), [(operator.and_, 0), (operator.or_, 3), (operator.xor, 3)], ids=["and", "or", "xor"]
)
def test_a_long_condition(face, authors, join, found):
    long = functools.reduce(join, [Q(age=number) for number in range(LENGTH)])
    assert face(Author.objects.filter(long).count) == found
    assert face(Author.objects.exclude(long).count) == 3 - found


def test_a_thousand_filters(face, authors):
    rows = Author.objects.all()
    for number in range(1_100):
        rows = rows.filter(age__lt=number + 2)
    assert face.list(rows.order_by("age").values_list("name", flat=True)) == ["a", "b"]


def test_a_dot_in_a_key_of_a_document(face, database):
    database.create(Everything)
    for number in (1, 2):
        Everything.objects.create(json={"a.b": -number}, integer=number)
    assert face.list(Everything.objects.order_by("json__a.b").values_list("integer", flat=True)) == [2, 1]
    assert face.list(Everything.objects.order_by("-json__a.b").values_list("integer", flat=True)) == [1, 2]


def test_a_document_that_is_nested_too_deeply(face, database):
    database.create(Everything)
    deep = functools.reduce(lambda inner, _: [inner], range(100_000), [])
    for ask in (
        lambda: face(Everything.objects.create, json=deep),
        lambda: face(Everything.objects.filter(json=deep).count),
        lambda: face(Everything.objects.filter(json__key=deep).count),
    ):
        with pytest.raises(ValueError, match="nested too deeply"):
            ask()
