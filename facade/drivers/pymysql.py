"""PyMySQL: MySQL and MariaDB in sync code."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from facade.drivers.driver import arguments_of
from facade.drivers.others import MYSQL

PYMYSQL = replace(
    MYSQL,
    name="pymysql",
    faces=("sync",),
    module="pymysql",
    extra="mysql",
    paramstyle="format",
    known=partial(arguments_of, "pymysql"),
)
