"""The drivers: one record each, in the file of its name, and what is known of those that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facade.drivers.aiomysql import AIOMYSQL
from facade.drivers.aiosqlite import AIOSQLITE
from facade.drivers.asyncmy import ASYNCMY
from facade.drivers.asyncpg import ASYNCPG
from facade.drivers.libsql import LIBSQL
from facade.drivers.mysqldb import MYSQLDB
from facade.drivers.others import OTHER, OTHERS
from facade.drivers.psycopg import PSYCOPG
from facade.drivers.psycopg2 import PSYCOPG2
from facade.drivers.pymysql import PYMYSQL
from facade.drivers.pysqlite import PYSQLITE

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Dialect

    from facade.drivers.driver import Driver, Face

DRIVERS = (ASYNCPG, PSYCOPG, PSYCOPG2, PYSQLITE, AIOSQLITE, LIBSQL, PYMYSQL, MYSQLDB, ASYNCMY, AIOMYSQL)
"""All of them. A face takes the first one that is installed."""

_NAMED = {name: driver for driver in DRIVERS for name in (driver.name, *driver.aliases)}


def named(name: str | None, database: str = "") -> Driver:
    """Return the driver of a name, or what holds for every other driver of a database."""
    return _NAMED.get(name or "") or OTHERS.get(database, OTHER)


def driver_of(dialect: Dialect) -> Driver:
    """Return the driver that a dialect speaks to."""
    return named(getattr(dialect, "driver", None), dialect.name)


def driver_of_url(url: URL) -> Driver:
    """Return the driver that SQLAlchemy takes for a URL."""
    return named(url.get_driver_name(), url.get_backend_name())


def drivers_for(database: str, face: Face) -> list[Driver]:
    """Return the drivers that serve a face of a database, the preferred one first."""
    return [driver for driver in DRIVERS if database in driver.databases and face in driver.faces]
