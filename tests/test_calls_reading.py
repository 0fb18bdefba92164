"""What reading a row costs in calls, and that the quick ways of reading values give what the careful ones give."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine.processors import int_to_boolean

from facade import configuration, connections, models
from facade.expressions import comparisons
from facade.expressions.freezing import Arg
from facade.expressions.references import Col
from facade.sql.plan import loaders
from facade.sql.plan.loaders import MANY_ROWS, RowSource
from facade.types import decimals
from facade.types.quick import quick_form
from facade.types.scalars import computed_integer
from facade.types.temporal import date_of_text, datetime_of_moment, datetime_of_text, time_of_text
from tests.fix_calls import calls

UTC = dt.timezone.utc  # noqa: UP017 - as the values of a column are compared


class Brand(models.Model):
    name = models.CharField(max_length=20)
    since = models.DateField(null=True)

    class Meta:
        app_label = "tests"


class Ware(models.Model):
    name = models.CharField(max_length=20)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    clock = models.TimeField(null=True)
    new = models.BooleanField(null=True)
    sort = models.ForeignKey(Brand, models.CASCADE, null=True)

    class Meta:
        app_label = "tests"


# -- calls -----------------------------------------------------------------------------------------------

BOUNDS = {  # of the sync face and the async one; what was counted is in the comments
    "get": (30, 41),  # 27, 37
    "page": (65, 76),  # 59, 69
}
READS = {
    "list": lambda wares, count: wares[:count],
    "values": lambda wares, count: wares.values("name", "price", "day", "moment", "clock", "new")[:count],
    "values_list": lambda wares, count: wares.values_list("name", "price", "day", "moment", "new")[:count],
    "plain": lambda wares, count: wares.values_list("name", "id")[:count],
    "flat": lambda wares, count: wares.values_list("moment", flat=True)[:count],
    "select_related": lambda wares, count: wares.select_related("sort")[:count],
}


@pytest.fixture
def wares(database):
    database.create(Brand, Ware)
    sort = Brand.objects.create(name="a", since=dt.date(2020, 1, 2))
    Ware.objects.bulk_create(
        Ware(
            name=str(number),
            price=Decimal(number % 9) / 4,
            day=dt.date(2020, 1, 1) + dt.timedelta(number),
            moment=dt.datetime(2020, 1, 1, tzinfo=UTC)
            + dt.timedelta(minutes=number, microseconds=number % 2),
            clock=dt.time(number % 24),
            new=bool(number % 2),
            sort=sort,
        )
        for number in range(MANY_ROWS + 200)
    )
    return Ware.objects.order_by("pk")


def calls_of(face, work):
    """Return how many functions of facade's `work()` calls, by the face that is tested."""
    return calls((lambda: face.wait(work())) if face.is_async else work)


@pytest.mark.without("mariadb", reason="PyMySQL is Python: its calls would be what is counted")
@pytest.mark.parametrize("kind", READS)
@pytest.mark.usefixtures("fast")
def test_a_row_calls_nothing(face, database, wares, kind):
    def read(count):
        queryset = READS[kind](wares, count)
        return queryset if face.is_async else list(queryset)

    few, many = (calls_of(face, lambda count=count: read(count)) for count in (10, MANY_ROWS + 100))
    assert many - few in (0, 1)  # a long list is taken apart, which is one call


@pytest.mark.without("mariadb", reason="PyMySQL is Python: its calls would be what is counted")
@pytest.mark.usefixtures("fast")
def test_one_object_and_a_page_call_little(face, database, wares):
    key = wares[5].pk
    get = Ware.objects.aget if face.is_async else Ware.objects.get
    page = lambda: Brand.objects.filter(since__gt=dt.date(2020, 1, 1)).order_by("-since")[:20]  # noqa: E731
    found = {
        "get": calls_of(face, lambda: get(pk=key)),
        "page": calls_of(face, lambda: page() if face.is_async else list(page())),
    }
    assert all(count <= BOUNDS[name][face.is_async] for name, count in found.items()), found


# -- quick and careful -----------------------------------------------------------------------------------

FUNCTIONS = [date_of_text, datetime_of_text, time_of_text, int_to_boolean, computed_integer]


def outcome(function, *args):
    """The value and its type, or the type of the error."""
    try:
        value = function(*args)
    except Exception as error:
        return type(error)
    return type(value), value, getattr(value, "tzinfo", None), repr(value)


