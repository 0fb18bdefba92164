"""asyncmy: MySQL and MariaDB under asyncio."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from facade.drivers.driver import arguments_of
from facade.drivers.others import MYSQL

ASYNCMY = replace(
    MYSQL,
    name="asyncmy",
    faces=("async",),
    module="asyncmy",
    extra="mysql",
    paramstyle="format",
    known=partial(arguments_of, "asyncmy"),
)
