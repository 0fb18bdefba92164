"""Comparing indexes, unique constraints and checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.migrations.comparing.comparison import IS_FACADES, Both, both_of
from facade.migrations.comparing.conditions import same_condition
from facade.migrations.comparing.reflected import as_unique_constraint, complete, make_writable, objects_of
from facade.migrations.comparing.twins import describes, there
from facade.migrations.plain import PlainMetaData
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from alembic import util
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from alembic.operations.ops import MigrateOperation, ModifyTableOps
    from alembic.util import PriorityDispatchResult

    from facade.migrations.comparing.described import Item
    from facade.migrations.comparing.reflected import Object

    ItemType = Literal["index", "unique_constraint", "check_constraint"]
else:
    ops, util = later("alembic.operations.ops"), later("alembic.util")

__all__ = ["added", "compare_items", "removed"]

_TYPES: dict[str, ItemType] = {"index": "index", "unique": "unique_constraint", "check": "check_constraint"}


def compare_items(
    context: AutogenContext,
    modify: ModifyTableOps,
    schema: str | None,
    name: str,
    conn_table: sa.Table | None,
    plain: sa.Table | None,
) -> PriorityDispatchResult:
    """Compare by names and by the words of the database, in place of Alembic's own comparison."""
    if IS_FACADES not in context.opts:
        return util.PriorityDispatchResult.CONTINUE
    if plain is None and conn_table is not None:
        _read_whole(context, conn_table)
    if plain is None or not isinstance(plain.metadata, PlainMetaData):
        return util.PriorityDispatchResult.CONTINUE
    if conn_table is None:
        modify.ops.extend(map(added, _wanted_by(context, _indexes(plain))))
        return util.PriorityDispatchResult.STOP
    both = both_of(context, plain, conn_table)
    if both is None:
        return util.PriorityDispatchResult.CONTINUE
    modify.ops.extend(_Items(context, both, conn_table, plain).changes())
    return util.PriorityDispatchResult.STOP


def _read_whole(context: AutogenContext, conn_table: sa.Table) -> None:
    """Let a table that goes be made again by the way back as it is."""
    make_writable(conn_table, context.dialect)
    if (
        describes(context.dialect)
        and context.connection is not None
        and not vendor_of(context.dialect).is_embedded
    ):
        complete(conn_table, there(context.connection, conn_table))


def _indexes(plain: sa.Table) -> list[sa.Index]:
    return sorted(plain.indexes, key=lambda index: str(index.name))


def _wanted_by(context: AutogenContext, indexes: list[sa.Index]) -> Iterator[sa.Index]:
    return (one for one in indexes if context.run_object_filters(one, one.name, "index", False, None))


def added(item: Object) -> MigrateOperation:
    """Return the operation that makes an index or a constraint."""
    if isinstance(item, sa.Index):
        return ops.CreateIndexOp.from_index(item)
    return ops.AddConstraintOp.from_constraint(item)


def removed(item: Object) -> MigrateOperation:
    """Return the operation that takes an index or a constraint away."""
    if isinstance(item, sa.Index):
        return ops.DropIndexOp.from_index(item)
    return ops.DropConstraintOp.from_constraint(item)


class _Items:
    """The indexes and constraints of one table, there and wanted."""

    def __init__(self, context: AutogenContext, both: Both, conn_table: sa.Table, plain: sa.Table) -> None:
        self.context, self.both = context, both
        self.conn_table, self.plain = conn_table, plain
        self.objects = objects_of(conn_table)
        self.there = {name: item for name, item in both.there.items.items() if self._is_compared(name, item)}
        self.unnamed = list(both.there.unnamed)
        self.wanted: dict[str, Object] = objects_of(plain)

    def _is_compared(self, name: str, item: Item) -> bool:
        kind = _TYPES.get(item.kind)
        return kind is not None and self.context.run_name_filters(
            name, kind, {"table_name": self.plain.name, "schema_name": self.plain.schema}
        )

    def changes(self) -> Iterator[MigrateOperation]:
        for constraint in self._without_names():
            if not self._take_same_unique(constraint):
                yield from self._add(constraint, None)
        for name in sorted(self.there.keys() - self.wanted.keys()):
            yield from self._remove(self._object(name))
        for name in sorted(self.there.keys() & self.wanted.keys()):
            if self._is_other(name):
                old = self._object(name)
                if self._passes(self.wanted[name], old):
                    yield from (removed(old), added(self.wanted[name]))
        for name in sorted(self.wanted.keys() - self.there.keys()):
            if not self._has_without_name(name):
                yield from self._add(self.wanted[name], None)

    # -- those that are alike -------------------------------------------------------------------------

    def _without_names(self) -> Iterator[sa.UniqueConstraint]:
        """The unique constraints that a MetaData without a naming convention has."""
        return (
            item
            for item in self.plain.constraints
            if isinstance(item, sa.UniqueConstraint) and item.name is None
        )

    def _take_same_unique(self, constraint: sa.UniqueConstraint) -> bool:
        """Find one on the same columns, whatever it is called, and leave it be."""
        columns = tuple(sorted(column.name for column in constraint.columns))
        for name, item in self.there.items():
            if item.kind == "unique" and tuple(sorted(item.columns)) == columns and name not in self.wanted:
                del self.there[name]
                return True
        return any(item.kind == "unique" and tuple(sorted(item.columns)) == columns for item in self.unnamed)

    def _has_without_name(self, name: str) -> bool:
        """Whether the table has a constraint that has no name there, as what Django declares with a column."""
        words = self.both.wanted
        item = words.items.get(name) if words is not None else None
        return item is not None and any(_are_same(one, item) for one in self.unnamed)

    def _is_other(self, name: str) -> bool:
        words = self.both.wanted
        return words is not None and not any(_are_same(one, self.there[name]) for one in words.ways(name))

    # -- operations -----------------------------------------------------------------------------------

    def _object(self, name: str) -> Object:
        found = self.objects[name]
        if self.there[name].kind == "unique" and isinstance(found, sa.Index):
            return as_unique_constraint(found)
        return found

    def _add(self, item: Object, old: Object | None) -> Iterator[MigrateOperation]:
        if self._passes(item, old):
            yield added(item)

    def _remove(self, item: Object) -> Iterator[MigrateOperation]:
        if self.context.run_object_filters(item, item.name, _type_of(item), True, None):
            yield removed(item)

    def _passes(self, item: Object, old: Object | None) -> bool:
        return self.context.run_object_filters(item, item.name, _type_of(item), False, old)


def _are_same(one: Item, other: Item) -> bool:
    if one[:2] == other[:2]:
        return True
    return one.kind == other.kind and one.kind in ("check", "index") and same_condition(one.text, other.text)


def _type_of(item: Object) -> ItemType:
    if isinstance(item, sa.Index):
        return "index"
    return "unique_constraint" if isinstance(item, sa.UniqueConstraint) else "check_constraint"
