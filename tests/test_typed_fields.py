"""Columns of any SQLAlchemy type: the type binds and reads the values wherever they go."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import enum
import os
import pickle
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path

import pgvector.sqlalchemy
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.types import TypeDecorator

from facade import connection, models, transaction
from facade.configuration import override
from facade.exceptions import FieldError, IntegrityError, UnsupportedFeature, ValidationError
from facade.models import (
    BooleanField,
    Case,
    Comparator,
    Count,
    Exists,
    F,
    FloatField,
    Func,
    Max,
    Min,
    OuterRef,
    Q,
    TypedField,
    Value,
    When,
    Window,
)
from facade.models.functions import Coalesce, JSONObject, RowNumber
from facade.sql.plan import plan as planning
from facade.sql.tables.schema import create_all, drop_all
from facade.testing import isolate_apps
from tests.test_core_expressions import rows_of_core


class Money(TypeDecorator):
    """Stored in cents; PostgreSQL has numbers for it."""

    impl = sa.Integer
    cache_ok = True

    class comparator_factory(TypeDecorator.Comparator):
        def near(self, other, by=D(1)):
            return self.expr.between(other - by, other + by)

        def doubled(self):
            return sa.type_coerce(self.expr, sa.Integer) * 2

        def text_of(self, operator):
            return self.op(operator)

    def process_bind_param(self, value, dialect):
        return value if value is None or dialect.name == "postgresql" else int(value * 100)

    def process_result_value(self, value, dialect):
        return value if value is None or dialect.name == "postgresql" else D(value) / 100

    def load_dialect_impl(self, dialect):
        return sa.Numeric(10, 2) if dialect.name == "postgresql" else sa.Integer()


class Secret(TypeDecorator):
    """A text that the database cannot read."""

    impl = sa.String(200)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else base64.b64encode(value[::-1].encode()).decode()

    def process_result_value(self, value, dialect):
        return None if value is None else base64.b64decode(value).decode()[::-1]


class Shouted(TypeDecorator):
    """Written and read through functions of the database."""

    impl = sa.String(50)
    cache_ok = True

    def bind_expression(self, bindparam):
        return sa.func.upper(bindparam, type_=self)

    def column_expression(self, column):
        return sa.func.lower(column, type_=self)


def not_negative(value):
    if value < 0:
        raise ValidationError("negative", code="negative")


class Purse(models.Model):
    price = TypedField(Money(), null=True, lookups=["near"], validators=[not_negative])
    secret = TypedField(Secret, default="none")
    shout = TypedField(Shouted(), null=True, db_column="loud")
    number = TypedField(sa.Integer, null=True)
    varied = TypedField(
        sa.Integer().with_variant(sa.String(20), "sqlite"),
        null=True,
        db_index=True,
        choices=[(1, "one"), (2, "two")],
    )

    class Meta:
        app_label = "tests"


class Sort(models.Model):
    code = TypedField(Secret(), primary_key=True, lookups=["ilike"])

    class Meta:
        app_label = "tests"


class Sample(models.Model):
    sort = models.ForeignKey(Sort, on_delete=models.CASCADE, related_name="samples", null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def purses(database):
    database.create(Purse)
    Purse.objects.create(price=D("1.50"), secret="one", shout="Loud", number=1)
    Purse.objects.create(price=D("2.25"), secret="two", shout="soft", number=2)
    Purse.objects.create()


def prices(face, queryset):
    return face.list(queryset.order_by("id").values_list("price", flat=True))


# -- values ------------------------------------------------------------------------------------------


def test_a_value_is_bound_and_read_by_the_type(face, database, purses):
    purse = face(Purse.objects.get, price=D("1.50"))
    assert (purse.price, purse.secret, purse.shout, purse.number) == (D("1.50"), "one", "loud", 1)
    cents = D("1.50") if database.vendor == "postgresql" else 150
    assert database.observe("SELECT price, secret, loud, number FROM tests_purse WHERE id = 1") == [
        (cents, "ZW5v", "LOUD", 1)
    ]
    assert face(Purse.objects.get, pk=3).secret == "none"


def test_saving_stores_what_the_type_makes_of_a_value(face, database, purses):
    purse = face(Purse.objects.get, pk=1)
    purse.price, purse.secret, purse.shout = D(7), "seven", "Seven"
    face(purse.save)
    face(purse.refresh_from_db)
    assert (purse.price, purse.secret, purse.shout) == (D(7), "seven", "seven")
    assert database.observe("SELECT loud FROM tests_purse WHERE id = 1") == [("SEVEN",)]
    face(Purse.objects.filter(secret="seven").update, secret="eight", shout="Eight", price=F("price"))
    assert face(Purse.objects.filter(secret="eight", shout="EIGHT", price=7).count) == 1
    assert database.observe("SELECT loud FROM tests_purse WHERE id = 1") == [("EIGHT",)]


def test_many_rows_are_written_in_one_statement(face, database, purses, assert_queries):
    with assert_queries(1):
        made = face(
            Purse.objects.bulk_create,
            [Purse(price=D(n), secret=f"s{n}", shout=f"Loud{n}", number=n) for n in range(5)],
        )
    assert database.count("tests_purse") == 8
    found = face.list(Purse.objects.filter(pk__gt=3).order_by("pk"))
    assert [(row.price, row.secret, row.shout, row.number) for row in found] == [
        (D(n), f"s{n}", f"loud{n}", n) for n in range(5)
    ]
    for row in found:
        row.secret, row.shout, row.price, row.number = (
            row.secret * 2,
            row.shout * 2,
            row.price * 2,
            row.number * 2,
        )
    assert face(Purse.objects.bulk_update, found, ["secret", "shout", "price", "number"]) == 5
    assert len(made) == 5
    assert database.observe("SELECT loud, number FROM tests_purse WHERE id > 3 ORDER BY id") == [
        (f"LOUD{n}LOUD{n}", 2 * n) for n in range(5)
    ]
    again = face.list(Purse.objects.filter(pk__gt=3).order_by("pk"))
    assert [(row.price, row.secret, row.number) for row in again] == [
        (D(2 * n), f"s{n}s{n}", 2 * n) for n in range(5)
    ]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"price": D("1.50")}, 1),
        ({"price__in": [D("1.50"), D(9)]}, 1),
        ({"price__gt": D(2)}, 1),
        ({"price__range": (D(1), D(2))}, 1),
        ({"price__isnull": True}, 1),
        ({"price": None}, 1),
        ({"price": F("price")}, 2),
        ({"price": Value(D("2.25"), TypedField(Money()))}, 1),
        ({"secret": "two"}, 1),
        ({"secret__in": ["one", "two", "x"]}, 2),
        ({"shout": "lOUD"}, 1),
        ({"shout__in": ["lOUD", "Soft"]}, 2),
        ({"number": 2}, 1),
        ({"number__in": [1, 2, 3]}, 2),
        ({"number__lte": 2}, 2),
    ],
    ids=str,
)
def test_a_filter_compares_with_what_the_type_makes_of_the_value(face, purses, condition, wanted):
    assert face(Purse.objects.filter(**condition).count) == wanted
    assert face(Purse.objects.exclude(**condition).count) == 3 - wanted


def test_expressions_pass_values_on(face, purses):
    money = TypedField(Money())
    found = Purse.objects.order_by("id").values_list(
        Coalesce("price", Value(D("0.25"), money)),
        Case(When(secret="one", then=F("price")), default=Value(D(3), money)),
        Coalesce("shout", Value("None", TypedField(Shouted()))),
    )
    assert face.list(found) == [
        (D("1.5"), D("1.5"), "loud"),
        (D("2.25"), D(3), "soft"),
        (D("0.25"), D(3), "none"),
    ]
    assert face(Purse.objects.aggregate, Max("price"), Min("price")) == {
        "price__max": D("2.25"),
        "price__min": D("1.5"),
    }
    by_price = Purse.objects.values("price").annotate(n=Count("id")).order_by("price").filter(price__gt=D(0))
    assert face.list(by_price) == [{"price": D("1.5"), "n": 1}, {"price": D("2.25"), "n": 1}]


def test_unions_and_subqueries_keep_the_type(face, purses):
    cheap, dear = Purse.objects.filter(price__lt=D(2)), Purse.objects.filter(price__gt=D(2))
    both = cheap.values_list("price").union(dear.values_list("price")).order_by("price")
    assert face.list(both) == [(D("1.5"),), (D("2.25"),)]
    same = Purse.objects.filter(price__in=cheap.values("price"))
    assert prices(face, same) == [D("1.5")]
    shouts = cheap.values_list("shout").union(dear.values_list("shout"))
    assert sorted(face.list(shouts)) == [("loud",), ("soft",)]


def test_keys_of_a_type_are_referred_to(face, database, assert_queries):
    database.create(Sort, Sample)
    sort = face(Sort.objects.create, code="abc")
    other = face(Sort.objects.create, code="xyz")
    face(Sample.objects.create, sort=sort)
    face(Sample.objects.bulk_create, [Sample(sort=other), Sample(sort_id="xyz")])
    assert face.list(Sample.objects.filter(sort="abc").values_list("sort_id", flat=True)) == ["abc"]
    assert face(Sample.objects.filter(sort__in=[sort, other]).count) == 3
    assert face(Sample.objects.filter(sort__code__in=["xyz"]).count) == 2
    assert face(other.samples.count) == 2
    with assert_queries(2):
        found = face.list(Sort.objects.order_by("-code").prefetch_related("samples"))
    assert {row.code: len(row.samples.all()) for row in found} == {"abc": 1, "xyz": 2}
    assert face(Sample.objects.select_related("sort").get, sort="abc").sort == sort
    face(sort.delete)
    assert face(Sample.objects.count) == 2


def test_json_with_values_that_only_the_type_can_read_is_refused(face, purses):
    with pytest.raises(UnsupportedFeature, match=r"Purse\.price cannot be part of JSON: .*Money"):
        face.list(Purse.objects.values_list(JSONObject(price="price")))
    found = Purse.objects.order_by("id").values_list(JSONObject(n="varied"), flat=True)
    Purse.objects.filter(pk=1).update(varied=2)
    assert str(face(found.first)["n"]) == "2"


class Vague(list):
    """A list that, as an array, is neither equal to another value nor unequal."""

    __hash__ = None

    def __eq__(self, other):
        raise ValueError("ambiguous")


def test_values_that_cannot_be_compared_are_taken(face, database):
    class Listed(TypeDecorator):
        impl = sa.String(20)
        cache_ok = True

        def process_bind_param(self, value, dialect):
            return None if value is None else ",".join(value)

        def process_result_value(self, value, dialect):
            return None if value is None else Vague(value.split(","))

    with isolate_apps():

        class Row(models.Model):
            words = TypedField(Listed(), null=True, blank=True)

            class Meta:
                app_label = "tests"

    database.create(Row)
    row = face(Row.objects.create, words=Vague("ab"))
    face(Row(words=Vague("c")).full_clean)
    assert list(face(Row.objects.get, words=Vague("ab")).words) == ["a", "b"]
    assert face(Row.objects.filter(words__in=[Vague("ab"), Vague("cd")]).count) == 1
    row.words = Vague("x")
    face(row.save)
    assert face(Row.objects.filter(words__in=[Vague("x"), None]).count) == 1
    assert face(Row.objects.bulk_update, [row], ["words"]) == 1


# -- options -----------------------------------------------------------------------------------------


def test_options_do_what_they_do_for_every_field(face, database, purses):
    purse = face(Purse.objects.get, pk=1)
    purse.price = D(-1)
    purse.varied = 3
    with pytest.raises(ValidationError) as raised:
        face(purse.full_clean)
    assert set(raised.value.message_dict) == {"price", "varied"}
    purse.price, purse.varied = D(4), 2
    purse.clean_fields(exclude=["shout"])
    assert purse.get_varied_display() == "two"
    purse.secret = None
    with pytest.raises(ValidationError, match="cannot be null"):
        purse.clean_fields()
    assert Purse._meta.get_field("secret").get_default() == "none"
    assert Purse().price is None
    index = {column.name for index in Purse.__table__.indexes for column in index.columns}
    assert index == {"varied"}


@isolate_apps()
def test_a_default_of_the_database_is_the_types(face, database):
    class Priced(models.Model):
        price = TypedField(Money(), db_default=Value(D("1.25"), TypedField(Money())))
        unique = TypedField(sa.Integer, unique=True)

        class Meta:
            app_label = "tests"

    database.create(Priced)
    priced = face(Priced.objects.create, unique=1)
    face(priced.refresh_from_db)
    assert priced.price == D("1.25")
    assert Priced.__table__.c.unique.type.__class__ is sa.Integer


def test_a_field_tells_what_it_is_made_of():
    field = Purse._meta.get_field("price")
    name, path, args, options = field.deconstruct()
    assert (name, path, args) == ("price", "facade.models.TypedField", [field.type])
    assert options == {"null": True, "validators": [not_negative], "lookups": {"near": "near"}}
    assert field.clone().deconstruct()[2:] == (args, options)
    assert copy.deepcopy(field).type is field.type
    again = pickle.loads(pickle.dumps(TypedField(sa.String(5), lookups=["ilike"])))
    assert (again.type.length, again.lookups) == (5, {"ilike": "ilike"})
    assert isinstance(TypedField(sa.Text).column_type, sa.Text)
    assert field.get_internal_type() == "TypedField"


@pytest.mark.parametrize("wrong", ["text", int, None, sa.Column("a"), str, D(1)], ids=repr)
def test_what_is_no_type_is_refused(wrong):
    with pytest.raises(TypeError, match=r"The first argument of TypedField must be a SQLAlchemy type"):
        TypedField(wrong)


def test_lookups_that_cannot_be_are_refused():
    with pytest.raises(TypeError, match="has no method 'overlaps'. Did you mean 'overlap'"):
        TypedField(postgresql.ARRAY(sa.Text), lookups=["overlaps"])
    with pytest.raises(TypeError, match="has no method '_private'"):
        TypedField(sa.Integer(), lookups={"private": "_private"})
    with pytest.raises(TypeError, match="identifier without '__'"):
        TypedField(sa.Integer(), lookups={"a__b": "in_"})
    with pytest.raises(TypeError, match="'exact' of a TypedField is there already"):
        TypedField(sa.Integer(), lookups={"exact": "in_"})
    with pytest.raises(TypeError, match="list or a mapping"):
        TypedField(sa.Integer(), lookups="in_")
    with pytest.raises(TypeError, match="must be a comparator's method or a function, not 3"):
        TypedField(sa.Integer(), lookups={"x": 3})


def test_columns_of_different_types_are_not_mixed(face, purses):
    with pytest.raises(FieldError, match="mixed types"):
        face.list(Purse.objects.values_list(Coalesce("price", "number")))
    one, other = TypedField(sa.String(5)), TypedField(sa.String(6))
    assert not one.stands_beside(other)
    assert one.stands_beside(TypedField(sa.String(5)))


# -- comparators -------------------------------------------------------------------------------------


def test_a_named_method_is_a_lookup(face, purses):
    near = Purse.objects.filter(price__near=D("1.5"))
    assert prices(face, near) == [D("1.5"), D("2.25")]
    assert prices(face, Purse.objects.filter(price__near=D(3))) == [D("2.25")]
    assert prices(face, Purse.objects.exclude(price__near=D(3))) == [D("1.5"), None]
    assert prices(face, Purse.objects.filter(Q(price__near=D(3)) | Q(secret="one"))) == [D("1.5"), D("2.25")]
    assert prices(face, Purse.objects.filter(price__near=F("price"))) == [D("1.5"), D("2.25")]
    assert prices(face, Purse.objects.filter(price__near=Purse.__table__.c.price)) == [D("1.5"), D("2.25")]
    marked = Purse.objects.annotate(near=Case(When(price__near=D(3), then=Value(1)), default=Value(0)))
    assert face.list(marked.order_by("id").values_list("near", flat=True)) == [0, 1, 0]
    with pytest.raises(ValueError, match="Cannot use None as a query value"):
        Purse.objects.filter(price__near=None)


def test_a_method_that_is_not_named_is_no_lookup():
    for name in ("doubled", "in_", "op", "like", "contains", "startswith", "regex"):
        with pytest.raises(FieldError, match=f"Unsupported lookup '{name}' for TypedField"):
            Purse.objects.filter(**{f"price__{name}": "1"})
    with pytest.raises(FieldError, match="perhaps you meant near"):
        Purse.objects.filter(price__nears=1)


@isolate_apps()
def test_a_lookup_may_be_a_function_of_column_and_value(face, database):
    def within(column, value):
        middle, by = value
        return column.between(middle - by, middle + by)

    class Priced(models.Model):
        price = TypedField(
            Money(), lookups={"within": within, "same": "is_not_distinct_from", "double": "doubled"}
        )

        class Meta:
            app_label = "tests"

    database.create(Priced)
    face(Priced.objects.bulk_create, [Priced(price=D(n)) for n in range(5)])
    assert prices(face, Priced.objects.filter(price__within=(D(2), D(1)))) == [D(1), D(2), D(3)]
    assert prices(face, Priced.objects.filter(price__within=(D(4), D(2)))) == [D(2), D(3), D(4)]
    assert prices(face, Priced.objects.filter(price__same=D(2))) == [D(2)]
    with pytest.raises(TypeError):
        Priced.objects.filter(price__double=1)  # it takes no value
    with pytest.raises(TypeError, match="not a list with expressions"):
        face.list(Priced.objects.filter(price__same=[F("price")]))


def test_a_lookup_that_is_no_condition_names_what_is(face):
    @isolate_apps()
    def declared():
        class Item(models.Model):
            embedding = TypedField(pgvector.sqlalchemy.VECTOR(3), lookups=["l2_distance"])

            class Meta:
                app_label = "tests"

        return Item

    with pytest.raises(FieldError, match="is no condition: .*'l2_distance' gives Float.* models.Comparator"):
        declared().objects.filter(embedding__l2_distance=[1, 2, 3])


def test_an_expression_calls_a_method(face, purses):
    cents = Purse.objects.annotate(near=Comparator("price", "near", D(3), D("0.5")))
    assert face.list(cents.order_by("id").values_list("near", flat=True)) == [False, False, None]
    near = Comparator("price", "near", D(3), output_field=BooleanField())
    assert prices(face, Purse.objects.filter(near)) == [D("2.25")]
    assert prices(face, Purse.objects.annotate(near=near).filter(near=True)) == [D("2.25")]
    of_itself = Purse.objects.annotate(
        n=Comparator(Coalesce("price", Value(D(1), TypedField(Money()))), "near", F("price"))
    )
    assert face.list(of_itself.order_by("id").values_list("n", flat=True)) == [True, True, None]
    ordered = Purse.objects.filter(price__isnull=False).order_by(
        Comparator("price", "near", D(2), D("0.3")).desc()
    )
    assert face.list(ordered.values_list("price", flat=True)) == [D("2.25"), D("1.5")]


def test_a_comparator_that_cannot_be_is_refused():
    with pytest.raises(FieldError, match="has no method 'nears'. Did you mean 'near'"):
        Purse.objects.annotate(x=Comparator("price", "nears", 1))
    with pytest.raises(FieldError, match="has no method '__class__'"):
        Purse.objects.annotate(x=Comparator("price", "__class__"))
    for operands in (("op", "); DROP TABLE tests_purse"), ("text_of", "; DROP")):
        with pytest.raises(FieldError, match="makes no expression"):
            Purse.objects.annotate(x=Comparator("price", *operands))
    with pytest.raises(TypeError, match="named by a text"):
        Comparator("price", F("near"))
    with pytest.raises(FieldError, match="no field 'nothing'|Cannot resolve keyword 'nothing'"):
        Purse.objects.annotate(x=Comparator("nothing", "near", 1))
    assert (
        repr(Comparator("price", "near", D(1), F("x"))) == "Comparator(F(price), 'near', Decimal('1'), F(x))"
    )


def test_a_queryset_with_a_comparator_is_not_pickled(face, purses):
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Purse.objects.filter(price__near=D(1)).query)


def test_a_repeated_queryset_builds_no_sql(face, purses, monkeypatch):
    def queries(value):
        face.list(Purse.objects.filter(price__near=value))
        face.list(Purse.objects.annotate(n=Comparator("price", "near", value)))
        face.list(Purse.objects.order_by(Comparator("price", "near", value)))
        face.list(Purse.objects.annotate(n=Coalesce("price", Value(value, TypedField(Money())))))

    with override(FACADE_SHAPE_CACHE=True):
        queries(D(1))
        compiled = []
        monkeypatch.setattr(planning, "compile_statement", lambda *args, **options: compiled.append(args))
        queries(D(2))
    assert compiled == []


def test_a_shape_keeps_no_value_of_a_comparator(purses):
    near = Purse.objects.filter(price__near=D(1)).annotate(x=Comparator("price", "near", D(12345)))
    kept = calls(tuple(key for key, _ in near._shape.steps()))
    assert [set(call.element.compile().params.values()) for call in kept] == [{None}, {None}]


def calls(part):
    """Find the calls in the keys of a shape's steps."""
    if isinstance(part, tuple):
        return [found for item in part for found in calls(item)]
    structure = getattr(getattr(part, "arg", part), "structure", None)
    return [] if structure is None else [structure]


