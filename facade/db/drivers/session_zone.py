"""The time zone of PostgreSQL's sessions: the casts of moments to text and JSON, and SQL of one's own, follow it.

It is UTC, with ``USE_TZ`` off ``TIME_ZONE``, whatever the server's is. Who names another one in the options of the
connection gets that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade import bridge
from facade.configuration import settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.engine.interfaces import DBAPIConnection

_SET = "SELECT set_config('TimeZone', %s, false)"


def session_zone() -> str:
    """Return the name of the zone that the settings ask for."""
    return "UTC" if settings.USE_TZ else settings.TIME_ZONE


def _is_to_be_set(raw: Any, zone: str) -> bool:
    """Return whether a connection of psycopg has another zone, which the server tells unasked, and not by its options."""
    options: str = raw.info.get_parameters().get("options", "")
    return raw.info.parameter_status("TimeZone") != zone and not _names_zone(options)


def _names_zone(options: str) -> bool:
    return "timezone=" in options.lower()


def set_on_psycopg(connection: Any, record: object) -> None:
    """Set the zone of a new connection."""
    zone = session_zone()
    if not _is_to_be_set(connection, zone):
        return
    autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(_SET, (zone,))
    connection.autocommit = autocommit


def set_on_async_psycopg(connection: DBAPIConnection, record: object) -> None:
    """Set the zone of a new connection for asyncio."""
    raw: Any = connection.driver_connection
    zone = session_zone()
    if _is_to_be_set(raw, zone):
        bridge.wait(_set_async(raw, zone))


async def _set_async(raw: Any, zone: str) -> None:
    autocommit = raw.autocommit
    await raw.set_autocommit(True)
    await raw.execute(_SET, (zone,))
    await raw.set_autocommit(autocommit)


def ask_of_asyncpg(dialect: Dialect, record: object, args: object, arguments: dict[str, Any]) -> None:
    """Add the zone to what a connection that is about to be made asks of the server."""
    given = dict(arguments.get("server_settings") or {})
    if "timezone" not in {name.lower() for name in given} and not _names_zone(given.get("options", "")):
        arguments["server_settings"] = {**given, "TimeZone": session_zone()}
