"""The public names of the databases: `connections`, `connection` and what is done with them."""

from __future__ import annotations

from facade.db.channels.capture import CaptureQueriesContext
from facade.db.database import Database
from facade.db.handler import Connections, aclose_all, close_all, close_all_async, connection, connections
from facade.db.health import Health, ahealth_check, health_check, pool_stats
from facade.db.scopes.joining import using_connection
from facade.db.settings.config import DatabaseSettings

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
