"""aiomysql: MySQL and MariaDB under asyncio."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from facade.drivers.driver import arguments_of
from facade.drivers.others import MYSQL

AIOMYSQL = replace(
    MYSQL,
    name="aiomysql",
    faces=("async",),
    module="aiomysql",
    paramstyle="format",
    known=partial(arguments_of, "aiomysql"),
)