def texts_of_moments():
    suffixes = st.sampled_from(["", "Z", "+00:00", "+02:30", "-05", " "])
    places = st.sampled_from([" ", "T", "  ", "t"])
    specs = st.sampled_from(["auto", "minutes", "seconds", "milliseconds", "microseconds"])
    moment = st.builds(
        lambda moment, place, spec: f"{moment.date()}{place}{moment.time().isoformat(spec)}",
        st.datetimes(),
        places,
        specs,
    )
    return st.builds(str.__add__, moment, suffixes)


STORED = st.one_of(
    st.none(),
    texts_of_moments(),
    st.dates().map(str),
    st.times().map(str),
    st.sampled_from(["", "1", "2020-W01-1", "20200101", "2020-1-2", "2020-01-01 1:2:3", "24:00", "now"]),
    st.text(max_size=5),
    st.integers(-3, 3),
    st.floats(),
    st.binary(max_size=3),
)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("zones", [True, False])
@given(values=st.lists(STORED, min_size=1, max_size=4))
def test_a_loader_reads_what_the_function_of_the_type_reads(function, zones, values):
    with configuration.override(USE_TZ=zones):
        source = RowSource([[function]], False, "one column")
        assert source.quick
        load = source.loop(source.value(0))
        for value in values:
            expected = outcome(function, value)
            assert outcome(lambda value=value: load([(value,)], "default")[0]) == expected


MOMENTS = st.one_of(
    st.none(),
    st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo"), None])),
    st.sampled_from([edge.replace(tzinfo=UTC) for edge in (dt.datetime.min, dt.datetime.max)]),  # noqa: DTZ901
    st.dates(),
)


@pytest.mark.parametrize("zones", [True, False])
@given(values=st.lists(MOMENTS, min_size=1, max_size=4))
def test_a_loader_makes_of_a_moment_what_the_function_of_the_type_makes(zones, values):
    with configuration.override(USE_TZ=zones):
        source = RowSource([[datetime_of_moment]], False, "one column")
        assert bool(source.quick) is zones
        load = source.loop(source.value(0))
        for value in values:
            expected = outcome(datetime_of_moment, value)
            assert outcome(lambda value=value: load([(value,)], "default")[0]) == expected


NUMBERS = st.one_of(
    st.none(),
    st.floats(allow_nan=False),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-10_000, 10_000).map(lambda cents: cents / 100),
    st.sampled_from([0.0, -0.0, 1, 1.0, True, 2**60, float(2**60), 1e15, 2.675, "1.5", "-0", "x", b"1"]),
)


@pytest.mark.parametrize("digits", [(8, 2), (20, 2), (5, 0), (None, 3)])
@given(values=st.lists(NUMBERS, max_size=6))
def test_a_decimal_that_is_remembered_is_the_one_that_would_be_read(digits, values):
    careful, known = decimals._number_reader(*digits), decimals._decimal_reader(*digits)
    for value in [*values, *values]:
        assert outcome(known, value) == outcome(careful, value or 0 if isinstance(value, float) else value)


def carefully_computed(places, value):
    """A computed number with all its digits, and at least so many behind the point."""
    if value is None:
        return None
    number = Decimal(f"{value:.15g}") if type(value) is float else Decimal(value)
    if not number.is_finite() or number.as_tuple().exponent <= -places:
        return number
    return number.quantize(Decimal(1).scaleb(-places), context=decimals.WIDE)


@pytest.mark.parametrize("places", [0, 1, 2, 5, 14, 15, 16, 30])
@given(values=st.lists(NUMBERS, max_size=6))
def test_a_computed_decimal_has_the_digits_of_its_number(places, values):
    read = decimals.computed_decimal(places)
    for value in values:
        assert outcome(read, value) == outcome(lambda value=value: carefully_computed(places, value))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 1.0, "1", "x"]),
)


