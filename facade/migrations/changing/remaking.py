"""SQLite's way to change a table: to make it anew. What Alembic would lose on the way is said in the script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.migrations.changing.within import is_generated
from facade.migrations.comparing.items import added, removed
from facade.migrations.texts import IndexSQL, SQLText

if TYPE_CHECKING:
    from alembic.operations import ops
    from alembic.operations.ops import MigrateOperation, ModifyTableOps

    from facade.migrations.changing import operations
    from facade.migrations.changing.operations import Reading
    from facade.migrations.comparing.comparison import Both
    from facade.migrations.comparing.described import TableWords
else:
    ops = later("alembic.operations.ops")
    operations = later("facade.migrations.changing.operations")

__all__ = ["remade"]


def remade(group: ModifyTableOps, both: Both) -> Iterator[MigrateOperation]:
    """Yield what changes a table of SQLite, and keeps what the changes are not about.

    Indexes on expressions, with conditions or in descending order are made again after the table, which Alembic copies
    without them; generated columns are left out of the copy of rows, and made again.
    """
    if all(map(_is_done_in_place, group.ops)):
        yield operations.InPlace(group.table_name, group.ops, schema=group.schema)
        return
    yield from _Remaking(group, both).operations()


def _is_done_in_place(operation: MigrateOperation) -> bool:
    if isinstance(operation, ops.AddColumnOp):
        column = operation.column
        return column.nullable is True and column.server_default is None
    return isinstance(operation, (ops.CreateIndexOp, ops.DropIndexOp))


class _Remaking:
    """The operations on one table that is made anew."""

    def __init__(self, group: ModifyTableOps, both: Both) -> None:
        self.group, self.both = group, both
        self.old, self.new = both.conn_table, both.plain
        self.dropped = {one.column_name for one in group.ops if isinstance(one, ops.DropColumnOp)}
        self.altered = {one.column_name: one for one in group.ops if isinstance(one, ops.AlterColumnOp)}
        names = [column.name for column in self.old.columns]
        self.kept = [name for name in names if name not in self.dropped and name in self.new.c]
        self.columns = [name for name in self.kept if not is_generated(self.old.c[name])]

    def operations(self) -> Iterator[MigrateOperation]:
        before = [
            one for one in self.group.ops if isinstance(one, ops.DropIndexOp) and _is_special(one.reverse())
        ]
        after = [one for one in self.group.ops if isinstance(one, ops.CreateIndexOp) and _is_special(one)]
        stay = list(self._special_that_stay())
        yield from before
        yield from map(removed, stay)
        yield operations.Remade(
            self.group.table_name,
            [
                *self._left_out(),
                *(one for one in self.group.ops if one not in before and one not in after),
                *self._made_again(),
            ],
            schema=self.group.schema,
            read=self._reading(self._read(), self.old, self.both.wanted),
            read_back=self._reading(self._read_back(), self.new, self.both.there),
        )
        yield from map(added, stay)
        yield from after

    def _special_that_stay(self) -> Iterator[sa.Index]:
        gone = {str(one.index_name) for one in self.group.ops if isinstance(one, ops.DropIndexOp)}
        for index in sorted(self.old.indexes, key=lambda index: str(index.name)):
            if str(index.name) not in gone and _is_special(added(index)):
                yield index

    # -- what is left out of the copy, and made again -------------------------------------------------

    def _left_out(self) -> Iterator[MigrateOperation]:
        yield from map(removed, self._checks())
        for name in self.kept:
            if is_generated(self.old.c[name]):
                yield ops.DropColumnOp.from_column_and_tablename(
                    self.new.schema, self.new.name, self.old.c[name]
                )

    def _made_again(self) -> Iterator[MigrateOperation]:
        for name in self.kept:
            if is_generated(self.old.c[name]):
                yield ops.AddColumnOp.from_column_and_tablename(
                    self.new.schema, self.new.name, self.new.c[name]
                )
        yield from map(added, self._checks())
        yield from self._collations()
        yield from self._defaults()

    def _checks(self) -> Iterator[sa.CheckConstraint]:
        """Checks in whose texts Alembic would see parameters."""
        gone = {str(one.constraint_name) for one in self.group.ops if isinstance(one, ops.DropConstraintOp)}
        checks = [one for one in self.old.constraints if isinstance(one, sa.CheckConstraint) and one.name]
        for check in sorted(checks, key=lambda check: str(check.name)):
            if _is_misread(check.sqltext) and str(check.name) not in gone:
                yield check

    def _collations(self) -> Iterator[MigrateOperation]:
        for name in self.columns:
            old, new = self.old.c[name], self.new.c[name]
            if not (getattr(old.type, "collation", None) or getattr(new.type, "collation", None)):
                continue
            if name not in self.altered:
                yield ops.AlterColumnOp(
                    self.new.name, name, schema=self.new.schema, existing_type=old.type, modify_type=new.type
                )
            elif self.altered[name].modify_type is None:
                self.altered[name].modify_type = new.type

    def _defaults(self) -> Iterator[MigrateOperation]:
        """Defaults in which Alembic would see parameters."""
        for name in self.columns:
            old, new = self.old.c[name], self.new.c[name]
            arg = getattr(old.server_default, "arg", None)
            if not _is_misread(arg):
                continue
            if name not in self.altered:
                yield ops.AlterColumnOp(
                    self.new.name,
                    name,
                    schema=self.new.schema,
                    existing_type=old.type,
                    existing_server_default=old.server_default,
                    modify_server_default=new.server_default,
                )
            elif self.altered[name].modify_server_default is False:
                self.altered[name].modify_server_default = new.server_default

    # -- how the old table is read --------------------------------------------------------------------

    def _reading(
        self, columns: Iterator[sa.Column[Any]], table: sa.Table, words: TableWords | None
    ) -> Reading:
        refers = any(
            one.elements[0].target_fullname.rpartition(".")[0] != table.fullname
            for one in table.foreign_key_constraints
        )
        # On the way back they have names.
        unread = self._unnamed() if table is self.old else []
        references = self._references() if table is self.old else []
        return operations.Reading(
            list(columns), _counts(words or self.both.there), refers, unread, references
        )

    def _references(self) -> list[sa.ForeignKeyConstraint]:
        """The references of the old table that stand with their columns, as Django writes them, and are checked late."""
        gone = {str(one.constraint_name) for one in self.group.ops if isinstance(one, ops.DropConstraintOp)}
        found = [
            one
            for one in self.old.foreign_key_constraints
            if one.name is None
            and one.deferrable
            and "None" not in gone
            and set(one.column_keys) <= set(self.kept)
        ]
        return sorted(found, key=lambda one: list(one.column_keys))

    def _read(self) -> Iterator[sa.Column[Any]]:
        for name, old, new in self._kept_as_text():
            yield sa.Column(name, new.type, nullable=old.nullable, server_default=old.server_default)

    def _read_back(self) -> Iterator[sa.Column[Any]]:
        for name, old, new in self._kept_as_text():
            yield sa.Column(name, old.type, nullable=new.nullable, server_default=new.server_default)

    def _kept_as_text(self) -> Iterator[tuple[str, sa.Column[Any], sa.Column[Any]]]:
        """Columns whose values stay what they are: SQLite would cast a day to the number of its year."""
        for name in self.columns:
            old, new = self.old.c[name], self.new.c[name]
            operation = self.altered.get(name)
            if operation is None or operation.modify_type is None or old.primary_key:
                continue
            types = old.type._type_affinity, new.type._type_affinity
            if types[0] is not types[1] and any(kind in _NO_NUMBERS for kind in types):
                yield name, old, new

    def _unnamed(self) -> list[sa.Constraint]:
        """The constraints that Alembic does not see in the old table, under the names that they are to have."""
        words = self.both.wanted
        if words is None:
            return []
        there = {item.text for item in self.both.there.unnamed if item.kind == "check"}
        found: list[sa.Constraint] = []
        for one in self.new.constraints:
            if isinstance(one, sa.CheckConstraint):
                found += [one] if words.items[str(one.name)].text in there else []
            elif isinstance(one, sa.UniqueConstraint):
                columns = tuple(sorted(column.name for column in one.columns))
                found += [one] if columns in self.both.there.unread else []
        return sorted(found, key=lambda constraint: str(constraint.name))


_NO_NUMBERS = (sa.Date, sa.DateTime, sa.Time, sa.JSON, sa.Interval)


def _is_misread(text: object) -> bool:
    """Whether Alembic, reading a text of the database, takes something in it for the name of a parameter."""
    return isinstance(text, SQLText) and "\\:" in text.source


def _counts(words: TableWords) -> bool:
    return any(column.default == "identity" for column in words.columns.values())


def _is_special(operation: MigrateOperation) -> bool:
    """Whether Alembic does not copy an index as it is."""
    assert isinstance(operation, ops.CreateIndexOp)
    has_expressions = any(isinstance(item, IndexSQL) for item in operation.columns)
    return has_expressions or operation.kw.get("sqlite_where") is not None
