"""Fields of one's own: what they do to values holds wherever the values go."""

from __future__ import annotations

import functools
import json
from typing import NamedTuple

import pytest

from facade import models
from facade.exceptions import FieldError
from facade.models import Case, F, Max, Sum, Value, When
from facade.models.functions import Coalesce, Greatest, JSONObject


class Upper(models.CharField):
    """Stores capitals, shows small letters."""

    def get_db_prep_value(self, value, connection, prepared=False):
        assert connection.vendor in ("sqlite", "postgresql", "mysql")
        value = super().get_db_prep_value(value, connection, prepared)
        return value if value is None else value.upper()

    def from_db_value(self, value, expression, connection):
        return value if value is None else value.lower()


class Wrapped(models.JSONField):
    """Writes its JSON itself when a row is stored."""

    def get_db_prep_save(self, value, connection):
        return None if value is None else json.dumps({"wrapped": value})


class Listed(models.JSONField):
    """Writes its JSON itself wherever a value goes."""

    def get_db_prep_value(self, value, connection, prepared=False):
        return None if value is None else json.dumps([value])


class Built(models.JSONField):
    """Builds on what JSONField does."""

    def get_db_prep_value(self, value, connection, prepared=False):
        return super().get_db_prep_value(value if value is None else {"built": value}, connection, prepared)


class InText(models.JSONField):
    def get_internal_type(self):
        return "TextField"


