"""The order of operations: what something else needs comes first, there and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.migrations.changing.changed_types import changed_types
from facade.migrations.changing.owners import not_owned, registries
from facade.migrations.changing.remaking import remade
from facade.migrations.changing.settling import settled
from facade.migrations.changing.within import in_order
from facade.migrations.comparing.comparison import compared
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic import util
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from alembic.operations.ops import (
        CreateTableOp,
        DropTableOp,
        MigrateOperation,
        ModifyTableOps,
        UpgradeOps,
    )
    from alembic.util import PriorityDispatchResult

    Reference = tuple[CreateTableOp, sa.ForeignKeyConstraint]

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
    _keep_those_of_others(context, upgrade)
    made = [one for one in upgrade.ops if isinstance(one, ops.CreateTableOp)]
    dropped = [one for one in upgrade.ops if isinstance(one, ops.DropTableOp)]
    others = [one for one in upgrade.ops if isinstance(one, ops.ModifyTableOps)]
    gone, new = ({_key(one) for one in group} for group in (dropped, made))
    with_gone = [one for one in others if _key(one) in gone]
    taken = {one.index_name for group in others for one in group.ops if isinstance(one, ops.CreateIndexOp)}
    first, last = changed_types(context, dropped)
    upgrade.ops = [
        *first,
        *(one for group in with_gone for one in _dropped_before(group, taken)),
        *_in_order_made(context, made),
        *(
            operations.TableMade(one.table_name, one.ops, schema=one.schema)
            for one in others
            if _key(one) in new
        ),
        *(one for group in others if _key(group) not in gone | new for one in _changed(context, group)),
        *(one for one in upgrade.ops if _key(one) is None),
        *_in_order_dropped(context, dropped),
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
    elif vendor_of(context.dialect).adds_constraints:
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


# -- tables ------------------------------------------------------------------------------------------


def _in_order_made(context: AutogenContext, made: list[CreateTableOp]) -> Iterator[MigrateOperation]:
    creates = {one: one for one in made}
    order, cut = _sorted(creates)
    yield from order
    if vendor_of(context.dialect).adds_constraints:
        for create, reference in cut:
            _leave_out(create, reference)
            yield ops.CreateForeignKeyOp.from_constraint(reference)


def _in_order_dropped(context: AutogenContext, dropped: list[DropTableOp]) -> Iterator[MigrateOperation]:
    creates = {one._reverse: one for one in dropped if one._reverse is not None}
    order, cut = _sorted(creates)
    if vendor_of(context.dialect).adds_constraints:
        for create, reference in cut:
            _leave_out(create, reference)
            yield ops.DropConstraintOp.from_constraint(reference)
    yield from (creates[create] for create in reversed(order))


def _leave_out(create: CreateTableOp, reference: sa.ForeignKeyConstraint) -> None:
    create.columns = [item for item in create.columns if item is not reference]


def _sorted(creates: Iterable[CreateTableOp]) -> tuple[list[CreateTableOp], list[Reference]]:
    """Return the tables so that each comes after those it refers to, and the references of circles, without which it does."""
    waiting = {
        str(one.table_name) if one.schema is None else f"{one.schema}.{one.table_name}": one
        for one in creates
    }
    waiting = dict(sorted(waiting.items()))
    cut: list[Reference] = []
    order = []
    while waiting:
        open_ends = {name: list(_open_ends(one, name, waiting, cut)) for name, one in waiting.items()}
        free = [name for name, ends in open_ends.items() if not ends]
        if not free:
            cut.extend(_of_a_circle(open_ends, waiting))
        order += [waiting.pop(name) for name in free]
    return order, cut


def _open_ends(
    create: CreateTableOp, name: str, waiting: Mapping[str, CreateTableOp], cut: Sequence[Reference]
) -> Iterator[tuple[str, sa.ForeignKeyConstraint]]:
    """The references of a table to others that are still to come."""
    known = [reference for _, reference in cut]
    for item in create.columns:
        if isinstance(item, sa.ForeignKeyConstraint) and not item.use_alter and item not in known:
            target = item.elements[0].target_fullname.rpartition(".")[0]
            if target != name and target in waiting:
                yield target, item


def _of_a_circle(
    open_ends: Mapping[str, Sequence[tuple[str, sa.ForeignKeyConstraint]]],
    waiting: Mapping[str, CreateTableOp],
) -> Iterator[Reference]:
    """The references of one table of a circle to the next in it: where all wait, a walk along them ends in one."""
    walked: list[str] = []
    name = next(iter(open_ends))
    while name not in walked:
        walked.append(name)
        name = open_ends[name][0][0]
    following = open_ends[name][0][0]
    return ((waiting[name], reference) for target, reference in open_ends[name] if target == following)