def test_the_values_decide_where_they_change_the_sql(face, purses):
    def same(value):
        return face.list(
            Purse.objects.annotate(x=Comparator("number", "is_", value))
            .order_by("id")
            .values_list("x", flat=True)
        )

    assert same(None) == [False, False, True]
    found = Purse.objects.annotate(x=Comparator("number", "in_", [1, 5])).order_by("id")
    assert face.list(found.values_list("x", flat=True)) == [True, False, None]
    longer = Purse.objects.annotate(x=Comparator("number", "in_", [1, 2, 3])).order_by("id")
    assert face.list(longer.values_list("x", flat=True)) == [True, True, None]


def test_comparators_stand_wherever_conditions_and_expressions_do(face, purses):
    cheap, dear = Purse.objects.filter(price__near=D(1)), Purse.objects.filter(price__near=D(3))
    assert prices(face, cheap | dear) == [D("1.5"), D("2.25")]
    assert prices(face, cheap & Purse.objects.filter(price__near=D(2))) == [D("1.5")]
    inside = Purse.objects.filter(secret="one", pk__in=Purse.objects.filter(secret="one", price__near=D(1)))
    assert prices(face, inside) == [D("1.5")]
    there = Purse.objects.filter(pk=OuterRef("pk"), price__near=D(3))
    assert prices(face, Purse.objects.filter(Exists(there), number__gt=0)) == [D("2.25")]
    counted = Purse.objects.aggregate(
        n=Count("pk", filter=Q(price__near=D(1))),
        m=Max(Comparator("price", "doubled"), filter=Q(secret="one")),
    )
    assert counted["n"] == 1
    numbered = Purse.objects.annotate(
        n=Window(
            RowNumber(),
            order_by=Coalesce(Comparator("price", "near", D(3), output_field=BooleanField()), False),
        )
    )
    assert sorted(face.list(numbered.values_list("n", "price")))[2] == (3, D("2.25"))
    assert face(Purse.objects.filter(price__near=D(3)).update, number=F("number") + 5) == 1
    assert face(Purse.objects.filter(price__near=D(3)).get).number == 7
    assert face(Purse.objects.filter(price__near=D(3)).delete)[0] == 1
    both = cheap.values_list("secret").union(Purse.objects.filter(price=None).values_list("secret"))
    assert sorted(face.list(both)) == [("none",), ("one",)]


