"""mysqlclient, which is imported as MySQLdb: MySQL and MariaDB in sync code."""

from __future__ import annotations

from dataclasses import replace

from facade.drivers.others import MYSQL

MYSQLDB = replace(
    MYSQL, name="mysqldb", faces=("sync",), module="MySQLdb", package="mysqlclient", paramstyle="format"
)
