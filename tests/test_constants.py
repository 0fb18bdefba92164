"""A constant is a value of the query, and not of a column: PostgreSQL hears of no precision, width or second parameter."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import logging
from decimal import Decimal as D

import pytest

from facade import CaptureQueriesContext, configure, connection
from facade import models as m
from facade.configuration import override, settings
from facade.exceptions import DatabaseError, ProgrammingError
from facade.models import (
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Prefetch,
    Q,
    RawSQL,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from facade.models import functions as fn
from facade.sql.core.constants import same_value
from facade.sql.plan import plan


class Shelf(m.Model):
    name = m.CharField(max_length=20)

    class Meta:
        app_label = "constants"


class Thing(m.Model):
    shelf = m.ForeignKey(Shelf, m.CASCADE, related_name="things")
    title = m.CharField(max_length=5)
    note = m.CharField(max_length=5, null=True)
    n = m.IntegerField()
    small = m.SmallIntegerField(default=0)
    big = m.BigIntegerField()
    price = m.DecimalField(max_digits=6, decimal_places=2)
    data = m.JSONField(null=True)
    made = m.DateTimeField(null=True)

    class Meta:
        app_label = "constants"


things = Thing.objects
HUGE = 10**13


@pytest.fixture(autouse=True)
def rows(database):
    database.create(Shelf, Thing)
    upper, lower = Shelf.objects.create(name="upper"), Shelf.objects.create(name="lower")
    made = dt.datetime(2024, 2, 28, 12, tzinfo=dt.UTC)
    for i, title in enumerate("abc"):
        Thing.objects.create(
            shelf=lower if title == "b" else upper,
            title=title,
            note=None if i else "x",
            n=i,
            big=HUGE + i,
            price=D("1.00") + D("0.01") * i,
            data={"x": i},
            made=made,
        )


def titles(face, queryset):
    return "".join(sorted(face.list(queryset.values_list("title", flat=True))))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (Q(price__lt=D("1.004")), "a"),
        (Q(price__lte=D("1.014")), "ab"),
        (Q(price=D("1.004")), ""),
        (Q(price__gt=D("1.004")), "bc"),
        (Q(price__in=[D("1.004"), D("1.01")]), "b"),
        (Q(price__range=(D("1.004"), D("1.014"))), "b"),
        (Q(price__lt=D(100000)), "abc"),
        (Q(price__in=[D(100000), D(1)]), "a"),
        (~Q(price__in=[D("1.004")]), "abc"),
        (Q(price__lt=Value(D("1.004"))), "a"),
        (Q(price__lt=Value(D("1.004"), m.DecimalField(max_digits=6, decimal_places=2))), "a"),
        (Q(price__gt=F("price") - D("0.004")), "abc"),
        (Q(price__in=[Value(D("1.004")), D("1.014")]), ""),
        (Q(price__range=(Value(D("1.004")), D("1.014"))), "b"),
    ],
)
def test_decimals_are_compared_as_they_are(face, condition, found):
    assert titles(face, things.filter(condition)) == found


def test_decimals_keep_their_digits_in_expressions(face):
    chosen = Case(
        When(price__lt=D("1.004"), then=D("0.001")), default=Value(D("0.002")), output_field=m.DecimalField()
    )
    assert face.list(things.annotate(x=chosen).order_by("title").values_list("x", flat=True)) == [
        D("0.001"), D("0.002"), D("0.002")
    ]  # fmt: skip
    high = things.annotate(x=fn.Coalesce("price", D("0.001")) * D("1.001")).filter(x__gt=D("1.0009"))
    assert titles(face, high) == "abc"
    assert titles(face, things.annotate(total=Sum("price")).filter(total__lt=D("1.004"))) == "a"
    assert face(things.filter(price__lt=D("1.004")).update, price=F("price") + D("0.004")) == 1


@pytest.mark.parametrize("number", [1, 3_000_000_000, HUGE])
def test_whole_numbers_have_the_width_of_their_value(face, number):
    def values(expression):
        return face.list(things.annotate(x=expression).order_by("title").values_list("x", flat=True))

    assert values(F("big") + number) == [HUGE + i + number for i in range(3)]
    assert values(F("n") + number) == [i + number for i in range(3)]
    assert values(F("small") + number) == [number] * 3
    assert values(Value(number)) == [number] * 3
    assert values(Case(When(n=1, then=Value(number)), default=Value(0))) == [0, number, 0]
    assert values(fn.Coalesce(F("note"), Value("z"))) == ["x", "z", "z"]
    assert values(fn.Greatest("n", Value(number))) == [max(i, number) for i in range(3)]
    assert values(Window(Sum("n"), order_by="n") + number) == [number, number + 1, number + 3]
    assert values(Subquery(things.filter(pk=OuterRef("pk")).values(y=F("n") + number))) == [
        i + number for i in range(3)
    ]


def test_wide_numbers_in_conditions(face):
    assert titles(face, things.filter(big=Value(HUGE))) == "a"
    assert titles(face, things.filter(big__gt=Value(HUGE))) == "bc"
    assert titles(face, things.filter(big__in=[Value(HUGE), HUGE + 1])) == "ab"
    assert titles(face, things.filter(n__lt=Value(HUGE))) == "abc"
    assert titles(face, things.filter(n__lt=F("n") + HUGE)) == "abc"
    assert titles(face, things.filter(small__lt=Value(100_000))) == "abc"
    assert titles(face, things.filter(Exists(things.filter(big=OuterRef("n") + HUGE)))) == "abc"
    assert titles(face, things.annotate(s=Sum("n")).filter(s__lt=Value(HUGE))) == "abc"


def test_computed_numbers_have_no_range_of_their_own(face):
    computed = things.annotate(x=F("big") + 1)
    assert titles(face, computed.filter(x=HUGE + 1)) == "a"
    assert titles(face, computed.filter(x__gt=HUGE + 1)) == "bc"
    assert titles(face, computed.filter(x__in=[HUGE + 1, HUGE + 3])) == "ac"
    assert titles(face, computed.filter(x__range=(HUGE + 1, HUGE + 2))) == "ab"
    assert titles(face, computed.filter(x__lt=2**70)) == "abc"
    assert titles(face, things.annotate(x=F("n") + 1).filter(x__lt=2**40)) == "abc"
    assert titles(face, things.values("title").annotate(s=Sum("big")).filter(s__gte=HUGE + 1)) == "bc"


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        ((0, 5_000_000_000), "abc"),
        ((1, 2**70), "bc"),
        ((-(2**70), 1), "ab"),
        ((2**69, 2**70), ""),
        ((-(2**70), -(2**69)), ""),
        ((F("n"), 5_000_000_000), "abc"),
        ((Value(1), 2**40), "bc"),
    ],
)
@pytest.mark.parametrize("name", ["n", "small"])
def test_ranges_reach_beyond_the_column(face, name, ends, found):
    if name == "small":
        things.update(small=F("n"))
    assert titles(face, things.filter(**{f"{name}__range": ends})) == found
    assert titles(face, things.exclude(**{f"{name}__range": ends})) == "".join(sorted({*"abc"} - {*found}))


def test_wide_numbers_are_written(face):
    assert face(things.update, big=F("big") + 3_000_000_000) == 3
    assert titles(face, things.filter(big=HUGE + 3_000_000_000)) == "a"
    assert face(things.update, big=Value(HUGE * 2)) == 3
    assert titles(face, things.filter(big=HUGE * 2)) == "abc"
    assert face(things.update, big=Case(When(n=0, then=Value(HUGE)), default=F("n") + HUGE)) == 3
    thing = face(things.get, title="b")
    thing.big = F("big") + 3_000_000_000
    face(thing.save)
    assert face(things.get, title="b").big == HUGE + 1 + 3_000_000_000
    thing.big = F("n") + HUGE
    face(things.bulk_update, [thing], ["big"])
    assert face(things.get, title="b").big == HUGE + 1


def test_defaults_of_aggregates(face):
    none = things.filter(n=-1)
    assert face(none.aggregate, x=Sum("n", default=2**40)) == {"x": 2**40}
    assert face(none.aggregate, x=Max("price", default=D("1.004"))) == {"x": D("1.004")}
    assert face(things.aggregate, x=Sum("n", default=2**40)) == {"x": 3}
    assert face(things.none().aggregate, x=Sum("n", default=2**40)) == {"x": 2**40}


@pytest.mark.parametrize(
    "order",
    [
        fn.Coalesce("shelf__name", Value("z")),
        Case(When(shelf__name__contains="upp", then=Value("a")), default=Value("b")),
        fn.Concat("shelf__name", Value("-"), "title"),
        F("n") + 1,
        fn.TruncMonth("made"),
        fn.Coalesce("data__x", Value(3, m.JSONField())),
        Case(When(n__gt=1, then=1), default=2),
        Case(When(n__in=[1, 2], then=1), default=2),
        Case(When(price__range=(D(1), D(2)), then=1), default=2),
    ],
    ids=repr,
)
def test_an_expression_with_constants_may_stand_anywhere(face, order):
    counted = Shelf.objects.annotate(k=Count("things")).order_by("name")
    assert face.list(counted.values_list("k", flat=True)) == [1, 2]
    everything = things.annotate(k=Count("shelf")).order_by(order, "title")
    assert len(face.list(everything)) == 3
    assert len(face.list(things.order_by(order).distinct())) == 3
    assert len(face.list(things.order_by(order).distinct().values("title"))) == 3
    grouped = things.annotate(w=order).values("w").annotate(k=Count("pk")).order_by("w")
    assert sum(row["k"] for row in face.list(grouped)) == 3
    assert (
        sum(row["k"] for row in face.list(things.values(w=order).annotate(k=Count("pk")).order_by(order)))
        == 3
    )
    assert len(face.list(things.annotate(w=order, k=Count("pk")).filter(k__lte=F("n") + 5))) == 3
    assert len(face.list(things.order_by(order).dates("made", "year"))) == 1
    assert face(things.annotate(w=order).values("w").annotate(k=Count("pk")).filter(k__gte=1).count) > 0


def test_constants_in_having(face):
    counted = Shelf.objects.annotate(k=Count("things"))
    assert len(face.list(counted.filter(k__lte=F("pk") + 5))) == 2
    assert len(face.list(counted.filter(Q(k__gt=1) | Q(name=fn.Concat(Value("low"), Value("er")))))) == 2


@pytest.mark.vendors("postgres")
def test_distinct_on_one_of_two_equal_annotations(face):
    equal = things.annotate(v=fn.Coalesce("note", Value("z")), w=fn.Coalesce("note", Value("z")))
    assert [row.w for row in face.list(equal.distinct("w").order_by("w"))] == ["x", "z"]
    assert [
        row.w for row in face.list(equal.distinct("w").order_by("v", "title").order_by("w", "title"))
    ] == ["x", "z"]
    plain = things.annotate(v=fn.Lower("title"), w=fn.Lower("title"))
    assert [row.w for row in face.list(plain.distinct("w").order_by("w"))] == ["a", "b", "c"]
    assert [row.w for row in face.list(plain.distinct("v").order_by("-v"))] == ["c", "b", "a"]


@pytest.mark.parametrize(
    "order", [F("n") + 1, fn.Coalesce("note", Value("z")), Case(When(n__gt=0, then=1), default=2)], ids=repr
)
def test_a_sliced_prefetch_ordered_by_an_expression(face, order):
    first = things.filter(n__gte=0).order_by(order, "-title")[:1]
    found = face.list(
        Shelf.objects.order_by("name").prefetch_related(Prefetch("things", first, to_attr="first"))
    )
    assert [len(shelf.first) for shelf in found] == [1, 1]
    later = things.filter(n__gte=0).annotate(w=F("n") + 7).order_by(order)[1:2]
    found = face.list(
        Shelf.objects.order_by("name").prefetch_related(Prefetch("things", later, to_attr="later"))
    )
    assert [[thing.w - thing.n for thing in shelf.later] for shelf in found] == [[], [7]]


def test_a_slice_may_be_large(face):
    assert len(face.list(things.order_by("n")[0:3_000_000_000])) == 3


@pytest.fixture(params=["own", "psycopg", "slow"])
def road(request, face, database):
    """The roads to the database: the face's own driver, psycopg under asyncio, and the general one; parameters are shown."""
    url = database.url
    if request.param == "psycopg":
        if database.vendor != "postgresql" or not face.is_async:
            pytest.skip("only the async face of PostgreSQL has two drivers")
        url = database.url.replace("postgresql:", "postgresql+psycopg:")
    configure(DATABASES={"default": {"URL": url, "HIDE_PARAMETERS": False}})
    with override(FACADE_FAST_ROADS=settings.FACADE_FAST_ROADS and request.param != "slow"):
        yield