def test_relations_are_crossed_to_a_lookup(face, database):
    database.create(Sort, Sample)
    for code in ("a", "b"):
        Sample.objects.create(sort=Sort.objects.create(code=code))
    assert face.list(Sample.objects.filter(sort__code__ilike="a").values_list("sort_id")) == [("a",)]
    assert face(Sample.objects.exclude(sort__code__ilike="a").count) == 1
    assert face.list(Sort.objects.exclude(samples__sort__code__ilike="a").values_list("code")) == [("b",)]


def test_core_runs_a_queryset_with_a_comparator(face, database, purses):
    statement = Purse.objects.filter(price__near=D(3), secret="two").values_list("price", "shout").statement
    assert rows_of_core(database, face, statement) == [(D("2.25"), "soft")]


@isolate_apps()
def test_definitions_of_tables_call_methods(face, database):
    class Bounded(models.Model):
        price = TypedField(Money(), lookups=["near"])
        cents = models.GeneratedField(
            expression=Comparator("price", "doubled"), output_field=models.IntegerField(), db_persist=True
        )

        class Meta:
            app_label = "tests"
            ordering = [Comparator("price", "near", D(5), output_field=BooleanField())]
            constraints = [models.CheckConstraint(condition=Q(price__near=D(5)), name="about_five")]

    database.create(Bounded)
    face(Bounded.objects.create, price=D(5))
    face(Bounded.objects.create, price=D("5.5"))
    with pytest.raises(IntegrityError):
        face(Bounded.objects.create, price=D(7))
    assert face(Bounded.objects.first).price == D(5)
    with pytest.raises(ValidationError, match="about_five"):
        face(Bounded(price=D(9)).full_clean)
    face(Bounded(price=D(4)).full_clean)


