"""psycopg 3: PostgreSQL in sync code and under asyncio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from facade import bridge
from facade.drivers.others import POSTGRESQL
from facade.drivers.postgresql import (
    CONNECT_SECONDS,
    EITHER,
    HABITS,
    LIBPQ,
    STALE_PLAN,
    names_zone,
    number,
    plain,
    session_zone,
)
from facade.foundation.imports import later

if TYPE_CHECKING:
    import secrets

    from sqlalchemy.engine.interfaces import DBAPIConnection
else:
    secrets = later("secrets")

_OBJECTS = frozenset({"context", "cursor_factory"})
_OWN = LIBPQ | _OBJECTS | {"async_creator_fn"}
_ASYNCPG_ONLY = frozenset({"command_timeout", "connection_class", "record_class"})
_SET_ZONE = "SELECT set_config('TimeZone', %s, false)"
_WHO_ANSWERS = "SELECT pg_backend_pid()"


class _Unasked(int):
    """A threshold that nobody asked for: it is psycopg's own, and holds where no pooler stands between."""


_UNASKED = _Unasked(5)


def defaults(pooled: bool) -> dict[str, Any]:
    """Return the arguments where the user gave none."""
    return {"connect_timeout": CONNECT_SECONDS, "prepare_threshold": None if pooled else _UNASKED}


def known() -> frozenset[str]:
    """Return the arguments that `psycopg.connect` takes, with the libpq that it has found."""
    libpq = {option.keyword.decode() for option in import_module("psycopg.pq").Conninfo.get_defaults()}
    return frozenset({*libpq, *_OBJECTS, "prepare_threshold", "async_creator_fn"})


# words


