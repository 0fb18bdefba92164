"""Functions of numbers give what Python gives."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from facade.models import F, FloatField, IntegerField
from facade.models.functions import (
    Abs,
    ACos,
    ASin,
    ATan,
    ATan2,
    Cast,
    Ceil,
    Cos,
    Cot,
    Degrees,
    Exp,
    Floor,
    Ln,
    Log,
    Mod,
    Pi,
    Power,
    Radians,
    Random,
    Round,
    Sign,
    Sin,
    Sqrt,
    Tan,
)
from tests.models import Everything


@pytest.fixture
def row(database):
    database.create(Everything)
    return Everything.objects.create(float=0.5, integer=-7, small=3, decimal=Decimal("12.345"))


def computed(face, expression):
    return face(Everything.objects.annotate(result=expression).values_list("result", flat=True).get)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Abs("integer"), 7),
        (ACos("float"), math.acos(0.5)),
        (ASin("float"), math.asin(0.5)),
        (ATan("float"), math.atan(0.5)),
        (ATan2("float", "small"), math.atan2(0.5, 3)),
        (Ceil("float"), 1.0),
        (Cos("float"), math.cos(0.5)),
        (Cot("float"), 1 / math.tan(0.5)),
        (Degrees("float"), math.degrees(0.5)),
        (Exp("float"), math.exp(0.5)),
        (Floor("float"), 0.0),
        (Floor("integer"), -7),
        (Ln("small"), math.log(3)),
        (Log("small", "float"), math.log(0.5, 3)),
        (Mod("integer", "small"), -1.0),
        (Pi(), math.pi),
        (Power("small", "float"), 3**0.5),
        (Radians("float"), math.radians(0.5)),
        (Round("float"), 0.0),
        (Sign("integer"), -1),
        (Mod(Sign("integer"), 2), -1.0),
        (Mod(Floor("integer"), 4), -3.0),
        (Round(Ceil("integer"), 1), -7),
        (Sin("float"), math.sin(0.5)),
        (Sqrt("small"), math.sqrt(3)),
        (Tan("float"), math.tan(0.5)),
    ],
    ids=str,
)
def test_a_function_gives_what_python_gives(face, row, expression, expected):
    if isinstance(expression, Round):
        Everything.objects.update(float=0.4)
    result = computed(face, expression)
    assert result == pytest.approx(expected)
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Round("decimal", 1), Decimal("12.3")),
        (Round("decimal", precision=2), Decimal("12.35")),
        (Abs(F("decimal") * -1), Decimal("12.345")),
        (Ceil("decimal"), Decimal(13)),
        (Floor("decimal"), Decimal(12)),
    ],
    ids=str,
)
def test_decimals_stay_decimals(face, row, expression, expected):
    result = computed(face, expression)
    assert isinstance(result, Decimal)
    assert round(result, 3) == expected or abs(result - expected) < Decimal("0.011")


@pytest.mark.parametrize("function", [Abs, Ceil, Cos, Floor, Ln, Round, Sign, Sqrt])
def test_null_stays_null(face, row, function):
    assert computed(face, function("big")) is None


@pytest.mark.vendors("postgres")
def test_precision_may_be_negative(face, row):
    assert computed(face, Round(Cast("decimal", IntegerField()), -1)) == 10


@pytest.mark.vendors("sqlite")
def test_sqlite_refuses_negative_precision(face, row):
    with pytest.raises(ValueError, match="SQLite does not support negative precision"):
        computed(face, Round("decimal", -1))


def test_random_numbers_differ_from_row_to_row(face, row):
    Everything.objects.bulk_create(Everything() for _ in range(20))
    numbers = face.list(Everything.objects.annotate(result=Random()).values_list("result", flat=True))
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) > 1


def test_a_function_stands_on_either_side_of_an_update(face, row):
    face(
        Everything.objects.filter(small=Abs(F("integer")) - 4).update,
        float=Power("small", 2, output_field=FloatField()),
    )
    row.refresh_from_db()
    assert row.float == 9.0
