"""Association tables: the tables between two models, as `Table`s that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.exceptions import ImproperlyConfigured
from facade.orm.existing.tables import unique_columns
from facade.orm.instances.on_delete import DB_CASCADE

if TYPE_CHECKING:
    import sqlalchemy as sa

    from facade.fields.contracts import Instance
    from facade.fields.relations.foreign_keys import ForeignKey
    from facade.fields.relations.many_to_many import ManyToManyField

__all__ = ["association", "is_distinct", "stand_between"]


def association(field: ManyToManyField[Any], table: sa.Table) -> tuple[sa.Column[Any], sa.Column[Any]]:
    """Return the columns of an association table that refer to the field's model and to the other one."""
    names = field.remote_field.through_fields
    if names:
        if unknown := [name for name in names if name not in table.columns]:
            raise ImproperlyConfigured(
                f"{field} goes through the table {table.fullname!r}, which has no column {unknown[0]!r}. Columns: "
                f"{', '.join(table.columns.keys())}."
            )
        near, far = (table.columns[name] for name in names)
        return near, far
    own, other = (_referring(table, model) for model in (field.model, field.remote_field.model))
    if own == other and len(own) == 2:
        return own[0], own[1]
    if len(own) != 1 or len(other) != 1:
        raise ImproperlyConfigured(
            f"{field} goes through the table {table.fullname!r}, which has {len(own)} foreign keys to {field.model.__name__} and "
            f"{len(other)} to {field.remote_field.model.__name__}. Name the two columns: through_fields=(…, …)."
        )
    return own[0], other[0]


def _referring(table: sa.Table, model: type[Instance]) -> list[sa.Column[Any]]:
    name = model._meta.table.fullname
    return [
        column
        for column in table.columns
        if any(key.target_fullname.rpartition(".")[0] == name for key in column.foreign_keys)
    ]


def stand_between(key: ForeignKey[Any], column: sa.Column[Any]) -> None:
    """Let a foreign key be that column, and leave the rows to the database where it deletes them."""
    key.db_column = str(column.name)
    if any((one.ondelete or "").upper() == "CASCADE" for one in column.foreign_keys):
        key.remote_field.on_delete = DB_CASCADE


def is_distinct(through: type[Instance]) -> bool:
    """Return whether the table between was made for the pairs alone, and has each of them once."""
    opts = through._meta
    if not opts.auto_created or opts.existing_table is None:
        return bool(opts.auto_created)
    pair = {field.existing for field in opts.local_fields if field.is_relation}
    return any(set(columns) == pair for columns in unique_columns(opts.existing_table))
