"""A column or a table that is gone and one that is new, and alike: one rename instead, if the user says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import produce_migrations
from alembic.operations import Operations, ops

from facade.migrations.changing.operations import TableGone
from facade.migrations.revisions.pairing import DROPS, Pairing, with_names_kept
from facade.migrations.revisions.renames import RenameColumn, RenameTable
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    from facade.migrations.revisions.questions import Questions

__all__ = ["find_renames"]


#: What is gone and what is new in its place: two operations on tables, or two on columns of one table.
Tables = tuple[ops.DropTableOp, ops.CreateTableOp]
Columns = tuple[ops.ModifyTableOps, ops.DropColumnOp, ops.AddColumnOp]


def find_renames(
    operations: list[ops.MigrateOperation], context: MigrationContext, questions: Questions
) -> list[ops.MigrateOperation]:
    """Return the operations with renames for what is gone and new, as far as the user wants it so.

    Raises CommandError where nobody says.
    """
    search = _Search(context, questions)
    if vendor_of(context.dialect).can_rollback_ddl:
        return _tried(search, operations, context)
    tables = list(search.tables(operations))
    names = {gone.table_name: made.table_name for gone, made in tables}
    for gone, made in tables:
        operations = _with_table_renamed(
            operations, gone, made, Pairing(context, names, _other_names(gone, made))
        )
    if tables:
        operations = _without_references(operations, Pairing(context, names, {}))
    for group in [one for one in operations if isinstance(one, ops.ModifyTableOps)]:
        if pairs := list(search.columns([group])):
            place = operations.index(group)
            operations[place : place + 1] = _with_columns_renamed(group, pairs, context)
    return operations


@dataclass
class _Search:
    """Finds pairs that are alike, and asks about them."""

    context: MigrationContext
    questions: Questions

    def tables(self, operations: list[ops.MigrateOperation]) -> Iterator[Tables]:
        made = [one for one in operations if isinstance(one, ops.CreateTableOp)]
        dropped = [one for one in operations if isinstance(one, ops.DropTableOp)]
        possible = {(gone.table_name, one.table_name) for gone in dropped for one in made}
        for gone in dropped:
            alike = {one.table_name: one for one in made if self._tables_alike(gone, one, possible)}
            new = self.questions.renamed(_full(gone), {name: name for name in alike}, "The table")
            if new is not None:
                made.remove(alike[new])
                yield gone, alike[new]

    def columns(self, operations: list[ops.MigrateOperation]) -> Iterator[Columns]:
        for group in [one for one in operations if isinstance(one, ops.ModifyTableOps)]:
            made = {one.column.name: one for one in group.ops if isinstance(one, ops.AddColumnOp)}
            for gone in [one for one in group.ops if isinstance(one, ops.DropColumnOp)]:
                old = gone.to_column()
                alike = {
                    new: f"{new} ({self._words(add.column)})"
                    for new, add in made.items()
                    if new != old.name and self._alike(old, add.column)
                }
                new = self.questions.renamed(f"{_full(group)}.{old.name}", alike, "The column")
                if new is not None:
                    yield group, gone, made.pop(new)

    def _tables_alike(
        self, gone: ops.DropTableOp, made: ops.CreateTableOp, renamed: set[tuple[str, str]]
    ) -> bool:
        """Tell whether two tables have the same columns; those that refer to a renamed table may have other names."""
        old, new = [*gone.to_table().c], [*made.to_table().c]
        return (
            gone.schema == made.schema
            and len(old) == len(new)
            and all(
                self._alike(one, other) and (one.name == other.name or _go_along(one, other, renamed))
                for one, other in zip(old, new, strict=True)
            )
        )

    def _alike(self, old: sa.Column[Any], new: sa.Column[Any]) -> bool:
        if old.primary_key != new.primary_key or (old.computed is None) != (new.computed is None):
            return False
        return self._words(old) == self._words(new) or not self.context.impl.compare_type(old, new)

    def _words(self, column: sa.Column[Any]) -> str:
        return column.type.compile(self.context.dialect)


def _go_along(old: sa.Column[Any], new: sa.Column[Any], renamed: set[tuple[str, str]]) -> bool:
    """Tell whether two columns refer to a table and its other name; the old one's reference may be an operation of its own."""
    before, after = (_target(column) for column in (old, new))
    return (before, after) in renamed or (before is None and after in {name for _, name in renamed})


def _target(column: sa.Column[Any]) -> str | None:
    return next((key.target_fullname.rpartition(".")[0] for key in column.foreign_keys), None)


def _full(one: ops.DropTableOp | ops.ModifyTableOps) -> str:
    return f"{one.schema}.{one.table_name}" if one.schema else one.table_name


# -- where what is tried can be undone ---------------------------------------------------------------


def _tried(
    search: _Search, operations: list[ops.MigrateOperation], context: MigrationContext
) -> list[ops.MigrateOperation]:
    """Rename in a transaction, compare again, and undo it: so the comparison itself says what is left to do."""
    connection = context.connection
    assert connection is not None
    renames: list[ops.MigrateOperation] = []
    while new := _renames(search, operations):
        renames += new
        with connection.begin_nested() as trial:
            for one in renames:
                Operations(context).invoke(one)
            script = produce_migrations(context, context.opts["target_metadata"])
            trial.rollback()
        assert script.upgrade_ops is not None
        operations = script.upgrade_ops.ops
    return [*renames, *(with_names_kept(operations, context) if renames else operations)]


