"""What databases say differently in SQL: one object each, which the compiler has as its `words`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from facade.sql.core.words.base import StandardWords
from facade.vendors import (
    COCKROACHDB,
    DUCKDB,
    LIBSQL,
    MARIADB,
    MYSQL,
    ORACLE,
    POSTGRESQL,
    SQLITE,
    SQLSERVER,
    Vendor,
    vendor_of,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = ["StandardWords", "words_of"]

_CLASSES = {
    SQLITE: "sqlite:SQLiteWords",
    POSTGRESQL: "postgresql:PostgreSQLWords",
    MYSQL: "mysql:MySQLWords",
    MARIADB: "mysql:MariaDBWords",
    COCKROACHDB: "postgresql:PostgreSQLWords",
    DUCKDB: "duckdb:DuckDBWords",
    LIBSQL: "libsql:LibSQLWords",
    ORACLE: "oracle:OracleWords",
    SQLSERVER: "sqlserver:SQLServerWords",
}
"""Where the words of each stand, as ``module:class``: they are imported when a statement is first compiled for it."""

_WORDS: dict[Vendor, StandardWords] = {}


def words_of(dialect: Dialect) -> StandardWords:
    """Return the words of the databases that a dialect speaks to."""
    vendor = vendor_of(dialect)
    if (known := _WORDS.get(vendor)) is None:
        known = _WORDS.setdefault(vendor, _class_for(vendor)(vendor))
    return known


def _class_for(vendor: Vendor) -> type[StandardWords]:
    if vendor not in _CLASSES:
        return StandardWords
    module, _, name = _CLASSES[vendor].partition(":")
    cls: type[StandardWords] = getattr(import_module(f"{__name__}.{module}"), name)
    return cls
