"""Decimals: what a column holds is rounded to its places as it is stored, and refused where it has no room."""

from __future__ import annotations

import decimal
from decimal import Decimal as D

import pytest

from facade import models
from facade.exceptions import DataError
from facade.models import Case, F, Value, When


class Fare(models.Model):
    name = models.CharField(max_length=10)
    price = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    rate = models.DecimalField(max_digits=3, decimal_places=0, default=0)

    class Meta:
        app_label = "tests"


def stored(name="a"):
    return Fare.objects.values_list("price", flat=True).get(name=name)


def by_save(value):
    fare = Fare.objects.get(name="a")
    fare.price = value
    fare.save()


def by_bulk_update(value):
    fare = Fare.objects.get(name="a")
    fare.price = value
    Fare.objects.bulk_update([fare], ["price"])


def by_bulk_create(value):
    Fare.objects.all().delete()
    Fare.objects.bulk_create([Fare(name="a", price=value)])


def by_create(value):
    Fare.objects.all().delete()
    Fare.objects.create(name="a", price=value)


WAYS = {
    "save": by_save,
    "create": by_create,
    "bulk_create": by_bulk_create,
    "bulk_update": by_bulk_update,
    "update": lambda value: Fare.objects.update(price=value),
    "update_or_create": lambda value: Fare.objects.update_or_create(name="a", defaults={"price": value}),
}
ASYNC_WAYS = {
    "update": lambda value: Fare.objects.aupdate(price=value),
    "update_or_create": lambda value: Fare.objects.aupdate_or_create(name="a", defaults={"price": value}),
}


@pytest.fixture
def fare(database):
    database.create(Fare)
    return Fare.objects.create(name="a", price=D("1.00"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (D("2.675"), D("2.68")),
        (D("1.005"), {D("1.00"), D("1.01")}),  # a middle: SQLite as Django has it, to even
        (D("-2.675"), D("-2.68")),
        (D("1.004"), D("1.00")),
        (D("9999.994"), D("9999.99")),
        (D("0.1") + D("0.2"), D("0.30")),
        (D("1E+3"), D("1000.00")),
        (D(5), D("5.00")),
        (2.675, {D("2.67"), D("2.68")}),
        ("2.675", D("2.68")),
        (3, D("3.00")),
        (None, None),
    ],
)
def test_is_rounded_to_the_places_of_its_column(face, fare, way, given, kept):
    WAYS[way](given)
    found = stored()
    assert found in kept if isinstance(kept, set) else found == kept
    assert found is None or found.as_tuple().exponent == -2
    assert Fare.objects.filter(price=found).count() == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [D("12345.6"), D("9999.999"), D(-10000), D("1E+10")])
def test_what_has_no_room_is_refused(face, fare, way, value):
    with pytest.raises(DataError):
        WAYS[way](value)


@pytest.mark.vendors("sqlite")
def test_the_refusal_names_field_and_digits_before_any_statement(face, fare, assert_queries):
    fare.price = D("123456.7")
    with (
        assert_queries(0),
        pytest.raises(DataError, match=r"'price' cannot hold 123456.7: .* 6 digits, 2 of them behind"),
    ):
        fare.save()


@pytest.mark.parametrize("way", ASYNC_WAYS)
async def test_the_async_face_rounds_and_refuses(database, fare, way):
    await ASYNC_WAYS[way](D("2.675"))
    assert (await Fare.objects.aget(name="a")).price == D("2.68")
    with pytest.raises(DataError):
        await ASYNC_WAYS[way](D("12345.6"))


def test_what_an_expression_stored_is_read_as_a_decimal(face, fare):
    Fare.objects.update(price=F("price") * Value(D("2.675")))
    assert stored() == D("2.68")
    Fare.objects.update(price=Case(When(name="a", then=Value(D("2.675"))), default=F("price")))
    assert stored() == D("2.68")


@pytest.mark.vendors("sqlite")
def test_the_rounding_is_the_contexts(face, fare):
    with decimal.localcontext(rounding=decimal.ROUND_DOWN):
        by_save(D("2.679"))
    assert stored() == D("2.67")


def test_comparisons_take_a_number_as_it_is(face, fare):
    assert Fare.objects.filter(price__lt=D("1.004")).count() == 1
    assert Fare.objects.filter(price=D("1.004")).count() == 0
    assert Fare.objects.filter(price__lt=D("1234567.891")).count() == 1


class Band(models.Model):
    limit = models.DecimalField(max_digits=5, decimal_places=2, primary_key=True)

    class Meta:
        app_label = "tests"


class Offer(models.Model):
    band = models.ForeignKey(Band, on_delete=models.CASCADE, db_constraint=False)

    class Meta:
        app_label = "tests_of_decimals"


def test_a_key_refers_to_a_decimal_one(face, database):
    database.create(Band, Offer)
    band = face(Band.objects.create, limit=D("1.50"))
    face(Offer.objects.create, band=band)
    face(Offer.objects.bulk_create, [Offer(band=band), Offer(band_id=D(2))])
    assert [offer.band_id for offer in face.list(Offer.objects.order_by("pk"))] == [
        D("1.50"),
        D("1.50"),
        D(2),
    ]