class Custom(models.Model):
    code = Upper(max_length=20, unique=True, null=True)
    wrapped = Wrapped(null=True)
    listed = Listed(null=True)
    built = Built(null=True)
    text = InText(null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def custom(database):
    database.create(Custom)
    return Custom.objects.create(code="abc", wrapped=[1], listed="x", built=2, text={"k": ["v"]})


def test_lookups_compare_with_what_is_stored(face, custom, database):
    assert database.observe("SELECT code FROM tests_custom") == [("ABC",)]
    for condition in (
        {"code": "abc"},
        {"code__in": ["abc", "x"]},
        {"code__in": [Value("abc", Upper()), "x"]},
        {"code__gte": "abc"},
        {"code__range": ("abb", "abd")},
        {"code": Value("abc", Upper())},
    ):
        assert face.list(Custom.objects.filter(**condition)) == [custom], condition
        assert face.list(Custom.objects.exclude(**condition)) == [], condition
    found, made = face(Custom.objects.get_or_create, code="abc")
    assert (found, made) == (custom, False)
    chosen = Case(When(code="abc", then=Value("found")), default=Value("missed"))
    assert face.list(Custom.objects.values_list(chosen, flat=True)) == ["found"]


def test_every_write_stores_what_the_field_makes(face, custom, database):
    rows = "SELECT code FROM tests_custom"
    assert face(Custom.objects.update, code="b") == 1
    assert database.observe(rows) == [("B",)]
    assert face(Custom.objects.update, code=Value("c", Upper())) == 1
    assert database.observe(rows) == [("C",)]
    custom.code = "d"
    face(custom.save)
    assert database.observe(rows) == [("D",)]
    custom.code = Value("e", Upper())
    face(custom.save)
    assert database.observe(rows) == [("E",)]
    custom.code = "f"
    face(Custom.objects.bulk_update, [custom], ["code"])
    assert database.observe(rows) == [("F",)]
    face(Custom.objects.update, code=Case(When(pk=custom.pk, then=Value("g", Upper()))))
    assert database.observe(rows) == [("G",)]


def test_json_that_a_field_writes_itself_is_not_written_twice(face, custom):
    found = face(Custom.objects.get)
    assert (found.wrapped, found.listed, found.built) == ({"wrapped": [1]}, ["x"], {"built": 2})
    assert face(Custom.objects.filter(listed="x").count) == 1
    assert face(Custom.objects.filter(built=2).count) == 1
    assert face(Custom.objects.filter(listed__in=["x", "y"]).count) == 1
    face(Custom.objects.update, wrapped="w", listed=1, built=[3])
    found = face(Custom.objects.get)
    assert (found.wrapped, found.listed, found.built) == ({"wrapped": "w"}, [1], {"built": [3]})
    found.wrapped, found.listed = None, "l"
    face(Custom.objects.bulk_update, [found], ["wrapped", "listed"])
    found = face(Custom.objects.get)
    assert (found.wrapped, found.listed) == (None, ["l"])


def test_a_document_may_live_in_a_column_of_another_type(face, custom, database):
    ((stored,),) = database.observe("SELECT text FROM tests_custom")
    assert json.loads(stored) == {"k": ["v"]}
    assert face(Custom.objects.get).text == {"k": ["v"]}
    assert face.list(Custom.objects.values_list("text", flat=True)) == [{"k": ["v"]}]
    face(Custom.objects.update, text=[1])
    assert face(Custom.objects.get).text == [1]


@pytest.mark.parametrize("document", [[], {}, (), "", 0, [None], [[]]])
def test_empty_documents_are_assigned(face, database, document):
    database.create(Custom)
    row = Custom.objects.create(text={})
    assert face(Custom.objects.update, text=document) == 1
    expected = list(document) if isinstance(document, tuple) else document
    assert face(Custom.objects.get).text == expected
    row.text = document
    face(row.save)
    assert face(Custom.objects.get).text == expected


def test_an_expression_in_a_document_is_refused(face, custom):
    with pytest.raises(TypeError, match=r"cannot hold .*F\(code\)"):
        face(Custom.objects.update, built=[F("code")])


def test_documents_in_a_column_of_another_type_have_keys_and_lookups(face, custom):
    Custom.objects.filter(pk=custom.pk).update(text={"k": ["v"], "n": 1})
    for condition in (
        {"text__in": [{"n": 1, "k": ["v"]}, 3]},
        {"text": {"n": 1, "k": ["v"]}},
        {"text__k": ["v"]},
        {"text__k__0": "v"},
        {"text__n": 1},
        {"text__n__gt": 0},
        {"text__n__in": [1, 2]},
        {"text__k__0__istartswith": "V"},
        {"text__x__isnull": True},
        {"text__has_key": "k"},
        {"text__has_keys": ["k", "n"]},
        {"text__has_any_keys": ["k", "x"]},
        {"text__k__0": F("text__k__0")},
    ):
        assert face.list(Custom.objects.filter(**condition)) == [custom], condition
    assert face.list(Custom.objects.values_list("text__n", "text__k")) == [(1, ["v"])]
    assert not face.list(Custom.objects.filter(text__has_key="x"))


class Lengthy(models.Lookup):
    def __init__(self, name, lhs, rhs):
        super().__init__(lhs, rhs)
        self.name = name

    def as_sql(self, compiler, connection):
        left, params = self.process_lhs(compiler, connection)
        return f"length({left}) > %s", [*params, len(self.name)]


class Measured(models.CharField):
    def get_lookup(self, lookup_name):
        return (
            functools.partial(Lengthy, lookup_name)
            if lookup_name.startswith("longer")
            else super().get_lookup(lookup_name)
        )


class MeasuredText(models.Model):
    text = Measured(max_length=20)


def test_a_field_may_make_its_lookups(face, database):
    database.create(MeasuredText)
    texts = MeasuredText.objects
    face(texts.bulk_create, [MeasuredText(text="x" * 7), MeasuredText(text="x" * 8)])
    assert face(texts.filter(text__longer=1).count) == 2
    assert face(texts.filter(text__longerx=1).count) == 1


class Money(NamedTuple):
    cents: int


class MoneyField(models.Field):
    """Tells what stands beside it, and what comes of it."""

    describes = (Money,)
    value_kind = "integer"

    def get_internal_type(self):
        return "BigIntegerField"

    def get_prep_value(self, value):
        return value.cents if isinstance(value, Money) else super().get_prep_value(value)

    def from_db_value(self, value, expression, connection):
        return None if value is None else Money(round(value))

    def combined(self, connector, right):
        if isinstance(right, MoneyField) and connector in ("+", "-"):
            return MoneyField()
        return MoneyField() if isinstance(right, models.IntegerField) and connector == "*" else None

    def combined_behind(self, connector, left):
        return self.combined(connector, left) if connector == "*" else None


class RoundedField(models.IntegerField):
    """Stores whole tens: what its parent says of values that are plain does not hold for it."""

    def get_prep_value(self, value):
        return None if value is None else round(value, -1)


class Sale(models.Model):
    price = MoneyField()
    tip = MoneyField(null=True)
    number = RoundedField(default=12)

    class Meta:
        app_label = "tests"


@pytest.fixture
def sales(database):
    database.create(Sale)
    Sale.objects.bulk_create([Sale(price=Money(150), tip=Money(10)), Sale(price=Money(7))])
    return Sale.objects.order_by("pk")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: F("price") + Money(1), [151, 8]),
        (lambda: F("price") * 2 - F("price"), [150, 7]),
        (lambda: 2 * F("price"), [300, 14]),
        (lambda: Coalesce("tip", Money(3)), [10, 3]),
        (lambda: Case(When(price__gt=Money(100), then=Value(Money(1))), default=F("price")), [1, 7]),
        (lambda: Greatest("price", Value(Money(60))), [150, 60]),
    ],
    ids=["sum", "product", "product, behind", "Coalesce", "Case", "Greatest"],
)
def test_a_field_tells_what_is_computed_of_its_values(face, sales, make, expected):
    rows = sales.annotate(computed=make())
    assert face.list(rows.values_list("computed", flat=True)) == [Money(cents) for cents in expected]
    assert face(rows.filter(computed=Money(expected[0])).count) == 1


def test_what_a_field_says_nothing_of_needs_an_output_field(face, sales):
    with pytest.raises(FieldError, match=r"Cannot infer type of '\*'.*MoneyField, MoneyField"):
        face.list(sales.annotate(square=F("price") * F("price")))


def test_aggregates_and_documents_of_a_field_of_ones_own(face, sales):
    assert face(Sale.objects.aggregate, sum=Sum("price"), max=Max("price")) == {
        "sum": Money(157),
        "max": Money(150),
    }
    made = sales.annotate(document=JSONObject(price="price")).values_list("document", flat=True)
    assert face.list(made) == [{"price": 150}, {"price": 7}]


def test_a_field_that_prepares_values_in_its_own_way_looks_at_each(face, sales):
    sale = face(Sale.objects.create, price=Money(1), number=26)
    assert face.list(sales.values_list("number", flat=True)) == [10, 10, 30]
    sale.number = 44
    face(sale.save)
    assert face(Sale.objects.get, pk=sale.pk).number == 40
