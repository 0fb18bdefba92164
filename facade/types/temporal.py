"""Moments, days, times of day and lengths of time."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.configuration import settings
from facade.drivers import driver_of
from facade.exceptions import NumericValueOutOfRange
from facade.foundation.imports import later
from facade.parsing.dates import parse_date, parse_datetime, parse_time
from facade.timezone import UTC, get_default_timezone
from facade.types.base import Base, Processor, T, written
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine
else:
    postgresql = later("sqlalchemy.dialects.postgresql")


class DateTime(Base[dt.datetime]):
    """Moments: aware and in UTC; with the setting ``USE_TZ`` off, naive and in the zone ``TIME_ZONE``.

    PostgreSQL has a type for moments (`timezone=False` takes the one without a zone instead). Elsewhere, and there,
    columns hold the clock of UTC; with ``USE_TZ`` off, that of ``TIME_ZONE``. SQLite holds it as Django writes it.
    """

    impl = sa.DateTime

    def __init__(self, timezone: bool = True) -> None:
        self.timezone = timezone
        super().__init__(timezone)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(vendor_of(dialect).moment_type(self.timezone))

    def _has_moments(self, dialect: Dialect) -> bool:
        return self.timezone and vendor_of(dialect).holds_moments

    def bind_processor(self, dialect: Dialect) -> Processor:
        convert = aware if self._has_moments(dialect) else clock_of
        moment = driver_of(dialect).moment
        if moment is not None:
            made = moment(convert)
            whole = "1 < v.year < 9999 and v.tzinfo is not None"
            return _written_inside(made, whole) if convert is aware else made
        return _text_of_datetime if vendor_of(dialect).holds_clocks_as_text else convert

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        if vendor_of(dialect).holds_clocks_as_text:
            return datetime_of_text
        if vendor_of(dialect).computes_texts:
            return _read_either(datetime_of_text, datetime_of_clock)
        if not self._has_moments(dialect):
            return datetime_of_clock
        if driver_of(dialect).gives_utc and settings.USE_TZ:
            return None
        return datetime_of_moment


def _written_inside(bind: Processor, condition: str) -> Processor:
    """Tell of what a driver needs for the edges of time that all values between them are right as they are."""
    return bind and written(f"v if {condition} else {{bind}}(v)")(bind)


@written("v if v.tzinfo is not None else {bind}(v)")
def aware(value: dt.datetime | None) -> dt.datetime | None:
    if value is None or value.tzinfo is not None:
        return value
    return value.replace(tzinfo=UTC if settings.USE_TZ else get_default_timezone())


def clock_of(value: dt.datetime | None, backend: str = "The") -> dt.datetime | None:
    if value is None or value.tzinfo is None:
        return value
    if not settings.USE_TZ:
        raise ValueError(f"{backend} backend does not support timezone-aware datetimes when USE_TZ is False.")
    return value.astimezone(UTC).replace(tzinfo=None)


@written(
    "v.replace(tzinfo=None).isoformat(' ') if v.tzinfo is {UTC} and {settings}.USE_TZ else {bind}(v)",
    UTC=UTC,
    settings=settings,
)
def _text_of_datetime(value: dt.datetime | None) -> str | None:
    naive = clock_of(value, "SQLite")
    return None if naive is None else naive.isoformat(" ")


read_datetime = dt.datetime.fromisoformat


def datetime_of_text(value: str | None) -> dt.datetime | None:
    if value is None:
        return None
    try:
        return read_datetime(value + "Z") if settings.USE_TZ else read_datetime(value)
    except (TypeError, ValueError):
        return datetime_of_clock(_read(parse_datetime, value))


def _read(parse: Callable[[str], T | None], value: object) -> T:
    """Read what the fast function refused: an unusual spelling, or nothing that can be read."""
    text = str(value)
    if (found := parse(text)) is None:
        raise ValueError(f"The database holds {text!r}, which is none of the values of its column.")
    return found


def _read_either(read: Callable[[str], T | None], convert: Callable[[Any], T | None]) -> Processor:
    """Return what reads a value of MySQL's, which gives as text what it has computed of parameters."""

    def process(value: T | str | bytes | None) -> T | None:
        if isinstance(value, bytes):
            value = value.decode()
        return read(value) if isinstance(value, str) else convert(value)

    return process


