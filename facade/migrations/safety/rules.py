"""What each operation does to those who use the database meanwhile, and the safe way to the same end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from alembic.operations import MigrateOperation, ops

from facade.migrations.operations import ValidateConstraintOp
from facade.migrations.safety.findings import Level
from facade.migrations.safety.surroundings import NewColumn
from facade.migrations.safety.types import is_volatile, keeps_rows

if TYPE_CHECKING:
    import sqlalchemy as sa

    from facade.migrations.safety.recording import Recorded
    from facade.migrations.safety.surroundings import Surroundings

__all__ = ["Case", "cases", "in_words", "note_effects", "table_of"]


class Case(NamedTuple):
    """What one rule says of one operation."""

    name: str
    level: Level
    what: str
    remedy: str


Rule = Callable[["Recorded", "Surroundings"], Iterator[Case]]
_RULES: list[tuple[type[MigrateOperation], Rule]] = []

_AUTOCOMMIT = "with op.get_context().autocommit_block():"


def _rule(*kinds: type[MigrateOperation]) -> Callable[[Rule], Rule]:
    def add(rule: Rule) -> Rule:
        _RULES.extend((kind, rule) for kind in kinds)
        return rule

    return add


def cases(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    """Yield what there is to say of an operation on a table that somebody may use."""
    table = table_of(recorded.operation)
    if table and not around.is_there(table):
        return
    for kind, rule in _RULES:
        if isinstance(recorded.operation, kind):
            yield from rule(recorded, around)


def _for_large(table: str, around: Surroundings) -> Level:
    """How bad it is to keep others waiting for as long as the whole table takes."""
    return Level.NOTE if around.is_small(table) else Level.WARNING


# -- what the running code reads ----------------------------------------------------------------------


@_rule(ops.DropColumnOp)
def _column_dropped(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    table, column = table_of(operation), operation.column_name
    readers = around.readers(table, column)
    if readers:
        yield Case(
            "still-read",
            Level.ERROR,
            f"{' and '.join(readers)} of this code has the column {column!r}: its queries fail as soon as it is gone.",
            "Take the field out of the model first, deploy that, and drop the column with the release after.",
        )
    else:
        yield Case(
            "still-read",
            Level.WARNING,
            f"Code of the release before has the column {column!r} in its queries: they fail until it is replaced.",
            "Apply this when the code without the field runs everywhere; in a release of its own, then.",
        )


@_rule(ops.DropTableOp)
def _table_dropped(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    table = table_of(recorded.operation)
    readers = around.readers(table)
    if readers:
        yield Case(
            "still-read",
            Level.ERROR,
            f"{' and '.join(readers)} of this code reads the table {table!r}: its queries fail as soon as it is gone.",
            "Take the model out first, deploy that, and drop the table with the release after.",
        )
    else:
        yield Case(
            "still-read",
            Level.WARNING,
            f"Code of the release before may read the table {table!r}: its queries fail until it is replaced.",
            "Apply this when the code without the model runs everywhere; in a release of its own, then.",
        )


@_rule(ops.RenameTableOp)
def _table_renamed(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    yield Case(
        "renamed",
        Level.ERROR,
        f"Running code asks for {operation.table_name!r}, new code for {operation.new_table_name!r}: whichever runs at the "
        "wrong side of this fails.",
        "Keep the table's name: Meta.db_table. Or make the new table, write to both, copy in batches, then drop the old one.",
    )


@_rule(ops.AlterColumnOp)
def _column_renamed(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    if operation.modify_name is None:
        return
    yield Case(
        "renamed",
        Level.ERROR,
        f"Running code asks for {operation.column_name!r}, new code for {operation.modify_name!r}: whichever runs at the wrong "
        "side of this fails.",
        "Keep the column's name: db_column. Or add the new column, write to both, copy in batches, then drop the old one.",
    )


# -- NOT NULL ---------------------------------------------------------------------------------------


@_rule(ops.AddColumnOp)
def _not_null_added(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    if not _new_column(operation.column).is_closed:
        return
    yield Case(
        "not-null",
        Level.ERROR,
        f"{operation.column.name!r} is NOT NULL and has no default: it fails if there are rows, and running code, which does "
        "not know the column, cannot insert any.",
        "Give it a default of the database (db_default, server_default); or add it with null=True, fill it in batches, and "
        "make it NOT NULL with the release after.",
    )


@_rule(ops.AlterColumnOp)
def _new_column_closed(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    added = around.added.get((table_of(operation), operation.column_name))
    if added is None or added.is_closed or not _altered(added, operation).is_closed:
        return
    yield Case(
        "not-null",
        Level.ERROR,
        f"{operation.column_name!r} is new, and becomes NOT NULL without a default: running code, which does not know the "
        "column, cannot insert rows any more.",
        "Keep a default (db_default), or null=True, until the code that knows the column runs everywhere.",
    )


def _new_column(column: sa.Column[Any]) -> NewColumn:
    return NewColumn(bool(column.nullable), column.server_default is not None or column.identity is not None)


def _altered(added: NewColumn, operation: ops.AlterColumnOp) -> NewColumn:
    nullable, default = operation.modify_nullable, operation.modify_server_default
    return NewColumn(
        added.nullable if nullable is None else nullable,
        added.has_default if default is False else default is not None,
    )


@_rule(ops.AlterColumnOp)
def _not_null_set(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    table = table_of(operation)
    if operation.modify_nullable is not False or (table, operation.column_name) in around.proven:
        return
    if around.vendor.checks_apart:
        yield Case(
            "not-null-scan",
            _for_large(table, around),
            f"All rows{around.size_in_words(table)} are looked at, and nobody reads or writes meanwhile.",
            f"op.create_check_constraint(…, '{operation.column_name} IS NOT NULL', postgresql_not_valid=True), then "
            "op.validate_constraint(…) in a revision of its own; after that SET NOT NULL looks at no row, and the "
            "constraint can go.",
        )
    elif around.vendor.copies_for_constraints:
        yield _copied(table, around, "The column's definition changes")


# -- rewrites ---------------------------------------------------------------------------------------


def _copied(table: str, around: Surroundings, why: str) -> Case:
    return Case(
        "rewrite",
        _for_large(table, around),
        f"{why}: the whole table{around.size_in_words(table)} is written anew, and nobody writes meanwhile.",
        "Add a new column, write to both, copy in batches (op.run_in_batches), and drop the old one with a later release.",
    )


@_rule(ops.AlterColumnOp)
def _type_changed(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    table, new = table_of(operation), operation.modify_type
    if new is None or not around.vendor.alters_tables:
        return
    old = operation.existing_type or around.column_type(table, operation.column_name)
    if not keeps_rows(old, new, around.dialect):
        yield _copied(
            table, around, f"The type of {operation.column_name!r} becomes {new.compile(around.dialect)}"
        )


@_rule(ops.AddColumnOp)
def _column_computed(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    column, table = operation.column, table_of(operation)
    if not around.vendor.alters_tables:
        return
    if column.computed is not None and column.computed.persisted is not False:
        yield _copied(table, around, f"{column.name!r} is computed for each row")
    elif around.vendor.changes_lengths and (
        column.identity is not None or is_volatile(column.server_default)
    ):
        yield _copied(table, around, f"{column.name!r} has another value in each row")


@_rule(MigrateOperation)
def _table_made_anew(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    """SQLite changes little of a table: Alembic's batches copy it."""
    operation, table = recorded.operation, table_of(recorded.operation)
    by_itself = isinstance(operation, _COPIED_BY_SQLITE) and not around.vendor.alters_tables
    if table and (by_itself if recorded.copies is None else recorded.copies):
        yield Case(
            "rewrite",
            _for_large(table, around),
            f"The whole table{around.size_in_words(table)} is copied, and nobody writes to the database meanwhile.",
            "There is no other way here: apply it at a quiet time, all such changes of a table in one batch_alter_table().",
        )


