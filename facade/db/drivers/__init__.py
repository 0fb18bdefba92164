"""The fast roads, one module per driver, and the general road through SQLAlchemy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from facade.db.drivers.general import AsyncGeneralChannel, GeneralChannel

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.db.channels.base import DriverChannel

# Modules are imported when a database first needs them: a driver may not be installed.
_FAST = {
    ("sqlite", "pysqlite", False): ("sqlite", "SqliteChannel"),
    ("sqlite", "aiosqlite", True): ("aiosqlite", "AiosqliteChannel"),
    ("postgresql", "psycopg", False): ("psycopg", "PsycopgChannel"),
    ("postgresql", "psycopg", True): ("psycopg", "AsyncPsycopgChannel"),
    ("postgresql", "asyncpg", True): ("asyncpg", "AsyncpgChannel"),
}


def channel_class(dialect: Dialect) -> type[DriverChannel]:
    """Return the kind of channel for a dialect's driver."""
    known = _FAST.get((dialect.name, dialect.driver, dialect.is_async))
    if known is None:
        return AsyncGeneralChannel if dialect.is_async else GeneralChannel
    module, name = known
    cls: type[DriverChannel] = getattr(import_module(f"{__name__}.{module}"), name)
    return cls
