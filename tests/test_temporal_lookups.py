"""Parts of dates and times in filters."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from facade.exceptions import FieldError
from facade.models import F
from facade.timezone import override as in_zone
from tests.models import Everything

DAY = dt.date(2021, 1, 1)  # the ISO year is 2020, the week 53, a Friday
MOMENT = dt.datetime(2021, 1, 1, 22, 30, 15, 500, tzinfo=dt.UTC)


@pytest.fixture
def row(database):
    database.create(Everything)
    Everything.objects.create(integer=1, date=DAY, datetime=MOMENT, time=MOMENT.time())
    Everything.objects.create(
        integer=2, date=DAY.replace(year=1999), datetime=MOMENT.replace(year=1999, hour=1), time=dt.time(1)
    )
    Everything.objects.create(integer=3)


def found(face, **lookups):
    return sorted(face.list(Everything.objects.filter(**lookups).values_list("integer", flat=True)))


@pytest.mark.parametrize("field", ["date", "datetime"])
@pytest.mark.parametrize(
    ("lookup", "value", "expected"),
    [
        ("year", 2021, [1]),
        ("year__exact", 2021, [1]),
        ("year", "2021", [1]),
        ("year", 2020, []),
        ("year__gt", 1999, [1]),
        ("year__gte", 1999, [1, 2]),
        ("year__lt", 2021, [2]),
        ("year__lte", 2021, [1, 2]),
        ("year__in", [1999, 2000], [2]),
        ("year__range", (2000, 2030), [1]),
        ("year__isnull", True, [3]),
        ("year", 10_000, []),
        ("year", 0, []),
        ("year__lt", 10_000, [1, 2]),
        ("year__gt", 0, [1, 2]),
        ("year__gte", 1, [1, 2]),
        ("year__lte", 9999, [1, 2]),
        ("iso_year", 2020, [1]),
        ("iso_year", 2021, []),
        ("iso_year__gt", 2019, [1]),
        ("iso_year__lte", 2020, [1, 2]),
        ("quarter", 1, [1, 2]),
        ("month", 1, [1, 2]),
        ("month__gt", 1, []),
        ("day", 1, [1, 2]),
        ("week", 53, [1, 2]),
        ("week_day", 6, [1, 2]),
        ("iso_week_day", 5, [1, 2]),
        ("iso_week_day__in", [1, 5], [1, 2]),
    ],
)
def test_parts_of_dates_and_moments(face, row, field, lookup, value, expected):
    assert found(face, **{f"{field}__{lookup}": value}) == expected


@pytest.mark.parametrize("field", ["time", "datetime"])
@pytest.mark.parametrize(
    ("lookup", "value", "expected"),
    [
        ("hour", 22, [1]),
        ("hour__lt", 22, [2]),
        ("minute", 30, [1]),
        ("second__gte", 15, [1]),
        ("second", 15, [1]),
    ],
)
def test_parts_of_times_and_moments(face, row, field, lookup, value, expected):
    if field == "datetime":
        expected = (
            [2]
            if (lookup, value) == ("hour__lt", 22)
            else [*expected, 2]
            if "hour" not in lookup
            else expected
        )
    assert found(face, **{f"{field}__{lookup}": value}) == expected


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"datetime__date": DAY}, [1]),
        ({"datetime__date__lt": DAY}, [2]),
        ({"datetime__date__year": 2021}, [1]),
        ({"datetime__time": MOMENT.time()}, [1]),
        ({"datetime__time__hour": 1}, [2]),
        ({"datetime__date": F("date")}, [1, 2]),
        ({"datetime__year": F("date__year")}, [1, 2]),
        ({"datetime__year__gt": F("date__year")}, []),
        ({"datetime__month__lte": F("integer")}, [1, 2]),
    ],
    ids=str,
)
def test_parts_of_parts_and_of_other_columns(face, row, lookups, expected):
    assert found(face, **lookups) == expected


def test_excluding_a_year_keeps_rows_without_a_date(face, row):
    kept = Everything.objects.exclude(datetime__year=2021).values_list("integer", flat=True)
    assert sorted(face.list(kept)) == [2, 3]


@pytest.mark.parametrize(
    ("lookup", "here", "there"),
    [
        ("date", DAY, DAY + dt.timedelta(days=1)),
        ("day", 1, 2),
        ("hour", 22, 7),
        ("iso_week_day", 5, 6),
        ("time__hour", 22, 7),
    ],
)
def test_moments_are_looked_at_in_the_current_time_zone(face, row, lookup, here, there):
    with in_zone("Asia/Tokyo"):
        assert found(face, integer=1, **{f"datetime__{lookup}": there}) == [1]
        assert found(face, integer=1, **{f"datetime__{lookup}": here}) == []
    assert found(face, integer=1, **{f"datetime__{lookup}": here}) == [1]


def test_a_year_begins_when_it_begins_in_the_current_time_zone(face, row):
    Everything.objects.create(integer=4, datetime=dt.datetime(2021, 12, 31, 20, tzinfo=dt.UTC))
    in_2021 = Everything.objects.filter(datetime__year=2021).values_list("integer", flat=True)
    assert sorted(face.list(in_2021)) == [1, 4]
    with in_zone("Asia/Tokyo"):
        assert face.list(in_2021.all()) == [1]
    with in_zone("America/New_York"):
        assert sorted(face.list(in_2021.all())) == [1, 4]
    with in_zone("Pacific/Honolulu"):
        assert sorted(face.list(in_2021.all())) == [1, 4]


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_first_and_the_last_year_have_ends_everywhere(face, row, year, zone):
    with in_zone(ZoneInfo(zone)):
        assert found(face, datetime__year=year) == []
        assert found(face, datetime__year__gte=1, datetime__year__lte=9999) == [1, 2]


def test_a_year_can_be_served_by_an_index(row):
    sql = str(Everything.objects.filter(date__year=2021).query)
    assert "BETWEEN" in sql


@pytest.mark.parametrize(
    "lookup",
    ["date__hour", "date__date", "time__year", "integer__year", "datetime__yaer", "datetime__year'--"],
)
def test_parts_that_a_field_has_not_are_refused(row, lookup):
    with pytest.raises(FieldError, match=r"Unsupported lookup|not permitted"):
        Everything.objects.filter(**{lookup: 1})