def most_of_a_group():
    """A subquery that groups and orders by an expression with a constant: how often its commonest value occurs."""
    word = fn.Coalesce("note", Value("z"))
    grouped = things.annotate(w=word).values("w").annotate(k=Count("pk"))
    return Subquery(grouped.order_by("-k", "w").values("k")[:1])


def test_repeated_constants_on_every_road(face, road):
    word = fn.Coalesce("note", Value("z"))
    grouped = things.annotate(w=word).values("w").annotate(k=Count("pk")).order_by("w")
    expected = [{"w": "x", "k": 1}, {"w": "z", "k": 2}]
    assert face.list(grouped) == expected
    assert list(face.iterate(grouped.iterator, chunk_size=1)) == expected
    assert len(face.list(things.order_by(word).distinct())) == 3
    assert face(grouped.filter(k__gt=1).count) == 1


def test_repeated_constants_in_what_is_written(face, road, database):
    thing = face(things.get, title="b")
    thing.big = most_of_a_group()
    face(thing.save)
    assert face(things.get, title="b").big == 2
    thing.small = most_of_a_group()
    face(things.bulk_update, [thing], ["small"])
    assert face(things.get, title="b").small == 2
    given = {"shelf": thing.shelf, "n": 5, "price": D(1)}
    assert face(things.create, title="d", big=most_of_a_group(), **given).big == 2
    face(things.bulk_create, [Thing(title=title, big=most_of_a_group(), **given) for title in "ef"])
    # MariaDB's second row counts the first, which is of the same statement.
    counted = [3, 4] if database.vendor == "mysql" else [3, 3]
    assert (
        face.list(things.filter(title__in=["e", "f"]).order_by("title").values_list("big", flat=True))
        == counted
    )


