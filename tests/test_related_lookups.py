"""Relations compared with objects, keys, lists and querysets."""

from __future__ import annotations

import datetime as dt

import pytest

from facade.models import CASCADE, DurationField, F, FloatField, ForeignKey, Model, OuterRef, Q, Subquery
from tests.models import Author, Book, City, Country, Place, Profile, Publisher, Restaurant, Writer


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Profile, Country, City, Place, Restaurant)
    ada, bob = Author.objects.create(name="Ada"), Author.objects.create(name="Bob")
    north = Publisher.objects.create(name="North")
    Book.objects.create(title="Alpha", author=ada, publisher=north)
    Book.objects.create(title="Beta", author=ada)
    Book.objects.create(title="Gamma", author=bob, publisher=north)
    Profile.objects.create(author=ada, editor=bob)
    return ada, bob, north


def titles(face, *conditions, **lookups):
    return sorted(face.list(Book.objects.filter(*conditions, **lookups).values_list("title", flat=True)))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda ada, bob, north: {"author": ada}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author": ada.pk}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author": str(ada.pk)}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author_id": ada.pk}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author_id": ada}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author__pk": ada.pk}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author__id": ada.pk}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author__exact": bob}, ["Gamma"]),
        (lambda ada, bob, north: {"author__in": [ada, bob]}, ["Alpha", "Beta", "Gamma"]),
        (lambda ada, bob, north: {"author__in": [bob.pk, ada]}, ["Alpha", "Beta", "Gamma"]),
        (lambda ada, bob, north: {"author__in": {bob}}, ["Gamma"]),
        (lambda ada, bob, north: {"author__in": []}, []),
        (lambda ada, bob, north: {"author__in": [bob, F("publisher_id")]}, ["Alpha", "Gamma"]),
        (lambda ada, bob, north: {"author__gt": ada}, ["Gamma"]),
        (lambda ada, bob, north: {"author__gte": ada}, ["Alpha", "Beta", "Gamma"]),
        (lambda ada, bob, north: {"author__lt": bob.pk}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author__lte": bob}, ["Alpha", "Beta", "Gamma"]),
        (lambda ada, bob, north: {"publisher": None}, ["Beta"]),
        (lambda ada, bob, north: {"publisher__isnull": True}, ["Beta"]),
        (lambda ada, bob, north: {"publisher__isnull": False}, ["Alpha", "Gamma"]),
        (lambda ada, bob, north: {"author": Writer.objects.get(pk=bob.pk)}, ["Gamma"]),
        (lambda ada, bob, north: {"author__profile": ada.profile}, ["Alpha", "Beta"]),
        (lambda ada, bob, north: {"author__edited_profile__isnull": False}, ["Gamma"]),
        (lambda ada, bob, north: {"author": 2**70}, []),
        (lambda ada, bob, north: {"author__lt": 2**70}, ["Alpha", "Beta", "Gamma"]),
    ],
)
def test_a_relation_is_compared_with_objects_and_keys(face, library, make, expected):
    assert titles(face, **make(*library)) == expected


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: {"author__in": Author.objects.filter(name="Bob")}, ["Gamma"]),
        (lambda: {"author__in": Author.objects.filter(name="Bob").values("id")}, ["Gamma"]),
        (lambda: {"author__in": Writer.objects.filter(name="Bob")}, ["Gamma"]),
        (lambda: {"author__in": Profile.objects.values("author")}, ["Alpha", "Beta"]),
        (lambda: {"author__in": Author.objects.none()}, []),
        (lambda: {"author__in": Author.objects.order_by("-name")[:1]}, ["Gamma"]),
        (lambda: {"author": Author.objects.filter(name="Ada")[:1]}, ["Alpha", "Beta"]),
        (lambda: {"author": Subquery(Author.objects.filter(name="Ada").values("pk"))}, ["Alpha", "Beta"]),
        (lambda: {"author": F("author")}, ["Alpha", "Beta", "Gamma"]),
        (lambda: {"author": F("author__pk")}, ["Alpha", "Beta", "Gamma"]),
    ],
)
def test_a_relation_is_compared_with_querysets_and_columns(face, library, make, expected):
    assert titles(face, **make()) == expected


def test_the_other_side_of_a_relation_is_compared_as_well(face, library):
    alpha = Book.objects.get(title="Alpha")
    assert [author.name for author in face.list(Author.objects.filter(books=alpha))] == ["Ada"]
    assert [author.name for author in face.list(Author.objects.filter(books__in=[alpha.pk]))] == ["Ada"]
    assert [
        author.name
        for author in face.list(Author.objects.filter(books__in=Book.objects.filter(title="Gamma")))
    ] == ["Bob"]
    assert [author.name for author in face.list(Author.objects.filter(profile__isnull=True))] == ["Bob"]
    assert [author.name for author in face.list(Author.objects.exclude(books=alpha))] == ["Bob"]


