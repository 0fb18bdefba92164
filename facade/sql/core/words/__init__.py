"""What databases say differently in SQL: one object each, which the compiler has as its `words`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facade.sql.core.words.base import StandardWords
from facade.sql.core.words.duckdb import DuckDBWords
from facade.sql.core.words.libsql import LibSQLWords
from facade.sql.core.words.mysql import MariaDBWords, MySQLWords
from facade.sql.core.words.oracle import OracleWords
from facade.sql.core.words.postgresql import PostgreSQLWords
from facade.sql.core.words.sqlite import SQLiteWords
from facade.sql.core.words.sqlserver import SQLServerWords
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

_WORDS: dict[Vendor, StandardWords] = {
    SQLITE: SQLiteWords(SQLITE),
    POSTGRESQL: PostgreSQLWords(POSTGRESQL),
    MYSQL: MySQLWords(MYSQL),
    MARIADB: MariaDBWords(MARIADB),
    COCKROACHDB: PostgreSQLWords(COCKROACHDB),
    DUCKDB: DuckDBWords(DUCKDB),
    LIBSQL: LibSQLWords(LIBSQL),
    ORACLE: OracleWords(ORACLE),
    SQLSERVER: SQLServerWords(SQLSERVER),
}


def words_of(dialect: Dialect) -> StandardWords:
    """Return the words of the databases that a dialect speaks to."""
    vendor = vendor_of(dialect)
    if (known := _WORDS.get(vendor)) is None:
        known = _WORDS[vendor] = StandardWords(vendor)
    return known