# -- pgvector ----------------------------------------------------------------------------------------


class Item(models.Model):
    name = models.CharField(max_length=20)
    embedding = TypedField(
        pgvector.sqlalchemy.VECTOR(3),
        null=True,
        lookups={"near": lambda column, value: column.l2_distance(value) < 2},
    )
    half = TypedField(pgvector.sqlalchemy.HALFVEC(2), null=True)

    class Meta:
        app_label = "tests"


def extension(database, name):
    if not database.observe(f"SELECT 1 FROM pg_available_extensions WHERE name = '{name}'"):
        pytest.skip(f"the server has no extension {name}")
    database.observe(f"CREATE EXTENSION {name}")


@pytest.fixture
def items(database):
    extension(database, "vector")
    database.create(Item)
    Item.objects.bulk_create(
        [
            Item(name="a", embedding=[1, 0, 0], half=[1, 2]),
            Item(name="b", embedding=[0, 1, 0]),
            Item(name="c", embedding=[5, 5, 5]),
            Item(name="d"),
        ]
    )


def names(face, queryset):
    return face.list(queryset.values_list("name", flat=True))


@pytest.mark.vendors("postgres")
def test_vectors_are_stored_and_found(face, items):
    item = face(Item.objects.get, name="a")
    assert list(item.embedding) == [1, 0, 0]
    assert list(item.half) == [1, 2]
    item.embedding = [0.5, 0.25, 1]
    face(item.save)
    face(item.refresh_from_db)
    assert list(item.embedding) == [0.5, 0.25, 1]
    assert face(Item.objects.get, embedding=[5, 5, 5]).name == "c"
    assert names(face, Item.objects.filter(embedding__in=[[5, 5, 5], [0, 1, 0]]).order_by("name")) == [
        "b",
        "c",
    ]
    assert names(face, Item.objects.exclude(embedding=[5, 5, 5]).order_by("name")) == ["a", "b", "d"]
    assert face(Item.objects.filter(name="d").update, embedding=[9, 9, 9]) == 1
    many = face.list(Item.objects.order_by("name"))
    for row in many:
        row.embedding = [value * 2 for value in row.embedding]
    face(Item.objects.bulk_update, many, ["embedding"])
    assert list(face(Item.objects.get, name="d").embedding) == [18, 18, 18]
    created, made = face(Item.objects.get_or_create, name="x", defaults={"embedding": [1, 1, 1]})
    assert (list(created.embedding), made) == ([1, 1, 1], True)


