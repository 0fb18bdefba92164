"""Indexes and constraints that are dropped and made anew only for a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.operations import ops

from facade.migrations.revisions.renames import RenameIndex, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from alembic.runtime.migration import MigrationContext

__all__ = ["DROPS", "Pairing", "with_names_kept"]

DROPS = (ops.DropIndexOp, ops.DropConstraintOp)

#: By dialect: how an index, and a constraint, gets another name. Others drop it, and make it anew.
_INDEX = {
    "postgresql": "ALTER INDEX {index} RENAME TO {new}",
    "mysql": "ALTER TABLE {table} RENAME INDEX {old} TO {new}",
    "mariadb": "ALTER TABLE {table} RENAME INDEX {old} TO {new}",
}
_CONSTRAINT = {"postgresql": "ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}"}
_UNIQUE = {**_INDEX, **_CONSTRAINT}


class Pairing:
    """Finds what is dropped and made anew only for a name: it stays, or gets another name."""

    def __init__(
        self, context: MigrationContext, tables: Mapping[str, str], columns: Mapping[str, str]
    ) -> None:
        self.dialect = context.dialect
        self.tables, self.names = tables, columns
        self.renamed: list[ops.MigrateOperation] = []

    def paired(
        self, drops: Iterable[ops.MigrateOperation], adds: Iterable[ops.MigrateOperation]
    ) -> tuple[list[ops.MigrateOperation], list[ops.MigrateOperation]]:
        """Return what is dropped and what is made all the same; `renamed` gets the new names."""
        kept, made = [], list(adds)
        for drop in drops:
            twin = next(
                (
                    add
                    for add in made
                    if self._shape(drop, old=True) == self._shape(add, old=False) is not None
                ),
                None,
            )
            if twin is None or not self._rename(drop, twin):
                kept.append(drop)
            else:
                made.remove(twin)
        return kept, made

    def _rename(self, drop: ops.MigrateOperation, add: ops.MigrateOperation) -> bool:
        """Give the one that is there the new name; False where the database cannot."""
        if isinstance(add, ops.CreateForeignKeyOp):
            return True
        old, new = _name(drop), _name(add)
        if old is None or new is None or old == new:
            return old == new
        spellings = _INDEX if isinstance(add, ops.CreateIndexOp) else _CONSTRAINT
        if isinstance(add, ops.CreateUniqueConstraintOp):
            spellings = _UNIQUE
        template = spellings.get(self.dialect.name)
        if template is None:
            return False
        table = sa.table(self._table(table_of(add)), schema=getattr(add, "schema", None))
        self.renamed.append(RenameIndex(template, table, old, new, self.dialect))
        return True

    def _table(self, name: str) -> str:
        return self.tables.get(name, name)

    def _column(self, name: str) -> str:
        return self.names.get(name, name)

    def _shape(self, one: ops.MigrateOperation, *, old: bool) -> tuple[object, ...] | None:
        """Return what an index or a constraint is, but for its name, in the new names; None for anything else."""
        columns = self._column if old else str
        table = self._table if old else str
        if isinstance(one, (ops.CreateIndexOp, ops.DropIndexOp)):
            index = one.to_index()
            parts = tuple(
                columns(part.name) if hasattr(part, "name") else str(part) for part in index.expressions
            )
            if any(not hasattr(part, "name") for part in index.expressions) or _options(index):
                return None
            return ("index", table(table_of(one)), index.unique, parts)
        if not isinstance(one, (ops.AddConstraintOp, ops.DropConstraintOp)):
            return None
        return self._constraint_shape(one.to_constraint(), columns, table)

    @staticmethod
    def _constraint_shape(
        one: sa.Constraint, column: Callable[[str], str], table: Callable[[str], str]
    ) -> tuple[object, ...] | None:
        if isinstance(one, sa.ForeignKeyConstraint):
            targets = [key.target_fullname.rpartition(".") for key in one.elements]
            places = tuple((table(target), name) for target, _, name in targets)
            return ("foreign key", tuple(map(column, one.column_keys)), places, one.ondelete)
        if isinstance(one, sa.UniqueConstraint):
            return ("unique", table(one.table.name), tuple(column(each.name) for each in one.columns))
        if isinstance(one, sa.CheckConstraint) and one.name is not None:
            return ("check", str(one.name).replace(one.table.name, table(one.table.name)))
        return None


def with_names_kept(
    operations: list[ops.MigrateOperation], context: MigrationContext
) -> list[ops.MigrateOperation]:
    """Return the operations with another name for what would be made anew, where the database can give one."""
    found: list[ops.MigrateOperation] = []
    for one in operations:
        if type(one) is not ops.ModifyTableOps:
            found.append(one)
            continue
        pairing = Pairing(context, {}, {})
        drops = [part for part in one.ops if isinstance(part, DROPS)]
        kept, made = pairing.paired(drops, [part for part in one.ops if part not in drops])
        found += pairing.renamed
        if kept or made:
            found.append(ops.ModifyTableOps(one.table_name, [*kept, *made], schema=one.schema))
    return found


def _options(index: sa.Index) -> bool:
    return any(value for options in index.dialect_options.values() for value in options.values())


def _name(one: ops.MigrateOperation) -> str | None:
    name = getattr(one, "index_name", None) or getattr(one, "constraint_name", None)
    return None if name is None else str(name)
