"""Columns of any SQLAlchemy type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.fields.base import Field

if TYPE_CHECKING:
    from facade.fields.columns import ColumnType


class TypedField(Field[Any]):
    """A column of a SQLAlchemy type, which binds and reads the values: `TypedField(postgresql.INET())`.

    It prepares nothing and asks nothing of the values. Comparisons are those of every field.
    See https://docs.sqlalchemy.org/en/21/core/custom_types.html

    >>> TypedField(sa.Interval(), null=True).column_type
    Interval()
    """

    def __init__(self, type_: ColumnType | type[ColumnType], *names: Any, **options: Any) -> None:
        super().__init__(*names, **options)
        self.type = sa.types.to_instance(type_)

    @property
    def column_type(self) -> ColumnType:
        return self.type

    def get_internal_type(self) -> str:
        return "TypedField"

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        return name, path, [self.type, *args], options
