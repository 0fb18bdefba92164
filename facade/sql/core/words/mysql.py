"""What MySQL and MariaDB say in words of their own, and where these two differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import operators

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.arithmetic import durations
from facade.expressions.sqltext.fragments import Whole, template
from facade.sql.core.words.base import TRUTH, StandardWords

if TYPE_CHECKING:
    from facade.expressions.contracts import Aggregation, Combined, Core, CoreType
    from facade.sql.query.query import Lock


class MySQLWords(StandardWords):
    """The words of MySQL."""

    def random(self) -> Core:
        return sa.func.rand()

    # -- lists ---------------------------------------------------------------------------------

    def listed(self, select: sa.Select[Any], apart: bool) -> Any:
        """Return a select as the list of values that IN takes, `apart` in a table of its own.

        There it may have a LIMIT, and read the table that is written.
        """
        return sa.select(*select.subquery().c) if apart else select

    # -- text ----------------------------------------------------------------------------------

    def like(self, left: Core, right: Core, *, ignore_case: bool) -> Any:
        right = right if ignore_case else template("BINARY %s", right, type_=sa.Text())
        return template("%s LIKE %s", left, right, type_=TRUTH)

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        if ignore_case:
            return super().regex(left, right, ignore_case)
        return left.op("REGEXP BINARY", is_comparison=True)(right)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        temporal = durations.combine("mysql", expression, left, right, type_)
        if temporal is not None:
            return temporal
        if (special := _COMBINE.get(expression.connector)) is not None:
            return special(left, right, type_)
        return super().combine(expression, left, right, type_)

    # -- functions -----------------------------------------------------------------------------

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        call = super().aggregate(expression, arguments, type_)
        counted = expression.calculates and isinstance(expression.known_field, fields.DurationField)
        return Whole(call, type_) if counted else call

    def nulls(self, term: Core, core: Core, first: bool) -> Any:
        """Return a term of an order with the NULLs at one end; they are smaller than any value."""
        if first == (term.modifier is operators.asc_op):
            return term
        return template("%s IS NOT NULL, %s" if first else "%s IS NULL, %s", core, term)


class MariaDBWords(MySQLWords):
    """The words of MariaDB."""

    def for_update(self, statement: sa.Select[Any], lock: Lock, tables: list[Any]) -> Any:
        statement = super().for_update(statement, lock, tables)
        if tables:
            raise UnsupportedFeature("FOR UPDATE OF is not supported on MariaDB.")
        return statement


_BITWISE = {"&": "%s & %s", "|": "%s | %s", "#": "%s ^ %s", "<<": "%s << %s"}


def _signed(text: str) -> Callable[[Any, Any, Any], Any]:
    """Return what makes a number of bits: those of MySQL have no sign, and do not fit into a column that has one."""
    return lambda left, right, type_: template(f"CAST({text} AS SIGNED)", left, right, type_=type_)


def _shifted_right(left: Core, right: Core, type_: CoreType | None) -> Any:
    """Return a number shifted to the right, a negative one as others shift it."""
    text = "CAST(CASE WHEN %s < 0 THEN ~(~%s >> %s) ELSE %s >> %s END AS SIGNED)"
    return template(text, left, left, right, left, right, type_=type_)


_COMBINE: dict[str, Callable[[Any, Any, Any], Any]] = {
    ">>": _shifted_right,
    **{connector: _signed(text) for connector, text in _BITWISE.items()},
}

__all__ = ["MariaDBWords", "MySQLWords"]
