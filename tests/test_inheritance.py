"""Models with a table for each class: rows come from the child's table and its parents', and go there."""

from __future__ import annotations

import pytest

from facade.exceptions import FieldError
from facade.models import Case, F, Max, Q, When
from facade.models.expressions import RawSQL
from facade.models.functions import Lower
from tests.models import Author, Place, Restaurant


@pytest.fixture
def restaurants(database):
    database.create(Author, Place, Restaurant)
    owner = Author.objects.create(name="Ada")
    first = Restaurant.objects.create(name="One", address="A street", serves_pizza=True, owner=owner)
    second = Restaurant.objects.create(name="Two", address="B street")
    Place.objects.create(name="Park", address="C street")
    return first, second


def test_rows_carry_the_fields_of_the_parents(face, restaurants, assert_queries):
    with assert_queries(1):
        rows = face.list(Restaurant.objects.order_by("name"))
        assert [(row.pk, row.id, row.name, row.serves_pizza) for row in rows] == [
            (restaurants[0].pk, restaurants[0].pk, "One", True),
            (restaurants[1].pk, restaurants[1].pk, "Two", False),
        ]


def test_select_related_from_a_child(face, restaurants, assert_queries):
    with assert_queries(1):
        row = face(Restaurant.objects.select_related("owner").get, name="One")
        assert row.owner.name == "Ada"


def test_select_related_from_the_parent_to_the_child(face, restaurants, assert_queries):
    with assert_queries(1):
        rows = face.list(Place.objects.select_related("restaurant").order_by("name"))
        assert [row.restaurant.name for row in rows if row.name != "Park"] == ["One", "Two"]
        with pytest.raises(Restaurant.DoesNotExist):
            rows[1].restaurant  # noqa: B018


def test_only_leaves_the_parents_fields_out(face, restaurants):
    row = face(Restaurant.objects.only("name").get, name="One")
    assert row.get_deferred_fields() == {"id", "address", "serves_pizza", "owner_id"}
    assert row.id == row.pk


@pytest.mark.parametrize(
    "values", [{"name": "Same"}, {"serves_pizza": True}, {"name": "Same", "serves_pizza": True}]
)
def test_update_reaches_the_table_that_holds_the_column(face, restaurants, values):
    assert face(Restaurant.objects.update, **values) == 2
    assert face.list(Restaurant.objects.values(*values)) == [values, values]
    assert face(Place.objects.get, name="Park").address == "C street"


def test_update_of_a_parents_column_by_an_expression(face, restaurants):
    assert face(Restaurant.objects.filter(serves_pizza=True).update, address=F("name")) == 1
    assert face.list(Place.objects.order_by("name").values_list("address", flat=True)) == [
        "One",
        "C street",
        "B street",
    ]


def test_update_refuses_what_is_no_column(face, restaurants):
    with pytest.raises(FieldError, match="only concrete fields are permitted"):
        face(Place.objects.update, restaurant=1)


def test_a_child_shares_the_table_of_the_parent_that_it_is_selected_with(restaurants):
    sql = str(Place.objects.select_related("restaurant__owner").query)
    assert sql.count(" JOIN ") == 2


def test_sql_of_the_programs_own_may_name_columns_of_the_parent(face, database):
    database.create(Author, Place, Restaurant)
    face(Restaurant.objects.create, name="Roma", serves_pizza=True)
    rows = Restaurant.objects.annotate(shown=RawSQL("upper(name)", ()))
    assert face.list(rows.values_list("shown", flat=True)) == ["ROMA"]
    inside = Restaurant.objects.annotate(shown=Lower(RawSQL("upper(name)", ())))
    assert face.list(inside.values_list("shown", flat=True).order_by(RawSQL("name", ()).desc())) == ["roma"]
    assert face(Restaurant.objects.aggregate, x=Max(RawSQL("upper(name)", ()))) == {"x": "ROMA"}


# -- one row for the parent and the child ----------------------------------------------------------------


def test_a_child_reached_from_its_parent_has_the_columns_that_the_parent_has(
    face, restaurants, assert_queries
):
    def loaded(queryset):
        place = face(queryset.select_related("restaurant").get, name="One")
        return place.get_deferred_fields(), place.restaurant.get_deferred_fields()

    places = Place.objects.all()
    sql = str(places.select_related("restaurant").query)
    assert sql.count("address") == 1
    with assert_queries(5):
        assert loaded(places) == (set(), set())
        assert loaded(places.defer("address")) == ({"address"}, {"address"})
        assert loaded(places.defer("restaurant__address")) == (set(), set())
        assert loaded(places.defer("restaurant__serves_pizza")) == (set(), {"serves_pizza"})
        assert loaded(places.only("name", "restaurant__owner")) == ({"address"}, {"address", "serves_pizza"})


def test_a_child_that_only_leaves_out_is_not_followed(face, restaurants):
    with pytest.raises(FieldError, match=r"Place\.restaurant cannot be both deferred and traversed"):
        face.list(Place.objects.select_related("restaurant").only("name"))


def test_the_link_to_the_parent_adds_no_columns(face, restaurants, assert_queries):
    assert str(Restaurant.objects.select_related("place_ptr").query) == str(Restaurant.objects.all().query)
    with assert_queries(1):
        row = face(Restaurant.objects.select_related("place_ptr").get, name="One")
        assert row.place_ptr.address == "A street"


def test_an_update_of_a_parents_column_from_a_childs_names_the_tables(face, restaurants):
    with pytest.raises(FieldError, match=r"'serves_pizza' is a column of Restaurant, 'name' one of Place"):
        face(Restaurant.objects.update, name=F("serves_pizza"))


@pytest.mark.parametrize("value", [F("owner__name"), F("nothing"), F("note")])
def test_an_update_of_two_tables_is_refused_before_either_is_written(
    face, restaurants, assert_queries, value
):
    with pytest.raises(FieldError), assert_queries(0):
        face(Restaurant.objects.annotate(note=Lower("name")).update, address="x", serves_pizza=value)


@pytest.mark.parametrize("condition", [Q(name="One"), Q(address__startswith="A"), Q(place_ptr__name="One")])
@pytest.mark.parametrize("also", [{}, {"address": "x"}])
def test_a_condition_in_an_update_cannot_ask_the_parents_table(
    face, restaurants, assert_queries, condition, also
):
    value = Case(When(condition, then=True), default=False)
    with pytest.raises(FieldError, match="Joined field references"), assert_queries(0):
        face(Restaurant.objects.update, serves_pizza=value, **also)
    row = Restaurant.objects.get(name="One")
    row.serves_pizza = value
    with pytest.raises(FieldError, match="Joined field references"):
        face(row.save)
    own = Case(When(owner=None, place_ptr__gt=0, pk__gt=0, then=True), default=False)
    face(Restaurant.objects.update, serves_pizza=own)
    assert face(Restaurant.objects.filter(serves_pizza=True).count) == face(
        Restaurant.objects.filter(owner=None).count
    )
