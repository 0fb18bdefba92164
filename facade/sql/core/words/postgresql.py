"""What PostgreSQL says in words of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.arithmetic import durations
from facade.expressions.sqltext.fragments import template
from facade.sql.core.constants import bound_type
from facade.sql.core.words.base import TRUTH, StandardWords
from facade.types import JSON, IPAddress

if TYPE_CHECKING:
    from facade.expressions.contracts import Aggregation, Combined, Compiler, Convert, Core, CoreType, Valued
    from facade.expressions.freezing import Arg

_LARGEST = ("Max", "Min")


class PostgreSQLWords(StandardWords):
    """The words of PostgreSQL."""

    filters_aggregates = True

    def null(self, type_: CoreType | None) -> Core:
        """Return the NULL of a type, by which operators and functions are chosen: a bare one has none."""
        return sa.null() if type_ is None else sa.cast(sa.null(), type_)

    # -- lists ---------------------------------------------------------------------------------

    def in_list(
        self, compiler: Compiler, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None
    ) -> Any:
        if type_ is None:
            return super().in_list(compiler, left, arg, type_, convert)
        return left == sa.any_(compiler.bind(arg, sa.ARRAY(_array_item(type_)), convert))

    # -- text ----------------------------------------------------------------------------------

    def like(self, left: Core, right: Core, *, ignore_case: bool) -> Any:
        if not ignore_case:
            return super().like(left, right, ignore_case=False)
        left, right = sa.func.upper(self.text(left)), sa.func.upper(right)
        return template("%s LIKE %s ESCAPE '\\'", left, right, type_=TRUTH)

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        operator = self.text(left).op("~*" if ignore_case else "~", is_comparison=True)
        return operator(self.pattern(right))

    def text(self, value: Core) -> Any:
        """Return a value for pattern matching, which is done with text only."""
        if isinstance(value.type, sa.String):
            return value
        if isinstance(value.type, IPAddress):
            return sa.func.host(value, type_=sa.Text())  # as text it has its network's width behind it
        return sa.cast(value, sa.Text())

    def pattern(self, value: Core) -> Any:
        if isinstance(value.type, JSON):
            return template("(%s #>> '{}')", value, type_=sa.Text())
        return self.text(value)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        temporal = durations.combine("postgresql", expression, left, right, type_)
        return super().combine(expression, left, right, type_) if temporal is None else temporal

    # -- functions -----------------------------------------------------------------------------

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        measures = expression.calculates or expression.name in _LARGEST
        if measures and isinstance(expression.get_source_expressions()[0].known_field, fields.JSONField):
            raise UnsupportedFeature(
                f"{expression.name} of JSON is not possible on PostgreSQL: Cast it to a field of numbers or texts."
            )
        return super().aggregate(expression, arguments, type_)

    def unified(self, core: Core, expression: Valued) -> Any:
        """Return the value of several branches as its column takes it, whose type would be that of plain texts."""
        casts = (fields.GenericIPAddressField, fields.TimeField, fields.UUIDField)
        return sa.cast(core, expression.column_type) if isinstance(expression.known_field, casts) else core

    # -- combinations and locks ------------------------------------------------------------------

    def distinct_on(self, statement: sa.Select[Any], columns: list[Any]) -> Any:
        if hasattr(postgresql, "distinct_on"):  # SQLAlchemy 2.1
            return statement.ext(postgresql.distinct_on(*columns))
        return statement.distinct(*columns)


def _array_item(type_: CoreType | None) -> Any:
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        return sa.Text()
    return bound_type(type_, None)


__all__ = ["PostgreSQLWords"]
