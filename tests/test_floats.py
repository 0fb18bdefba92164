"""NaN and infinity in columns of floating-point numbers: what they compare like, and where they are stored."""

from __future__ import annotations

import pytest

from facade.exceptions import NumericValueOutOfRange
from facade.models import Case, Count, F, FloatField, Q, Sum, Value, When
from tests.models import Everything

ALL = Everything.objects
NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture
def numbers(database):
    database.create(Everything)
    ALL.bulk_create([Everything(float=1.5), Everything(float=-2.0), Everything(float=None)])
    return ALL.order_by("pk").values_list("float", flat=True)


@pytest.mark.parametrize("name", ["float", "doubled"])
def test_every_number_is_less_than_infinity(name, face, numbers):
    every = [1.5, -2.0]
    rows = numbers.annotate(doubled=F("float") * 2)
    for lookup, value, expected in (
        ("exact", INFINITY, []),
        ("gt", INFINITY, []),
        ("gte", INFINITY, []),
        ("lt", INFINITY, every),
        ("lte", INFINITY, every),
        ("exact", -INFINITY, []),
        ("gt", -INFINITY, every),
        ("gte", -INFINITY, every),
        ("lt", -INFINITY, []),
        ("lte", -INFINITY, []),
        ("in", [INFINITY, 1.5, -INFINITY, 3.0], [1.5]),
        ("in", [INFINITY], []),
        ("range", (0, INFINITY), [1.5]),
        ("range", (-INFINITY, INFINITY), every),
        ("range", (INFINITY, INFINITY), []),
        ("range", (INFINITY, -INFINITY), []),
        ("range", (-INFINITY, -INFINITY), []),
    ):
        condition = Q(**{f"{name}__{lookup}": value})
        rest = [number for number in every if number not in expected]
        assert face.list(rows.filter(condition)) == expected, (lookup, value)
        assert face.list(rows.exclude(condition).exclude(float=None)) == rest, (lookup, value)
        counted = face(rows.aggregate, found=Count("pk", filter=condition))
        assert counted == {"found": len(expected)}, (lookup, value)
        chosen = rows.annotate(x=Case(When(condition, then=1), default=0)).filter(x=1)
        assert face.list(chosen) == expected, (lookup, value)
    assert face(rows.values("float").annotate(sum=Sum("float")).filter(sum__lt=INFINITY).count) == 2


def test_infinity_and_numbers_share_a_query(face, numbers):
    for value, expected in ((INFINITY, [1.5, -2.0]), (1.0, [-2.0]), (-INFINITY, []), (2, [1.5, -2.0])):
        assert face.list(numbers.filter(float__lt=value)) == expected


def test_nan_equals_nothing_and_is_greater_than_all_on_postgresql_only(face, numbers, database):
    above = [1.5, -2.0] if database.vendor == "postgresql" else []
    for lookup, value, expected in (
        ("exact", NAN, []),
        ("gt", NAN, []),
        ("gte", NAN, []),
        ("lt", NAN, above),
        ("lte", NAN, above),
        ("in", [NAN, 1.5], [1.5]),
        ("in", [NAN], []),
        ("range", (0, NAN), above[:1]),
        ("range", (NAN, 5), []),
    ):
        assert face.list(numbers.filter(**{f"float__{lookup}": value})) == expected, lookup


def test_infinity_is_stored_where_the_database_has_it(face, numbers, database, assert_queries):
    writes = [
        lambda: face(ALL.create, float=INFINITY),
        lambda: face(Everything(float=INFINITY).save),
        lambda: face(ALL.bulk_create, [Everything(float=1.0), Everything(float=INFINITY)]),
        lambda: face(ALL.get_or_create, text="x", defaults={"float": INFINITY}),
        lambda: face(ALL.filter(text="x").update, float=INFINITY),
    ]
    if database.vendor != "mysql":
        for write in writes:
            write()
        assert face(ALL.filter(float=INFINITY).count) == 4
        assert face.list(numbers.filter(float__gt=10**9)) == [INFINITY] * 4
        return
    for value in (INFINITY, -INFINITY, NAN):
        with (
            assert_queries(0),
            pytest.raises(NumericValueOutOfRange, match=f"'float' cannot hold {value}.*MariaDB"),
        ):
            face(ALL.create, float=value)
    del writes[3]  # it looks for the row first
    for write in writes:
        with assert_queries(0), pytest.raises(NumericValueOutOfRange, match="'float' cannot hold inf"):
            write()
    with pytest.raises(NumericValueOutOfRange, match="'float' cannot hold inf"):
        face(ALL.get_or_create, text="x", defaults={"float": INFINITY})


@pytest.mark.vendors("mariadb")
def test_infinity_in_an_expression_is_refused_before_any_sql(face, numbers, assert_queries):
    for use in (
        lambda: face.list(numbers.annotate(x=Value(INFINITY))),
        lambda: face.list(numbers.annotate(x=F("float") + INFINITY)),
        lambda: face.list(numbers.filter(float__lt=Value(INFINITY, FloatField()))),
        lambda: face(ALL.update, float=F("float") - INFINITY),
    ):
        with assert_queries(0), pytest.raises(NumericValueOutOfRange, match="MariaDB has no inf"):
            use()
    assert face.list(numbers.annotate(x=Value(NAN)).values_list("x", flat=True)) == [None] * 3


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY], ids=str)
@pytest.mark.parametrize("lookup", ["exact", "lt", "lte", "gt", "gte"])
def test_an_integer_is_compared_with_numbers_only(lookup, value, face, numbers, assert_queries):
    with assert_queries(0), pytest.raises(ValueError, match=f"'integer' expected a number but got {value}"):
        face(ALL.filter(**{f"integer__{lookup}": value}).count)
