"""Conditions: which rows NOT, transforms and lookups written as expressions keep."""

from __future__ import annotations

import pytest

from facade.models import CharField, Q
from facade.models.functions import Abs, Length
from tests.models import Author, Book, City, Country, Publisher

pytestmark = pytest.mark.portable


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Country, City)
    ada, bob = Author.objects.create(name="Ada", age=36), Author.objects.create(name="Bob", age=-7)
    Book.objects.create(title="Alpha", author=ada, pages=100)
    Book.objects.create(title="Beta", author=ada, pages=200)
    Book.objects.create(title="Gamma", author=bob, pages=100)
    return ada, bob


def names(face, queryset):
    return sorted(face.list(queryset.values_list("name", flat=True)))


# -- NOT over several rows --------------------------------------------------------------------


def test_a_negation_speaks_of_the_row_that_the_conditions_before_it_speak_of(face, library):
    alpha = Q(books__title="Alpha")
    assert names(face, Author.objects.filter(Q(books__pages__gte=100), ~alpha)) == ["Ada", "Bob"]
    assert names(face, Author.objects.filter(Q(books__pages=100), ~alpha)) == ["Bob"]


def test_a_negation_of_its_own_speaks_of_all_rows(face, library):
    alpha = Q(books__title="Alpha")
    assert names(face, Author.objects.filter(books__pages__gte=100).exclude(alpha)) == ["Bob"]
    assert names(face, Author.objects.filter(~alpha, Q(books__pages__gte=100))) == ["Bob"]


# -- transforms of relations --------------------------------------------------------------------


@pytest.fixture
def transform():
    """Register transforms for the length of a test."""
    registered = []

    def register(place, transform):
        place.register_lookup(transform)
        registered.append((place, transform))

    yield register
    for place, kind in registered:
        place._unregister_lookup(kind)


def test_a_transform_of_a_foreign_key_is_found_from_both_sides(face, library, transform):
    ada, _ = library
    transform(Book._meta.get_field("author"), Abs)
    gamma = Book.objects.get(title="Gamma")
    assert names(face, Author.objects.filter(books__abs=gamma.pk)) == ["Bob"]
    assert face(Book.objects.filter(author__abs=ada.pk).count) == 2


def test_a_relation_is_ordered_by_a_transform_of_its_key(face, library, transform):
    transform(CharField, Length)
    for code, city in (("bb", "Long"), ("a", "Short")):
        City.objects.create(name=city, country=Country.objects.create(code=code, name=code))
    assert [city.name for city in face.list(City.objects.order_by("country__length"))] == ["Short", "Long"]
    assert [city.name for city in face.list(City.objects.order_by("-country__length"))] == ["Long", "Short"]