@pytest.mark.vendors("postgres")
def test_rows_are_ordered_by_their_distance(face, items, assert_queries):
    distance = Comparator("embedding", "l2_distance", [0, 1, 0])
    with assert_queries(1) as captured:
        nearest = face.list(Item.objects.order_by(distance)[:2])
    assert [item.name for item in nearest] == ["b", "a"]
    assert captured[0]["sql"].count("<->") == 1
    assert " ASC" in captured[0]["sql"].partition("ORDER BY")[2]
    annotated = Item.objects.annotate(distance=distance).filter(distance__lt=2).order_by("-distance")
    assert face.list(annotated.values_list("name", "distance")) == [("a", pytest.approx(2**0.5)), ("b", 0.0)]
    by_cosine = Item.objects.order_by(
        Comparator("embedding", "cosine_distance", [1, 0.1, 0]).asc(nulls_last=True)
    )
    assert names(face, by_cosine) == ["a", "c", "b", "d"]
    inner = Item.objects.annotate(
        inner=Comparator("embedding", "max_inner_product", [1, 1, 1], output_field=FloatField())
    )
    assert face(inner.aggregate, Min("inner"), Max("inner")) == {"inner__min": -15.0, "inner__max": -1.0}


@pytest.mark.vendors("postgres")
def test_rows_are_filtered_by_their_distance(face, items):
    assert names(face, Item.objects.filter(embedding__near=[0, 1, 0]).order_by("name")) == ["a", "b"]
    assert names(face, Item.objects.filter(embedding__near=[5, 5, 4])) == ["c"]
    assert names(face, Item.objects.exclude(embedding__near=[5, 5, 4]).order_by("name")) == ["a", "b", "d"]
    others = Item.objects.filter(embedding__near=Item.objects.filter(name="c").values("embedding")[:1])
    assert names(face, others) == ["c"]
    of_each_other = Item.objects.filter(name="a").annotate(
        d=Comparator("embedding", "l2_distance", F("embedding"))
    )
    assert face.list(of_each_other.values_list("d", flat=True)) == [0.0]
    of_a_row = Comparator("embedding", "l2_distance", Item.objects.filter(name="a").values("embedding")[:1])
    assert names(face, Item.objects.exclude(embedding=None).order_by(of_a_row))[0] == "a"


