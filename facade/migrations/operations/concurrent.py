"""Indexes of tables that are there, built beside those who write: in a revision of their own, outside of a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from alembic.autogenerate import render_op_text, renderers
from alembic.operations import ops

from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrateOperation
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext

__all__ = ["OutsideTransaction", "write_concurrently"]


class OutsideTransaction(ops.OpContainer):
    """Operations on indexes that PostgreSQL does without a transaction, and without locks for others to wait for."""

    def reverse(self) -> OutsideTransaction:
        """Return what undoes them, in the same way."""
        return OutsideTransaction(list(map(_concurrent, (one.reverse() for one in reversed(self.ops)))))


def write_concurrently(context: MigrationContext, heads: object, directives: list[MigrationScript]) -> None:
    """Move what builds indexes on tables that are there already into a revision of its own, which does so concurrently.

    It is one of Alembic's hooks, ``process_revision_directives``; ``facade makemigrations --concurrently`` does it by itself.
    Databases that let others write anyway, while they build an index, are left alone.
    """
    (script,) = directives
    assert script.upgrade_ops is not None
    if not vendor_of(context.dialect).indexes_block_writes:
        return
    rest, apart = _separated(script.upgrade_ops.ops)
    if not apart:
        return
    block = OutsideTransaction(apart)
    if not rest:
        script.upgrade_ops.ops, script.downgrade_ops.ops = [block], [block.reverse()]  # type: ignore[union-attr]
        return
    script.upgrade_ops.ops = rest
    script.downgrade_ops.ops = _without(script.downgrade_ops.ops, _names(apart))  # type: ignore[union-attr]
    directives.append(_following(script, block))


def _following(script: MigrationScript, block: OutsideTransaction) -> MigrationScript:
    """Return the revision behind one, as it would be called."""
    assert script.rev_id is not None
    number, _, rest = script.rev_id.partition("_")
    following = (
        f"{int(number) + 1:0{len(number)}}_{rest}" if rest and number.isdigit() else f"{script.rev_id}i"
    )
    return ops.MigrationScript(
        following,
        ops.UpgradeOps([block]),
        ops.DowngradeOps([block.reverse()]),
        message=f"{script.message or 'changes'}_indexes",
        head=script.rev_id,
        splice=False,
        version_path=script.version_path,
    )


def _separated(
    operations: Iterable[MigrateOperation],
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """Return the operations without those on indexes of tables that are there, and these."""
    given = list(operations)
    made = {(one.schema, one.table_name) for one in given if isinstance(one, ops.CreateTableOp)}
    apart = [one for one in _on_tables(given, made) if isinstance(one, (ops.CreateIndexOp, ops.DropIndexOp))]
    return _without(given, _names(apart)), [_concurrent(one) for one in apart]


def _on_tables(
    operations: Iterable[MigrateOperation], made: set[tuple[str | None, str]]
) -> Iterator[MigrateOperation]:
    """Yield the operations on tables that are there; not where columns go, which take their indexes along."""
    for one in operations:
        if not isinstance(one, ops.ModifyTableOps):
            yield from (
                [one] if (getattr(one, "schema", None), getattr(one, "table_name", "")) not in made else []
            )
        elif (one.schema, one.table_name) not in made:
            stays = not any(isinstance(inner, ops.DropColumnOp) for inner in one.ops)
            yield from (inner for inner in one.ops if stays or not isinstance(inner, ops.DropIndexOp))


def _names(operations: Iterable[MigrateOperation]) -> set[str]:
    return {str(getattr(one, "index_name", "")) for one in operations}


def _without(operations: Iterable[MigrateOperation], names: set[str]) -> list[MigrateOperation]:
    """Leave the indexes of these names out of the operations."""
    kept: list[MigrateOperation] = []
    for one in operations:
        if isinstance(one, ops.ModifyTableOps):
            one.ops = _without(one.ops, names)
            kept += [one] if one.ops else []
        elif str(getattr(one, "index_name", "")) not in names:
            kept.append(one)
    return kept


def _concurrent(operation: MigrateOperation) -> MigrateOperation:
    if isinstance(operation, (ops.CreateIndexOp, ops.DropIndexOp)):
        operation.kw["postgresql_concurrently"] = True
    return operation


@renderers.dispatch_for(OutsideTransaction)
def _write(context: AutogenContext, block: OutsideTransaction) -> list[str]:
    lines = ["with op.get_context().autocommit_block():"]
    for one in block.ops:
        if isinstance(one, ops.CreateIndexOp):
            lines.append("# One that was broken off has left an index that serves nobody.")
            place = f"table_name={one.table_name!r}, schema={one.schema!r}"
            lines.append(
                f"op.drop_index({one.index_name!r}, {place}, if_exists=True, postgresql_concurrently=True)"
            )
        lines.append(render_op_text(context, one))
    return [*lines, ""]
