"""Arithmetic with dates, times and durations where a database has no operators for it.

PostgreSQL has intervals. Elsewhere durations are numbers of microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import UnsupportedFeature
from facade.expressions.sqltext.fragments import template
from facade.types import DateTime

if TYPE_CHECKING:
    from facade.expressions.contracts import Combined, Core, CoreType, Valued


def combine(vendor: str, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
    """Return the Core form of `left connector right`; None where the operator itself will do."""
    kinds = _kind(expression.lhs), _kind(expression.rhs)
    if "moment" not in kinds and "duration" not in kinds:
        return None
    if vendor == "postgresql":
        return _on_postgresql(expression, left, right, type_)
    make = _SQLITE if vendor == "sqlite" else _MYSQL
    operation = (kinds[0], expression.connector, kinds[1])
    if operation not in make and "moment" in kinds and not {"number", "text"} & set(kinds):
        raise UnsupportedFeature(
            f"{expression} combines a {kinds[0]} with a {kinds[1]} by {expression.connector!r}, which has no meaning."
        )
    return make[operation](left, right, type_) if operation in make else None


_KINDS = {"day": "moment", "moment": "moment", "time": "moment", "text": "text", "duration": "duration"}


def _kind(expression: Valued) -> str:
    return _KINDS.get(expression.value_kind or "", "number")


def _on_postgresql(expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
    """Return days as an interval where PostgreSQL would give their number, and say that a day and an interval make no moment."""
    days = [side.value_kind == "day" for side in (expression.lhs, expression.rhs)]
    if all(days) and expression.connector == "-":
        return template("(INTERVAL '1 day' * (%s - %s))", left, right, type_=type_)
    if any(days) and "duration" in (_kind(expression.lhs), _kind(expression.rhs)):
        clock = DateTime(timezone=False)
        return template(f"(%s {expression.connector} %s)", left, right, type_=clock)
    return None


def _over(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("(%s * 1.0 / %s)", left, right, type_=type_)


Operation = tuple[str, str, str]
Make = Callable[[Any, Any, Any], Any]


def _sqlite_add(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("FACADE_ADD(%s, %s)", left, right, type_=type_)


def _sqlite_add_to_right(left: Core, right: Core, type_: CoreType | None) -> Any:
    return _sqlite_add(right, left, type_)


def _sqlite_subtract(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("FACADE_ADD(%s, -(%s))", left, right, type_=type_)


# A text may hold a moment; if it does not, its sum is NULL.
_SQLITE: dict[Operation, Make] = {
    ("moment", "+", "duration"): _sqlite_add,
    ("duration", "+", "moment"): _sqlite_add_to_right,
    ("moment", "-", "duration"): _sqlite_subtract,
    ("text", "+", "duration"): _sqlite_add,
    ("duration", "+", "text"): _sqlite_add_to_right,
    ("text", "-", "duration"): _sqlite_subtract,
    ("moment", "-", "moment"): lambda left, right, t: template(
        "FACADE_DIFFERENCE(%s, %s)", left, right, type_=t
    ),
    ("duration", "/", "number"): _over,
}


def _mysql_difference(left: Core, right: Core, type_: CoreType | None) -> Any:
    moments = (
        template("TIMESTAMP('2000-01-01', %s)", side) if _holds_time(side) else side for side in (left, right)
    )
    later, earlier = moments
    return template("TIMESTAMPDIFF(MICROSECOND, %s, %s)", earlier, later, type_=type_)


def _holds_time(core: Core) -> bool:
    return isinstance(getattr(core.type, "impl", core.type), sa.Time)


def _mysql_add(left: Core, right: Core, type_: CoreType | None) -> Any:
    return _mysql_moment("%s + INTERVAL (%s) MICROSECOND", left, right, type_)


def _mysql_moment(text: str, left: Core, right: Core, type_: CoreType | None) -> Any:
    """Return a sum as a moment, also where MySQL took a parameter for a text."""
    if _holds_time(left):
        return template(f"({text})", left, right, type_=type_)
    return template(f"CAST({text} AS DATETIME(6))", left, right, type_=type_)


def _mysql_product(operator: str) -> Any:
    return lambda left, right, t: template(f"CAST(ROUND(%s {operator} %s) AS SIGNED)", left, right, type_=t)


_MYSQL: dict[Operation, Make] = {
    ("moment", "+", "duration"): _mysql_add,
    ("duration", "+", "moment"): lambda left, right, t: _mysql_add(right, left, t),
    ("moment", "-", "duration"): lambda left, right, t: _mysql_moment(
        "%s - INTERVAL (%s) MICROSECOND", left, right, t
    ),
    ("moment", "-", "moment"): _mysql_difference,
    ("duration", "*", "number"): _mysql_product("*"),
    ("number", "*", "duration"): _mysql_product("*"),
    ("duration", "/", "number"): _mysql_product("/"),
}