@pytest.mark.vendors("postgres")
def test_vectors_pass_through_expressions(face, items):
    zero = Value([0, 0, 0], Item._meta.get_field("embedding"))
    known = Item.objects.annotate(known=Coalesce("embedding", zero)).order_by("name")
    assert [list(vector) for vector in face.list(known.values_list("known", flat=True))][3] == [0, 0, 0]
    chosen = Item.objects.annotate(
        v=Case(When(name="a", then=zero), default=Value([1, 1, 1], zero.output_field))
    )
    ordered = chosen.order_by(Comparator("v", "l2_distance", [1, 1, 1]), "name")
    assert names(face, ordered) == ["b", "c", "d", "a"]
    both = (
        Item.objects.filter(name="a")
        .values_list("embedding")
        .union(Item.objects.filter(name="b").values_list("embedding"))
    )
    assert sorted(list(row[0]) for row in face.list(both)) == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.vendors("postgres")
def test_a_repeated_search_builds_no_sql(face, items, monkeypatch):
    def search(vector):
        found = Item.objects.filter(name__lt="d").order_by(Comparator("embedding", "l2_distance", vector))[:1]
        return names(face, found), names(face, Item.objects.filter(embedding__near=vector))

    with override(FACADE_SHAPE_CACHE=True):
        assert search([1, 0, 0]) == (["a"], ["a", "b"])
        compiled = []
        monkeypatch.setattr(planning, "compile_statement", lambda *args, **options: compiled.append(args))
        assert search([5, 5, 5]) == (["c"], ["c"])
    assert compiled == []


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("method", ["hnsw", "ivfflat"])
@isolate_apps()
def test_an_index_of_core_serves_the_search(face, database, method):
    class Indexed(models.Model):
        embedding = TypedField(pgvector.sqlalchemy.VECTOR(3))

        class Meta:
            app_label = "tests"

    sa.Index(
        "by_embedding",
        Indexed.__table__.c.embedding,
        postgresql_using=method,
        postgresql_ops={"embedding": "vector_l2_ops"},
    )
    extension(database, "vector")
    database.create(Indexed)
    face(Indexed.objects.bulk_create, [Indexed(embedding=[n, n, n]) for n in range(1, 9)])
    nearest = Indexed.objects.order_by(Comparator("embedding", "l2_distance", [3, 3, 3]))[:1]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "Index Scan using by_embedding" in nearest.explain()
        assert list(nearest.get().embedding) == [3, 3, 3]