def _same(value: dt.date | None) -> dt.date | None:
    return value


def datetime_of_clock(value: dt.datetime | None) -> dt.datetime | None:
    if value is None or not settings.USE_TZ:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def datetime_of_moment(value: dt.datetime | None) -> dt.datetime | None:
    """Read what PostgreSQL gives for a moment."""
    if value is None or value.tzinfo is None:  # a day and a duration make a clock
        return datetime_of_clock(value)
    if settings.USE_TZ:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    return value.astimezone(get_default_timezone()).replace(tzinfo=None)


class Date(Base[dt.date]):
    """Days."""

    impl = sa.Date

    def bind_processor(self, dialect: Dialect) -> Processor:
        if vendor_of(dialect).holds_clocks_as_text:
            return _text_of_date
        return _written_inside(driver_of(dialect).day, "1 < v.year < 9999")

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        if vendor_of(dialect).computes_texts:
            return _read_either(date_of_text, _same)
        if vendor_of(dialect).gives_days_as_moments:
            return _date_of_moment
        return date_of_text if vendor_of(dialect).holds_clocks_as_text else None


def _date_of_moment(value: dt.date | None) -> dt.date | None:
    return value.date() if isinstance(value, dt.datetime) else value


@written("v.isoformat()")
def _text_of_date(value: dt.date | None) -> str | None:
    return None if value is None else value.isoformat()


read_date = dt.date.fromisoformat


def date_of_text(value: str | None) -> dt.date | None:
    if value is None:
        return None
    try:
        return read_date(value)
    except (TypeError, ValueError):
        return _read(parse_date, str(value)[:10])  # what functions make of a date may have a time


class Time(Base[dt.time]):
    """Times of day, without a zone."""

    impl = sa.Time

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(vendor_of(dialect).time_type())

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _text_of_time if vendor_of(dialect).holds_clocks_as_text else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        if vendor_of(dialect).holds_clocks_as_text:
            return time_of_text
        return _read_either(time_of_text, _time_of_duration) if vendor_of(dialect).computes_texts else None


def _text_of_time(value: dt.time | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is not None:
        raise ValueError("SQLite backend does not support timezone-aware times.")
    return value.isoformat()


read_time = dt.time.fromisoformat


def time_of_text(value: str | None) -> dt.time | None:
    if value is None:
        return None
    try:
        return read_time(value)
    except (TypeError, ValueError):
        return _read(parse_time, str(value).rpartition(" ")[2])  # and here a date


_MIDNIGHT = dt.datetime(1, 1, 1)  # noqa: DTZ001 - a clock, nowhere


def _time_of_duration(value: dt.timedelta | dt.time | None) -> dt.time | None:
    return (_MIDNIGHT + value).time() if isinstance(value, dt.timedelta) else value


class Duration(Base[dt.timedelta]):
    """Lengths of time: an interval on PostgreSQL, elsewhere an integer of microseconds."""

    impl = sa.Interval

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = vendor_of(dialect).has_native_duration_field
        return dialect.type_descriptor(postgresql.INTERVAL() if native else sa.BigInteger())

    def bind_processor(self, dialect: Dialect) -> Processor:
        return None if vendor_of(dialect).has_native_duration_field else _microseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return None if vendor_of(dialect).has_native_duration_field else _duration_of_microseconds


LONGEST = dt.timedelta(microseconds=2**63 - 1)
"""The longest time that an integer of 64 bits holds."""
_MICROSECOND = dt.timedelta(microseconds=1)


def _microseconds(value: dt.timedelta | int | None) -> int | None:
    if not isinstance(value, dt.timedelta):
        return value
    if not -LONGEST <= value <= LONGEST:
        raise NumericValueOutOfRange(
            f"{value} is too long to count with: lengths of time are 64 bits of microseconds here, up to {LONGEST}."
        )
    return value // _MICROSECOND


def _duration_of_microseconds(value: float | decimal.Decimal | None) -> dt.timedelta | None:
    if value is None:
        return None
    try:
        return dt.timedelta(0, 0, round(value) if isinstance(value, decimal.Decimal) else value)
    except OverflowError:
        raise NumericValueOutOfRange(
            f"The database has computed {value:.3g} microseconds, which is longer than a timedelta."
        ) from None
