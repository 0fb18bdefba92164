"""Primary keys of existing tables: of several columns, and none at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from facade.exceptions import ImproperlyConfigured, UnsupportedFeature
from facade.fields import Field

if TYPE_CHECKING:
    import sqlalchemy as sa

    from facade.fields.contracts import Instance

__all__ = ["NoKey", "composite_key"]


def composite_key(model: type[Instance], names: list[str]) -> NoReturn:
    """Give a model the primary key that several fields make up."""
    raise ImproperlyConfigured(
        f"{model._meta.label} cannot stand on Meta.table: its primary key has several columns ({', '.join(names)})."
    )


class NoKey(Field[None]):
    """Stands for the primary key of a model that has none: the key of each instance is None, and queries cannot name it."""

    empty_strings_allowed = False

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        self.name, self.attname, self.column, self.concrete, self.model = "pk", name, None, False, cls
        cls._meta.pk = self  # not one of the fields
        setattr(cls, name, property(_no_value, doc="None: the rows have no primary key."))

    def column_in(self, table: sa.FromClause) -> NoReturn:
        raise UnsupportedFeature(
            f"{self.model._meta.label} has no primary key, by which this query would tell rows apart: the table "
            f"{self.model._meta.db_table!r} has none. Declare a field with primary_key=True if a column identifies them; to take "
            "the first rows, order_by() columns."
        )


def _no_value(instance: object) -> None:
    return None