def written_twice(make):
    """Two expressions that are equal and nothing more, each with constants of its own."""
    return make(), make()


TWICE = {
    "coalesce": lambda: fn.Coalesce("note", Value("z")),
    "arithmetic": lambda: F("n") % 2 + 1,
    "wide": lambda: F("big") % 2 + 3_000_000_000,
    "decimal": lambda: F("price") * D("1.5"),
    "float": lambda: fn.Cast("n", m.FloatField()) * 1.5,
    "case": lambda: Case(When(n__gt=1, then=Value("x")), When(n=0, then=Value("x")), default=Value("y")),
    "list": lambda: Case(When(n__in=[1, 2], then=1), default=2),
    "range": lambda: Case(When(price__range=(D(1), D("1.01")), then=1), default=2),
    "text": lambda: Case(When(title__icontains="B", then=Value("x")), default=Value("y")),
    "year": lambda: Case(When(made__year=2024, then=Value("x")), default=Value("y")),
    "key": lambda: Case(When(data__x=1, then=Value("x")), default=Value("y")),
    "document": lambda: fn.Coalesce("data__y", Value([1, {"k": None}], m.JSONField())),
    "related": lambda: fn.Coalesce("shelf__name", Value("z")),
    "positions": lambda: fn.Substr(fn.Concat("title", Value("-"), "title", Value("-")), 2, 3),
    "index": lambda: fn.StrIndex("title", Value("b")),
    "round": lambda: fn.Round(F("price") / 3, precision=1),
    "trunc": lambda: fn.TruncMonth("made"),
    "extract": lambda: fn.Extract("made", "hour") + 1,
    "moment": lambda: fn.Coalesce("made", Value(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))),
    "condition": lambda: ExpressionWrapper(Q(n=1) | Q(title="a"), m.BooleanField()),
    "raw": lambda: RawSQL("n + %s + %s", (2, 2)),
    "subquery": lambda: Subquery(
        Shelf.objects.filter(pk=OuterRef("shelf"), name__gt="a").values(y=fn.Concat("name", Value("!")))[:1]
    ),
    "exists": lambda: Exists(Shelf.objects.filter(pk=OuterRef("shelf"), name="lower")),
}  # fmt: skip
twice = pytest.mark.parametrize("make", TWICE.values(), ids=TWICE)


