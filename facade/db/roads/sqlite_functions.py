"""SQL functions that SQLite lacks, in Python: `register(connection)` adds them to a `sqlite3.Connection`.

Those that other databases have bear their names there; the ones called FACADE_… do what those databases have operators
and syntax for. NULL among the arguments gives NULL, and so does an argument the function makes no sense of.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import operator
import random
import re
import secrets
import sqlite3
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from facade.parsing.dates import parse_datetime, parse_time
from facade.types.deep_json import canonical_json, read_json

UTC = dt.UTC
Clock = dt.datetime | dt.time
_MICROSECOND = dt.timedelta(microseconds=1)


def register(connection: sqlite3.Connection) -> None:
    """Add the functions to a connection."""
    add = partial(connection.create_function, deterministic=True)
    for name, count, function in _FUNCTIONS:
        add(name, count, function)
    for name, count, function in _VOLATILE:
        connection.create_function(name, count, function)
    for name, aggregate in _AGGREGATES:
        connection.create_aggregate(name, 1, aggregate)
    if not _has_math(connection):
        for name, count, function in _MATH:
            add(name, count, function)
    for name, count, function in _REPLACING:
        with suppress(
            sqlite3.OperationalError
        ):  # refused while a statement of the connection's owner is open
            add(name, count, function)


def _has_math(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT sqlite_compileoption_used('ENABLE_MATH_FUNCTIONS')").fetchone()
    return bool(found[0])


def _total(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that answers None to None, and where `function` has no answer."""

    def call(*args: Any) -> Any:
        if None in args:
            return None
        try:
            return function(*args)
        except (ArithmeticError, ValueError):
            return None

    return call


# -- dates and times ------------------------------------------------------------------------


@lru_cache(maxsize=1000)
def _zone(name: str) -> dt.tzinfo:
    """Return the zone of a name or of an offset such as +05:30."""
    if name[:1] not in "+-":
        return ZoneInfo(name)
    distance = dt.timedelta(hours=int(name[1:3]), minutes=int(name[4:6]))
    return dt.timezone(-distance if name[0] == "-" else distance)


def _read(text: object) -> Clock | None:
    """Return a stored date (as its midnight), moment or time."""
    text = str(text)
    try:
        if text[2:3] == ":" or text[1:2] == ":":
            return parse_time(text)
        value = parse_datetime(text)
    except ValueError:
        return None
    return value if value is None or value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _local(text: object, zone: str | None) -> Clock | None:
    """Return a stored value, a moment by the clocks of a zone."""
    value = _read(text)
    if zone is None or not isinstance(value, dt.datetime):
        return value
    return value.replace(tzinfo=UTC).astimezone(_zone(zone))


_PARTS: dict[str, Callable[[Any], int]] = {
    **{name: operator.attrgetter(name) for name in ("year", "month", "day", "hour", "minute", "second")},
    "iso_year": lambda value: value.isocalendar().year,
    "quarter": lambda value: (value.month + 2) // 3,
    "week": lambda value: value.isocalendar().week,
    "week_day": lambda value: value.isoweekday() % 7 + 1,
    "iso_week_day": lambda value: value.isoweekday(),
}


def extract(part: str, text: object, zone: str | None) -> int | None:
    """Return one part of a date, moment or time."""
    value = None if text is None else _local(text, zone)
    return None if value is None else _PARTS[part](value)


