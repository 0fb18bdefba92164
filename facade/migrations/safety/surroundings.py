"""What the rules ask for: the tables that are there, how large they are, and the models that read them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from facade.meta import registry
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.types import TypeEngine

    from facade.vendors import Vendor

__all__ = ["NewColumn", "Surroundings"]

_ROWS = {
    # Less than 0 where nobody has counted yet.
    "postgresql": "SELECT reltuples FROM pg_class WHERE oid = to_regclass(:quoted)",
    "mysql": "SELECT table_rows FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = :name",
}


class NewColumn(NamedTuple):
    """A column that the plan has added: what an INSERT meets that does not know it."""

    nullable: bool
    has_default: bool

    @property
    def is_closed(self) -> bool:
        """Whether such an INSERT fails."""
        return not (self.nullable or self.has_default)


class Surroundings:
    """The database before the plan, where there is a connection to it, and the models of the running code.

    Without a connection every table that the plan does not make itself is taken for one that is there, and large.
    """

    def __init__(self, dialect: Dialect, connection: Connection | None, large: int) -> None:
        self.dialect, self.large = dialect, large
        self._connection = connection
        #: What the plan has made so far: nobody else uses it yet.
        self.made: set[str] = set()
        self.added: dict[tuple[str, str], NewColumn] = {}
        #: Columns of which a validated constraint says already that they hold no NULL.
        self.proven: set[tuple[str, str]] = set()
        #: What NOT VALID constraints say of which column; and those that the revision at hand has added itself.
        self.unvalidated: dict[str, tuple[str, str]] = {}
        self.just_added: set[str] = set()

    @property
    def vendor(self) -> Vendor:
        return vendor_of(self.dialect)

    def is_there(self, table: str) -> bool:
        """Return whether somebody may use the table already."""
        return table not in self.made and (self._connection is None or self._has(table))

    def is_small(self, table: str) -> bool:
        """Return whether the table is known to have fewer rows than a large one."""
        rows = self._rows(table)
        return rows is not None and rows < self.large

    def size_in_words(self, table: str) -> str:
        """Return how many rows the table has, as far as one knows: `` (about 1,200,000 rows)``."""
        rows = self._rows(table)
        if not rows:
            return ""
        return (
            f" (about {rows:,} rows)"
            if rows < self.large or self.vendor.name in _ROWS
            else f" ({rows:,} rows or more)"
        )

    def column_type(self, table: str, column: str) -> TypeEngine[Any] | None:
        """Return the type that a column has, if the table can be asked."""
        if self._connection is None or not self._has(table):
            return None
        schema, _, name = table.rpartition(".")
        found = self._inspector.get_columns(name, schema=schema or None)
        return next((one["type"] for one in found if one["name"] == column), None)

    def readers(self, table: str, column: str | None = None) -> list[str]:
        """Return the models of the running code that have the table, or this column of it."""
        return [
            model._meta.label
            for model, made in self._tables
            if made.fullname == table and (column is None or column in made.columns)
        ]

    @cached_property
    def _tables(self) -> list[tuple[Any, sa.Table]]:
        return [
            (model, model._meta.table)
            for model in registry.current().get_models(include_auto_created=True)
            if not model._meta.proxy and not isinstance(model._meta.stands_on, str)
        ]

    @cached_property
    def _inspector(self) -> sa.Inspector:
        assert self._connection is not None
        return sa.inspect(self._connection)

    def _has(self, table: str) -> bool:
        schema, _, name = table.rpartition(".")
        return self._inspector.has_table(name, schema=schema or None)

    def _rows(self, table: str) -> int | None:
        if self._connection is None or not self._has(table):
            return None
        sql = _ROWS.get(self.vendor.name)
        if sql is None:
            return self._counted(table)
        given = {"name": table, "quoted": self._quoted(table)}
        found = self._connection.scalar(sa.text(sql), given)
        return self._counted(table) if found is None or found < 0 else int(found)

    def _counted(self, table: str) -> int:
        """Count the rows, up to those of a large table."""
        assert self._connection is not None
        rows = sa.select(sa.literal(1)).select_from(sa.text(self._quoted(table))).limit(self.large).subquery()
        return int(self._connection.scalar(sa.select(sa.func.count()).select_from(rows)) or 0)

    def _quoted(self, table: str) -> str:
        schema, _, name = table.rpartition(".")
        made = sa.Table(name, sa.MetaData(), schema=schema or None)
        return self.dialect.identifier_preparer.format_table(made)