# -- what PostgreSQL has ------------------------------------------------------------------------------


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Rich(models.Model):
    tags = TypedField(
        postgresql.ARRAY(sa.Text),
        null=True,
        lookups={
            "overlap": "overlap",
            "contains": "contains",
            "contained_by": "contained_by",
            "any": lambda column, value: value == sa.any_(column),
        },
    )
    grid = TypedField(postgresql.ARRAY(sa.Integer, dimensions=2), null=True)
    document = TypedField(postgresql.JSONB, null=True, lookups=["has_key", "contains"])
    address = TypedField(postgresql.INET, null=True)
    mood = TypedField(sa.Enum(Mood, name="mood"), null=True)
    own_mood = TypedField(postgresql.ENUM("x", "y", name="own_mood"), null=True)
    words = TypedField(
        postgresql.TSVECTOR,
        null=True,
        lookups={
            "search": lambda column, value: column.op("@@", is_comparison=True)(
                sa.func.to_tsquery("english", value)
            )
        },
    )
    span = TypedField(postgresql.INT4RANGE, null=True, lookups=["contains", "overlaps"])
    moments = TypedField(postgresql.TSTZRANGE, null=True)
    spans = TypedField(postgresql.INT4MULTIRANGE, null=True)
    bits = TypedField(postgresql.BIT(3), null=True)
    mac = TypedField(postgresql.MACADDR, null=True)
    length = TypedField(postgresql.INTERVAL, null=True)

    class Meta:
        app_label = "tests"


class Extended(models.Model):
    login = TypedField(postgresql.CITEXT, null=True)
    pairs = TypedField(postgresql.HSTORE, null=True, lookups=["has_key", "contains"])

    class Meta:
        app_label = "tests"


UTC = dt.UTC
VALUES = {
    "tags": (["a", "b"], ["c"]),
    "grid": ([[1, 2], [3, 4]], [[5, 6]]),
    "document": ({"a": [1, None]}, {"b": "x"}),
    "address": ("10.0.0.1", "::1"),
    "mood": (Mood.GOOD, Mood.BAD),
    "own_mood": ("x", "y"),
    "span": (Range(1, 5), Range(7, None)),
    "moments": (
        Range(dt.datetime(2020, 1, 1, tzinfo=UTC), None),
        Range(None, dt.datetime(2021, 1, 1, tzinfo=UTC)),
    ),
    "spans": ([Range(1, 2), Range(5, 6)], [Range(8, 9)]),
    "length": (dt.timedelta(days=1, seconds=5), dt.timedelta(seconds=1)),
    "mac": ("08:00:2b:01:02:03", "08:00:2b:01:02:04"),
}


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("name", VALUES)
def test_types_of_postgresql_go_there_and_back(face, database, name):
    database.create(Rich)
    one, other = VALUES[name]
    plain = (lambda value: str(value)) if name == "address" else (lambda value: value)
    made = face(Rich.objects.create, **{name: one})
    assert plain(getattr(face(Rich.objects.get, pk=made.pk), name)) == plain(one)
    face(Rich.objects.bulk_create, [Rich(**{name: other}), Rich()])
    by_id = Rich.objects.order_by("id")
    assert [plain(value) for value in face.list(by_id.values_list(name, flat=True))][:2] == [
        plain(one),
        plain(other),
    ]
    assert face(Rich.objects.get, **{name: other}).pk == made.pk + 1
    assert face(Rich.objects.filter(**{f"{name}__in": [one, other]}).count) == 2
    assert face(Rich.objects.filter(**{f"{name}__isnull": True}).count) == 1
    assert face(Rich.objects.filter(pk=made.pk).update, **{name: other}) == 1
    rows = face.list(by_id)
    for row in rows:
        setattr(row, name, one)
    face(Rich.objects.bulk_update, rows, [name])
    assert face(Rich.objects.filter(**{name: one}).count) == 3
    field = Rich._meta.get_field(name)
    chosen = Rich.objects.annotate(
        x=Case(When(pk=made.pk, then=Value(one, field)), default=Value(other, field)),
        y=Coalesce(name, Value(one, field)),
    )
    found = face.list(chosen.order_by("id").values_list("x", "y"))
    assert [tuple(map(plain, row)) for row in found][:2] == [
        (plain(one), plain(one)),
        (plain(other), plain(one)),
    ]


@pytest.mark.vendors("postgres")
@isolate_apps()
def test_types_with_names_are_made_once(face, database):
    class First(models.Model):
        mood = TypedField(sa.Enum(Mood, name="mood"), null=True)
        moods = TypedField(postgresql.ARRAY(sa.Enum(Mood, name="mood")), null=True)

        class Meta:
            app_label = "tests"

    class Second(models.Model):
        mood = TypedField(sa.Enum(Mood, name="mood"), default=Mood.GOOD)
        small = TypedField(postgresql.DOMAIN("small", sa.Integer, check=sa.text("VALUE < 10")), default=1)

        class Meta:
            app_label = "tests"

    face(create_all, models=[First])
    face(create_all, models=[First, Second])
    face(drop_all, models=[Second])
    face(create_all, models=[Second])
    found = face(Second.objects.create)
    assert face(Second.objects.get, mood=Mood.GOOD).small == found.small == 1
    assert face(First.objects.create, moods=[Mood.BAD]).moods == [Mood.BAD]
    assert face(First.objects.get).moods == [Mood.BAD]
    with pytest.raises(IntegrityError):
        face(Second.objects.create, small=11)


