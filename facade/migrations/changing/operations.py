"""Operations that Alembic has not, which write themselves into scripts as Alembic's own do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from alembic.autogenerate import render, renderers
from alembic.operations import Operations, ops

from facade.migrations.texts import SQLText

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrateOperation

__all__ = ["Cast", "Counting", "InPlace", "Reading", "Remade", "Statements", "TableGone", "TableMade"]


#: What a reference of SQLite's is called that has no name, while its table is made anew.
REFERENCE = "fk_%(table_name)s_%(column_0_name)s"


def _reversed(operations: Sequence[MigrateOperation]) -> list[MigrateOperation]:
    return [one.reverse() for one in reversed(operations)]


class TableMade(ops.ModifyTableOps):
    """What a new table gets once it is there. Back, all that goes with the table."""

    def reverse(self) -> TableGone:
        return TableGone(self.table_name, _reversed(self.ops), schema=self.schema)


class TableGone(ops.ModifyTableOps):
    """What goes with a table that is dropped, and comes back with it: nothing is done for it but the drop.

    MySQL does not let go of an index first that a reference needs.
    """

    def __init__(
        self, table_name: str, gone: Sequence[MigrateOperation], *, schema: str | None = None
    ) -> None:
        super().__init__(table_name, [], schema=schema)
        self.gone = gone

    def reverse(self) -> TableMade:
        return TableMade(self.table_name, _reversed(self.gone), schema=self.schema)


class Remade(ops.ModifyTableOps):
    """Changes of a table that is made anew for them, as SQLite has it: with all that Alembic does not see in the old one."""

    def __init__(
        self,
        table_name: str,
        operations: Sequence[MigrateOperation],
        *,
        schema: str | None = None,
        read: Reading,
        read_back: Reading,
    ) -> None:
        super().__init__(table_name, operations, schema=schema)
        self.read, self.read_back = read, read_back

    def reverse(self) -> Remade:
        return Remade(
            self.table_name, _reversed(self.ops), schema=self.schema, read=self.read_back, read_back=self.read
        )


class InPlace(ops.ModifyTableOps):
    """Changes of a table of SQLite that need no new one, there and back: nothing of it can be lost."""

    def reverse(self) -> InPlace:
        return InPlace(self.table_name, _reversed(self.ops), schema=self.schema)


@renderers.dispatch_for(InPlace)
def _render_in_place(context: AutogenContext, operation: InPlace) -> list[str]:
    with context._within_batch():
        lines = [line for one in operation.ops for line in render.render_op(context, one)]
    options = f"{operation.table_name!r}, schema={operation.schema!r}, recreate='never'"
    return [f"with op.batch_alter_table({options}) as batch_op:", *(lines or ["pass"]), ""]


class Reading(NamedTuple):
    """How a table is to be read before it is made anew."""

    columns: Sequence[sa.Column[Any]]
    """Those that Alembic would not read as they are."""
    counts: bool
    """Whether the new table is to count keys so that none comes again."""
    refers: bool = False
    """Whether there are references, which Alembic would follow: it warns of the indexes that it does not read of other tables."""
    unread: Sequence[sa.Constraint] = ()
    """Constraints that have no name in the old table, without which Alembic does not copy them."""
    references: Sequence[sa.ForeignKeyConstraint] = ()
    """References without a name, of which Alembic does not see when they are checked."""


@renderers.dispatch_for(Remade)
def _render_remade(context: AutogenContext, operation: Remade) -> list[str]:
    options = [f"{operation.table_name!r}", f"schema={operation.schema!r}", "recreate='always'"]
    if operation.read.columns:
        columns = ", ".join(render._render_column(column, context) for column in operation.read.columns)
        options.append(f"reflect_args=[{columns}]")
    if operation.read.refers:
        options.append("reflect_kwargs={'resolve_fks': False}")
    # Alembic warns of checks that it leaves out, unless some stand here; uniques it takes by their names, and once.
    checks = [one for one in operation.read.unread if isinstance(one, sa.CheckConstraint)]
    if checks:
        written = ", ".join(str(render._render_constraint(one, context, None)) for one in checks)
        options.append(f"table_args=[{written}]")
    if operation.read.references:
        options.append(f"naming_convention={{'fk': {REFERENCE!r}}}")
    if operation.read.counts:
        options.append("table_kwargs={'sqlite_autoincrement': True}")
    with context._within_batch():
        uniques = [one for one in operation.read.unread if one not in checks]
        unread = [
            *map(ops.AddConstraintOp.from_constraint, uniques),
            *map(_restated, operation.read.references),
        ]
        lines = [line for one in (*unread, *operation.ops) for line in render.render_op(context, one)]
    return [f"with op.batch_alter_table({', '.join(options)}) as batch_op:", *(lines or ["pass"]), ""]


def _restated(reference: sa.ForeignKeyConstraint) -> MigrateOperation:
    """Return what puts a reference in the place of the one that Alembic reads: by the name that this one gets."""
    name = REFERENCE % {"table_name": reference.table.name, "column_0_name": reference.column_keys[0]}
    operation: Any = ops.CreateForeignKeyOp.from_constraint(reference)
    operation.constraint_name = name
    return operation  # type: ignore[no-any-return]


class Statements(ops.ExecuteSQLOp):
    """Statements, with those that take them back."""

    def __init__(self, forward: Sequence[str], back: Sequence[str]) -> None:
        super().__init__("; ".join(forward))
        self.forward, self.back = forward, back

    def reverse(self) -> Statements:
        return Statements(self.back, self.forward)

    def to_diff_tuple(self) -> tuple[str, str]:
        return "execute", str(self.sqltext)


@Operations.implementation_for(Statements)
def _execute(operations: Operations, operation: Statements) -> None:
    for sql in operation.forward:
        operations.execute(SQLText(sql))


@renderers.dispatch_for(Statements)
def _render_statements(context: AutogenContext, operation: Statements) -> list[str]:
    return [f"op.execute({SQLText(sql).source!r})" for sql in operation.forward]


class Counting(ops.AlterColumnOp):
    """Begins or ceases to count a column's keys."""

    @classmethod
    def of(cls, operation: ops.AlterColumnOp) -> Counting:
        """Return an operation so that it can be taken back."""
        made = cls.__new__(cls)
        made.__dict__.update(operation.__dict__)
        return made

    def reverse(self) -> Counting:
        made = Counting.of(super().reverse())
        made.kw["autoincrement"] = not self.kw["autoincrement"]
        return made


class Cast(ops.AlterColumnOp):
    """Another type for a column of PostgreSQL, with the expression that makes the new values of the old ones."""

    back: str

    @classmethod
    def of(cls, operation: ops.AlterColumnOp, using: str, back: str) -> Cast:
        """Return an operation with its expression, and the one that makes the old values again."""
        made = cls.__new__(cls)
        made.__dict__.update(operation.__dict__)
        made.kw = {**operation.kw, "postgresql_using": using}
        made.back = back
        return made

    def reverse(self) -> Cast:
        return Cast.of(super().reverse(), self.back, self.kw["postgresql_using"])


@renderers.dispatch_for(Cast)
def _render_cast(context: AutogenContext, operation: Cast) -> str:
    text = render._alter_column(context, operation).removesuffix(")")
    return f"{text},\n           postgresql_using={operation.kw['postgresql_using']!r})"
