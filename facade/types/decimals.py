"""Decimal numbers, on databases that have them and on SQLite."""

from __future__ import annotations

import decimal
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import NumericValueOutOfRange
from facade.types.base import Base, Processor, written
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine


class Decimal(Base[decimal.Decimal]):
    """Decimal numbers, with exactly `decimal_places` digits behind the point; None and None: any.

    SQLite keeps them as numbers (NUMERIC affinity): 15 significant digits, and integers of 64 bits, are exact.
    """

    impl = sa.Numeric

    def __init__(self, max_digits: int | None = None, decimal_places: int | None = None) -> None:
        self.max_digits = max_digits
        self.decimal_places = decimal_places
        super().__init__(max_digits, decimal_places)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        made = vendor_of(dialect).decimal_type(self.max_digits, self.decimal_places)
        return dialect.type_descriptor(made)

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _within_reach if vendor_of(dialect).holds_decimals else _number_of_decimal

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        exact = vendor_of(dialect).holds_decimals
        return None if exact else _decimal_reader(self.max_digits, self.decimal_places)


_EXACT_INTEGERS = 2.0**53  # below, every integer is a float
_EXACT_DIGITS = 15  # a float keeps that many decimal digits
_REACH = 400  # powers of ten: no column of a number that can be counted with goes beyond
_REACHED = 10**_REACH
_TINY = 5e-324
WIDE = decimal.Context(prec=1000)


@written(f"v if -{_REACH} <= v.adjusted() <= {_REACH} else {{bind}}(v)")
def _within_reach(value: decimal.Decimal | float | None) -> decimal.Decimal | float | None:
    """Return a number that compares like `value` and can be written out: drivers write all zeros of 1E+999999999."""
    if not isinstance(value, decimal.Decimal):
        if value is None or -_REACHED < value < _REACHED or value - value:
            return value
        return decimal.Decimal(_REACHED if value > 0 else -_REACHED)  # of an integer
    if -_REACH <= value.adjusted() <= _REACH or not value.is_finite():
        return value
    if value and abs(value.adjusted()) > _REACH:
        exponent = _REACH if value.adjusted() > 0 else -_REACH
        return decimal.Decimal((int(value.is_signed()), (1,), exponent))
    return value or decimal.Decimal(0)


_DIGITS = 131_072  # before the point: more than any database's numbers have


def sendable(value: object) -> object:
    """Return a parameter of SQL by hand; refuse a number that a driver would write out, with billions of zeros, for an integer."""
    if isinstance(value, decimal.Decimal) and value.is_finite() and value.adjusted() >= _DIGITS:
        raise NumericValueOutOfRange(f"No database has numbers as large as {value}.")
    return value


@written("n if (n := float(v)) and -9007199254740992.0 < n < 9007199254740992.0 else {bind}(v)")
def _number_of_decimal(value: decimal.Decimal | float | None) -> float | int | None:
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:  # of an integer
        return math.inf if value > 0 else -math.inf
    if -_EXACT_INTEGERS < number < _EXACT_INTEGERS:
        if number or not value:
            return number
        return _TINY if value > 0 else -_TINY
    if not -(2.0**64) < number < 2.0**64:
        return number  # an integer of it could have any number of digits
    whole = int(value)
    return whole if whole == value and -(2**63) <= whole < 2**63 else number


# What drivers give of a number, and what SQLite keeps of it.
_Stored = float | int | str | decimal.Decimal | None


class _Known(dict[Any, Any]):
    """The decimals of the numbers that were read lately: most columns hold few different ones.

    Of numbers that are equal, be they integers or floats, the decimals are equal, too, up to as many digits as a float
    keeps. Zero has no sign: SQLite's columns of numbers keep none.
    """

    def __init__(self, read: Callable[[Any], decimal.Decimal | None]) -> None:
        self.read = read
        self._begin()

    def _begin(self) -> None:
        self.clear()
        self.update({None: None, 0: self.read(0)})

    def __missing__(self, value: _Stored) -> decimal.Decimal | None:
        number = self.read(value)
        if (type(value) is float or type(value) is int) and -_REMEMBERED < value < _REMEMBERED:
            if len(self) >= MAX_KNOWN:
                self._begin()
            self[value] = number
        return number


MAX_KNOWN = 8192
"""How many numbers the readers of columns of one kind remember: 1.5 MB at most."""

_REMEMBERED = 10**_EXACT_DIGITS


@functools.lru_cache(maxsize=64)
def _decimal_reader(max_digits: int | None, places: int | None) -> Callable[[Any], decimal.Decimal | None]:
    """Return the reader of all columns with so many digits: the method of a dict, which calls no Python for what it knows."""
    return _Known(_number_reader(max_digits, places)).__getitem__


def _number_reader(max_digits: int | None, places: int | None) -> Callable[[Any], decimal.Decimal | None]:
    if places is None:
        return _any_decimal
    unit = decimal.Decimal(1).scaleb(-places)
    form = f"%.{places}f"
    whole_form = f"%d.{'0' * places}" if places else "%d"
    make = decimal.Decimal

    def process(value: _Stored) -> decimal.Decimal | None:
        if type(value) is float:
            text = form % value
            # A number that has more digits is rounded as a decimal: as a binary fraction, 2.675 lies below its middle.
            return make(text) if float(text) == value else process_long(value)
        if type(value) is int:
            return make(whole_form % value)
        return None if value is None else make(value).quantize(unit, context=WIDE)

    def process_long(value: _Stored) -> decimal.Decimal | None:
        if type(value) is float:
            value = f"{value:.{_EXACT_DIGITS}g}"  # what is behind those is the noise of binary fractions
        return None if value is None else make(value).quantize(unit, context=WIDE)

    return process if max_digits is not None and max_digits <= _EXACT_DIGITS else process_long


def _any_decimal(value: _Stored) -> decimal.Decimal | None:
    if type(value) is float:
        return decimal.Decimal(f"{value:.{_EXACT_DIGITS}g}")
    return None if value is None else decimal.Decimal(value)


def computed_decimal(places: int | None) -> Callable[[Any], decimal.Decimal | None]:
    """Return what reads SQLite's computed numbers: with all their digits, and at least `places` behind the point."""
    if places is None:
        return _any_decimal
    unit = decimal.Decimal(1).scaleb(-places)
    form, make = f"%.{places}f", decimal.Decimal
    whole_form = f"%d.{'0' * places}" if places else "%d"
    reach = 10.0 ** (
        _EXACT_DIGITS - places
    )  # below, so many digits behind the point are digits that a float keeps

    def process(value: _Stored) -> decimal.Decimal | None:
        if type(value) is float and -reach < value < reach:
            text = form % value
            if float(text) == value:  # as sums of a column's own numbers are
                return make(text)
        elif type(value) is int:
            return make(whole_form % value)
        number = _any_decimal(value)
        if number is None or not number.is_finite() or number.as_tuple().exponent <= -places:  # type: ignore[operator]
            return number
        return number.quantize(unit, context=WIDE)

    return process