_COPIED_BY_SQLITE = (ops.AlterColumnOp, ops.DropColumnOp, ops.AddConstraintOp, ops.DropConstraintOp)


# -- indexes ----------------------------------------------------------------------------------------


@_rule(ops.CreateIndexOp)
def _index_built(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    if not around.vendor.indexes_block_writes:
        return
    table = table_of(operation)
    if operation.kw.get("postgresql_concurrently"):
        yield from _concurrent_outside(recorded)
        return
    yield Case(
        "index-locks",
        _for_large(table, around),
        f"Nobody writes to the table{around.size_in_words(table)} until the index is built.",
        f"In a revision of its own, `{_AUTOCOMMIT}` with `postgresql_concurrently=True`; makemigrations --concurrently writes "
        "it so.",
    )


@_rule(ops.DropIndexOp)
def _index_dropped(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    if not around.vendor.indexes_block_writes:
        return
    if operation.kw.get("postgresql_concurrently"):
        yield from _concurrent_outside(recorded)
        return
    yield Case(
        "index-locks",
        Level.NOTE,
        "It waits for all queries on the table, and new ones wait for it.",
        f"In a revision of its own, `{_AUTOCOMMIT}` with `postgresql_concurrently=True`.",
    )


def _concurrent_outside(recorded: Recorded) -> Iterator[Case]:
    if recorded.in_transaction:
        yield Case(
            "in-transaction",
            Level.ERROR,
            "PostgreSQL refuses CONCURRENTLY within a transaction, and the revision is one.",
            f"Put it into `{_AUTOCOMMIT}`.",
        )


# -- constraints ------------------------------------------------------------------------------------


@_rule(ops.CreateForeignKeyOp, ops.CreateCheckConstraintOp)
def _constraint_validated(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    table = table_of(operation)
    if around.vendor.copies_for_constraints:
        yield _copied(table, around, "MySQL and MariaDB check a new constraint by copying")
    if not around.vendor.checks_apart or operation.kw.get("postgresql_not_valid"):
        return
    is_key = isinstance(operation, ops.CreateForeignKeyOp)
    who = f"nobody writes to it or to {operation.referent_table!r}" if is_key else "nobody reads or writes it"
    yield Case(
        "validates",
        _for_large(table, around),
        f"All rows{around.size_in_words(table)} are checked at once, and {who} meanwhile.",
        "Add it with `postgresql_not_valid=True`: new rows are checked from then on; and check those that are there by "
        f"`op.validate_constraint({str(operation.constraint_name)!r}, {table!r})` in a revision of its own, which lets all others work.",
    )


@_rule(ops.CreateUniqueConstraintOp, ops.CreatePrimaryKeyOp)
def _unique_built(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    table = table_of(operation)
    if not around.vendor.indexes_block_writes or operation.kw.get("postgresql_using_index"):
        return
    yield Case(
        "index-locks",
        _for_large(table, around),
        f"Nobody reads or writes the table{around.size_in_words(table)} until its index is built.",
        f"In a revision of its own, `{_AUTOCOMMIT}` with op.create_index(…, unique=True, postgresql_concurrently=True); then "
        f'op.execute("ALTER TABLE {table} ADD CONSTRAINT … UNIQUE USING INDEX …").',
    )


@_rule(ValidateConstraintOp)
def _validated_together(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    if around.vendor.checks_apart and operation.name in around.just_added:
        yield Case(
            "validates",
            _for_large(operation.table, around),
            "The constraint is added by the same revision, whose locks are held until its end: nobody writes meanwhile.",
            "Validate it in a revision of its own.",
        )


# -- what cannot be judged ----------------------------------------------------------------------------


@_rule(ops.ExecuteSQLOp)
def _sql_executed(recorded: Recorded, around: Surroundings) -> Iterator[Case]:
    operation: Any = recorded.operation
    changed = getattr(operation.sqltext, "table", None)
    table = getattr(changed, "fullname", None) or getattr(changed, "name", None)
    if table is None:
        yield Case(
            "unseen",
            Level.NOTE,
            "SQL by hand is not looked at.",
            "Read it: which locks does it take, and for how long?",
        )
    elif around.is_there(str(table)):
        yield Case(
            "rows-locked",
            _for_large(str(table), around),
            f"One statement changes rows of {table!r}{around.size_in_words(str(table))}: they stay locked until the revision's end.",
            "op.run_in_batches(…, atomic=False) in a revision of its own.",
        )


# -- the plan goes on ---------------------------------------------------------------------------------


def note_effects(recorded: Recorded, around: Surroundings) -> None:
    """Remember what later operations find."""
    operation: Any = recorded.operation
    table = table_of(operation)
    if isinstance(operation, ops.CreateTableOp):
        around.made.add(table)
    elif isinstance(operation, ops.AddColumnOp):
        around.added[table, operation.column.name] = _new_column(operation.column)
    elif isinstance(operation, ops.AlterColumnOp) and (table, operation.column_name) in around.added:
        key = table, operation.column_name
        around.added[key] = _altered(around.added[key], operation)
    elif isinstance(operation, ops.CreateForeignKeyOp):
        _note_constraint(operation, table, "", around)
    elif isinstance(operation, ops.CreateCheckConstraintOp):
        words = str(operation.condition).replace('"', "").split()
        is_not_null = [word.upper() for word in words[1:]] == ["IS", "NOT", "NULL"]
        _note_constraint(operation, table, words[0] if is_not_null else "", around)
    elif isinstance(operation, ValidateConstraintOp):
        around.proven.add(around.unvalidated.get(operation.name, (table, "")))


def _note_constraint(
    operation: ops.CreateForeignKeyOp | ops.CreateCheckConstraintOp,
    table: str,
    not_null: str,
    around: Surroundings,
) -> None:
    if operation.kw.get("postgresql_not_valid"):
        around.unvalidated[str(operation.constraint_name)] = (table, not_null)
        around.just_added.add(str(operation.constraint_name))
    else:
        around.proven.add((table, not_null))


def table_of(operation: MigrateOperation) -> str:
    """Return the name of the table that an operation changes, with its schema; empty where it changes none."""
    found: Any = operation
    name = (
        getattr(found, "table_name", None)
        or getattr(found, "source_table", None)
        or getattr(found, "table", None)
    )
    if not isinstance(name, str):
        return ""
    options = getattr(found, "kw", {})
    schema = getattr(found, "schema", None) or options.get("source_schema") or options.get("schema")
    return f"{schema}.{name}" if schema else name


def in_words(operation: MigrateOperation) -> str:
    """Return how a script calls an operation: ``create_index('book_title_idx')``."""
    found: Any = operation
    kind = next(
        (word for kind, word in _WORDS.items() if isinstance(operation, kind)), type(operation).__name__
    )
    column = getattr(found, "column", None)
    name = (
        getattr(found, "index_name", None)
        or getattr(found, "constraint_name", None)
        or getattr(found, "column_name", None)
        or getattr(column, "name", None)
        or getattr(found, "new_table_name", None)
    )
    return f"{kind}({str(name)!r})" if name else f"{kind}()"


_WORDS: dict[type[MigrateOperation], str] = {
    ops.AddColumnOp: "add_column",
    ops.AlterColumnOp: "alter_column",
    ops.CreateCheckConstraintOp: "create_check_constraint",
    ops.CreateForeignKeyOp: "create_foreign_key",
    ops.CreateIndexOp: "create_index",
    ops.CreatePrimaryKeyOp: "create_primary_key",
    ops.CreateUniqueConstraintOp: "create_unique_constraint",
    ops.DropColumnOp: "drop_column",
    ops.DropConstraintOp: "drop_constraint",
    ops.DropIndexOp: "drop_index",
    ops.DropTableOp: "drop_table",
    ops.ExecuteSQLOp: "execute",
    ops.RenameTableOp: "rename_table",
    ValidateConstraintOp: "validate_constraint",
}