@pytest.mark.parametrize(
    ("lookup", "single"),
    [
        (comparisons.Exact(Col("", Ware._meta.get_field("new")), Arg(0)), True),
        (comparisons.Exact(Col("", Ware._meta.get_field("id")), Arg(0)), True),
        (comparisons.In(Col("", Ware._meta.get_field("id")), Arg(0)), False),
        (comparisons.In(Col("", Ware._meta.get_field("new")), Arg(0)), False),
    ],
)
@given(values=st.lists(VALUES, min_size=1, max_size=4), kind=st.sampled_from([list, tuple, set, iter]))
def test_a_lookup_prepares_usual_values_as_it_does_all(lookup, single, values, kind):
    for make in [lambda value=value: value for value in values] if single else [lambda: kind(values)]:
        assert outcome(lookup.preparation, make()) == outcome(lookup.prepare, make())


def test_no_more_decimals_are_remembered_than_agreed(monkeypatch):
    monkeypatch.setattr(decimals, "MAX_KNOWN", 10)
    known = decimals._Known(decimals._number_reader(8, 2))
    for number in range(1, 100):
        assert known[number / 4] == Decimal(number) / 4
        assert known[None] is None
        assert len(known) <= 10


def test_a_function_that_nobody_knows_is_called():
    assert quick_form(str.upper) is None
    assert quick_form(None) is None


ODD = [  # what is stored, by column, and what it is read as
    ("NULL", "NULL", "NULL", "NULL", "NULL"),
    ("1.5", "'2020-01-02'", "'2020-01-02 03:04:05'", "'03:04:05'", "1"),
    ("2", "'2020-01-02 00:00:00'", "'2020-01-02T03:04:05.25'", "'03:04'", "0"),
    ("0.005", "'2020-01-02'", "'2020-01-02 03:04:05+02:00'", "'2020-01-01 03:04:05'", "2"),
    ("-0.0", "'2020-01-02'", "'2020-01-02'", "'03:04:05.000001'", "'yes'"),
]
READ = [
    (None, None, None, None, None),
    (Decimal("1.50"), dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), dt.time(3, 4, 5), True),
    (Decimal("2.00"), dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4, 5, 250_000, UTC), dt.time(3, 4), False),
    (Decimal("0.00"), dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC), dt.time(3, 4, 5), True),
    (Decimal("0.00"), dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, tzinfo=UTC), dt.time(3, 4, 5, 1), True),
]  # fmt: skip
COLUMNS = ("price", "day", "moment", "clock", "new")


@pytest.mark.vendors("sqlite")
def test_unusual_texts_of_sqlite_are_read_beside_usual_ones(face, database):
    database.create(Brand, Ware)
    for number, row in enumerate(ODD):
        database.observe(
            f"INSERT INTO tests_ware (name, {', '.join(COLUMNS)}) VALUES ('{number}', {', '.join(row)})"
        )
    wares = Ware.objects.order_by("pk")
    assert face.list(wares.values_list(*COLUMNS)) == READ
    assert [tuple(row.values()) for row in face.list(wares.values(*COLUMNS))] == READ
    assert [tuple(getattr(ware, name) for name in COLUMNS) for ware in face.list(wares)] == READ
    for index, name in enumerate(COLUMNS):
        assert face.list(wares.values_list(name, flat=True)) == [row[index] for row in READ]
    database.observe("UPDATE tests_ware SET moment = 'never' WHERE name = '3'")
    with pytest.raises(ValueError, match="never"):
        face.list(wares.all())


def test_a_loader_follows_use_tz(face, database, wares):
    aware = face(wares.first).moment
    with configuration.override(USE_TZ=False, TIME_ZONE="UTC"):
        assert face(wares.first).moment == aware.replace(tzinfo=None)
    assert face(wares.first).moment == aware


# -- rows that leave their list ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", READS)
def test_long_lists_are_whole_and_in_order(face, database, wares, kind, monkeypatch):
    found = face.list(READS[kind](wares, None))
    streamed = [*face.iterate(READS[kind](wares, None).iterator, MANY_ROWS)]
    monkeypatch.setattr(loaders, "MANY_ROWS", sys.maxsize)
    expected = face.list(READS[kind](wares, None))
    assert len(expected) == MANY_ROWS + 200
    assert found == streamed == expected


def test_who_watches_a_statement_may_keep_its_rows(face, database, wares):
    kept = []

    def keeping(execute, sql, params, many, context):
        if not kept:
            kept.append(execute(sql, params, many, context))
        return kept[0]

    with connections["default"].execute_wrapper(keeping):
        first = face.list(wares.values_list("name", "new"))
        second = face.list(wares.values_list("name", "new"))
    assert len(first) == MANY_ROWS + 200
    assert first == second