@pytest.mark.vendors("postgres")
@twice
def test_distinct_on_an_expression_that_is_written_twice(face, make):
    one, other = written_twice(make)
    first = things.annotate(w=one).distinct("w")
    keys = face.list(first.order_by("w", "title").values_list("pk", flat=True))
    assert 1 <= len(keys) <= 3
    written = first.order_by(other, "title")
    assert face.list(written.values_list("pk", flat=True)) == keys
    assert [thing.pk for thing in face.list(written)] == keys
    assert face.list(first.order_by(other.desc(), "title").values_list("pk", flat=True)) == face.list(
        first.order_by("-w", "title").values_list("pk", flat=True)
    )
    assert (
        face.list(things.alias(w=one).distinct("w").order_by(other, "title").values_list("pk", flat=True))
        == keys
    )
    assert face.list(first.annotate(v=other).order_by("v", "title").values_list("pk", flat=True)) == keys
    assert face(written.count) == len(keys)
    assert face(written.exists)
    assert face(written.first).pk == keys[0]
    assert [thing.pk for thing in face.list(written[1:])] == keys[1:]
    assert [thing.pk for thing in face.iterate(written.iterator, chunk_size=1)] == keys
    assert face(things.filter(pk__in=written.values("pk")).count) == len(keys)
    assert face(written.explain)
    assert str(written.query).count("DISTINCT ON") == 1
    either = written.values_list("pk").union(written.values_list("pk").filter(n=0))
    assert sorted(face.list(either)) == sorted((key,) for key in keys)


