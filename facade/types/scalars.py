"""Truth values, bytes, integers that were computed, floating-point numbers, UUIDs and IP addresses."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Callable
from math import isnan
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine.processors import int_to_boolean

from facade.drivers import driver_of
from facade.exceptions import NumericValueOutOfRange
from facade.foundation.imports import later
from facade.parsing.addresses import address_text
from facade.types.base import Base, Processor, cast_where_bound
from facade.vendors import vendor_of

if TYPE_CHECKING:
    import decimal

    from sqlalchemy.dialects import postgresql
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine
else:
    postgresql = later("sqlalchemy.dialects.postgresql")


def _number_of_truth(value: bool | None) -> int | None:
    return None if value is None else int(value)


class Boolean(Base[bool]):
    """Truth values."""

    impl = sa.Boolean

    def bind_processor(self, dialect: Dialect) -> Processor:
        taken = dialect.supports_native_boolean or vendor_of(dialect).takes_truth_values
        return None if taken else _number_of_truth

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return None if dialect.supports_native_boolean else int_to_boolean


class Binary(Base[bytes]):
    """Bytes of any length."""

    impl = sa.LargeBinary

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(vendor_of(dialect).binary_type())

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return _bytes if driver_of(dialect).gives_views else None

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        form = vendor_of(dialect).binary_literal
        return lambda value: "NULL" if value is None else form.format(bytes(value).hex())


def _bytes(value: memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)


def computed_integer(value: float | str | decimal.Decimal | None) -> int | None:
    """Return a number that the database has computed for an integer."""
    if value is None or type(value) is int:
        return value
    try:
        return int(value)
    except OverflowError:
        raise NumericValueOutOfRange(f"The database has computed {value!r}, which is no integer.") from None


class Float(Base[float]):
    """Floating-point numbers of double precision."""

    impl = sa.Double

    def bind_processor(self, dialect: Dialect) -> Processor:
        return None if vendor_of(dialect).has_infinity else _finite


def _finite(value: float | None) -> float | None:
    """Return a number for MariaDB, to which NaN is NULL, as it is to SQLite."""
    if type(value) is float and value - value != 0.0:
        if isnan(value):
            return None
        raise NumericValueOutOfRange(f"MariaDB has no {value}: it counts with finite numbers only.")
    return value


class UUID(Base[uuid.UUID]):
    """UUIDs: of a type of their own where the database has one, elsewhere 32 hexadecimal digits."""

    impl = sa.CHAR

    def __init__(self) -> None:
        super().__init__(32)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(vendor_of(dialect).uuid_type())

    def bind_processor(self, dialect: Dialect) -> Processor:
        vendor = vendor_of(dialect)
        if not vendor.has_native_uuid_field:
            return _hex
        return None if vendor.takes_uuids else _text_of_uuid

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        vendor = vendor_of(dialect)
        return None if vendor.has_native_uuid_field and vendor.takes_uuids else _uuid_of_hex


def _text_of_uuid(value: uuid.UUID | None) -> str | None:
    return None if value is None else str(value)


def _hex(value: uuid.UUID | None) -> str | None:
    return None if value is None else value.hex


_new_uuid = uuid.UUID.__new__
_set = object.__setattr__
_UNKNOWN = uuid.SafeUUID.unknown


def _uuid_of_hex(value: str | None) -> uuid.UUID | None:
    """Make a UUID without the checks of its constructor, which take two thirds of its time."""
    if value is None:
        return None
    try:
        number = int(value, 16)
    except ValueError:
        return uuid.UUID(value)  # with hyphens
    made = _new_uuid(uuid.UUID)
    _set(made, "int", number)
    _set(made, "is_safe", _UNKNOWN)
    return made


class IPAddress(Base[str]):
    """IP addresses as text: inet on PostgreSQL."""

    impl = sa.CHAR
    label = "A column of addresses"  # how errors call it

    def __init__(self) -> None:
        super().__init__(39)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if not vendor_of(dialect).has_addresses:
            return dialect.type_descriptor(sa.CHAR(39))
        return cast_where_bound(dialect, postgresql.INET)

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _address_checker(self.label) if vendor_of(dialect).has_addresses else _text_or_none

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return _address_or_none if vendor_of(dialect).has_addresses else None


def _address_or_none(value: object) -> str | None:
    return None if value is None else address_text(value)


def _text_or_none(value: object) -> str | None:
    return str(value) if value else None  # no address is NULL


def _address_checker(label: str) -> Callable[[object], str | None]:
    def checked(value: object) -> str | None:
        """Refuse what PostgreSQL would refuse, and abort a transaction for."""
        if (text := _text_or_none(value)) is None:
            return None
        try:
            ipaddress.ip_interface(text)
        except ValueError:
            raise ValueError(
                f"{label} takes no {text!r}: that is neither an IPv4 nor an IPv6 address."
            ) from None
        return text

    return checked
