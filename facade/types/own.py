"""The types of columns that are somebody else's, where facade's promises about values ask for more than they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.types.json import JSON
from facade.types.temporal import DateTime, aware, clock_of, datetime_of_clock, datetime_of_moment

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

    from facade.types.base import Processor

__all__ = ["OwnJSON", "OwnMoment", "is_clock", "own_type"]


class OwnMoment(DateTime):
    """The moments of a column that knows zones: aware and in UTC, as the column's own type binds and reads them.

    Databases without zones keep the clock of UTC there.
    """

    def __init__(self, own: sa.DateTime) -> None:
        super().__init__(own.timezone)
        self.own = own

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return self.own.dialect_impl(dialect)

    def bind_processor(self, dialect: Dialect) -> Processor:
        own = self.own.dialect_impl(dialect).bind_processor(dialect)
        convert = aware if self._has_moments(dialect) else clock_of
        return convert if own is None else lambda value: own(convert(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        own = self.own.dialect_impl(dialect).result_processor(dialect, coltype)
        convert = datetime_of_moment if self._has_moments(dialect) else datetime_of_clock
        return convert if own is None else lambda value: convert(own(value))


class OwnJSON(JSON):
    """The documents of a column, as its own type binds and reads them; None is SQL's NULL in any case."""

    def __init__(self, own: sa.JSON) -> None:
        super().__init__()
        self.own = self.stored_as = own

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return self.own.dialect_impl(dialect)

    def bind_processor(self, dialect: Dialect) -> Processor:
        own = self.own.dialect_impl(dialect).bind_processor(dialect)
        return own and (lambda value: None if value is None else own(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        own = self.own.dialect_impl(dialect).result_processor(dialect, coltype)
        if own is None:
            return None

        def process(value: object) -> Any:
            try:
                return own(value)
            except (TypeError, ValueError):
                return value  # a part that the database has already taken out of its document

        return process


def is_clock(type_: TypeEngine[Any]) -> bool:
    """Return whether a type is SQLAlchemy's for clocks without a zone."""
    return _is_sqlalchemys(type_) and isinstance(type_, sa.DateTime) and not type_.timezone


def own_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type that binds and reads the values of a column: its own, or one around it."""
    if _is_sqlalchemys(type_):
        if isinstance(type_, sa.JSON):
            return OwnJSON(type_)
        if isinstance(type_, sa.DateTime) and type_.timezone:
            return OwnMoment(type_)
    return type_


def _is_sqlalchemys(type_: TypeEngine[Any]) -> bool:
    return type(type_).__module__.startswith("sqlalchemy.")
