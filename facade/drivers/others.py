"""What holds for every driver of a database, those without a record of their own included."""

from __future__ import annotations

from typing import Any

from facade.drivers.driver import Driver

BUSY_SECONDS = 30.0


def sqlite_defaults(pooled: bool) -> dict[str, Any]:
    """Return the arguments that the drivers of SQLite share."""
    return {"timeout": BUSY_SECONDS, "check_same_thread": False, "cached_statements": 256}


OTHER = Driver(name="", databases=frozenset())
POSTGRESQL = Driver(name="", databases=frozenset({"postgresql"}))
SQLITE = Driver(name="", databases=frozenset({"sqlite"}), max_parameters=32766, defaults=sqlite_defaults)
SQLSERVER = Driver(name="", databases=frozenset({"mssql"}), max_parameters=2099)
ORACLE = Driver(name="", databases=frozenset({"oracle"}), paramstyle="numeric")
MYSQL = Driver(name="", databases=frozenset({"mysql", "mariadb"}), pings=True)

OTHERS = {
    name: driver for driver in (POSTGRESQL, SQLITE, MYSQL, ORACLE, SQLSERVER) for name in driver.databases
}
