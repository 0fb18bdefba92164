"""The quick roads of writing and the ordinary ones: they store, refuse and find the same."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest

import facade
from facade import configuration, models
from facade.exceptions import DataError, ValidationError
from facade.expressions.comparisons import Exact
from facade.testing import CaptureQueriesContext


class Quay(models.Model):
    name = models.CharField(max_length=20)


class Crate(models.Model):
    label = models.CharField(max_length=40, default="", null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    share = models.DecimalField(max_digits=20, decimal_places=0, null=True)
    count = models.IntegerField(null=True)
    few = models.PositiveSmallIntegerField(null=True)
    weight = models.FloatField(null=True)
    packed = models.DateField(null=True)
    sent_at = models.DateTimeField(null=True)
    number = models.UUIDField(null=True)
    full = models.BooleanField(null=True)
    quay = models.ForeignKey(Quay, models.CASCADE, null=True)


class LooseCrate(Crate):
    """Has another attribute where the model has that of its foreign key."""

    class Meta:
        proxy = True

    @property
    def quay_id(self):
        return self.__dict__.get("quay_id") and 2

    @quay_id.setter
    def quay_id(self, value):
        self.__dict__["quay_id"] = value


class OwnText(str):
    __slots__ = ()


class OwnDecimal(Decimal):
    __slots__ = ()


class OwnInteger(int):
    pass


@pytest.fixture(autouse=True)
def tables(database):
    database.create(Quay, Crate)
    Quay.objects.bulk_create([Quay(pk=1, name="north"), Quay(pk=2, name="south")])


MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=dt.UTC)
VALUES = [
    *[("label", value) for value in ("plain", "é", OwnText("own"), "", "a\0b", "\ud800", 7, None)],
    *[
        ("price", value)
        for value in (
            Decimal("1.25"),
            Decimal("1.2"),
            Decimal("1.255"),
            Decimal("1E+2"),
            Decimal("-0.00"),
            OwnDecimal("2.50"),
            Decimal("999999.99"),
            Decimal("999999.999"),
            Decimal("1E+6"),
            Decimal("1E+999999"),
            Decimal("NaN"),
            Decimal("Infinity"),
            3,
            1.5,
            "4.75",
            "much",
            None,
        )
    ],
    *[("share", value) for value in (Decimal(2**53), Decimal(10**19), Decimal(10**20), Decimal("0.5"))],
    *[("count", value) for value in (1, 2**31 - 1, 2**31, 2**63, OwnInteger(5), True, "6", 1.0, 1.5, None)],
    *[("few", value) for value in (0, 32767, 32768, -1)],
    *[("weight", value) for value in (0.5, 2, "1.5", float("inf"), "heavy")],
    *[("packed", value) for value in (dt.date(2024, 2, 29), "2024-02-29", "soon")],
    *[
        ("sent_at", value)
        for value in (
            MOMENT,
            MOMENT.astimezone(dt.timezone(dt.timedelta(hours=5))),
            "2024-02-29T12:30:15Z",
            "soon",
        )
    ],
    *[("number", value) for value in (uuid.UUID(int=5), str(uuid.UUID(int=6)), "none")],
    *[("full", value) for value in (True, False, 1, "perhaps")],
    *[("quay", value) for value in (1, "2", "", "north", None)],
]


def outcome(write, name):
    """Return what `write` stores, or the class of its error."""
    try:
        write()
    except Exception as error:
        return type(error)
    return Crate.objects.values_list(name, flat=True).get(pk=1)


@pytest.mark.parametrize(("name", "value"), VALUES, ids=lambda item: repr(item)[:30])
def test_update_stores_and_refuses_what_saving_does(name, value, database):
    Crate.objects.create(pk=1)
    attname = Crate._meta.get_field(name).attname

    def save():
        Crate(pk=1, **{attname: value}).save(update_fields=[name])

    saved = outcome(save, name)
    for _ in range(2):  # the second one finds the shape
        Crate.objects.filter(pk=1).update(**{name: None})
        updated = outcome(lambda: Crate.objects.filter(pk=1).update(**{name: value}), name)
        assert repr(updated) == repr(saved)


REFUSED = [
    ("label", "a\0b"),
    ("price", "much"),
    ("price", Decimal("NaN")),
    ("count", "many"),
    ("count", 2**63),
    ("weight", "heavy"),
    ("packed", "soon"),
    ("sent_at", "soon"),
    ("number", "none"),
    ("full", "perhaps"),
    ("quay", "north"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_no_database_holds_is_refused_before_anything_is_sent(name, value, database):
    for crates in (Crate.objects.filter(pk=1), Crate.objects.none()):
        with CaptureQueriesContext(facade.connection) as captured:
            with pytest.raises((ValueError, ValidationError, DataError)):
                crates.update(**{name: value})
            assert len(captured) == 0


def test_a_key_that_is_not_loaded_is_loaded_to_be_saved(face, database):
    face(Crate.objects.create, pk=1, quay_id=1)
    crate = face(Crate.objects.defer("quay").get, pk=1)
    assert "quay_id" not in crate.__dict__
    face(crate.save, force_insert=False, update_fields=["quay", "label"])
    assert face(Crate.objects.get, pk=1).quay_id == 1


def test_a_class_below_the_model_has_its_own_attribute(face, database):
    face(Crate.objects.create, pk=1, quay_id=1)
    crate = face(LooseCrate.objects.get, pk=1)
    face(crate.save)
    assert face(Crate.objects.get, pk=1).quay_id == 2
    face(LooseCrate.objects.bulk_create, [LooseCrate(pk=2, quay_id=1), LooseCrate(pk=3, quay_id=None)])
    keys = Crate.objects.order_by("pk").values_list("quay_id", flat=True)
    assert face.list(keys) == [2, 2, None]


def test_what_is_kept_to_write_with_follows_the_settings(database):
    naive = MOMENT.replace(tzinfo=None)
    Crate.objects.create(pk=1, sent_at=MOMENT)
    with configuration.override(USE_TZ=False):
        Crate.objects.create(pk=2, sent_at=naive)
        assert Crate.objects.get(pk=2).sent_at == naive
    Crate.objects.create(pk=3, sent_at=MOMENT)
    assert Crate.objects.get(pk=3).sent_at == MOMENT


# -- managers -------------------------------------------------------------------------------------


def test_a_manager_reads_where_it_is_to_read_after_it_has_written(database):
    asked = []

    class Watching:
        def db_for_read(self, model, **hints):
            asked.append("read")
            return "default"

        def db_for_write(self, model, **hints):
            asked.append("write")
            return "default"

    with configuration.override(DATABASE_ROUTERS=[Watching()]):
        for _ in range(2):
            Crate.objects.create()
            assert asked.pop() == "write"
            Crate.objects.get_or_create(label="x")
            Crate.objects.update(label="y")
            Crate.objects.bulk_create([Crate()])
            assert set(asked) == {"write"}
            asked.clear()
            assert Crate.objects.count() >= 1
            assert Crate.objects.filter(label="y").exists()
            assert asked == ["read", "read"]
            asked.clear()


class LoudQuerySet(models.QuerySet):
    def filter(self, *conditions, **named):
        self.model.heard.append("filter")
        return super().filter(*conditions, **named)

    def create(self, **values):
        self.model.heard.append("create")
        return super().create(**values)


class LoudManager(models.Manager):
    def get_queryset(self):
        return LoudQuerySet(self.model, using=self._db)


class Horn(models.Model):
    heard = []
    name = models.CharField(max_length=20)
    objects = LoudManager()


def test_a_managers_methods_are_those_of_its_queryset(face, database):
    database.create(Horn)
    Horn.heard.clear()
    face(Horn.objects.create, name="fog")
    assert [horn.name for horn in face.list(Horn.objects.filter(name="fog"))] == ["fog"]
    assert Horn.heard == ["create", "filter"]


# -- comparing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["plain", "é", OwnText("own"), ""])
def test_texts_are_found_however_they_are_given(value, face, database):
    face(Crate.objects.create, label=value)
    assert face(Crate.objects.filter(label=value).count) == 1
    assert face(Crate.objects.filter(label="other").count) == 0


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_texts_that_no_database_holds_are_refused_where_they_are_compared(value, database):
    for _ in range(2):
        Crate.objects.filter(label="plain")
        with pytest.raises(ValueError, match="label"):
            Crate.objects.filter(label=value)


class SmallLetters(Exact):
    """A lookup of one's own, which prepares plain values as well."""

    lookup_name = "small"

    def prepare(self, value):
        return super().prepare(value.lower() if isinstance(value, str) else value + 1)


def test_a_lookup_of_ones_own_prepares_every_value(database):
    Crate.objects.create(label="box", count=2)
    kinds = models.CharField, models.IntegerField
    for kind in kinds:
        kind.register_lookup(SmallLetters)
    try:
        assert Crate.objects.filter(label__small="BOX").count() == 1
        assert Crate.objects.filter(count__small=1).count() == 1
    finally:
        for kind in kinds:
            kind._unregister_lookup(SmallLetters)
