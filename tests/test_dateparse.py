"""Dates, times and durations as text."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facade.parsing.dates import duration_string, parse_date, parse_datetime, parse_duration, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29", dt.date(2024, 2, 29)),
        ("20240229", dt.date(2024, 2, 29)),
        ("2024-2-9", dt.date(2024, 2, 9)),
        ("2024-2", None),
        ("29.2.2024", None),
        ("2024-2-9 10:00", None),
    ],
)
def test_a_date_is_read(text, expected):
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09:15:00", dt.time(9, 15)),
        ("4:8:16", dt.time(4, 8, 16)),
        ("10:20:30,4", dt.time(10, 20, 30, 400000)),
        ("10:20:30.1234567", dt.time(10, 20, 30, 123456)),
        ("00:05:23+04:00", dt.time(0, 5, 23)),
        ("4:18:101", None),
        ("4", None),
    ],
)
def test_a_time_is_read(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T09:15:00", "2024-02-29T09:15:00"),
        ("2024-2-9 4:8:16-0320", "2024-02-09T04:08:16-03:20"),
        ("2024-02-29T10:20:30.400 -02", "2024-02-29T10:20:30.400000-02:00"),
        ("2024-2-9 10:20Z", "2024-02-09T10:20:00+00:00"),
        ("2024-02-29 10:20:30   +05:30", "2024-02-29T10:20:30+05:30"),
    ],
)
def test_a_moment_is_read(text, expected):
    assert parse_datetime(text).isoformat() == expected


def test_what_is_no_moment_is_none():
    assert parse_datetime("2024-02-29 10") == dt.datetime.fromisoformat("2024-02-29T10:00")
    assert parse_datetime("yesterday") is None


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_date, "2024-2-30"),
        (parse_time, "25:1"),
        (parse_datetime, "2024-2-30 1:00"),
        (parse_datetime, "2024-2-3 25:00"),
    ],
)
def test_what_has_the_form_but_is_none_is_an_error(parse, text):
    with pytest.raises(ValueError, match=r"must be in|out of range"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", dt.timedelta(seconds=30)),
        ("15:30", dt.timedelta(minutes=15, seconds=30)),
        ("-15:30", dt.timedelta(minutes=-15, seconds=-30)),
        ("1:15:30.1", dt.timedelta(hours=1, minutes=15, seconds=30, milliseconds=100)),
        ("4 days, 15:30:20", dt.timedelta(days=4, hours=15, minutes=30, seconds=20)),
        ("-4 0:0:1", dt.timedelta(days=-4, seconds=1)),
        ("1 day -0:00:01", dt.timedelta(days=1, seconds=-1)),
        ("4 days", dt.timedelta(days=4)),
        ("P4W", dt.timedelta(weeks=4)),
        ("P0.5D", dt.timedelta(hours=12)),
        ("-PT0,000005S", dt.timedelta(microseconds=-5)),
        ("P1Y", None),
        ("1:2:3:4", None),
        ("", dt.timedelta(0)),
        ("soon", None),
    ],
)
def test_a_duration_is_read(text, expected):
    assert parse_duration(text) == expected


@given(st.timedeltas(dt.timedelta(days=-(10**6)), dt.timedelta(days=10**6)))
def test_a_written_duration_is_read_as_itself(duration):
    assert parse_duration(duration_string(duration)) == duration
