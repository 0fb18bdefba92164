"""The kinds of databases, told apart in this one place: what each is called, and what it can do.

What each says in SQL stands in `sql/core/words`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from facade.vendors.base import Vendor
from facade.vendors.duckdb import DuckDB
from facade.vendors.mysql import MariaDB, MySQL
from facade.vendors.oracle import Oracle
from facade.vendors.postgresql import CockroachDB, PostgreSQL
from facade.vendors.sqlite import LibSQL, SQLite
from facade.vendors.sqlserver import SQLServer

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = [
    "COCKROACHDB",
    "DUCKDB",
    "LIBSQL",
    "MARIADB",
    "MYSQL",
    "ORACLE",
    "POSTGRESQL",
    "SQLITE",
    "SQLSERVER",
    "Vendor",
    "vendor_named",
    "vendor_of",
]

SQLITE = SQLite("sqlite", "SQLite")
POSTGRESQL = PostgreSQL("postgresql", "PostgreSQL")
MYSQL = MySQL("mysql", "MySQL")
MARIADB = MariaDB("mysql", "MySQL", server="mariadb")
COCKROACHDB = CockroachDB("postgresql", "CockroachDB", server="cockroachdb")
DUCKDB = DuckDB("duckdb", "DuckDB")
LIBSQL = LibSQL("sqlite", "SQLite", server="libsql")
ORACLE = Oracle("oracle", "Oracle")
SQLSERVER = SQLServer("mssql", "SQL Server")

_BY_DIALECT: dict[str, Vendor] = {
    "sqlite": SQLITE,
    "postgresql": POSTGRESQL,
    "mysql": MYSQL,
    "mariadb": MARIADB,
    "cockroachdb": COCKROACHDB,
    "duckdb": DUCKDB,
    "oracle": ORACLE,
    "mssql": SQLSERVER,
}


def vendor_of(dialect: Dialect) -> Vendor:
    """Return what is known of the databases that a dialect speaks to.

    A MariaDB that is spoken to as MySQL is known for one as soon as it has been connected to.
    """
    if getattr(dialect, "is_mariadb", False):
        return MARIADB
    if getattr(dialect, "driver", None) == "libsql":
        return LIBSQL
    return _BY_DIALECT.get(dialect.name) or _other(dialect.name)


def vendor_named(name: str) -> Vendor:
    """Return what is known of databases by name alone, which MariaDB shares with MySQL: what both can do.

    >>> vendor_named("postgresql").supports_comments, vendor_named("sqlite").supports_comments
    (True, False)
    """
    return MARIADB if name == "mysql" else _BY_DIALECT.get(name) or _other(name)


@functools.cache
def _other(name: str) -> Vendor:
    return Vendor(name)
