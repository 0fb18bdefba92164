"""The order of operations on one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later

if TYPE_CHECKING:
    from alembic.operations import ops
    from alembic.operations.ops import MigrateOperation, ModifyTableOps
else:
    ops = later("alembic.operations.ops")

__all__ = ["in_order", "is_generated"]


def in_order(operation: ModifyTableOps) -> ModifyTableOps:
    """Sort the operations on a table so that each finds what it needs, there and back."""
    added = {one.column.name for one in operation.ops if isinstance(one, ops.AddColumnOp)}
    operation.ops = sorted(operation.ops, key=lambda one: _place(one, added))
    return operation


def _place(operation: MigrateOperation, added: set[str]) -> tuple[int, int]:
    """When an operation's turn is: references go first and come last, and a generated column comes after the others."""
    if isinstance(operation, ops.DropConstraintOp):
        return (0 if operation.constraint_type == "foreignkey" else 1), 0
    if isinstance(operation, ops.DropIndexOp):
        return 1, 0
    if isinstance(operation, ops.DropColumnOp):
        early = operation.column_name in added or is_generated(operation.to_column())
        return (2 if early else 6), 0
    if isinstance(operation, ops.AddColumnOp):
        return 3, 2 if is_generated(operation.column) else 0
    if isinstance(operation, ops.AlterColumnOp):
        return 3, 1
    if isinstance(operation, ops.CreateForeignKeyOp):
        return 5, 0
    return (4, 0) if isinstance(operation, (ops.AddConstraintOp, ops.CreateIndexOp)) else (3, 3)


def is_generated(column: sa.Column[Any]) -> bool:
    """Return whether the database computes a column."""
    return isinstance(column.server_default, sa.Computed)
