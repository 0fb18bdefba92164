"""Dates, times and durations as text: more spellings than the standard library reads.

Each function returns None for what has not the form, and raises ValueError for what has it but names no date.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

_DATE = r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<microsecond>\d{1,6})\d{0,6})?)?"
)
_ZONE = r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?"

_date_form = re.compile(_DATE)
_time_form = re.compile(_TIME)
_datetime_form = re.compile(rf"{_DATE}[T ]{_TIME}\s*{_ZONE}")


def _numbers(match: re.Match[str]) -> dict[str, Any]:
    parts = {name: part for name, part in match.groupdict().items() if part is not None and name != "zone"}
    if "microsecond" in parts:
        parts["microsecond"] = parts["microsecond"].ljust(6, "0")
    return {name: int(part) for name, part in parts.items()}


def parse_date(value: str) -> dt.date | None:
    """Read a date: ISO 8601, or year-month-day with single digits.

    >>> parse_date("2024-2-9")
    datetime.date(2024, 2, 9)
    """
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        match = _date_form.fullmatch(value)
    return dt.date(**_numbers(match)) if match else None


def parse_time(value: str) -> dt.time | None:
    """Read a time of day: ISO 8601 (an offset is dropped), or with single digits.

    >>> parse_time("7:05")
    datetime.time(7, 5)
    """
    try:
        return dt.time.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        match = _time_form.fullmatch(value)
    return dt.time(**_numbers(match)) if match else None


def parse_datetime(value: str) -> dt.datetime | None:
    """Read a date with a time, and with the offset from UTC if it has one.

    >>> parse_datetime("2024-02-09 7:05 +0100").isoformat()
    '2024-02-09T07:05:00+01:00'
    """
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        match = _datetime_form.fullmatch(value)
    if not match:
        return None
    return dt.datetime(**_numbers(match), tzinfo=_offset(match["zone"]))


def _offset(zone: str | None) -> dt.timezone | None:
    if zone is None or zone == "Z":
        return zone and dt.UTC  # type: ignore[return-value]
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    distance = dt.timedelta(hours=hours, minutes=minutes)
    return dt.timezone(-distance if zone[0] == "-" else distance)


_CLOCK = r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+)(?:[.,](?P<fraction>\d{1,6})\d{0,6})?"
_NUMBER = r"\d+(?:[.,]\d+)?"
_standard_duration = re.compile(rf"(?:(?P<days>-?\d+) (?:days?, )?)?(?P<sign>-?){_CLOCK}")
_iso_duration = re.compile(
    rf"(?P<sign>[-+]?)P(?:(?P<weeks>{_NUMBER})W)?(?:(?P<days>{_NUMBER})D)?"
    rf"(?:T(?:(?P<hours>{_NUMBER})H)?(?:(?P<minutes>{_NUMBER})M)?(?:(?P<seconds>{_NUMBER})S)?)?"
)
_postgres_duration = re.compile(
    r"(?:(?P<days>-?\d+) days? ?)?"
    r"(?:(?P<sign>[-+])?(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?"
)


def parse_duration(value: str) -> dt.timedelta | None:
    """Read a duration: "[days] [[hours:]minutes:]seconds[.fraction]", ISO 8601, or as PostgreSQL writes it.

    >>> parse_duration("4 1:15:20.25"), parse_duration("-P1DT2H")
    (datetime.timedelta(days=4, seconds=4520, microseconds=250000), datetime.timedelta(days=-2, seconds=79200))
    """
    if match := _iso_duration.fullmatch(value):
        length = _length(match, "weeks", "days", "hours", "minutes", "seconds")
        return -length if match["sign"] == "-" else length
    match = _standard_duration.fullmatch(value) or _postgres_duration.fullmatch(value)
    if not match:
        return None
    clock = _length(match, "hours", "minutes", "seconds")
    clock += dt.timedelta(microseconds=int((match["fraction"] or "0").ljust(6, "0")))
    return _length(match, "days") + (-clock if match["sign"] == "-" else clock)


def _length(match: re.Match[str], *units: str) -> dt.timedelta:
    return dt.timedelta(**{unit: float((match[unit] or "0").replace(",", ".")) for unit in units})


def duration_string(duration: dt.timedelta) -> str:
    """Write a duration in the form that `parse_duration` reads first.

    >>> duration_string(dt.timedelta(days=-1, hours=2, microseconds=5))
    '-1 02:00:00.000005'
    """
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{duration.days} " if duration.days else ""
    fraction = f".{duration.microseconds:06d}" if duration.microseconds else ""
    return f"{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"
