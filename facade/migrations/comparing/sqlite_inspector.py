"""Reading the indexes of SQLite with their expressions and order, which SQLAlchemy passes over."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine.reflection import Inspector

from facade.migrations.comparing.sqlite import (
    checked_when,
    collations_of,
    constraints_of,
    counts_keys,
    index_parts,
)
from facade.migrations.comparing.words import unquoted, words

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    Found = dict[tuple[str | None, str], list[dict[str, Any]]]

__all__ = ["SQLiteInspector"]

_TABLES = "SELECT name, sql FROM {}sqlite_master WHERE type = 'table'"
_INDEXES = "SELECT tbl_name, name, sql FROM {}sqlite_master WHERE type = 'index' AND sql <> '' ORDER BY name"


class SQLiteInspector(Inspector):
    """Gives indexes as other databases' inspectors do: those on expressions, too, and conditions whole."""

    @classmethod
    def of(cls, connection: Connection) -> Inspector:
        """Return an inspector that reads with this connection."""
        inspector = sa.inspect(connection)
        inspector.__class__ = cls
        return inspector

    def get_multi_indexes(  # type: ignore[override]
        self, schema: str | None = None, filter_names: Collection[str] | None = None, **options: Any
    ) -> Found:
        found: Found = {(schema, name): [] for name, _ in self._read(_TABLES, schema)}
        for table, name, sql in self._read(_INDEXES, schema):
            found[schema, table].append(_index(name, sql))
        return {key: found[key] for key in found if filter_names is None or key[1] in filter_names}

    def get_multi_unique_constraints(  # type: ignore[override]
        self, schema: str | None = None, filter_names: Collection[str] | None = None, **options: Any
    ) -> Found:
        return {
            (schema, table): [
                {"name": name, "column_names": list(item.columns)}
                for name, item in constraints_of(sql)
                if item.kind == "unique"
            ]
            for table, sql in self._read(_TABLES, schema)
            if filter_names is None or table in filter_names
        }

    def get_multi_columns(  # type: ignore[override]
        self, schema: str | None = None, filter_names: Collection[str] | None = None, **options: Any
    ) -> dict[tuple[str | None, str], list[dict[str, Any]]]:
        found: Any = super().get_multi_columns(schema, filter_names, **options)  # type: ignore[arg-type]
        for table, sql in self._read(_TABLES, schema):
            collations = collations_of(sql) if (schema, table) in found else {}
            for column in found.get((schema, table), ()):
                if column["name"] in collations:
                    column["type"].collation = collations[column["name"]]
        return found  # type: ignore[no-any-return]

    def get_multi_table_options(  # type: ignore[override]
        self, schema: str | None = None, filter_names: Collection[str] | None = None, **options: Any
    ) -> dict[tuple[str | None, str], dict[str, Any]]:
        found: Any = super().get_multi_table_options(schema, filter_names, **options)  # type: ignore[arg-type]
        for table, sql in self._read(_TABLES, schema):
            if (schema, table) in found and counts_keys(sql):
                found[schema, table] = {**found[schema, table], "sqlite_autoincrement": True}
        return found  # type: ignore[no-any-return]

    def get_indexes(self, table_name: str, schema: str | None = None, **options: Any) -> Any:
        return self.get_multi_indexes(schema, [table_name])[schema, table_name]

    def get_unique_constraints(self, table_name: str, schema: str | None = None, **options: Any) -> Any:
        return self.get_multi_unique_constraints(schema, [table_name])[schema, table_name]

    def get_multi_foreign_keys(  # type: ignore[override]
        self, schema: str | None = None, filter_names: Collection[str] | None = None, **options: Any
    ) -> Found:
        """Give those that stand with a column, as Django writes them, with when they are checked, too."""
        texts = {(schema, name): sql for name, sql in self._read(_TABLES, schema)}
        found: Any = super().get_multi_foreign_keys(
            schema, list(filter_names) if filter_names is not None else None, **options
        )
        for table, keys in found.items():
            when = checked_when(texts[table]) if table in texts else {}
            for key in keys:
                if key["name"] is None and len(key["constrained_columns"]) == 1:
                    said = when.get(key["constrained_columns"][0], {})
                    key["options"] = {**said, **key.get("options", {})}
        return found  # type: ignore[no-any-return]

    def get_foreign_keys(self, table_name: str, schema: str | None = None, **options: Any) -> Any:
        return self.get_multi_foreign_keys(schema, [table_name])[schema, table_name]

    def _read(self, sql: str, schema: str | None) -> list[Any]:
        place = "" if schema is None else f"{self.dialect.identifier_preparer.quote_identifier(schema)}."
        with self._operation_context() as connection:
            return list(connection.exec_driver_sql(sql.format(place)))


def _index(name: str, sql: str) -> dict[str, Any]:
    unique, items, where = index_parts(sql)
    columns = [_column(item) for item in items]
    found: dict[str, Any] = {"name": name, "unique": unique, "column_names": columns, "dialect_options": {}}
    if None in columns:
        found["expressions"] = items
    if where:
        found["dialect_options"]["sqlite_where"] = sa.text(where)
    return found


def _column(item: str) -> str | None:
    """Return the column that an index is on; None where it is on more than that, or in another order."""
    given = words(item)
    is_name = len(given) == 1 and given[0][0] != "'" and not given[0][0].isdigit()
    return unquoted(given[0]) if is_name else None
