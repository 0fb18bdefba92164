"""What `Meta.table` may be: a `Table`, a class that SQLAlchemy's ORM maps to one, or the name of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from facade.exceptions import ImproperlyConfigured
from facade.foundation.imports import later

if TYPE_CHECKING:
    from sqlalchemy import orm

    from facade.meta.options import Options
else:
    orm = later("sqlalchemy.orm")

__all__ = [
    "Existing",
    "check_meta",
    "check_promises",
    "existing",
    "qualified_name",
    "refuse",
    "table_of",
    "unique_columns",
]

_NOT_WITH_A_TABLE = (
    "db_table",
    "db_table_comment",
    "db_tablespace",
    "metadata",
    "order_with_respect_to",
    "required_db_features",
    "required_db_vendor",
    "swappable",
)


def refuse(opts: Options, reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{opts.label} cannot stand on Meta.table: {reason}")


class Existing(NamedTuple):
    """A table that a model stands on, with what a mapped class tells of it."""

    table: sa.Table
    mapper: orm.Mapper[Any] | None
    names: Mapping[sa.Column[Any], str]
    """The attributes of the mapped class, by the columns that they hold."""

    @property
    def key(self) -> tuple[sa.Column[Any], ...]:
        """The columns of the primary key; a mapped class may name some where the table has none."""
        key: Iterable[Any] = (
            self.table.primary_key.columns if self.mapper is None else self.mapper.primary_key
        )
        return tuple(key)

    def name_of(self, column: sa.Column[Any]) -> str:
        return self.names.get(column) or str(column.key)

    def columns(self) -> Iterator[sa.Column[Any]]:
        yield from self.table.columns


def existing(opts: Options, given: object) -> Existing:
    """Return the table that `Meta.table` gives; `ImproperlyConfigured` for what no model can stand on."""
    if isinstance(given, sa.Table):
        return Existing(given, None, {})
    mapper = sa.inspect(given, raiseerr=False)
    if not isinstance(mapper, orm.Mapper):
        raise refuse(
            opts,
            f"{given!r} is neither a Table, nor a mapped class, nor the name of a table. Of another selectable make a view.",
        )
    table = mapper.local_table
    if not isinstance(table, sa.Table):
        raise refuse(
            opts, f"{mapper.class_.__name__} is mapped to {type(table).__name__}, which is no Table."
        )
    if mapper.inherits is not None:
        raise refuse(
            opts,
            f"{mapper.class_.__name__} is one of several classes that share tables by inheritance; its rows belong to "
            f"{mapper.base_mapper.class_.__name__}, too. Give the Table itself, {table.name!r}, and filter.",
        )
    names = {
        column: name for name, column in mapper.columns.items() if getattr(column, "table", None) is table
    }
    return Existing(table, mapper, names)


def table_of(opts: Options) -> Existing:
    """Return the table that a model stands on."""
    return existing(opts, opts.existing_table if isinstance(opts.stands_on, str) else opts.stands_on)


def qualified_name(table: sa.Table) -> str:
    """Return what `db_table` calls a table: the schema is named apart."""
    return f'"{table.schema}"."{table.name}"' if table.schema else str(table.name)


def check_meta(opts: Options) -> None:
    """Refuse options of `class Meta` that a table which is there already cannot follow."""
    for name in _NOT_WITH_A_TABLE:
        if opts.original_attrs.get(name):
            raise refuse(opts, f"Meta.{name} says what the table tells itself. Leave it out.")
    if opts.original_attrs.get("managed"):
        raise refuse(opts, "facade never creates, changes or drops such a table. Leave Meta.managed out.")
    if opts.proxy:
        raise refuse(opts, "a proxy stands on the table of its base. Leave Meta.table out.")
    if opts.parents:
        parents = ", ".join(parent.__name__ for parent in opts.parents)
        raise refuse(
            opts, f"it inherits the columns of other tables ({parents}). Refer to them by relations."
        )


def check_promises(opts: Options, table: sa.Table) -> None:
    """Refuse constraints and indexes in `class Meta` that the table does not have."""
    items: Iterable[Any] = (*table.constraints, *table.indexes)
    names = {item.name for item in items}
    for option in ("constraints", "indexes"):
        for item in getattr(opts, option):
            if item.name not in names:
                raise refuse(
                    opts,
                    f"Meta.{option} has {item.name!r}, which the table {table.fullname!r} has not. Add it to the Table, under "
                    "that name, and to the database.",
                )
    unique = {frozenset(column.name for column in columns) for columns in unique_columns(table)}
    for together in opts.unique_together:
        columns = frozenset(opts.get_field(name).column for name in together)
        if columns not in unique:
            raise refuse(
                opts, f"Meta.unique_together has {together!r}, which is not unique in {table.fullname!r}."
            )


def unique_columns(table: sa.Table) -> Iterator[tuple[sa.Column[Any], ...]]:
    """Yield the groups of columns that no two rows have in common."""
    if len(table.primary_key.columns):
        yield tuple(table.primary_key.columns)
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield tuple(constraint.columns)
    for index in table.indexes:
        partial = any(option.get("where") is not None for option in index.dialect_options.values())
        if index.unique and not partial and len(index.columns) == len(index.expressions):
            yield tuple(index.columns)
