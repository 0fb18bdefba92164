"""The operations that give a table, a column, an index or a constraint another name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.autogenerate.render import _alembic_autogenerate_prefix, renderers
from alembic.operations import ops

from facade.migrations.texts import SQLText

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext

__all__ = ["RenameColumn", "RenameIndex", "RenameTable", "table_of"]


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
    """The database's own statement for another name of an index or a constraint.

    ``template`` is that statement, with {table}, {index} (its name with its schema), {old} and {new}.
    """

    def __init__(self, template: str, table: sa.TableClause, old: str, new: str, dialect: sa.Dialect) -> None:
        preparer = dialect.identifier_preparer
        schema = f"{preparer.quote_schema(table.schema)}." if table.schema else ""
        names = {name: preparer.quote(text) for name, text in (("old", old), ("new", new))}
        sql = template.format(table=preparer.format_table(table), index=f"{schema}{names['old']}", **names)
        super().__init__(SQLText(sql).source)
        self.template, self.table, self.dialect = template, table, dialect
        self.table_name, self.old_name, self.new_name = table.name, old, new

    def reverse(self) -> RenameIndex:
        return RenameIndex(self.template, self.table, self.new_name, self.old_name, self.dialect)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("rename_index", self.table_name, self.old_name, self.new_name)


@renderers.dispatch_for(RenameTable)
def _render_rename(context: AutogenContext, one: RenameTable) -> str:
    schema = f", schema={one.schema!r}" if one.schema else ""
    return f"{_alembic_autogenerate_prefix(context)}rename_table({one.table_name!r}, {one.new_table_name!r}{schema})"


def table_of(one: ops.MigrateOperation) -> str:
    """Return the name of the table that an operation is for."""
    return str(getattr(one, "source_table", None) or getattr(one, "table_name", ""))
