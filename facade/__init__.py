"""Django's ORM language on SQLAlchemy Core, for sync code and asyncio."""

from __future__ import annotations

from facade import models, transaction
from facade.bridge import run
from facade.configuration import configure, settings
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.connection import (
    aclose_all,
    ahealth_check,
    close_all,
    close_all_async,
    connection,
    connections,
    health_check,
    pool_stats,
    using_connection,
)
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.db.scopes.atomic import aatomic, atomic
from facade.orm.existing.reflection import areflect, reflect
from facade.sql.tables.definitions import metadata
from facade.sql.tables.schema import acreate_all, adrop_all, create_all, drop_all
from facade.version import __version__

__all__ = [
    "DEFAULT_DB_ALIAS",
    "CaptureQueriesContext",
    "__version__",
    "aatomic",
    "aclose_all",
    "acreate_all",
    "adrop_all",
    "ahealth_check",
    "areflect",
    "atomic",
    "close_all",
    "close_all_async",
    "configure",
    "connection",
    "connections",
    "create_all",
    "drop_all",
    "health_check",
    "metadata",
    "models",
    "pool_stats",
    "reflect",
    "router",
    "run",
    "settings",
    "transaction",
    "using_connection",
]

_MODULES = {
    "apps",
    "checks",
    "choices",
    "dispatch",
    "exceptions",
    "files",
    "paginator",
    "security",
    "signals",
    "testing",
    "timezone",
    "types",
    "validators",
}


def __dir__() -> list[str]:
    """What prompts complete: the public names, and those of the public modules that are imported."""
    return [*__all__, *(name for name in globals() if name in _MODULES or name.startswith("__"))]