@pytest.mark.vendors("postgres")
def test_whether_constants_are_equal_is_asked_each_time(face, road):
    def found(one, other):
        equal = things.annotate(w=one).distinct("w").order_by(other, "title")
        return "".join(face.list(equal.values_list("title", flat=True)))

    def word(text):
        return fn.Coalesce("note", Value(text))

    assert found(word("z"), word("z")) == "ab"
    with pytest.raises(ProgrammingError, match="must match initial ORDER BY"):
        found(word("z"), word("y"))
    assert found(word("y"), word("y")) == "ab"
    # A text's parameter is none of another text's.
    assert found(fn.Concat(word("z"), Value("y")), fn.Concat(word("z"), Value("y"))) == "ab"
    assert found(fn.Concat(word("z"), Value("z")), fn.Concat(word("z"), Value("z"))) == "ab"
    with pytest.raises(ProgrammingError):
        found(fn.Concat(word("z"), Value("y")), fn.Concat(word("y"), Value("z")))


@pytest.mark.vendors("postgres")
def test_each_pattern_of_equal_constants_has_its_plan(face, monkeypatch):
    monkeypatch.setattr(plan, "MAX_OTHERS", 2)
    for a, b, c in itertools.product(range(3), repeat=3):
        chosen = [Case(When(n=a, then=Value(f"{b}")), default=Value(f"{c}")) for _ in range(2)]
        rows = (
            things.annotate(w=chosen[0])
            .distinct("w")
            .order_by(chosen[1], "title")
            .values_list("w", flat=True)
        )
        assert face.list(rows) == sorted({f"{b}", f"{c}"}), (a, b, c)


@pytest.mark.vendors("postgres")
def test_an_aggregate_orders_by_what_it_takes(face, road):
    def word():
        return fn.Concat("shelf__name", Value("-"), output_field=m.TextField())

    joined = m.StringAgg(word(), Value(", "), distinct=True, order_by=word())
    assert face(things.aggregate, x=joined) == {"x": "lower-, upper-"}
    grouped = things.values("n").annotate(x=joined).order_by("n").values_list("x", flat=True)
    assert face.list(grouped) == ["upper-", "lower-", "upper-"]


@pytest.mark.vendors("postgres")
def test_what_is_written_takes_an_expression_twice(face, road):
    def best():
        rows = things.annotate(w=fn.Coalesce("note", Value("z"))).distinct("w")
        return Subquery(rows.order_by(fn.Coalesce("note", Value("z")), "-n").values("n")[1:2])

    assert face(things.filter(title="a").update, big=best()) == 1
    assert face(things.get, title="a").big == 2
    thing = face(things.get, title="b")
    thing.big = best()
    face(thing.save)
    assert face(things.get, title="b").big == 2
    given = {"shelf": thing.shelf, "n": 5, "price": D(1)}
    assert face(things.create, title="d", big=best(), **given).big == 2
    face(things.bulk_create, [Thing(title="e", big=best(), **given)])
    assert face(things.get, title="e").big == 5
    thing.small = best()
    face(things.bulk_update, [thing], ["small"])
    assert face(things.get, title="b").small == 5