def test_an_object_stands_for_the_field_that_the_relation_points_at(face, library):
    norway = Country.objects.create(code="NO", name="Norway")
    oslo = City.objects.create(name="Oslo", country=norway, twin_country=norway)
    assert oslo.twin_country_id == "Norway"
    assert face(City.objects.get, twin_country=norway) == oslo
    assert face(City.objects.get, twin_country="Norway") == oslo
    assert face(City.objects.get, twin_country__in=[norway]) == oslo
    assert face(City.objects.get, twin_country__in=Country.objects.all()) == oslo
    assert face(City.objects.get, country=norway) == oslo
    assert face(City.objects.get, country="NO") == oslo
    assert face(Country.objects.get, twin_cities=oslo) == norway


def test_a_child_stands_for_its_parent_and_a_parent_for_its_child(face, library):
    owner = library[0]
    restaurant = Restaurant.objects.create(name="Pizzeria", owner=owner)
    assert face(Restaurant.objects.get, place_ptr=restaurant) == restaurant
    assert face(Restaurant.objects.get, place_ptr=restaurant.place_ptr) == restaurant
    assert face(Place.objects.get, restaurant=restaurant).pk == restaurant.pk
    assert face(Restaurant.objects.get, owner=owner) == restaurant


@pytest.mark.parametrize(
    "conditions", [lambda a: Q(author=a) | Q(author=a), lambda a: ~~Q(author=a), lambda a: Q(author__in=[a])]
)
def test_objects_inside_of_conditions(face, library, conditions):
    assert titles(face, conditions(library[1])) == ["Gamma"]


def test_an_object_that_is_not_saved_is_refused(library):
    for lookups in ({"author": Author()}, {"author__in": [Author()]}, {"author__gt": Author()}):
        with pytest.raises(ValueError, match=r"Model instances passed to related filters must be saved."):
            Book.objects.filter(**lookups)


def test_an_object_of_another_model_is_refused(library):
    north = library[2]
    for lookups in ({"author": north}, {"author__in": [north]}, {"author__lt": north}, {"author_id": north}):
        with pytest.raises(ValueError, match=r'Cannot query "North": Must be "Author" instance.'):
            Book.objects.filter(**lookups)
    with pytest.raises(ValueError, match=r'Cannot query "North": Must be "Book" instance.'):
        Author.objects.filter(books=north)


def test_a_queryset_of_another_model_is_refused(library):
    for lookups in ({"author__in": Publisher.objects.all()}, {"author": Publisher.objects.all()[:1]}):
        with pytest.raises(
            ValueError, match=r'Cannot use QuerySet for "Publisher": Use a QuerySet for "Author".'
        ):
            Book.objects.filter(**lookups)


def test_a_queryset_of_many_rows_is_no_single_object(library):
    with pytest.raises(ValueError, match="must be limited to one result using slicing"):
        Book.objects.filter(author=Author.objects.all())


@pytest.mark.parametrize("value", ["x", "1; DROP TABLE", object(), {"pk": 1}, [1, 2]])
def test_what_is_no_key_is_refused(library, value):
    with pytest.raises((TypeError, ValueError), match="Field 'id' expected a number"):
        Book.objects.filter(author=value)


def test_correlated_queries_find_their_outer_object(face, library):
    newest = Book.objects.filter(author=OuterRef("pk")).order_by("-title").values("title")[:1]
    found = Author.objects.annotate(newest=Subquery(newest)).order_by("name").values_list("name", "newest")
    assert face.list(found) == [("Ada", "Beta"), ("Bob", "Gamma")]


def test_a_queryset_of_several_columns_is_refused(face, library):
    several = Author.objects.values("pk", "name")
    for name in ("author__in", "author"):
        with pytest.raises(ValueError, match=r"must have 1 selected fields \(received 2\)"):
            face.list(Book.objects.filter(**{name: several[:1]}))


class Weight(Model):
    grams = FloatField(primary_key=True)

    class Meta:
        app_label = "tests"


class Length(Model):
    time = DurationField(primary_key=True)

    class Meta:
        app_label = "tests"


class Measured(Model):
    weight = ForeignKey(Weight, on_delete=CASCADE)
    length = ForeignKey(Length, on_delete=CASCADE)

    class Meta:
        app_label = "tests"


@pytest.mark.parametrize(
    ("relation", "key", "larger"),
    [("weight", 1.5, float("inf")), ("length", dt.timedelta(days=1), dt.timedelta.max)],
)
def test_keys_of_any_type_are_compared(face, database, relation, key, larger):
    database.create(Weight, Length, Measured)
    weight, length = Weight.objects.create(grams=1.5), Length.objects.create(time=dt.timedelta(days=1))
    row = Measured.objects.create(weight=weight, length=length)
    for lookup, value, expected in (
        ("exact", key, [row]),
        ("in", [key, larger], [row]),
        ("gt", key, []),
        ("gte", key, [row]),
        ("lt", larger, [row]),
        ("gt", larger, []),
    ):
        assert face.list(Measured.objects.filter(**{f"{relation}__{lookup}": value})) == expected, lookup
    assert face.list(getattr(row, relation).measured_set.all()) == [row]
