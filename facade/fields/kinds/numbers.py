"""Numbers: integers of several sizes, floating-point and decimal ones."""

from __future__ import annotations

import decimal
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, Unpack, overload

import sqlalchemy as sa

from facade import types
from facade.exceptions import CheckViolation, NumericValueOutOfRange, shown
from facade.fields.base import Field
from facade.fields.columns import unsigned
from facade.fields.descriptions import Plain
from facade.fields.keywords import DecimalOptions, DecimalValue, FieldOptions, FloatValue, IntegerValue, Name
from facade.foundation.imports import later
from facade.foundation.promises import kept
from facade.foundation.seams import Seam
from facade.types.decimals import WIDE, computed_decimal
from facade.types.scalars import computed_integer
from facade.validators import DecimalValidator, MaxValueValidator, MinValueValidator
from facade.vendors import vendor_named, vendor_of

if TYPE_CHECKING:
    from _typeshed import ConvertibleToInt
    from sqlalchemy.dialects import mysql
    from sqlalchemy.engine import Dialect

    from facade.checks import CheckMessage
    from facade.db.database import Database
    from facade.fields.columns import ColumnType, Declared, DialectView
    from facade.fields.descriptions import Kind, Reader, ValueDescription
    from facade.validators import BaseValidator
else:
    mysql = later("sqlalchemy.dialects.mysql")


default_vendor: Seam[[], str | None] = Seam(
    "which kind of database the default one is", filled_by="facade.orm.instances.validation"
)


_FAR = 40  # powers of ten: beyond the range of every column of integers
_BEYOND = int("1" + _FAR * "0")


def _whole(value: ConvertibleToInt) -> int:
    """Return `int(value)`; of a decimal that is far beyond every column one that is so, too, without computing it."""
    if isinstance(value, decimal.Decimal) and value.is_finite() and value.adjusted() > _FAR:
        return -_BEYOND if value.is_signed() else _BEYOND
    return int(value)


def _refuse_number(field: Field[Any], value: object, error: Exception) -> NoReturn:
    kind = TypeError if isinstance(error, TypeError) else ValueError
    raise kind(f"Field '{field.name}' expected a number but got {shown(value)}.") from error


