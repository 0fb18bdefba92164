"""References that go before a change and come again after it: to and from columns whose type changes, or whose index goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.migrations.comparing.comparison import compared
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from alembic.operations.ops import CreateTableOp, DropTableOp, MigrateOperation, ModifyTableOps

    from facade.migrations.comparing.comparison import Both
    from facade.vendors import Vendor

    End = tuple[str, str, str]
else:
    ops = later("alembic.operations.ops")

__all__ = ["detached", "leave_out", "references_of"]


def references_of(create: CreateTableOp) -> list[sa.ForeignKeyConstraint]:
    """Return the references that a table is made with."""
    return [item for item in create.columns if isinstance(item, sa.ForeignKeyConstraint)]


def leave_out(create: CreateTableOp, reference: sa.ForeignKeyConstraint) -> None:
    """Have a table made without a reference."""
    create.columns = [item for item in create.columns if item is not reference]


def detached(
    context: AutogenContext,
    groups: Sequence[ModifyTableOps],
    made: Iterable[CreateTableOp],
    dropped: Iterable[DropTableOp],
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """Return what drops references whose ends change, and what makes them again."""
    altered = {end for group in groups for end in _changed_ends(group, vendor_of(context.dialect))}
    if not altered:
        return [], []
    tables = context.table_key_to_table.values()
    all_compared = [both for table in tables if (both := compared(context, table.name, table.schema))]
    for both in all_compared:
        _take_out(groups, both, altered)
    creates = [one._reverse for one in dropped if one._reverse is not None]
    before = [*_touching((both.conn_table.foreign_key_constraints for both in all_compared), altered)]
    after = [*_touching((both.plain.foreign_key_constraints for both in all_compared), altered)]
    for create in creates:
        before += _left_out(create, altered)
    for create in made:
        after += _left_out(create, altered)
    return [ops.DropConstraintOp.from_constraint(one) for one in before], [
        ops.CreateForeignKeyOp.from_constraint(one) for one in after
    ]


def _changed_ends(group: ModifyTableOps, vendor: Vendor) -> Iterator[End]:
    """Yield the columns that a table's references cannot begin in, or others' end in, while it changes."""
    table = _full_name(group)
    for one in group.ops:
        if isinstance(one, ops.AlterColumnOp) and one.modify_type is not None:
            yield from ((place, table, one.column_name) for place in ("from", "to"))
        elif isinstance(one, ops.DropConstraintOp) and one.constraint_type == "unique":
            columns = [column.name for column in one.to_constraint().columns]  # type: ignore[attr-defined]
            yield from (("to", table, name) for name in columns)
            if vendor.indexes_references:
                yield from (("from", table, name) for name in columns)
        elif isinstance(one, ops.DropIndexOp) and vendor.indexes_references:
            yield from (("from", table, column.name) for column in one.to_index().columns)


def _full_name(group: ModifyTableOps) -> str:
    return group.table_name if group.schema is None else f"{group.schema}.{group.table_name}"


def _touching(
    groups: Iterable[Iterable[sa.ForeignKeyConstraint]], altered: set[End]
) -> Iterator[sa.ForeignKeyConstraint]:
    """Yield those of the references that begin or end in one of these columns, each once."""
    for group in groups:
        named = {str(one.name): one for one in group}
        yield from (named[name] for name in sorted(named) if not altered.isdisjoint(_ends(named[name])))


def _ends(reference: sa.ForeignKeyConstraint) -> Iterator[End]:
    for element in reference.elements:
        table, _, column = element.target_fullname.rpartition(".")
        yield "to", table, column
        yield "from", str(element.parent.table.fullname), str(element.parent.name)


def _left_out(create: CreateTableOp, altered: set[End]) -> Iterator[sa.ForeignKeyConstraint]:
    for reference in _touching([references_of(create)], altered):
        leave_out(create, reference)
        _have_target(reference)
        yield reference


def _have_target(reference: sa.ForeignKeyConstraint) -> None:
    """Let a reference of a table that goes know what it refers to, as its own MetaData does not."""
    home = reference.parent.metadata
    key, _, _ = reference.elements[0].target_fullname.rpartition(".")
    if key not in home.tables:
        schema, _, name = key.rpartition(".")
        ends = (element.target_fullname.rpartition(".")[2] for element in reference.elements)
        sa.Table(name, home, *(sa.Column(end, sa.types.NullType()) for end in ends), schema=schema or None)


def _take_out(groups: Sequence[ModifyTableOps], both: Both, altered: set[End]) -> None:
    """Leave the references that are detached out of what is done to their table."""
    old, new = (
        {str(one.name) for one in _touching([table.foreign_key_constraints], altered)}
        for table in (both.conn_table, both.plain)
    )
    for group in groups:
        if _full_name(group) == both.plain.fullname:
            group.ops = [
                one
                for one in group.ops
                if not (isinstance(one, ops.DropConstraintOp) and _name(one) in old)
                and not (isinstance(one, ops.CreateForeignKeyOp) and _name(one) in new)
            ]


def _name(operation: ops.DropConstraintOp | ops.CreateForeignKeyOp) -> str:
    return str(operation.constraint_name)