@pytest.mark.vendors("postgres")
def test_named_methods_of_postgresqls_types_are_lookups(face, database):
    database.create(Rich)
    one = face(Rich.objects.create, tags=["a", "b"], document={"k": 1, "l": {"m": 2}}, span=Range(1, 5))
    other = face(Rich.objects.create, tags=["c"], document={"l": {}}, span=Range(5, 9))
    face(Rich.objects.filter(pk=one.pk).update, words=Func(Value("quick foxes"), function="to_tsvector"))

    def found(**condition):
        return [row.pk - one.pk for row in face.list(Rich.objects.filter(**condition).order_by("id"))]

    assert found(tags__overlap=["b", "c"]) == [0, 1]
    assert found(tags__overlap=["a"]) == [0]
    assert found(tags__overlap=[]) == []
    assert found(tags__overlap=F("tags")) == [0, 1]
    assert found(tags__overlap=sa.cast(postgresql.array(["c"]), postgresql.ARRAY(sa.Text))) == [1]
    assert found(tags__contains=["a", "b"]) == [0]
    assert found(tags__contained_by=["a", "b", "x"]) == [0]
    assert found(tags__any="c") == [1]
    assert found(document__has_key="k") == [0]
    assert found(document__has_key="l") == [0, 1]
    assert found(document__contains={"l": {"m": 2}}) == [0]
    assert found(span__contains=3) == [0]
    assert found(span__contains=Range(6, 7)) == [1]
    assert found(span__overlaps=Range(4, 6)) == [0, 1]
    assert found(words__search="fox & quick") == [0]
    assert other.pk == one.pk + 1
    with pytest.raises(FieldError, match="Unsupported lookup 'startswith'"):
        found(tags__startswith="a")
    sizes = Rich.objects.annotate(n=Comparator("tags", "concat", ["z"])).order_by("id")
    assert face.list(sizes.values_list("n", flat=True)) == [["a", "b", "z"], ["c", "z"]]


@pytest.mark.vendors("postgres")
def test_types_of_extensions_go_there_and_back(face, database):
    for name in ("citext", "hstore"):
        extension(database, name)
    database.create(Extended)
    face(Extended.objects.create, login="Ada", pairs={"a": "1", "b": None})
    face(Extended.objects.bulk_create, [Extended(login="bob", pairs={"c": "2"}), Extended()])
    assert face(Extended.objects.get, login="ADA").pairs == {"a": "1", "b": None}
    assert face(Extended.objects.filter(login__in=["ADA", "BOB"]).count) == 2
    assert face(Extended.objects.filter(pairs__has_key="a").count) == 1
    assert face(Extended.objects.get, pairs__contains={"c": "2"}).login == "bob"
    assert face(Extended.objects.get, pairs={"c": "2"}).login == "bob"
    rows = face.list(Extended.objects.order_by("id"))
    for row in rows:
        row.login, row.pairs = "Cid", {"d": "4"}
    face(Extended.objects.bulk_update, rows, ["login", "pairs"])
    assert face(Extended.objects.filter(login="CID", pairs={"d": "4"}).count) == 3
    assert face(Extended.objects.filter(login__startswith="C").count) == 3


# -- GeoAlchemy2 ---------------------------------------------------------------------------------------

COMPILED = """
import facade
import geoalchemy2
import sqlalchemy as sa
from facade import connection, models, transaction
from facade.configuration import override
from facade.models import Comparator, F


class Place(models.Model):
    where = models.TypedField(geoalchemy2.Geometry("POINT", srid=4326), null=True, lookups=["intersects"])

    class Meta:
        app_label = "tests"


facade.configure(DATABASES={"default": "postgresql+psycopg://nobody@nowhere/nothing"})
dialect = sa.create_engine("postgresql+psycopg://").dialect


def show(queryset):
    print(queryset.statement.compile(dialect=dialect))


show(Place.objects.filter(where="SRID=4326;POINT(0 0)").values_list("where"))
show(Place.objects.filter(where__intersects="SRID=4326;POINT(0 0)").values_list("pk"))
show(Place.objects.order_by(Comparator("where", "distance_centroid", "SRID=4326;POINT(1 1)")).values_list("pk"))
show(Place.objects.annotate(far=sa.func.ST_Distance(Place.__table__.c.where, "x")).values_list("far"))
"""


def test_geometries_are_compiled():
    """In a process of its own: GeoAlchemy2 listens to every engine of its process, which takes facade's fast roads away."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    flat = " ".join(done.stdout.split())
    assert 'SELECT ST_AsEWKB(tests_place."where") AS "where"' in flat
    assert 'WHERE tests_place."where" = ST_GeomFromEWKT(' in flat
    assert 'WHERE tests_place."where" && ST_GeomFromEWKT(' in flat
    assert 'tests_place."where" <-> ST_GeomFromEWKT(' in flat
    assert 'ST_Distance(tests_place."where"' in flat