def translate(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return libpq's arguments for PostgreSQL's options in either driver's words."""
    _refuse_others(words)
    ours = {name: value for name, value in words.items() if name in _OWN}
    if words.get("prepare_threshold", "") != "":
        threshold = words["prepare_threshold"]
        ours["prepare_threshold"] = (
            threshold if threshold is None else number("prepare_threshold", threshold, int)
        )
    for name in ("host", "port"):
        if name in ours:
            ours[name] = ",".join(map(str, ours[name]))
    if "database" in words:
        ours["dbname"] = words["database"]
    if "timeout" in words and "connect_timeout" not in words:
        seconds = words["timeout"]
        ours["connect_timeout"] = 0 if seconds is None else max(1, int(number("timeout", seconds, float)))
    if words.get("direct_tls"):
        ours["sslnegotiation"] = "direct"
    return {**ours, **_server(words, ours), **_ssl(words)}


def _refuse_others(words: Mapping[str, Any]) -> None:
    for name in sorted(_ASYNCPG_ONLY & words.keys()):
        limit = (
            " {'options': '-c statement_timeout=5000'} limits statements on both faces."
            if name == "command_timeout"
            else ""
        )
        raise ValueError(
            f"psycopg has no {name}: if it is for asyncpg alone, say it in ASYNC_OPTIONS.{limit}"
        )


def _server(words: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the server, in libpq's words."""
    server = dict(words.get("server_settings") or {})
    found = {}
    if "application_name" in server:
        found["application_name"] = server.pop("application_name")
    if "search_path" in words:
        server["search_path"] = words["search_path"]
    if server:
        given = [str(ours["options"])] if "options" in ours else []
        found["options"] = " ".join([*given, *map(_flag, server.items())])
    return found


def _flag(setting: tuple[str, Any]) -> str:
    name, value = setting
    escaped = "".join(f"\\{sign}" if sign.isspace() or sign == "\\" else sign for sign in str(value))
    return f"-c {name}={escaped}"


def _ssl(words: Mapping[str, Any]) -> dict[str, Any]:
    """Say what asyncpg's ``ssl`` says; True is its strictest form."""
    given = words.get("ssl")
    if given is None:
        return {}
    if given is True:
        return {"sslmode": "verify-full", "sslrootcert": words.get("sslrootcert", "system")}
    if given is False:
        return {"sslmode": "disable"}
    if not isinstance(given, str):
        raise ValueError(
            "ssl: psycopg takes no SSLContext. Say it in ASYNC_OPTIONS, and sslmode, sslrootcert and so on in SYNC_OPTIONS."
        )
    return {"sslmode": plain("sslmode", "require" if given == "true" else given)}


# new connections


def name_statements_apart(connection: DBAPIConnection, record: object) -> None:
    """Give a new connection's prepared statements names that no other client of a pooler has.

    psycopg counts them from 0 on every connection, so that two clients of one server would run each other's.
    """
    statements: Any = getattr(_raw(connection), "_prepared", None)
    if hasattr(statements, "_prepared_idx"):
        statements._prepared_idx = secrets.randbits(62)


def prepare_where_direct(connection: DBAPIConnection, record: object) -> None:
    """Let psycopg prepare what it runs often, unless a pooler hands its clients one server or another.

    A pooler greets its clients with a process number of its own making: it is not that of the server that answers.
    """
    raw = _raw(connection)
    if raw.prepare_threshold is _UNASKED:
        (answering,) = _ask(connection, _WHO_ANSWERS)
        raw.prepare_threshold = int(_UNASKED) if answering == raw.pgconn.backend_pid else None


def set_zone(connection: DBAPIConnection, record: object) -> None:
    """Set the zone of a new connection, if its server, which tells unasked, has another and its options name none."""
    raw, zone = _raw(connection), session_zone()
    options: str = raw.info.get_parameters().get("options", "")
    if raw.info.parameter_status("TimeZone") != zone and not names_zone(options):
        _ask(connection, _SET_ZONE, zone)


def _ask(connection: DBAPIConnection, sql: str, *params: object) -> tuple[object, ...]:
    """Return the one row of a question to a new connection, which is in no transaction afterwards."""
    raw = _raw(connection)
    if raw is not connection:
        return bridge.wait(_ask_async(raw, sql, params))
    autocommit, raw.autocommit = raw.autocommit, True
    row: tuple[object, ...] = raw.execute(sql, params).fetchone()
    raw.autocommit = autocommit
    return row


async def _ask_async(raw: Any, sql: str, params: Sequence[object]) -> tuple[object, ...]:
    autocommit = raw.autocommit
    await raw.set_autocommit(True)
    row: tuple[object, ...] = await (await raw.execute(sql, params)).fetchone()
    await raw.set_autocommit(autocommit)
    return row


def _raw(connection: DBAPIConnection) -> Any:
    """Return psycopg's connection, which SQLAlchemy wraps under asyncio."""
    return getattr(connection, "driver_connection", connection)


# errors


def is_stale_plan(error: BaseException) -> bool:
    """Tell whether a statement was refused for a plan that a changed table has made stale."""
    if getattr(error, "sqlstate", None) != STALE_PLAN:
        return False
    told = getattr(error, "diag", None)  # its words are in the server's language
    return getattr(told, "source_function", None) == "RevalidateCachedQuery"


def forgets_stale_plan(raw: object, error: BaseException) -> bool:
    """Tell whether a statement was refused for such a plan; none is left then."""
    statements: Any = getattr(raw, "_prepared", None)
    if not is_stale_plan(error) or not getattr(statements, "_names", None):
        return False
    # The server drops its own with the next statement.
    statements._to_flush.extend(statements._names.values())
    statements._names.clear()
    return True


PSYCOPG = replace(
    POSTGRESQL,
    name="psycopg",
    aliases=("psycopg_async",),
    faces=("sync", "async"),
    module="psycopg",
    extra="postgres",
    roads={"sync": "psycopg:PsycopgChannel", "async": "psycopg:AsyncPsycopgChannel"},
    paramstyle="format",
    numbers_names=True,
    same_sql=True,
    words=LIBPQ | _OBJECTS | HABITS | EITHER,
    translate=translate,
    known=known,
    defaults=defaults,
    listeners=(("connect", name_statements_apart), ("connect", prepare_where_direct), ("connect", set_zone)),
    is_stale_plan=is_stale_plan,
    forgets_stale_plan=forgets_stale_plan,
    is_libpq=True,
    privates={
        "psycopg:Connection": ("_prepared",),
        "psycopg:AsyncConnection": ("_prepared",),
        "psycopg:ServerCursor": ("_closed",),
        "psycopg:AsyncServerCursor": ("_closed",),
        "psycopg._preparing:PrepareManager": ("_names", "_prepared_idx", "_to_flush"),
    },
)
