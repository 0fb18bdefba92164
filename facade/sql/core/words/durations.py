"""Arithmetic with dates, times and durations that are numbers of microseconds, for which a database has no operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import UnsupportedFeature

if TYPE_CHECKING:
    from facade.expressions.contracts import Combined, Core, CoreType, Valued

Operation = tuple[str, str, str]
Make = Callable[[Any, Any, Any], Any]


def combine(
    operations: dict[Operation, Make], expression: Combined, left: Core, right: Core, type_: CoreType | None
) -> Any:
    """Return the Core form of `left connector right`; None where the operator itself will do."""
    kinds = kind_of(expression.lhs), kind_of(expression.rhs)
    if "moment" not in kinds and "duration" not in kinds:
        return None
    check_counted(expression, left, right)
    operation = (kinds[0], expression.connector, kinds[1])
    if operation not in operations and "moment" in kinds and not {"number", "text"} & set(kinds):
        raise UnsupportedFeature(
            f"{expression} combines a {kinds[0]} with a {kinds[1]} by {expression.connector!r}, which has no meaning."
        )
    return operations[operation](left, right, type_) if operation in operations else None


def check_counted(expression: object, *cores: Core) -> None:
    """Refuse to compute with SQLAlchemy's Interval, which is a moment after 1970 where a database has no type for durations."""
    if any(isinstance(core.type, sa.Interval) for core in cores):
        raise UnsupportedFeature(
            f"{expression} computes with a column of the type Interval, which this database keeps as moments after 1970. Compute in "
            "Python, or keep durations as numbers."
        )


_KINDS = {"day": "moment", "moment": "moment", "time": "moment", "text": "text", "duration": "duration"}


def kind_of(expression: Valued) -> str:
    """Return what an expression is in this arithmetic; what is nothing else is a number."""
    return _KINDS.get(expression.value_kind or "", "number")


__all__ = ["Make", "Operation", "check_counted", "combine", "kind_of"]
