"""A column or a table that is gone and one that is new, and alike: one rename instead, if the user says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.autogenerate.render import _alembic_autogenerate_prefix, renderers
from alembic.operations import ops

from facade.migrations.changing.operations import TableGone
from facade.migrations.texts import SQLText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext

    from facade.migrations.revisions.questions import Questions

__all__ = ["RenameColumn", "RenameIndex", "RenameTable", "find_renames", "table_of"]

_DROPS = (ops.DropIndexOp, ops.DropConstraintOp)


# -- the operations ----------------------------------------------------------------------------------


class RenameTable(ops.RenameTableOp):
    """`op.rename_table()`, with its reverse."""

    def reverse(self) -> RenameTable:
        return RenameTable(self.new_table_name, self.table_name, schema=self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("rename_table", self.schema, self.table_name, self.new_table_name)


class RenameColumn(ops.AlterColumnOp):
    """`op.alter_column(new_column_name=…)`, with its reverse."""

    def reverse(self) -> RenameColumn:
        assert self.modify_name is not None
        return RenameColumn(
            self.table_name,
            self.modify_name,
            schema=self.schema,
            modify_name=self.column_name,
            existing_type=self.existing_type,
            existing_nullable=self.existing_nullable,
            existing_server_default=self.existing_server_default,
            existing_comment=self.existing_comment,
        )

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("rename_column", self.schema, self.table_name, self.column_name, self.modify_name)

    def has_changes(self) -> bool:
        return True


class RenameIndex(ops.ExecuteSQLOp):
    """The database's own statement for another name of an index or a constraint."""

    def __init__(self, template: str, table: str, old: str, new: str, dialect: sa.Dialect) -> None:
        quote = dialect.identifier_preparer.quote
        super().__init__(SQLText(template.format(table=quote(table), old=quote(old), new=quote(new))).source)
        self.template, self.table_name, self.old_name, self.new_name = template, table, old, new
        self.dialect = dialect

    def reverse(self) -> RenameIndex:
        return RenameIndex(self.template, self.table_name, self.new_name, self.old_name, self.dialect)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("rename_index", self.table_name, self.old_name, self.new_name)


@renderers.dispatch_for(RenameTable)
def _render_rename(context: AutogenContext, one: RenameTable) -> str:
    schema = f", schema={one.schema!r}" if one.schema else ""
    return f"{_alembic_autogenerate_prefix(context)}rename_table({one.table_name!r}, {one.new_table_name!r}{schema})"


#: By dialect: how an index, and a constraint, gets another name. Others drop it, and make it anew.
_INDEX = {
    "postgresql": "ALTER INDEX {old} RENAME TO {new}",
    "mysql": "ALTER TABLE {table} RENAME INDEX {old} TO {new}",
    "mariadb": "ALTER TABLE {table} RENAME INDEX {old} TO {new}",
}
_CONSTRAINT = {"postgresql": "ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}"}
_UNIQUE = {**_INDEX, **_CONSTRAINT}


# -- finding them ------------------------------------------------------------------------------------


def find_renames(
    operations: list[ops.MigrateOperation], context: MigrationContext, questions: Questions
) -> list[ops.MigrateOperation]:
    """Return the operations with renames for what is gone and new, as far as the user wants it so.

    Raises CommandError where nobody says.
    """
    search = _Search(context, questions)
    return search.columns(search.tables(operations))


