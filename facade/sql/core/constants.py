"""Constants: a value is bound with the type that the other side has, and with nothing narrower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import False_, Null, True_

from facade.expressions.freezing import PLAIN, WideArg, is_long, is_wide
from facade.types import Decimal
from facade.types.shared import BIG_INTEGER, INTEGER

if TYPE_CHECKING:
    from facade.expressions.contracts import CoreType

ANY_DECIMAL = Decimal()


def bound_type(type_: CoreType | None, constant: object) -> CoreType | None:
    """Return the type a constant (a value, or the place of one) is bound with beside something of `type_`.

    What a column can hold says nothing about a value that is compared with it: 1.004 is not 1.00.
    """
    if isinstance(type_, Decimal):
        return ANY_DECIMAL
    if type_ is not None and not isinstance(type_, sa.Integer):
        return type_
    if _wide(constant):
        return ANY_DECIMAL if _long(constant) else BIG_INTEGER
    return INTEGER if isinstance(type_, sa.SmallInteger) else type_


def _wide(constant: object) -> bool:
    return isinstance(constant, WideArg) or is_wide(constant)


def _long(constant: object) -> bool:
    return constant.long if isinstance(constant, WideArg) else is_long(constant)


def literal(value: object, type_: CoreType | None) -> Any:
    """Return the parameter of a constant: what `sa.literal()` makes, without asking whether the value is an expression."""
    return sa.literal(value) if type_ is None else sa.bindparam(None, value, type_, unique=True)


def same_type(type_: CoreType | None) -> object:
    """Return what two equal types have in common: constants of the same value and type are one parameter."""
    key = None if type_ is None else type_._static_cache_key
    return key if isinstance(key, tuple) or key is None else id(type_)


def same_value(value: object) -> object:
    """Return what two constants have in common that mean the same wherever they stand, in type and in each digit.

    1, 1.0 and True are equal to Python only, and so are 0.0 and -0.0. What cannot tell is the same as itself alone.
    """
    kind = type(value)
    if kind in PLAIN or kind is bool:
        return kind, repr(value)
    if kind is list or kind is tuple:
        return kind, tuple(same_value(item) for item in value)  # type: ignore[attr-defined]
    return id(value)


def is_constant(core: sa.ColumnElement[Any]) -> bool:
    """Return whether a Core expression is NULL, TRUE or FALSE."""
    return isinstance(getattr(core, "element", core), (Null, True_, False_))
