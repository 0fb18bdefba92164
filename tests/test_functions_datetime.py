"""Parts of dates and times, truncation, the present, and arithmetic with durations."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from facade.configuration import override
from facade.models import (
    Count,
    DateField,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Subquery,
    TimeField,
    Value,
)
from facade.models.functions import (
    Cast,
    Coalesce,
    Extract,
    ExtractDay,
    ExtractHour,
    ExtractIsoWeekDay,
    ExtractIsoYear,
    ExtractMinute,
    ExtractMonth,
    ExtractQuarter,
    ExtractSecond,
    ExtractWeek,
    ExtractWeekDay,
    ExtractYear,
    Now,
    Trunc,
    TruncDate,
    TruncDay,
    TruncHour,
    TruncMinute,
    TruncMonth,
    TruncQuarter,
    TruncSecond,
    TruncTime,
    TruncWeek,
    TruncYear,
)
from facade.timezone import override as in_zone
from tests.models import Everything

# In Tokyo it is the next year, quarter, month, week and day.
MOMENT = dt.datetime(2020, 12, 31, 23, 45, 59, 987654, tzinfo=dt.UTC)
TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
HALF_PAST = dt.timezone(dt.timedelta(hours=5, minutes=30))
ZONES = [dt.UTC, TOKYO, NEW_YORK, HALF_PAST, dt.timezone(-dt.timedelta(hours=3))]

PARTS = {
    ExtractYear: lambda value: value.year,
    ExtractIsoYear: lambda value: value.isocalendar().year,
    ExtractQuarter: lambda value: (value.month + 2) // 3,
    ExtractMonth: lambda value: value.month,
    ExtractDay: lambda value: value.day,
    ExtractWeek: lambda value: value.isocalendar().week,
    ExtractWeekDay: lambda value: value.isoweekday() % 7 + 1,
    ExtractIsoWeekDay: lambda value: value.isoweekday(),
    ExtractHour: lambda value: value.hour,
    ExtractMinute: lambda value: value.minute,
    ExtractSecond: lambda value: value.second,
}
MIDNIGHT = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
UNITS = {
    TruncYear: lambda value: value.replace(month=1, day=1, **MIDNIGHT),
    TruncQuarter: lambda value: value.replace(month=(value.month - 1) // 3 * 3 + 1, day=1, **MIDNIGHT),
    TruncMonth: lambda value: value.replace(day=1, **MIDNIGHT),
    TruncWeek: lambda value: (value - dt.timedelta(days=value.weekday())).replace(**MIDNIGHT),
    TruncDay: lambda value: value.replace(**MIDNIGHT),
    TruncHour: lambda value: value.replace(minute=0, second=0, microsecond=0),
    TruncMinute: lambda value: value.replace(second=0, microsecond=0),
    TruncSecond: lambda value: value.replace(microsecond=0),
}


@pytest.fixture
def row(database):
    database.create(Everything)
    return Everything.objects.create(
        datetime=MOMENT,
        date=MOMENT.date(),
        time=MOMENT.time(),
        duration=dt.timedelta(days=1, hours=2, seconds=3),
    )


def computed(face, expression):
    return face(Everything.objects.annotate(result=expression).values_list("result", flat=True).get)


# -- parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_parts_of_a_moment_are_those_of_the_current_time_zone(face, row, zone):
    with in_zone(zone):
        found = face(Everything.objects.values_list(*(extract("datetime") for extract in PARTS)).get)
    assert found == tuple(part(MOMENT.astimezone(zone)) for part in PARTS.values())


def test_one_queryset_follows_the_time_zone_of_each_run(face, row):
    hours = Everything.objects.annotate(result=ExtractHour("datetime")).values_list("result", flat=True)
    assert face(hours.get) == 23
    with in_zone(TOKYO):
        assert face(hours.all().get) == 8
    assert face(hours.all().get) == 23


def test_a_given_time_zone_goes_before_the_current_one(face, row):
    with in_zone(TOKYO):
        assert computed(face, ExtractHour("datetime", tzinfo=NEW_YORK)) == 18
        assert computed(face, Extract("datetime", "hour", tzinfo=HALF_PAST)) == 5


def test_without_use_tz_moments_are_those_of_the_default_time_zone(face, database):
    with override(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
        database.create(Everything)
        naive = dt.datetime(2021, 1, 1, 8, 45)  # noqa: DTZ001 - without a zone, as USE_TZ says
        Everything.objects.create(datetime=naive)
        assert computed(face, ExtractHour("datetime")) == 8
        assert computed(face, TruncDay("datetime")) == naive.replace(hour=0, minute=0)
        assert computed(face, TruncDate("datetime")) == naive.date()
        assert face(Everything.objects.filter(datetime__year=2021).exists)
        assert not face(Everything.objects.filter(datetime__year=2020).exists)


@pytest.mark.parametrize(
    "extract", [one for one in PARTS if one.lookup_name not in ("hour", "minute", "second")]
)
def test_parts_of_a_date(face, row, extract):
    assert computed(face, extract("date")) == PARTS[extract](MOMENT.date())


@pytest.mark.parametrize("extract", [ExtractHour, ExtractMinute, ExtractSecond])
def test_parts_of_a_time(face, row, extract):
    assert computed(face, extract("time")) == PARTS[extract](MOMENT.time())


@pytest.mark.vendors("postgres")
def test_parts_of_a_duration(face, row):
    assert [computed(face, Extract("duration", part)) for part in ("day", "hour", "second")] == [1, 2, 3]


@pytest.mark.vendors("sqlite")
def test_durations_have_parts_only_where_the_database_knows_them(face, row):
    with pytest.raises(ValueError, match="Extract requires native DurationField database support"):
        computed(face, Extract("duration", "day"))


def test_nothing_has_no_parts(face, database):
    database.create(Everything)
    Everything.objects.create()
    assert face(
        Everything.objects.values_list(
            ExtractYear("datetime"), TruncDay("date"), TruncHour("time"), TruncDate("datetime")
        ).get
    ) == (None, None, None, None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Extract("date"), "lookup_name must be provided"),
        (lambda: Everything.objects.annotate(x=Extract("char", "year")), "Extract input expression must be"),
        (
            lambda: Everything.objects.annotate(x=Extract("date", "hour")),
            "Cannot extract time component 'hour' from DateField 'date'",
        ),
        (
            lambda: Everything.objects.annotate(x=Extract("duration", "week")),
            "Cannot extract component 'week' from DurationField",
        ),
        (
            lambda: list(Everything.objects.annotate(x=Extract("date", "year); DROP TABLE x"))),
            "Invalid lookup type",
        ),
        (
            lambda: Everything.objects.annotate(x=Trunc("datetime", "year', now()); --")),
            "Unsupported lookup type",
        ),
        (
            lambda: list(Everything.objects.annotate(x=ExtractDay("date", tzinfo=TOKYO))),
            "tzinfo can only be used with DateTimeField",
        ),
        (
            lambda: Everything.objects.annotate(x=TruncHour("date")),
            "Cannot truncate DateField 'date' to DateTimeField",
        ),
        (
            lambda: Everything.objects.annotate(x=TruncDay("time")),
            "Cannot truncate TimeField 'time' to DateTimeField",
        ),
        (
            lambda: Everything.objects.annotate(x=TruncDay("datetime", output_field=DurationField())),
            "output_field must be either",
        ),
    ],
)
def test_parts_and_units_that_a_field_has_not_are_refused(row, make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_only_dates_and_times_are_truncated(row):
    with pytest.raises(TypeError, match="isn't a DateField"):
        Everything.objects.annotate(x=TruncDay("char", output_field=DateField()))


# -- units -----------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_moment_is_cut_by_the_clock_of_the_current_time_zone(face, row, zone):
    with in_zone(zone):
        found = face(Everything.objects.values_list(*(trunc("datetime") for trunc in UNITS)).get)
    assert found == tuple(unit(MOMENT.astimezone(zone)) for unit in UNITS.values())
    assert [value.utcoffset() for value in found] == [
        value.replace(tzinfo=zone).utcoffset() for value in found
    ]


def test_a_given_time_zone_goes_before_the_current_one_in_truncation(face, row):
    with in_zone(TOKYO):
        found = computed(face, TruncDay("datetime", tzinfo=NEW_YORK))
    assert found == dt.datetime(2020, 12, 31, tzinfo=NEW_YORK)
    assert str(found) == "2020-12-31 00:00:00-05:00"


def test_a_moment_that_is_cut_twice_is_shown_in_the_outer_time_zone(face, row):
    inner = TruncDay("datetime", tzinfo=dt.timezone(dt.timedelta(hours=9)))
    for zone in (dt.UTC, dt.timezone(dt.timedelta(hours=-5))):
        found = computed(face, TruncSecond(inner, tzinfo=zone))
        assert (found, found.utcoffset()) == (
            dt.datetime(2020, 12, 31, 15, tzinfo=dt.UTC),
            zone.utcoffset(None),
        )


@pytest.mark.parametrize("trunc", [TruncYear, TruncQuarter, TruncMonth, TruncWeek, TruncDay])
def test_a_date_is_cut_to_a_date(face, row, trunc):
    assert computed(face, trunc("date")) == UNITS[trunc](MOMENT).date()


@pytest.mark.parametrize("trunc", [TruncHour, TruncMinute, TruncSecond])
def test_a_time_is_cut_to_a_time(face, row, trunc):
    assert computed(face, trunc("time")) == UNITS[trunc](MOMENT).time()


def test_a_moment_is_cut_to_a_date_or_a_time(face, row):
    assert computed(face, TruncMonth("datetime", output_field=DateField())) == dt.date(2020, 12, 1)
    assert computed(face, TruncHour("datetime", output_field=TimeField())) == dt.time(23)
    assert computed(face, TruncDate("datetime")) == MOMENT.date()
    assert computed(face, TruncTime("datetime")) == MOMENT.time()
    assert computed(face, TruncDate("datetime", tzinfo=TOKYO)) == dt.date(2021, 1, 1)


def test_what_was_cut_is_compared_grouped_and_ordered(face, row):
    Everything.objects.create(datetime=MOMENT - dt.timedelta(hours=3))
    Everything.objects.create(datetime=MOMENT + dt.timedelta(days=30))
    days = Everything.objects.annotate(day=TruncDay("datetime"))
    assert face(days.filter(day=dt.datetime(2020, 12, 31, tzinfo=dt.UTC)).count) == 2
    assert face(days.filter(datetime__gte=F("day")).count) == 3
    counted = days.values("day").annotate(number=Count("pk")).order_by("day")
    assert [(item["day"].day, item["number"]) for item in face.list(counted)] == [(31, 2), (30, 1)]
    assert face(Everything.objects.aggregate, latest=Max(TruncDay("datetime")))["latest"] == dt.datetime(
        2021, 1, 30, tzinfo=dt.UTC
    )


@pytest.mark.without(
    "mariadb", reason="it cuts off the minutes of local times, where both hours are one, as in Django"
)
def test_the_hour_that_the_clock_shows_twice_stays_two_hours(face, database):
    database.create(Everything)
    first = dt.datetime(2020, 11, 1, 5, 30, tzinfo=dt.UTC)  # 1:30 in New York, and again an hour later
    Everything.objects.bulk_create(
        [Everything(datetime=first), Everything(datetime=first + dt.timedelta(hours=1))]
    )
    hours = Everything.objects.annotate(hour=TruncHour("datetime", tzinfo=NEW_YORK)).order_by("datetime")
    found = face.list(hours.values_list("hour", flat=True))
    assert [hour.astimezone(dt.UTC).hour for hour in found] == [5, 6]
    assert [hour.hour for hour in found] == [1, 1]


def test_references_to_outer_queries_are_checked_as_soon_as_they_are_known(row):
    inner = Everything.objects.filter(char=ExtractMonth(OuterRef("char")))
    with pytest.raises(ValueError, match="Extract input expression must be"):
        Everything.objects.annotate(found=Subquery(inner.values("char")[:1]))


# -- dates() and datetimes() --------------------------------------------------------------------


def test_dates_and_datetimes_are_distinct_and_ordered(face, row):
    Everything.objects.create(datetime=MOMENT - dt.timedelta(hours=1), date=MOMENT.date())
    Everything.objects.create(datetime=MOMENT + dt.timedelta(days=40), date=dt.date(2021, 2, 9))
    Everything.objects.create()
    assert face.list(Everything.objects.dates("date", "month")) == [dt.date(2020, 12, 1), dt.date(2021, 2, 1)]
    assert face.list(Everything.objects.dates("date", "year", order="DESC")) == [
        dt.date(2021, 1, 1),
        dt.date(2020, 1, 1),
    ]
    assert face.list(Everything.objects.datetimes("datetime", "day")) == [
        dt.datetime(2020, 12, 31, tzinfo=dt.UTC),
        dt.datetime(2021, 2, 9, tzinfo=dt.UTC),
    ]
    assert face.list(Everything.objects.datetimes("datetime", "month", tzinfo=TOKYO)) == [
        dt.datetime(2021, 1, 1, tzinfo=TOKYO),
        dt.datetime(2021, 2, 1, tzinfo=TOKYO),
    ]


# -- the present -------------------------------------------------------------------------------


def test_the_present_is_that_of_the_database(face, row):
    found = computed(face, Now())
    assert abs(found - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert face(Everything.objects.filter(datetime__lt=Now()).exists)
    face(Everything.objects.update, datetime=Now())
    assert face(Everything.objects.filter(datetime__lte=Now(), datetime__year=found.year).exists)


# -- durations ----------------------------------------------------------------------------------

DAY = dt.timedelta(days=1)
LONG = dt.timedelta(days=1, hours=2, seconds=3)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (F("datetime") + DAY, MOMENT + DAY),
        (F("datetime") - dt.timedelta(microseconds=1), MOMENT - dt.timedelta(microseconds=1)),
        (F("datetime") + F("duration"), MOMENT + LONG),
        (F("duration") + F("datetime"), MOMENT + LONG),
        (F("time") - dt.timedelta(hours=1), dt.time(22, 45, 59, 987654)),
        (F("time") + dt.timedelta(hours=1), dt.time(0, 45, 59, 987654)),
        (F("datetime") - F("datetime"), dt.timedelta()),
        (F("datetime") - Value(MOMENT - LONG), LONG),
        (F("date") - Value(dt.date(2020, 12, 1)), dt.timedelta(days=30)),
        (F("time") - Value(dt.time(1)), dt.timedelta(hours=22, minutes=45, seconds=59, microseconds=987654)),
        (F("duration") + DAY, LONG + DAY),
        (F("duration") - DAY, LONG - DAY),
        (F("duration") * 2, LONG * 2),
        (F("duration") / 2, LONG / 2),
        (F("duration") * 0.5, LONG / 2),
        (-F("duration"), -LONG),
        (ExpressionWrapper(Cast(F("date") + DAY, DateField()), DateField()), dt.date(2021, 1, 1)),
        (Coalesce("datetime", Value(MOMENT)) + DAY, MOMENT + DAY),
    ],
    ids=str,
)
def test_arithmetic_gives_what_python_gives(face, row, expression, expected):
    result = computed(face, expression)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    "lookups",
    [
        {"datetime__lt": F("datetime") + DAY},
        {"date": F("date") + dt.timedelta(0)},
        {"date__lt": F("date") + DAY},
        {"date__gt": F("date") - DAY},
        {"duration": F("datetime") - Value(MOMENT - LONG)},
        {"duration__gt": DAY},
        {"datetime__range": (F("datetime") - DAY, F("datetime") + DAY)},
    ],
    ids=str,
)
def test_sums_are_compared(face, row, lookups):
    assert face(Everything.objects.filter(**lookups).exists)


def test_a_column_is_moved_by_a_duration(face, row):
    face(Everything.objects.update, datetime=F("datetime") + dt.timedelta(days=1, milliseconds=1))
    row.refresh_from_db()
    assert row.datetime == MOMENT + dt.timedelta(days=1, milliseconds=1)
    assert face(Everything.objects.filter(datetime__date=dt.date(2021, 1, 1)).exists)


def test_a_difference_with_a_queryset_is_a_duration(face, row):
    found = Everything.objects.filter(pk=OuterRef("pk")).values("datetime")
    assert computed(face, found - F("datetime")) == dt.timedelta()


def test_fields_of_truncated_moments_are_datetime_fields(row):
    annotation = Everything.objects.annotate(day=TruncDay("datetime")).query.annotations["day"]
    assert isinstance(annotation.output_field, DateTimeField)