@dataclass
class _Search:
    context: MigrationContext
    questions: Questions

    # tables

    def tables(self, operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
        made = {one.table_name: one for one in operations if isinstance(one, ops.CreateTableOp)}
        for gone in [one for one in operations if isinstance(one, ops.DropTableOp)]:
            alike = {new: new for new, one in made.items() if self._tables_alike(gone, one)}
            new = self.questions.renamed(gone.table_name, alike, "The table")
            if new is not None:
                operations = self._with_table_renamed(operations, gone, made.pop(new))
        return operations

    def _tables_alike(self, gone: ops.DropTableOp, made: ops.CreateTableOp) -> bool:
        old, new = gone.to_table(), made.to_table()
        return (
            old.schema == new.schema
            and old.c.keys() == new.c.keys()
            and all(self._alike(column, new.c[column.key]) for column in old.c)
        )

    def _with_table_renamed(
        self, operations: list[ops.MigrateOperation], gone: ops.DropTableOp, made: ops.CreateTableOp
    ) -> list[ops.MigrateOperation]:
        """Let the table be renamed, then what is called after it; references to it go along."""
        bundles = [
            one
            for one in operations
            if isinstance(one, ops.ModifyTableOps) and one.table_name in (gone.table_name, made.table_name)
        ]
        mentioned = [
            part
            for bundle in bundles
            for part in (bundle.gone if isinstance(bundle, TableGone) else bundle.ops)
        ]
        others = [one for one in operations if one not in (gone, made, *bundles)]
        pairing = _Pairing(self.context, {gone.table_name: made.table_name}, {})
        drops = [*_constraint_drops(gone), *(one for one in mentioned if isinstance(one, _DROPS))]
        adds = [*_constraint_adds(made), *(one for one in mentioned if not isinstance(one, _DROPS))]
        before, after = pairing.paired(drops, adds)
        return [
            *_bundle(gone.table_name, gone.schema, before),
            RenameTable(gone.table_name, made.table_name, schema=gone.schema),
            *pairing.renamed,
            *_bundle(made.table_name, made.schema, after),
            *_without_references(others, pairing),
        ]

    # columns

    def columns(self, operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
        return [
            part
            for one in operations
            for part in (self._of_table(one) if isinstance(one, ops.ModifyTableOps) else [one])
        ]

    def _of_table(self, bundle: ops.ModifyTableOps) -> list[ops.MigrateOperation]:
        made = {one.column.name: one for one in bundle.ops if isinstance(one, ops.AddColumnOp)}
        gone = [one for one in bundle.ops if isinstance(one, ops.DropColumnOp)]
        renames: list[ops.MigrateOperation] = []
        names: dict[str, str] = {}
        changes: list[ops.MigrateOperation] = []
        replaced: list[ops.MigrateOperation] = []
        for one in gone:
            old = one.to_column()
            alike = {
                new: f"{new} (a {add.column.type!r})"
                for new, add in made.items()
                if self._alike(old, add.column)
            }
            new = self.questions.renamed(f"{bundle.table_name}.{one.column_name}", alike, "The column")
            if new is None:
                continue
            add = made.pop(new)
            names[one.column_name] = new
            replaced += [one, add]
            renames.append(_column_rename(bundle, old, new))
            changes += _column_changes(bundle, old, add.column)
        if not renames:
            return [bundle]
        rest = [one for one in bundle.ops if one not in replaced]
        pairing = _Pairing(self.context, {}, names)
        drops = [one for one in rest if isinstance(one, _DROPS)]
        before, after = pairing.paired(drops, [one for one in rest if one not in drops])
        return [
            *_bundle(bundle.table_name, bundle.schema, before),
            *renames,
            *pairing.renamed,
            *_bundle(bundle.table_name, bundle.schema, [*changes, *after]),
        ]

    def _alike(self, old: sa.Column[Any], new: sa.Column[Any]) -> bool:
        return (
            old.primary_key == new.primary_key
            and (old.computed is None) == (new.computed is None)
            and not self.context.impl.compare_type(old, new)
        )


def _bundle(
    table: str, schema: str | None, operations: list[ops.MigrateOperation]
) -> list[ops.MigrateOperation]:
    return [ops.ModifyTableOps(table, operations, schema=schema)] if operations else []


def _column_rename(bundle: ops.ModifyTableOps, old: sa.Column[Any], new: str) -> RenameColumn:
    return RenameColumn(
        bundle.table_name,
        old.name,
        schema=bundle.schema,
        modify_name=new,
        existing_type=old.type,
        existing_nullable=old.nullable,
        existing_server_default=old.server_default or False,
        existing_comment=old.comment,
    )


def _column_changes(
    bundle: ops.ModifyTableOps, old: sa.Column[Any], new: sa.Column[Any]
) -> Iterator[ops.MigrateOperation]:
    """Yield what is different besides the name."""
    if old.nullable != new.nullable:
        yield ops.AlterColumnOp(
            bundle.table_name,
            new.name,
            schema=bundle.schema,
            existing_type=new.type,
            existing_nullable=old.nullable,
            modify_nullable=new.nullable,
        )


def _constraint_drops(gone: ops.DropTableOp) -> Iterator[ops.MigrateOperation]:
    for one in _named(gone.to_table().constraints):
        yield ops.DropConstraintOp.from_constraint(one)


def _constraint_adds(made: ops.CreateTableOp) -> Iterator[ops.MigrateOperation]:
    for one in _named(made.to_table().constraints):
        yield ops.AddConstraintOp.from_constraint(one)


def _named(constraints: Iterable[sa.Constraint]) -> Iterator[sa.Constraint]:
    """Yield those that a name tells apart; keys and references keep the names that they have."""
    for one in sorted(constraints, key=lambda one: str(one.name)):
        if one.name is not None and one.__visit_name__ in ("unique_constraint", "check_constraint"):
            yield one


def _without_references(
    operations: list[ops.MigrateOperation], pairing: _Pairing
) -> Iterator[ops.MigrateOperation]:
    """Yield the operations on other tables without references that go along with the table."""
    for one in operations:
        if not isinstance(one, ops.ModifyTableOps):
            yield one
            continue
        drops = [part for part in one.ops if isinstance(part, ops.DropConstraintOp)]
        kept = [*pairing.paired(drops, [part for part in one.ops if part not in drops])]
        yield from _bundle(one.table_name, one.schema, kept[0] + kept[1])


class _Pairing:
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
        self.renamed.append(RenameIndex(template, self._table(table_of(add)), old, new, self.dialect))
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


def _options(index: sa.Index) -> bool:
    return any(value for options in index.dialect_options.values() for value in options.values())


def _name(one: ops.MigrateOperation) -> str | None:
    name = getattr(one, "index_name", None) or getattr(one, "constraint_name", None)
    return None if name is None else str(name)


def table_of(one: ops.MigrateOperation) -> str:
    """Return the name of the table that an operation is for."""
    return str(getattr(one, "source_table", None) or getattr(one, "table_name", ""))
