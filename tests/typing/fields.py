"""The types of attributes, from the fields alone."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any, assert_type

from facade import models
from facade.fields import FieldFile


class Suit(models.IntegerChoices):
    HEART = 1, "Hearts"
    SPADE = 2


class Size(models.TextChoices):
    SMALL = "S", "small"


class ShoutField(models.CharField):
    """A field of one's own; its attribute is a str."""

    def __init__(self, *names: Any, **options: Any) -> None:
        options.setdefault("max_length", 9)
        super().__init__(*names, **options)


class MaybeField(models.CharField[str | None]):
    """Another one, whose attribute may be None."""


class Row(models.Model):
    big = models.BigIntegerField()
    small = models.SmallIntegerField(null=True)
    positive = models.PositiveIntegerField()
    positive_big = models.PositiveBigIntegerField(null=True)
    positive_small = models.PositiveSmallIntegerField()
    number = models.IntegerField("how many", choices=Suit, default=1)
    maybe = models.IntegerField(null=True, blank=True)
    ratio = models.FloatField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    maybe_price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    flag = models.BooleanField(default=False)
    maybe_flag = models.BooleanField(null=True)
    data = models.BinaryField()
    name = models.CharField(max_length=100)
    maybe_name = models.CharField(max_length=100, null=True)
    text = models.TextField(db_collation="nocase")
    slug = models.SlugField(allow_unicode=True)
    email = models.EmailField(null=True)
    url = models.URLField()
    path = models.FilePathField(path="/tmp", null=True)
    day = models.DateField(auto_now_add=True)
    moment = models.DateTimeField(auto_now=True)
    maybe_moment = models.DateTimeField(null=True)
    time = models.TimeField()
    length = models.DurationField(null=True)
    key = models.UUIDField(default=uuid.uuid4)
    address = models.GenericIPAddressField(protocol="ipv4")
    document = models.JSONField(default=dict)
    file = models.FileField(upload_to="docs")
    shout = ShoutField()
    perhaps = MaybeField(null=True)
    doubled = models.GeneratedField(
        expression=models.F("number") * 2, output_field=models.IntegerField(), db_persist=True
    )


def numbers(row: Row) -> None:
    assert_type(row.big, int)
    assert_type(row.small, int | None)
    assert_type(row.positive, int)
    assert_type(row.positive_big, int | None)
    assert_type(row.positive_small, int)
    assert_type(row.number, int)
    assert_type(row.maybe, int | None)
    assert_type(row.ratio, float)
    assert_type(row.price, decimal.Decimal)
    assert_type(row.maybe_price, decimal.Decimal | None)
    assert_type(row.doubled, int)


def truth_and_bytes(row: Row) -> None:
    assert_type(row.flag, bool)
    assert_type(row.maybe_flag, bool | None)
    assert_type(row.data, bytes)


def texts(row: Row) -> None:
    assert_type(row.name, str)
    assert_type(row.maybe_name, str | None)
    assert_type(row.text, str)
    assert_type(row.slug, str)
    assert_type(row.email, str | None)
    assert_type(row.url, str)
    assert_type(row.path, str | None)
    assert_type(row.address, str)
    assert_type(row.shout, str)
    assert_type(row.perhaps, str | None)


def times(row: Row) -> None:
    assert_type(row.day, dt.date)
    assert_type(row.moment, dt.datetime)
    assert_type(row.maybe_moment, dt.datetime | None)
    assert_type(row.time, dt.time)
    assert_type(row.length, dt.timedelta | None)


def others(row: Row) -> None:
    assert_type(row.key, uuid.UUID)
    assert_type(row.document, Any)
    assert_type(row.file, FieldFile)


def a_class_has_columns() -> None:
    assert_type(Row.name, models.DeferredAttribute[str])
    assert_type(Row.maybe, models.DeferredAttribute[int | None])
    assert_type(Row.file, models.DeferredAttribute[FieldFile])


def an_attribute_takes_its_type_or_an_expression(row: Row) -> None:
    row.name = "x"
    row.maybe_name = None
    row.file = "docs/x.txt"
    row.number = Suit.HEART
    row.name = Size.SMALL
    row.number = models.F("number") + 1
    row.price = models.Value(3)
    row.name = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    row.number = "x"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


def options_are_checked() -> None:
    models.CharField(max_lenght=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    models.CharField(max_length="3")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    models.DateField(auto_nov=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def choices_have_types() -> None:
    assert_type(Suit.HEART.value, int)
    assert_type(Suit.HEART.label, str)
    assert_type(Size.SMALL.value, str)
    assert_type(Suit.choices, list[tuple[Any, str]])
    assert_type(Suit(1), Suit)