ODD_TEXT = "5% of %(x)s, it's $1 ?"


def ordered_by_a_constant():
    return things.order_by(fn.Coalesce("note", Value(ODD_TEXT)), "title").distinct().values_list("title")


def test_a_repeated_constant_is_shown_in_captured_statements(face, road):
    with CaptureQueriesContext(connection) as captured:
        assert face.list(ordered_by_a_constant()) == [("b",), ("c",), ("a",)]
        assert len(list(face.iterate(ordered_by_a_constant().iterator, chunk_size=1))) == 3
    assert len(captured) == 2
    literal = ODD_TEXT.replace("'", "''")
    for query in captured:
        assert query["sql"].count(f"'{literal}'") == 2
        given = query["params"].values() if isinstance(query["params"], dict) else query["params"]
        assert set(given) == {ODD_TEXT}
        assert ODD_TEXT not in query["statement"]


def test_a_repeated_constant_is_shown_in_the_log(face, road):
    connection.force_debug_cursor = True
    try:
        face.list(ordered_by_a_constant())
    finally:
        connection.force_debug_cursor = False
    assert connection.queries[-1]["sql"].count(f"'{ODD_TEXT.replace(chr(39), chr(39) * 2)}'") == 2


def test_a_repeated_constant_is_shown_by_the_engines_logger(face, road, caplog):
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"), CaptureQueriesContext(connection) as captured:
        face.list(ordered_by_a_constant())
    assert captured[0]["statement"] in caplog.messages
    assert any(repr(ODD_TEXT) in message for message in caplog.messages)


def test_an_error_shows_a_repeated_constant(face, road):
    failing = fn.Coalesce("note", fn.Cast(Value(ODD_TEXT), m.IntegerField()), output_field=m.CharField())
    rows = things.order_by(failing + RawSQL("no_such_column", ())).distinct()
    with pytest.raises(DatabaseError) as raised:
        face.list(rows)
    assert repr(ODD_TEXT) in str(raised.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (1, D(1)),
        (1.0, D(1)),
        (1, "1"),
        (b"1", "1"),
        (0.0, -0.0),
        (D("1.0"), D("1.00")),
        (dt.date(2024, 1, 1), dt.datetime(2024, 1, 1)),  # noqa: DTZ001
        ([1], [True]),
        ([1], (1,)),
        ([1, [2]], [1, [2.0]]),
        ({"x": 1}, {"x": 1}),
        (None, 0),
    ],
)
def test_constants_that_python_alone_takes_for_equal(one, other):
    assert same_value(one) != same_value(other)


@pytest.mark.parametrize(
    "value", [1, 1.5, "x", b"x", D("1.0"), None, True, float("nan"), [1, None, [float("nan")]], dt.date.min]
)
def test_constants_that_are_equal(value):
    assert same_value(value) == same_value(copy.deepcopy(value))
    assert hash(same_value(value)) == hash(same_value(copy.deepcopy(value)))


@twice
def test_an_expression_that_is_written_twice(face, make):
    one, other = written_twice(make)
    grouped = things.values(w=one).annotate(k=Count("pk"))
    assert face.list(grouped.order_by(other)) == face.list(grouped.order_by("w"))
    assert face.list(grouped.annotate(v=other).order_by("w").values("w", "k")) == face.list(
        grouped.order_by("w")
    )
    assert face(grouped.order_by(other).count) == face(grouped.count)
    rows = things.annotate(w=one).values_list("w", flat=True).distinct()
    assert face.list(rows.order_by(other)) == face.list(rows.order_by("w"))
    ranked = things.annotate(w=one, r=Window(fn.Rank(), partition_by=[other], order_by=[make(), "title"]))
    assert face.list(ranked.order_by("title").values_list("r", flat=True)) == face.list(
        things.annotate(w=one, r=Window(fn.Rank(), partition_by=["w"], order_by=["w", "title"]))
        .order_by("title")
        .values_list("r", flat=True)
    )
