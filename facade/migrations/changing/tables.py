"""The order in which tables are made and dropped: what is referred to comes first, and goes last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from facade.foundation.imports import later
from facade.migrations.changing.references import leave_out, references_of
from facade.vendors import vendor_of

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from alembic.operations.ops import CreateTableOp, DropTableOp, MigrateOperation

    Reference = tuple[CreateTableOp, sa.ForeignKeyConstraint]
else:
    ops = later("alembic.operations.ops")

__all__ = ["in_order_dropped", "in_order_made"]


def in_order_made(context: AutogenContext, made: list[CreateTableOp]) -> Iterator[MigrateOperation]:
    """Make tables so that each comes after those it refers to, and the references of circles after all."""
    creates = {one: one for one in made}
    order, cut = _sorted(creates)
    yield from order
    if vendor_of(context.dialect).alters_tables:
        for create, reference in cut:
            leave_out(create, reference)
            yield ops.CreateForeignKeyOp.from_constraint(reference)


def in_order_dropped(context: AutogenContext, dropped: list[DropTableOp]) -> Iterator[MigrateOperation]:
    """Drop what refers before what is referred to, and the references of circles before their tables."""
    creates = {one._reverse: one for one in dropped if one._reverse is not None}
    order, cut = _sorted(creates)
    if vendor_of(context.dialect).alters_tables:
        for create, reference in cut:
            leave_out(create, reference)
            yield ops.DropConstraintOp.from_constraint(reference)
    yield from (creates[create] for create in reversed(order))


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
    for item in references_of(create):
        if not item.use_alter and item not in known:
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
