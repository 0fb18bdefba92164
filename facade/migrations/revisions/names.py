"""What a revision is called, and how its operations are told: by what they change, as Django does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from alembic.operations import ops

from facade.meta import registry
from facade.migrations.revisions.filling import FillIn, NoLongerDefault, NoLongerNull
from facade.migrations.revisions.renames import RenameColumn, RenameIndex, RenameTable, table_of

__all__ = ["descriptions", "flat", "name_of"]

LONGEST = 52
MANY = "_and_more"
_PLAIN = re.compile(r"[^0-9a-z]+")


def flat(operations: Sequence[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    """Yield the operations, those on one table out of their bundle."""
    for one in operations:
        if isinstance(one, ops.OpContainer):
            yield from flat(one.ops)
        else:
            yield one


def name_of(operations: Sequence[ops.MigrateOperation], *, first: bool) -> str:
    """Return a name in words joined by ``_``; that of the first revision is "initial", that of an empty one "empty".

    >>> name_of([ops.DropTableOp("library_book")], first=False)
    'delete_library_book'
    """
    told = [one for one in flat(operations) if not isinstance(one, _STEPS)]
    if not told:
        return "empty"
    if first and all(isinstance(one, _MAKES) for one in told):
        return "initial"
    fragments = list(dict.fromkeys(filter(None, map(_fragment, _leading(told)))))
    name, *rest = fragments or ["changes"]
    for fragment in rest:
        if len(name) + 1 + len(fragment) > LONGEST:
            return name + MANY
        name = f"{name}_{fragment}"
    return name


def descriptions(operations: Sequence[ops.MigrateOperation]) -> list[str]:
    """Return a line for each operation: what is added (+), taken away (-) or changed (~)."""
    return [
        _description(one) for one in flat(operations) if not isinstance(one, (NoLongerDefault, NoLongerNull))
    ]


# Steps to a new column, which is told once.
_STEPS = (FillIn, NoLongerDefault, NoLongerNull)
_MAKES = (ops.CreateTableOp, ops.CreateIndexOp, ops.CreateForeignKeyOp, ops.CreateTableCommentOp)


def _leading(operations: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Leave out indexes and references of tables on which there is anything else: they come along with it."""
    along = (ops.CreateForeignKeyOp, ops.CreateIndexOp, ops.DropConstraintOp, ops.DropIndexOp, RenameIndex)
    tables = {table_of(one) for one in operations if not isinstance(one, along)}
    leading = [one for one in operations if not (isinstance(one, along) and table_of(one) in tables)]
    return leading or list(operations)


def _short(table: str) -> str:
    """Return a table's name without its application's, as the model's name would be."""
    for label in sorted(
        {model._meta.app_label for model in registry.apps.get_models()}, key=len, reverse=True
    ):
        if table.startswith(f"{label}_"):
            return table.removeprefix(f"{label}_")
    return table


def _plain(*parts: str | None) -> str:
    return _PLAIN.sub("_", "_".join(filter(None, parts)).lower()).strip("_")


def _fragment(one: ops.MigrateOperation) -> str:
    found = _told(one)
    return _plain(*found[1]) if found else ""


def _description(one: ops.MigrateOperation) -> str:
    found = _told(one)
    return found[0] if found else f"~ {type(one).__name__.removesuffix('Op')}"


def _told(one: ops.MigrateOperation) -> tuple[str, tuple[str | None, ...]] | None:
    """Return an operation's description, and the parts of its name."""
    for kind, tell in _TELLING.items():
        if isinstance(one, kind):
            return tell(one)
    return None


def _alter(one: ops.AlterColumnOp) -> tuple[str, tuple[str | None, ...]]:
    changes = {
        "type": one.modify_type is not None,
        "null" if one.modify_nullable else "NOT NULL": one.modify_nullable is not None,
        "default": one.modify_server_default is not False,
        "comment": one.modify_comment is not False,
    }
    what = ", ".join(name for name, changed in changes.items() if changed)
    return (
        f"~ Alter column {one.column_name} of {one.table_name}: {what}",
        ("alter", _short(one.table_name), one.column_name),
    )


# The first one that an operation is counts: what is more special stands before.
_TELLING: dict[type[ops.MigrateOperation], Callable[..., tuple[str, tuple[str | None, ...]]]] = {
    RenameTable: lambda one: (
        f"~ Rename table {one.table_name} to {one.new_table_name}",
        ("rename", _short(one.table_name), _short(one.new_table_name)),
    ),
    RenameColumn: lambda one: (
        f"~ Rename column {one.column_name} of {one.table_name} to {one.modify_name}",
        ("rename", one.column_name, _short(one.table_name), one.modify_name),
    ),
    RenameIndex: lambda one: (
        f"~ Rename {one.old_name} to {one.new_name}",
        ("rename", one.old_name, one.new_name),
    ),
    ops.CreateTableOp: lambda one: (f"+ Create table {one.table_name}", (_short(one.table_name),)),
    ops.DropTableOp: lambda one: (f"- Delete table {one.table_name}", ("delete", _short(one.table_name))),
    ops.AddColumnOp: lambda one: (
        f"+ Add column {one.column.name} to {one.table_name}",
        (_short(one.table_name), one.column.name),
    ),
    ops.DropColumnOp: lambda one: (
        f"- Remove column {one.column_name} from {one.table_name}",
        ("remove", _short(one.table_name), one.column_name),
    ),
    ops.AlterColumnOp: _alter,
    ops.CreateIndexOp: lambda one: (
        f"+ Create index {one.index_name} on {one.table_name}",
        (one.index_name,),
    ),
    ops.DropIndexOp: lambda one: (
        f"- Remove index {one.index_name} from {one.table_name}",
        ("remove", one.index_name),
    ),
    ops.AddConstraintOp: lambda one: (
        f"+ Create constraint {one.constraint_name or '(unnamed)'} on {table_of(one)}",
        (one.constraint_name or _short(table_of(one)),),
    ),
    ops.DropConstraintOp: lambda one: (
        f"- Remove constraint {one.constraint_name or '(unnamed)'} from {one.table_name}",
        ("remove", one.constraint_name or one.table_name),
    ),
    ops.CreateTableCommentOp: lambda one: (
        f"~ Comment on table {one.table_name}",
        ("comment", _short(one.table_name)),
    ),
    ops.DropTableCommentOp: lambda one: (
        f"~ No comment on table {one.table_name}",
        ("comment", _short(one.table_name)),
    ),
    ops.ExecuteSQLOp: lambda one: (f"~ Run {' '.join(str(one.sqltext).split())}", ()),
}
