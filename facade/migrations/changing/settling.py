"""Changes of columns where a table can be altered: as many steps as the database needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.migrations.comparing.items import added, removed
from facade.migrations.comparing.reflected import as_unique_constraint, objects_of
from facade.migrations.comparing.words import quoted, unquoted, words
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic.operations import ops
    from alembic.operations.ops import MigrateOperation, ModifyTableOps
    from sqlalchemy.engine import Dialect

    from facade.migrations.changing import operations
    from facade.migrations.comparing.comparison import Both
    from facade.migrations.comparing.reflected import Object
else:
    ops = later("alembic.operations.ops")
    operations = later("facade.migrations.changing.operations")

__all__ = ["settled"]


def settled(group: ModifyTableOps, both: Both, dialect: Dialect) -> ModifyTableOps:
    """Return the changes of a table with what they bring along.

    What stands on a generated column that is made anew goes and comes with it. PostgreSQL casts the values of a column whose
    type changes when it is told how, casts no default, and leaves alone what a generated column is computed of.
    """
    if vendor_of(dialect).names_types:
        group.ops = [
            *(step for one in group.ops for step in _steps(one, both)),
            *_computed_of_others(group, both),
        ]
    group.ops.extend(_beside(group, both))
    return group


# -- types ------------------------------------------------------------------------------------------


def _steps(operation: MigrateOperation, both: Both) -> Iterator[MigrateOperation]:
    pair = both.column(operation.column_name) if isinstance(operation, ops.AlterColumnOp) else None
    if (
        pair is None
        or not isinstance(operation, ops.AlterColumnOp)
        or operation.modify_type is None
        or _bare(pair[0].type) == _bare(pair[1].type)
    ):
        yield operation
        return
    name, old = operation.column_name, operation.existing_server_default
    place: Any = {"schema": operation.schema, "existing_nullable": operation.existing_nullable}
    if isinstance(old, sa.DefaultClause):
        yield ops.AlterColumnOp(
            operation.table_name,
            name,
            existing_type=operation.existing_type,
            existing_server_default=old,
            modify_server_default=None,
            **place,
        )
        operation.modify_server_default = operation.existing_server_default = False
    yield operations.Cast.of(operation, *(f"{quoted(name)}::{_bare(one.type)}" for one in reversed(pair)))
    new = both.plain.c[name].server_default
    if isinstance(old, sa.DefaultClause) and new is not None:
        yield ops.AlterColumnOp(
            operation.table_name,
            name,
            existing_type=operation.modify_type,
            existing_server_default=None,
            modify_server_default=new,
            **place,
        )


def _bare(type_: str) -> str:
    """The type in the database's words without its collation."""
    return type_.partition(" COLLATE ")[0]


# -- generated columns ------------------------------------------------------------------------------


def _computed_of_others(group: ModifyTableOps, both: Both) -> Iterator[MigrateOperation]:
    """Make generated columns anew that are computed of columns whose types change."""
    altered = {
        one.column_name
        for one in group.ops
        if isinstance(one, ops.AlterColumnOp) and one.modify_type is not None
    }
    dropped = _dropped(group)
    for name, words_there in both.there.columns.items():
        if words_there.generated is None or name in dropped or name not in both.plain.c:
            continue
        if any(_names(words_there.generated, column) for column in altered):
            place = both.plain.schema, both.plain.name
            yield ops.DropColumnOp.from_column_and_tablename(*place, both.conn_table.c[name])
            yield ops.AddColumnOp.from_column_and_tablename(*place, both.plain.c[name])


def _dropped(group: ModifyTableOps) -> set[str]:
    return {one.column_name for one in group.ops if isinstance(one, ops.DropColumnOp)}


def _beside(group: ModifyTableOps, both: Both) -> Iterator[MigrateOperation]:
    """Make indexes and constraints anew that go with a column which is made anew."""
    added_columns = {one.column.name for one in group.ops if isinstance(one, ops.AddColumnOp)}
    anew = _dropped(group) & added_columns
    changed = {
        str(one.index_name if isinstance(one, ops.DropIndexOp) else one.constraint_name)
        for one in group.ops
        if isinstance(one, (ops.DropIndexOp, ops.DropConstraintOp))
    }
    new = objects_of(both.plain)
    for name, item in sorted(objects_of(both.conn_table).items()):
        if name in new and name not in changed and any(_uses(item, column) for column in anew):
            yield removed(
                item
                if isinstance(new[name], sa.Index) or not isinstance(item, sa.Index)
                else as_unique_constraint(item)
            )
            yield added(new[name])


def _uses(item: Object, column: str) -> bool:
    if isinstance(item, sa.CheckConstraint):
        return _names(str(item.sqltext), column)
    if isinstance(item, sa.UniqueConstraint):
        return column in item.columns
    texts = [*item.expressions, *item.dialect_kwargs.values()]
    return any(
        one.name == column if isinstance(one, sa.Column) else _names(str(one), column) for one in texts
    )


def _names(sql: str, column: str) -> bool:
    """Whether a text of SQL names a column."""
    return column in map(unquoted, words(sql))