class IntegerField(Field[IntegerValue]):
    """Integers of 32 bits, on SQLite of 64; NumericValueOutOfRange for others. A comparison with one is answered without asking.

    >>> IntegerField().to_python("42")
    42
    """

    empty_strings_allowed = False
    describes = (int,)
    value_kind: ClassVar[Kind | None] = "integer"
    default_error_messages: ClassVar[dict[str, str]] = {"invalid": "“%(value)s” value must be an integer."}
    description = "Integer"
    bits = 31
    """The size of the column, without the sign."""
    lowest: int | None = None
    """The smallest value, where the column's type alone does not set it."""
    counts = False
    """Whether the database makes the values."""

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: IntegerField[int], *names: Name, null: Literal[False] = ..., **options: Unpack[FieldOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: IntegerField[int | None], *names: Name, null: Literal[True], **options: Unpack[FieldOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "IntegerField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return sa.Integer()

    @property
    def integer_range(self) -> tuple[int, int]:
        """The smallest and the largest value that the column holds in the default database: what validators ask for."""
        return self.range_on(default_vendor())

    def range_on(self, vendor: str | None) -> tuple[int, int]:
        return self._ranges.get(vendor, self._ranges[None])

    @cached_property
    def _ranges(self) -> dict[str | None, tuple[int, int]]:
        # SQLite stores 64 bits in any column; MySQL needs no bit for the sign where there is none.
        sizes = {None: self.bits, "sqlite": 63, "mysql": self.bits + (self.lowest == 0)}
        return {
            vendor: (-(2**n) if self.lowest is None else self.lowest, 2**n - 1) for vendor, n in sizes.items()
        }

    @cached_property
    def highest(self) -> int:
        """The largest value that the column holds in any database."""
        return max(high for _, high in self._ranges.values())

    @cached_property
    def validators(self) -> list[Callable[[Any], object]]:
        given: list[Callable[[Any], object]] = super().validators
        low, high = self.integer_range
        if not any(limit >= low for limit in _limits(given, MinValueValidator)):
            given.append(MinValueValidator(low))
        if not any(limit <= high for limit in _limits(given, MaxValueValidator)):
            given.append(MaxValueValidator(high))
        return given

    def to_python(self, value: Any) -> Any:
        if value is None or type(value) is int:
            return value
        try:
            return _whole(value)
        except (TypeError, ValueError, OverflowError):
            self._refuse("invalid", value)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or type(value) is int:
            return value
        value = kept(value)
        try:
            return _whole(value)
        except (TypeError, ValueError, OverflowError) as error:
            _refuse_number(self, value, error)

    def storable(self, given: object, prepared: Any, connection: Database | DialectView | None) -> Any:
        if prepared is None:
            return None
        low, high = self.range_on(connection.vendor) if connection is not None else self._ranges["sqlite"]
        if isinstance(given, (float, decimal.Decimal)) and given != prepared and abs(prepared) < _BEYOND:
            raise ValueError(f"Field '{self.name}' expected a whole number but got {shown(given)}.")
        if prepared == 0 and self.counts and connection is not None and connection.features.counts_from_zero:
            raise ValueError(
                f"Field '{self.name}' cannot hold 0 on MySQL and MariaDB, which make the next number of it."
            )
        if not low <= prepared <= high:
            kind = CheckViolation if low == self.lowest and prepared < low else NumericValueOutOfRange
            raise kind(
                f"Field '{self.name}' cannot hold {shown(prepared)}: its numbers go from {low} to {high}."
            )
        return prepared

    def plain_values(self, vendor: str) -> Plain:
        low, high = self.range_on(vendor)
        not_zero = "v and " if self.counts and vendor_named(vendor).counts_from_zero else ""
        return Plain(int, f"{not_zero}{low} <= v <= {high}")

    def computed_reader(self, convert: Reader, dialect: Dialect) -> Reader:
        return computed_integer

    def combined(self, connector: str, right: ValueDescription) -> Any:
        return IntegerField() if isinstance(right, IntegerField) else None

    def of_mean(self) -> Any:
        return FloatField()

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *self._check_max_length()]

    def _check_max_length(self) -> Iterator[CheckMessage]:
        if self.max_length is not None:
            msg = f"'max_length' is ignored when used with {type(self).__name__}."
            yield self._warning(msg, "W122", "Remove 'max_length' from field")


def _limits(validators: list[Callable[[Any], object]], kind: type[BaseValidator]) -> Iterator[Any]:
    for validator in validators:
        if isinstance(validator, kind):
            yield validator.limit_value() if callable(validator.limit_value) else validator.limit_value


class BigIntegerField(IntegerField[IntegerValue]):
    """Integers of 64 bits."""

    description = "Big (8 byte) integer"
    bits = 63
    MAX_BIGINT = 2**63 - 1

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: BigIntegerField[int],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: BigIntegerField[int | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return sa.BigInteger()


class SmallIntegerField(IntegerField[IntegerValue]):
    """Integers of 16 bits."""

    description = "Small integer"
    bits = 15

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: SmallIntegerField[int],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: SmallIntegerField[int | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "SmallIntegerField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return sa.SmallInteger()


class PositiveBigIntegerField(BigIntegerField[IntegerValue]):
    """Integers of 64 bits from 0 up."""

    description = "Positive big integer"
    lowest = 0

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: PositiveBigIntegerField[int],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: PositiveBigIntegerField[int | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "PositiveBigIntegerField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return unsigned(sa.BigInteger, mysql.BIGINT)


class PositiveIntegerField(IntegerField[IntegerValue]):
    """Integers of 32 bits from 0 up."""

    description = "Positive integer"
    lowest = 0

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: PositiveIntegerField[int],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: PositiveIntegerField[int | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "PositiveIntegerField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return unsigned(sa.Integer, mysql.INTEGER)

    def combined(self, connector: str, right: ValueDescription) -> Any:
        positive = isinstance(right, PositiveIntegerField) and connector in _GROWING
        return PositiveIntegerField() if positive else super().combined(connector, right)


_GROWING = ("+", "*", "/", "%%", "^")  # what keeps positive numbers positive


class PositiveSmallIntegerField(SmallIntegerField[IntegerValue]):
    """Integers of 16 bits from 0 up."""

    description = "Positive small integer"
    lowest = 0

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: PositiveSmallIntegerField[int],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: PositiveSmallIntegerField[int | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "PositiveSmallIntegerField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return unsigned(sa.SmallInteger, mysql.SMALLINT)


class FloatField(Field[FloatValue]):
    """Floating-point numbers of double precision."""

    empty_strings_allowed = False
    describes = (float,)
    value_kind = "float"
    bounded_when_computed = True
    default_error_messages: ClassVar[dict[str, str]] = {"invalid": "“%(value)s” value must be a float."}
    description = "Floating point number"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: FloatField[float], *names: Name, null: Literal[False] = ..., **options: Unpack[FieldOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: FloatField[float | None], *names: Name, null: Literal[True], **options: Unpack[FieldOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "FloatField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.Float()

    def to_python(self, value: Any) -> Any:
        if value is None or type(value) is float:
            return value
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            self._refuse("invalid", value)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or type(value) is float:
            return value
        value = kept(value)
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            _refuse_number(self, value, error)

    def range_on(self, vendor: str | None) -> tuple[float, float] | None:
        unbounded = vendor is None or vendor_named(vendor).has_infinity
        return None if unbounded else (-sys.float_info.max, sys.float_info.max)

    def storable(self, given: object, prepared: object, connection: Database | DialectView | None) -> Any:
        held = None if connection is None else self.range_on(connection.vendor)
        if held is not None and isinstance(prepared, float) and not held[0] <= prepared <= held[1]:
            raise NumericValueOutOfRange(
                f"Field '{self.name}' cannot hold {prepared}: MariaDB has finite numbers only. Store None, or a number "
                "that stands for it."
            )
        return prepared

    def plain_values(self, vendor: str) -> Plain:
        return Plain(float, "v - v == 0.0" if self.range_on(vendor) else None)

    def computed_reader(self, convert: Reader, dialect: Dialect) -> Reader:
        return _computed_float

    def combined(self, connector: str, right: ValueDescription) -> Any:
        return FloatField() if isinstance(right, (FloatField, IntegerField)) else None

    def combined_behind(self, connector: str, left: ValueDescription) -> Any:
        return self.combined(connector, left)


def _computed_float(value: float | str | decimal.Decimal | None) -> float | None:
    return None if value is None else float(value)


class DecimalField(Field[DecimalValue]):
    """Decimal numbers of up to `max_digits` digits, `decimal_places` of them behind the point; both are required.

    What has more places is rounded when it is stored; what has more digits before the point is NumericValueOutOfRange.
    """

    empty_strings_allowed = False
    describes = (decimal.Decimal,)
    value_kind = "decimal"
    default_error_messages: ClassVar[dict[str, str]] = {
        "invalid": "“%(value)s” value must be a decimal number."
    }
    description = "Decimal number"

    @overload
    def __init__(
        self: DecimalField[decimal.Decimal],
        *names: Name,
        null: Literal[False] = ...,
        **options: Unpack[DecimalOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: DecimalField[decimal.Decimal | None],
        *names: Name,
        null: Literal[True],
        **options: Unpack[DecimalOptions],
    ) -> None: ...
    def __init__(
        self, *names: Any, max_digits: int | None = None, decimal_places: int | None = None, **options: Any
    ) -> None:
        self.max_digits, self.decimal_places = max_digits, decimal_places
        super().__init__(*names, **options)

    def get_internal_type(self) -> str:
        return "DecimalField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.Decimal(getattr(field, "max_digits", None), getattr(field, "decimal_places", None))

    @cached_property
    def validators(self) -> list[Callable[[Any], object]]:
        return [*super().validators, DecimalValidator(self.max_digits, self.decimal_places)]

    @cached_property
    def context(self) -> decimal.Context:
        """What rounds floats to the digits of the column."""
        return decimal.Context(prec=self.max_digits)

    def to_python(self, value: Any) -> Any:
        if value is None:
            return None
        try:
            number = (
                self.context.create_decimal(value) if isinstance(value, float) else decimal.Decimal(value)
            )
        except (decimal.InvalidOperation, TypeError, ValueError):
            self._refuse("invalid", value)
        return number if number.is_finite() else self._refuse("invalid", value)

    def get_prep_value(self, value: object) -> Any:
        return self.to_python(kept(value))

    def storable(self, given: object, prepared: object, connection: Database | DialectView | None) -> Any:
        """Round to the column's places where the database would not, as Django does: by the context's rounding.

        Numbers are judged by their size before anything computes with them.
        """
        if not isinstance(prepared, decimal.Decimal) or connection is None:
            return prepared
        places, limit = self._unit, self._limit
        if limit is None:
            if prepared and prepared.adjusted() >= _LARGEST:
                raise NumericValueOutOfRange(f"Field '{self.name}' cannot hold {prepared}: it is too large.")
        elif not -limit < prepared < limit:
            self._refuse_size(prepared)
        if connection.features.holds_decimals or places is None:
            return prepared
        number = prepared.quantize(places, rounding=decimal.getcontext().rounding, context=WIDE)
        return number if limit is None or -limit < number < limit else self._refuse_size(prepared)

    def _refuse_size(self, number: decimal.Decimal) -> NoReturn:
        raise NumericValueOutOfRange(
            f"Field '{self.name}' cannot hold {number}: its numbers have up to {self.max_digits} digits, "
            f"{self.decimal_places or 0} of them behind the point."
        )

    def plain_values(self, vendor: str) -> Plain | None:
        unit, limit = self._unit, self._limit
        if vendor_named(vendor).holds_decimals:  # it rounds, and refuses, what has a size that can be sent
            return Plain(decimal.Decimal, "v.is_finite() and -400 < v.adjusted() < 300")
        if unit is None or limit is None:
            return None
        # `storable` returns them as they are, or with zeros behind them that facade's own column drops.
        shown = range(self.decimal_places or 0) if type(self.column_type) is types.Decimal else ()
        fewer = [decimal.Decimal(1).scaleb(-places) for places in shown]
        names = {"all": unit.same_quantum, "some": lambda number: any(map(number.same_quantum, fewer))}
        condition = "({all}(v) or {some}(v)) and {lowest} < v < {limit}"
        return Plain(decimal.Decimal, condition, {**names, "lowest": -limit, "limit": limit})

    def computed_reader(self, convert: Reader, dialect: Dialect) -> Reader:
        vendor = vendor_of(dialect)
        floats = vendor.computes_floats or not vendor.holds_decimals
        if floats and getattr(self, "from_db_value", None) is None:
            return computed_decimal(self.decimal_places)
        return _computed_decimal if convert is None else convert

    def combined(self, connector: str, right: ValueDescription) -> Any:
        return DecimalField() if isinstance(right, (DecimalField, IntegerField)) else None

    def combined_behind(self, connector: str, left: ValueDescription) -> Any:
        return self.combined(connector, left)

    def of_mean(self) -> Any:
        return DecimalField()  # the mean of prices has more digits than a price

    @cached_property
    def _unit(self) -> decimal.Decimal | None:
        return None if self.decimal_places is None else decimal.Decimal(1).scaleb(-self.decimal_places)

    @cached_property
    def _limit(self) -> decimal.Decimal | None:
        if self.max_digits is None:
            return None
        return decimal.Decimal(1).scaleb(self.max_digits - (self.decimal_places or 0))

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.max_digits is not None:
            options["max_digits"] = self.max_digits
        if self.decimal_places is not None:
            options["decimal_places"] = self.decimal_places
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        digits, places = _number(self.max_digits), _number(self.decimal_places)
        if places is not None and not places >= 0:
            found.append(self._error("'decimal_places' must be a non-negative integer.", "E131"))
        if digits is not None and not digits > 0:
            found.append(self._error("'max_digits' must be a positive integer.", "E133"))
        if digits is not None and places is not None and places > digits:
            found.append(self._error("'max_digits' must be greater or equal to 'decimal_places'.", "E134"))
        return found


def _computed_decimal(value: float | str | decimal.Decimal | None) -> decimal.Decimal | None:
    return value if value is None or isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))


_LARGEST = 308  # powers of ten: what a column without a number of digits holds everywhere


def _number(value: ConvertibleToInt | None) -> float | None:
    """Return an option as a number; what is none fails every comparison."""
    try:
        return None if value is None else int(value)
    except ValueError:
        return float("nan")
