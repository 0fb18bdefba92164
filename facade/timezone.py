"""Time zones: the default one, the current one of a task, and the way between aware and naive values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from zoneinfo import ZoneInfo

from facade.configuration import settings

UTC = dt.UTC

_current: ContextVar[dt.tzinfo | None] = ContextVar("facade_current_timezone", default=None)


def get_default_timezone() -> dt.tzinfo:
    """Return the zone of the setting ``TIME_ZONE``."""
    return ZoneInfo(settings.TIME_ZONE)


def get_current_timezone() -> dt.tzinfo:
    """Return the zone that `activate` or `override` set for this task or thread, else the default one."""
    return _current.get() or get_default_timezone()


def get_current_timezone_name() -> str:
    """Return the name of the current zone, as databases know it."""
    return timezone_name(get_current_timezone())


def timezone_name(zone: dt.tzinfo) -> str:
    """Return the name of `zone`, as databases know it."""
    return str(zone) or str(dt.datetime.now(zone).tzname())


def activate(zone: dt.tzinfo | str) -> None:
    """Make `zone` the current one of this task or thread."""
    _current.set(_zone(zone))


def deactivate() -> None:
    """Return to the default zone."""
    _current.set(None)


@contextmanager
def override(zone: dt.tzinfo | str | None) -> Iterator[None]:
    """Make `zone` the current one inside a ``with`` block; None stands for the default one.

    >>> with override("Asia/Tokyo"):
    ...     get_current_timezone_name()
    'Asia/Tokyo'
    """
    token = _current.set(None if zone is None else _zone(zone))
    try:
        yield
    finally:
        _current.reset(token)


def _zone(zone: dt.tzinfo | str) -> dt.tzinfo:
    return ZoneInfo(zone) if isinstance(zone, str) else zone


def now() -> dt.datetime:
    """Return the present: aware, in UTC; naive, in the default zone, when ``USE_TZ`` is off."""
    if settings.USE_TZ:
        return dt.datetime.now(UTC)
    return dt.datetime.now(get_default_timezone()).replace(tzinfo=None)


def is_aware(value: dt.datetime | dt.time) -> bool:
    """Return whether the value knows its distance from UTC."""
    return value.utcoffset() is not None


def is_naive(value: dt.datetime | dt.time) -> bool:
    """Return whether the value does not know its distance from UTC."""
    return value.utcoffset() is None


def make_aware(value: dt.datetime, zone: dt.tzinfo | None = None) -> dt.datetime:
    """Return the naive `value` as a time of `zone`, by default the current one. ValueError if it is aware."""
    if is_aware(value):
        raise ValueError(f"make_aware expects a naive datetime, got {value}")
    return value.replace(tzinfo=zone or get_current_timezone())


def make_naive(value: dt.datetime, zone: dt.tzinfo | None = None) -> dt.datetime:
    """Return the aware `value` as clocks in `zone` show it, by default in the current one.

    Raises ValueError if it is naive.

    >>> make_naive(dt.datetime(2024, 1, 1, 12, tzinfo=UTC), ZoneInfo("Asia/Tokyo"))
    datetime.datetime(2024, 1, 1, 21, 0)
    """
    if is_naive(value):
        raise ValueError("make_naive() cannot be applied to a naive datetime")
    return value.astimezone(zone or get_current_timezone()).replace(tzinfo=None)


def localtime(value: dt.datetime | None = None, zone: dt.tzinfo | None = None) -> dt.datetime:
    """Return the aware `value`, by default the present, in `zone`, by default the current one."""
    value = now() if value is None else value
    if is_naive(value):
        raise ValueError("localtime() cannot be applied to a naive datetime")
    return value.astimezone(zone or get_current_timezone())


def localdate(value: dt.datetime | None = None, zone: dt.tzinfo | None = None) -> dt.date:
    """Return the day of `localtime`."""
    return localtime(value, zone).date()