def _renames(search: _Search, operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Return the renames of tables, or else those of columns."""
    tables: list[ops.MigrateOperation] = [
        RenameTable(gone.table_name, made.table_name, schema=gone.schema)
        for gone, made in search.tables(operations)
    ]
    return tables or [
        _column_rename(group, gone.to_column(), add.column.name)
        for group, gone, add in search.columns(operations)
    ]


# -- where it cannot ---------------------------------------------------------------------------------


def _with_table_renamed(
    operations: list[ops.MigrateOperation], gone: ops.DropTableOp, made: ops.CreateTableOp, pairing: Pairing
) -> list[ops.MigrateOperation]:
    """Let the table be renamed, then what is called after it; references to it go along."""
    groups = [
        one
        for one in operations
        if isinstance(one, ops.ModifyTableOps) and one.table_name in (gone.table_name, made.table_name)
    ]
    mentioned = [
        part for group in groups for part in (group.gone if isinstance(group, TableGone) else group.ops)
    ]
    others = [
        one
        for one in operations
        if one not in (gone, made, *groups) and not _is_reference_of(one, gone.table_name, made.table_name)
    ]
    drops = [*_constraint_drops(gone), *(one for one in mentioned if isinstance(one, DROPS))]
    references = [
        ops.CreateForeignKeyOp.from_constraint(one) for one in made.to_table().foreign_key_constraints
    ]
    adds = [*_constraint_adds(made), *references, *(one for one in mentioned if not isinstance(one, DROPS))]
    before, after = pairing.paired(drops, adds)
    after = [one for one in after if one not in references]  # those that the old table keeps
    return [
        *_bundle(gone.table_name, gone.schema, before),
        RenameTable(gone.table_name, made.table_name, schema=gone.schema),
        *pairing.renamed,
        *_bundle(made.table_name, made.schema, [*_other_columns(gone, made), *after]),
        *others,
    ]


def _is_reference_of(one: ops.MigrateOperation, old: str, new: str) -> bool:
    """Tell what cuts the circles of references between tables that come and go: a table that is renamed keeps its own."""
    if isinstance(one, ops.DropConstraintOp):
        return one.table_name == old and one.constraint_type == "foreignkey"
    return isinstance(one, ops.CreateForeignKeyOp) and one.source_table == new


def _other_names(gone: ops.DropTableOp, made: ops.CreateTableOp) -> dict[str, str]:
    columns = zip(gone.to_table().c, made.to_table().c, strict=True)
    return {old.name: new.name for old, new in columns if old.name != new.name}


def _other_columns(gone: ops.DropTableOp, made: ops.CreateTableOp) -> Iterator[ops.MigrateOperation]:
    old, new = gone.to_table(), made.to_table()
    for column in old.c:
        if column.name not in new.c:
            yield ops.DropColumnOp.from_column_and_tablename(made.schema, made.table_name, column)
    for column in new.c:
        if column.name not in old.c:
            yield ops.AddColumnOp.from_column_and_tablename(made.schema, made.table_name, column)


def _with_columns_renamed(
    group: ops.ModifyTableOps, pairs: list[Columns], context: MigrationContext
) -> list[ops.MigrateOperation]:
    """Let what stands on an old name go first, and come back under the new one."""
    replaced = [one for _, gone, add in pairs for one in (gone, add)]
    rest = [one for one in group.ops if one not in replaced]
    renamed = [(gone.to_column(), add.column) for _, gone, add in pairs]
    pairing = Pairing(context, {}, {old.name: new.name for old, new in renamed})
    drops = [one for one in rest if isinstance(one, DROPS)]
    before, after = pairing.paired(drops, [one for one in rest if one not in drops])
    changes = [one for old, new in renamed for one in _column_changes(group, old, new)]
    return [
        *_bundle(group.table_name, group.schema, before),
        *(_column_rename(group, old, new.name) for old, new in renamed),
        *pairing.renamed,
        *_bundle(group.table_name, group.schema, [*changes, *after]),
    ]


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
    operations: list[ops.MigrateOperation], pairing: Pairing
) -> list[ops.MigrateOperation]:
    """Leave out what takes references to a renamed table away and makes them again: they go along with it."""
    groups = [one for one in operations if type(one) is ops.ModifyTableOps]
    parts = [part for group in groups for part in group.ops]
    drops = [
        one for one in parts if isinstance(one, ops.DropConstraintOp) and one.constraint_type == "foreignkey"
    ]
    adds = [one for one in parts if isinstance(one, ops.CreateForeignKeyOp)]
    kept, made = pairing.paired(drops, adds)
    gone = [one for one in (*drops, *adds) if one not in kept and one not in made]
    for group in groups:
        group.ops = [one for one in group.ops if one not in gone]
    return [one for one in operations if one not in groups or one.ops]
