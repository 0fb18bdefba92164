"""The order of operations: what something else needs comes first, there and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from facade.foundation.imports import later
from facade.migrations.changing.changed_types import changed_types
from facade.migrations.changing.owners import not_owned, registries
from facade.migrations.changing.references import detached
from facade.migrations.changing.remaking import remade
from facade.migrations.changing.settling import settled
from facade.migrations.changing.tables import in_order_dropped, in_order_made
from facade.migrations.changing.within import in_order
from facade.migrations.comparing.comparison import IS_FACADES, compared
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic import util
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from alembic.operations.ops import MigrateOperation, ModifyTableOps, UpgradeOps
    from alembic.util import PriorityDispatchResult

    from facade.migrations.changing import operations
else:
    ops, util = later("alembic.operations.ops"), later("alembic.util")
    operations = later("facade.migrations.changing.operations")

__all__ = ["order_operations"]

Key = tuple[str | None, str]


def order_operations(
    context: AutogenContext, upgrade: UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    """Put operations into an order that databases take, whatever refers to what.

    Names of indexes become free before they are taken, tables are made before they are referred to (the references of a
    circle come after its tables), and are dropped when nothing refers to them any more.
    """
    if IS_FACADES not in context.opts:
        return util.PriorityDispatchResult.CONTINUE
    _keep_those_of_others(context, upgrade)
    made = [one for one in upgrade.ops if isinstance(one, ops.CreateTableOp)]
    dropped = [one for one in upgrade.ops if isinstance(one, ops.DropTableOp)]
    others = [one for one in upgrade.ops if isinstance(one, ops.ModifyTableOps)]
    gone, new = ({_key(one) for one in group} for group in (dropped, made))
    with_gone = [one for one in others if _key(one) in gone]
    taken = {one.index_name for group in others for one in group.ops if isinstance(one, ops.CreateIndexOp)}
    first, last = changed_types(context, dropped)
    detach, attach = (
        detached(context, others, made, dropped) if vendor_of(context.dialect).alters_tables else ([], [])
    )
    upgrade.ops = [
        *first,
        *detach,
        *(one for group in with_gone for one in _dropped_before(group, taken)),
        *in_order_made(context, made),
        *(
            operations.TableMade(one.table_name, one.ops, schema=one.schema)
            for one in others
            if _key(one) in new
        ),
        *(one for group in others if _key(group) not in gone | new for one in _changed(context, group)),
        *(one for one in upgrade.ops if _key(one) is None),
        *in_order_dropped(context, dropped),
        *attach,
        *last,
    ]
    return util.PriorityDispatchResult.CONTINUE


def _keep_those_of_others(context: AutogenContext, upgrade: UpgradeOps) -> None:
    """Drop no table that a model uses and does not own."""
    kept = {key for apps in registries(context.sorted_tables) for key in not_owned(apps)}
    gone = {_key(one) for one in upgrade.ops if isinstance(one, ops.DropTableOp)} & kept
    upgrade.ops = [one for one in upgrade.ops if _key(one) not in gone]


def _changed(context: AutogenContext, group: ModifyTableOps) -> Iterator[MigrateOperation]:
    """Yield what changes a table, as its database can do it."""
    both = compared(context, group.table_name, group.schema)
    if both is None:
        yield in_order(group)
    elif vendor_of(context.dialect).alters_tables:
        yield in_order(settled(group, both, context.dialect))
    else:
        yield from remade(in_order(group), both)


def _dropped_before(group: ModifyTableOps, taken: set[str | None]) -> Iterator[ModifyTableOps]:
    """Leave indexes to go with their tables, other than those whose names are wanted again at once."""
    first = [one for one in group.ops if isinstance(one, ops.DropIndexOp) and one.index_name in taken]
    if first:
        yield ops.ModifyTableOps(group.table_name, first, schema=group.schema)
    rest = [one for one in group.ops if one not in first]
    yield operations.TableGone(group.table_name, rest, schema=group.schema)


def _key(operation: MigrateOperation) -> Key | None:
    if isinstance(operation, (ops.ModifyTableOps, ops.CreateTableOp, ops.DropTableOp)):
        return operation.schema, str(operation.table_name)
    return None
