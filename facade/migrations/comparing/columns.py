"""Comparing the types and defaults of columns, and what generated ones are computed by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from facade.foundation.imports import later
from facade.migrations.comparing.comparison import Both, both_of

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic import util
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from alembic.operations.ops import AlterColumnOp, MigrateOperation, ModifyTableOps
    from alembic.util import PriorityDispatchResult
else:
    ops, util = later("alembic.operations.ops"), later("alembic.util")

__all__ = ["compare_default", "compare_generated", "compare_type"]


def compare_type(
    context: AutogenContext,
    alter: AlterColumnOp,
    schema: str | None,
    table: str,
    name: str,
    conn_column: sa.Column[Any],
    column: sa.Column[Any],
) -> PriorityDispatchResult:
    """Compare types by the words of the database; a function that the environment has for it is asked first."""
    pair = _words_of(context, column, conn_column)
    own = context.migration_context._user_compare_type
    if pair is None or own is False:
        return util.PriorityDispatchResult.CONTINUE
    alter.existing_type = conn_column.type
    said = (
        own(context.migration_context, conn_column, column, conn_column.type, column.type)
        if callable(own)
        else None
    )
    is_other = pair[0].type != pair[1].type if said is None else said
    if is_other and not _is_generated(pair):
        alter.modify_type = column.type
    return util.PriorityDispatchResult.STOP


def _words_of(
    context: AutogenContext, column: sa.Column[Any], conn_column: sa.Column[Any]
) -> tuple[Any, Any] | None:
    """Return the database's words for a column as it is and as it is wanted, where there are both."""
    both = both_of(context, column.table, conn_column.table)
    return None if both is None else both.column(column.name)


def _is_generated(pair: tuple[Any, Any]) -> bool:
    return any(words.generated is not None for words in pair)


def compare_default(
    context: AutogenContext,
    alter: AlterColumnOp,
    schema: str | None,
    table: str,
    name: str,
    conn_column: sa.Column[Any],
    column: sa.Column[Any],
) -> PriorityDispatchResult:
    """Compare defaults by the words of the database."""
    pair = _words_of(context, column, conn_column)
    if pair is None:
        return util.PriorityDispatchResult.CONTINUE
    if _is_generated(pair):
        return util.PriorityDispatchResult.STOP
    alter.existing_server_default = conn_column.server_default
    if column.autoincrement is True and not context.dialect.supports_identity_columns:
        alter.kw["autoincrement"] = True
    if pair[0].default != pair[1].default:
        alter.modify_server_default = column.server_default
        if "identity" in (pair[0].default, pair[1].default) and not context.dialect.supports_identity_columns:
            alter.modify_server_default, alter.modify_type = False, column.type
            alter.kw["autoincrement"] = pair[1].default == "identity"
    return util.PriorityDispatchResult.STOP


def compare_generated(
    context: AutogenContext,
    modify: ModifyTableOps,
    schema: str | None,
    name: str,
    conn_table: sa.Table | None,
    plain: sa.Table | None,
) -> PriorityDispatchResult:
    """Make generated columns anew that are computed otherwise: none can be altered."""
    both = both_of(context, plain, conn_table)
    if both is not None and plain is not None and conn_table is not None:
        for column in plain.columns:
            if column.name in conn_table.c and both.is_generated(column.name):
                modify.ops = [one for one in modify.ops if not _alters(one, column.name)]
                modify.ops.extend(_made_anew(both, conn_table.c[column.name], column, plain))
    return util.PriorityDispatchResult.CONTINUE


def _alters(operation: MigrateOperation, name: str) -> bool:
    return isinstance(operation, ops.AlterColumnOp) and operation.column_name == name


def _made_anew(
    both: Both, old: sa.Column[Any], new: sa.Column[Any], plain: sa.Table
) -> Iterator[MigrateOperation]:
    pair = both.column(new.name)
    if pair is not None and (pair[0].generated, pair[0].type) != (pair[1].generated, pair[1].type):
        yield ops.DropColumnOp.from_column_and_tablename(plain.schema, plain.name, old)
        yield ops.AddColumnOp.from_column_and_tablename(plain.schema, plain.name, new)
