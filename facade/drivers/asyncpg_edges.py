"""The first and the last day and moment that Python knows, which asyncpg writes as PostgreSQL's infinity.

A parameter that is one of them becomes an object that refuses to be written so. Whoever runs the statement then gives the
connection converters that write what is meant, for this statement.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeGuard

from facade.drivers.driver import Unwritable

if TYPE_CHECKING:
    from asyncpg import Connection


class EdgeOfTime(Unwritable):
    """asyncpg was about to write infinity."""

    def __init__(self, value: object) -> None:
        super().__init__(f"asyncpg would write infinity for {value}")

    async def allow(self, raw: Connection) -> None:
        for name, (write, read) in CONVERTERS.items():
            await raw.set_type_codec(name, schema="pg_catalog", encoder=write, decoder=read, format="tuple")

    async def forget(self, raw: Connection) -> None:
        for name in CONVERTERS:
            await raw.reset_type_codec(name, schema="pg_catalog")


class _EdgeDay(dt.date):
    def toordinal(self) -> NoReturn:
        raise EdgeOfTime(self)


class _EdgeMoment(dt.datetime):
    def astimezone(self, tz: dt.tzinfo | None = None) -> NoReturn:
        raise EdgeOfTime(self)

    def __sub__(self, other: object) -> NoReturn:
        raise EdgeOfTime(self)


Moments = Callable[[dt.datetime | None], dt.datetime | None]
_CLOCKS = (dt.datetime.min, dt.datetime.max)  # noqa: DTZ901 - clocks, nowhere
_EDGES = frozenset({*_CLOCKS, *(clock.replace(tzinfo=dt.UTC) for clock in _CLOCKS), dt.date.min, dt.date.max})


def _is_edge(value: object) -> TypeGuard[dt.datetime]:
    return isinstance(value, dt.date) and not 1 < value.year < dt.MAXYEAR and value in _EDGES


def day(value: dt.date | None) -> dt.date | None:
    """Return a day as a parameter of asyncpg's."""
    return _EdgeDay(value.year, value.month, value.day) if _is_edge(value) else value


def moment(convert: Moments) -> Moments:
    """Return a function that makes a parameter of asyncpg's of a moment that `convert` has made one of a driver's."""

    def process(value: dt.datetime | None) -> dt.datetime | None:
        value = convert(value)
        if value is not None and _is_edge(value):
            return _EdgeMoment.combine(value.date(), value.timetz())
        return value

    return process


# converters

_EPOCH, _DAY_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.date(2000, 1, 1).toordinal()
_MICROSECOND = dt.timedelta(microseconds=1)


def _days(value: dt.date) -> tuple[int]:
    return (dt.date.toordinal(value) - _DAY_EPOCH,)


def _microseconds(value: dt.date) -> tuple[int]:
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    epoch = _EPOCH if value.tzinfo else _EPOCH.replace(tzinfo=None)
    return (dt.datetime.__sub__(value, epoch) // _MICROSECOND,)


def _day(read: tuple[int]) -> dt.date:
    return dt.date.fromordinal(min(max(read[0] + _DAY_EPOCH, 1), dt.date.max.toordinal()))


def _moment(read: tuple[int]) -> dt.datetime:
    low, high = (_microseconds(edge)[0] for edge in _CLOCKS)
    return _EPOCH + dt.timedelta(microseconds=min(max(read[0], low), high))


def _clock(read: tuple[int]) -> dt.datetime:
    return _moment(read).replace(tzinfo=None)


CONVERTERS = {
    "date": (_days, _day),
    "timestamp": (_microseconds, _clock),
    "timestamptz": (_microseconds, _moment),
}
"""Functions that write and read each of PostgreSQL's types as asyncpg's tuples."""
