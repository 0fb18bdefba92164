"""The public names of the databases: `connections`, `connection` and what is done with them."""

from __future__ import annotations

from facade.db.capture import CaptureQueriesContext
from facade.db.config import DatabaseSettings
from facade.db.database import Database
from facade.db.health import Health, ahealth_check, health_check, pool_stats
from facade.db.joining import using_connection
from facade.db.registry import Connections, aclose_all, close_all, close_all_async, connection, connections

__all__ = [
    "CaptureQueriesContext",
    "Connections",
    "Database",
    "DatabaseSettings",
    "Health",
    "aclose_all",
    "ahealth_check",
    "close_all",
    "close_all_async",
    "connection",
    "connections",
    "health_check",
    "pool_stats",
    "using_connection",
]