_MIDNIGHT = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0, "fold": 0}
_CUTS: dict[str, Callable[[Any], Any]] = {
    "year": lambda value: value.replace(month=1, day=1, **_MIDNIGHT),
    "quarter": lambda value: value.replace(month=(value.month - 1) // 3 * 3 + 1, day=1, **_MIDNIGHT),
    "month": lambda value: value.replace(day=1, **_MIDNIGHT),
    "week": lambda value: (value - dt.timedelta(days=value.weekday())).replace(**_MIDNIGHT),
    "day": lambda value: value.replace(**_MIDNIGHT),
    "hour": lambda value: value.replace(minute=0, second=0, microsecond=0),
    "minute": lambda value: value.replace(second=0, microsecond=0),
    "second": lambda value: value.replace(microsecond=0),
    "date": lambda value: value,
    "time": lambda value: value,
}


def truncate(kind: str, result: str, text: object, zone: str | None) -> str | None:
    """Return a value cut to `kind`, as text of a date, a time or (back in UTC) a moment."""
    value = None if text is None else _local(text, zone)
    if value is None:
        return None
    cut = _CUTS[kind](value)
    if result == "date":
        return str(cut.date().isoformat())
    if result == "time":
        return str((cut.time() if isinstance(cut, dt.datetime) else cut).isoformat())
    return _text(cut.astimezone(UTC).replace(tzinfo=None) if cut.tzinfo else cut)


def _text(value: dt.datetime) -> str:
    return value.isoformat(" ")


def _add(text: object, microseconds: int) -> str | None:
    """Return a date, moment or time some microseconds later; a date that stays at midnight remains a date."""
    value, distance = _read(text), dt.timedelta(microseconds=microseconds)
    if value is None:
        return None
    if isinstance(value, dt.time):
        return (dt.datetime.combine(dt.date(2000, 1, 1), value) + distance).time().isoformat()
    later = value + distance
    if len(str(text)) <= 10 and later.time() == dt.time():
        return later.date().isoformat()
    return _text(later)


def _difference(left: object, right: object) -> int | None:
    """Return the microseconds from `right` to `left`."""
    first, second = _on_a_day(_read(left)), _on_a_day(_read(right))
    return None if first is None or second is None else (first - second) // _MICROSECOND


def _on_a_day(value: Clock | None) -> dt.datetime | None:
    return dt.datetime.combine(dt.date(2000, 1, 1), value) if isinstance(value, dt.time) else value


# -- text --------------------------------------------------------------------------------


def _regexp(pattern: object, value: object) -> bool:
    return re.search(str(pattern), str(value)) is not None


def _lpad(value: object, length: int, fill: str) -> str:
    text = str(value)
    missing = length - len(text)
    return (fill * missing)[:missing] + text if missing > 0 else text[: max(length, 0)]


def _rpad(value: object, length: int, fill: str) -> str:
    text = str(value)
    return (text + fill * max(length - len(text), 0))[: max(length, 0)]


def _digest(name: str) -> Callable[[Any], str]:
    def digest(text: object) -> str:
        data = text if isinstance(text, bytes) else str(text).encode()
        return hashlib.new(name, data, usedforsecurity=False).hexdigest()

    return digest


# -- documents ------------------------------------------------------------------------------


def _canonical(text: str) -> str:
    """Return a JSON document as text that is the same for documents of the same value."""
    try:
        value = read_json(text)
    except (TypeError, json.JSONDecodeError):
        value = text  # a part that the database has already taken out of its document
    try:
        return json.dumps(_evened(value), sort_keys=True, separators=(",", ":"))
    except RecursionError:
        return canonical_json(value)


def _evened(value: object) -> Any:
    """Return a value with 1.0 as 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_evened(item) for item in value]
    return {key: _evened(item) for key, item in value.items()} if isinstance(value, dict) else value


# -- numbers and identifiers ----------------------------------------------------------------


def _sign(number: int) -> int:
    return int(number > 0) - int(number < 0)


def _power(base: float, exponent: float) -> float | None:
    result = float(base) ** float(exponent)
    return None if isinstance(result, complex) else result


def uuid7() -> uuid.UUID:
    """Return a UUID that sorts by the time it was made at (RFC 9562, version 7)."""
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return uuid.UUID(int=number)


# -- aggregates -------------------------------------------------------------------------------


class _Spread:
    """The variance of the numbers seen so far, in one pass."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.first: Any = None

    def step(self, value: Any) -> None:
        if value is not None:
            if self.first is None:
                self.first = value
            self.count += 1
            # Distances from the first number: a float cannot hold the last digits of large integers.
            value -= self.first
            distance = value - self.mean
            self.mean += distance / self.count
            self.squares += distance * (value - self.mean)

    def variance(self, degrees: int) -> float | None:
        return self.squares / degrees if degrees > 0 else None


class VarPop(_Spread):
    def finalize(self) -> float | None:
        return self.variance(self.count)


class VarSamp(_Spread):
    def finalize(self) -> float | None:
        return self.variance(self.count - 1)


class StddevPop(VarPop):
    def finalize(self) -> float | None:
        variance = super().finalize()
        return None if variance is None else math.sqrt(variance)


class StddevSamp(VarSamp):
    def finalize(self) -> float | None:
        variance = super().finalize()
        return None if variance is None else math.sqrt(variance)


class _Fold:
    """All values but NULL combined by one operation of two."""

    combine: ClassVar[Any]

    def __init__(self) -> None:
        self.result: Any = None

    def step(self, value: object) -> None:
        if value is not None:
            self.result = value if self.result is None else type(self).combine(self.result, value)

    def finalize(self) -> Any:
        return self.result


class AnyValue(_Fold):
    combine = staticmethod(lambda first, second: first)


class BitAnd(_Fold):
    combine = staticmethod(operator.and_)


class BitOr(_Fold):
    combine = staticmethod(operator.or_)


class BitXor(_Fold):
    combine = staticmethod(operator.xor)


# -- the tables ----------------------------------------------------------------------------------

_FUNCTIONS: list[tuple[str, int, Callable[..., Any]]] = [
    ("FACADE_EXTRACT", 3, extract),
    ("FACADE_TRUNC", 4, truncate),
    ("FACADE_ADD", 2, _total(_add)),
    ("FACADE_JSON", 1, _total(_canonical)),
    ("FACADE_DIFFERENCE", 2, _total(_difference)),
    ("COT", 1, _total(lambda angle: 1 / math.tan(angle))),
    ("LPAD", 3, _total(_lpad)),
    ("RPAD", 3, _total(_rpad)),
    ("REPEAT", 2, _total(lambda text, count: str(text) * count)),
    ("REVERSE", 1, _total(lambda text: str(text)[::-1])),
    *(
        (name.upper(), 1, _total(_digest(name)))
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
    ),
]

# Those that SQLite or SQLAlchemy has, too, and which do for texts: theirs fail for NULL, or for what is no text.
_REPLACING: list[tuple[str, int, Callable[..., Any]]] = [
    ("REGEXP", 2, _total(_regexp)),
    ("SIGN", 1, _total(_sign)),
    ("FLOOR", 1, _total(math.floor)),
]

_VOLATILE: list[tuple[str, int, Callable[..., Any]]] = [
    ("RAND", 0, random.random),
    ("UUIDV4", 0, lambda: uuid.uuid4().hex),
    ("UUIDV7", 0, lambda: uuid7().hex),
]

_AGGREGATES: list[tuple[str, Any]] = [
    ("VAR_POP", VarPop),
    ("VAR_SAMP", VarSamp),
    ("STDDEV_POP", StddevPop),
    ("STDDEV_SAMP", StddevSamp),
    ("ANY_VALUE", AnyValue),
    ("BIT_AND", BitAnd),
    ("BIT_OR", BitOr),
    ("BIT_XOR", BitXor),
]

# Most builds of SQLite bring these along.
_MATH: list[tuple[str, int, Callable[..., Any]]] = [
    *(
        (name.upper(), 1, _total(getattr(math, name)))
        for name in (
            "acos",
            "asin",
            "atan",
            "cos",
            "degrees",
            "exp",
            "floor",
            "radians",
            "sin",
            "sqrt",
            "tan",
        )
    ),
    ("ATAN2", 2, _total(math.atan2)),
    ("CEILING", 1, _total(math.ceil)),
    ("LN", 1, _total(math.log)),
    ("LOG", 2, _total(lambda base, number: math.log(number, base))),
    ("MOD", 2, _total(math.fmod)),
    ("PI", 0, lambda: math.pi),
    ("POWER", 2, _total(_power)),
]
