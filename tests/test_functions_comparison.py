"""Cast, Coalesce, Collate, Greatest, Least, NullIf, and the functions that make UUIDs."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest

from facade.exceptions import NotSupportedError
from facade.models import (
    CharField,
    DateField,
    DateTimeField,
    DecimalField,
    F,
    FloatField,
    IntegerField,
    TextField,
    TimeField,
    UUIDField,
    Value,
)
from facade.models.functions import UUID4, UUID7, Cast, Coalesce, Collate, Greatest, Least, Lower, NullIf
from tests.models import Everything

MOMENT = dt.datetime(2020, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC)


@pytest.fixture
def row(database):
    database.create(Everything)
    return Everything.objects.create(
        char="12",
        slug="b",
        integer=5,
        small=3,
        float=2.5,
        datetime=MOMENT,
        decimal=Decimal("1.500"),
        uuid=uuid.UUID(int=7),
    )


def computed(face, expression):
    return face(Everything.objects.annotate(result=expression).values_list("result", flat=True).get)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Cast("char", IntegerField()), 12),
        (Cast("integer", CharField(max_length=10)), "5"),
        (Cast("integer", TextField()), "5"),
        (Cast("integer", FloatField()), 5.0),
        (Cast("char", DecimalField(max_digits=5, decimal_places=2)), Decimal("12.00")),
        (Cast("datetime", DateField()), MOMENT.date()),
        (Cast("datetime", TimeField()), MOMENT.time()),
        (Cast(Value("2020-05-06"), DateField()), MOMENT.date()),
        (Cast(Value("2020-05-06 07:08:09.123456+00:00"), DateTimeField()), MOMENT),
        (Cast("uuid", UUIDField()), uuid.UUID(int=7)),
        (Coalesce("text", "char", output_field=TextField()), "12"),
        (Coalesce("big", Value(0)), 0),
        (Greatest("integer", F("integer") - 2), 5),
        (Least("integer", F("integer") - 2), 3),
        (Greatest("integer", Value(9)), 9),
        (NullIf("integer", Value(5)), None),
        (NullIf("integer", F("integer") - 2), 5),
    ],
    ids=str,
)
def test_a_function_gives_the_value_of_its_field(face, row, expression, expected):
    result = computed(face, expression)
    assert result == expected
    assert isinstance(result, type(expected))


def test_the_largest_of_values_with_null_depends_on_the_database(face, database, row):
    expected = 5 if database.vendor == "postgresql" else None
    assert computed(face, Greatest("big", Value(5))) == expected
    assert computed(face, Least("big", Value(5))) == expected


@pytest.mark.parametrize("function", [Coalesce, Greatest, Least])
def test_one_expression_is_not_enough(function):
    with pytest.raises(ValueError, match=f"{function.__name__} must take at least two expressions"):
        function("char")


def test_a_collation_decides_about_the_order(face, database, row):
    Everything.objects.update(char="a")
    Everything.objects.create(char="B")
    binary = {"sqlite": "BINARY", "postgresql": "C", "mysql": "utf8mb4_bin"}[database.vendor]
    ordered = face.list(Everything.objects.order_by(Collate("char", binary)))
    assert [item.char for item in ordered] == ["B", "a"]
    ordered = face.list(Everything.objects.order_by(Collate(Lower("char"), binary)))
    assert [item.char for item in ordered] == ["a", "B"]


@pytest.mark.parametrize("name", ["", None, 'C"', "a; DROP", "x y", "ü"])
def test_a_collation_is_a_plain_name(name):
    with pytest.raises(ValueError, match="Invalid collation name"):
        Collate("char", name)


def test_a_queryset_may_be_an_operand(face, row):
    found = Everything.objects.filter(pk=row.pk).values("small")
    assert computed(face, Coalesce(found, Value(0))) == 3
    assert computed(face, Coalesce(Everything.objects.none().values("small"), Value(42))) == 42


def test_a_coalesced_column_can_be_written(face, row):
    face(Everything.objects.update, big=Coalesce("big", F("integer") + 1))
    row.refresh_from_db()
    assert row.big == 6


def test_uuid4_makes_another_one_for_each_row(face, database, row):
    if database.vendor == "mysql" and database.observe("SELECT version()") < [("11.7",)]:
        with pytest.raises(NotSupportedError, match="UUID4 requires MariaDB version 11.7 or later"):
            face(Everything.objects.update, uuid=UUID4())
        return
    Everything.objects.create()
    face(Everything.objects.update, uuid=UUID4())
    first, second = (item.uuid for item in face.list(Everything.objects.all()))
    assert first != second
    assert first.version == 4


@pytest.mark.vendors("sqlite")
def test_uuid7_sorts_by_time(face, row):
    made = computed(face, UUID7())
    assert isinstance(made, uuid.UUID)
    assert made.int >> 76 & 15 == 7
    assert abs((made.int >> 80) / 1000 - dt.datetime.now(dt.UTC).timestamp()) < 60


@pytest.mark.vendors("sqlite")
def test_uuid7_is_shifted_on_postgresql_only(face, row):
    with pytest.raises(NotSupportedError, match="The shift argument to UUID7"):
        computed(face, UUID7(dt.timedelta(days=1)))
