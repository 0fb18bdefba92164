"""Connection options: each driver calls them by other names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_SERVER_SETTINGS = ("application_name", "search_path")
_LIBPQ_ONLY = frozenset(
    {
        "channel_binding", "client_encoding", "gssencmode", "keepalives", "keepalives_count", "keepalives_idle",
        "keepalives_interval", "tcp_user_timeout", "autocommit", "prepare_threshold", "cursor_factory",
    }
)  # fmt: skip
_ASYNCPG_ONLY = frozenset(
    {
        "command_timeout", "max_cacheable_statement_size", "max_cached_statement_lifetime",
        "prepared_statement_cache_size", "prepared_statement_name_func", "statement_cache_size",
    }
)  # fmt: skip
_IN_URL = frozenset({"host", "port"})  # several servers; SQLAlchemy reads them for every driver


def for_driver(url: URL, options: Mapping[str, Any]) -> tuple[URL, dict[str, Any]]:
    """Return the URL and the driver's arguments; PostgreSQL's options are understood in either driver's words."""
    if url.get_backend_name() != "postgresql":
        return url, dict(options)
    inside = {name: value for name, value in url.query.items() if name in _IN_URL}
    outside = {name: value for name, value in url.query.items() if name not in _IN_URL}
    translate = _asyncpg if url.get_driver_name() == "asyncpg" else _libpq
    return url.set(query=inside), translate({**outside, **options})


def _asyncpg(options: Mapping[str, Any]) -> dict[str, Any]:
    ours = {name: value for name, value in options.items() if name not in _LIBPQ_ONLY}
    server = dict(ours.pop("server_settings", {}))
    server.update({name: str(ours.pop(name)) for name in _SERVER_SETTINGS if name in ours})
    server.update(_command_line(str(ours.pop("options", ""))))
    if "sslmode" in ours:
        ours["ssl"] = ours.pop("sslmode")
    if "connect_timeout" in ours:
        ours["timeout"] = float(ours.pop("connect_timeout"))
    for name in ("statement_cache_size", "prepared_statement_cache_size"):
        if name in ours:
            ours[name] = int(ours[name])
    return {**ours, "server_settings": server} if server else ours


def _libpq(options: Mapping[str, Any]) -> dict[str, Any]:
    ours = {name: value for name, value in options.items() if name not in _ASYNCPG_ONLY}
    server = dict(ours.pop("server_settings", {}))
    ours.update({name: server.pop(name) for name in ("application_name",) if name in server})
    words = [str(ours["options"])] if "options" in ours else []
    words += [f"-c {name}={value}" for name, value in server.items()]
    if "search_path" in ours:
        words.append(f"-c search_path={ours.pop('search_path')}")
    if words:
        ours["options"] = " ".join(words)
    if "ssl" in ours:
        ours["sslmode"] = {True: "require", "true": "require"}.get(ours["ssl"], ours["ssl"])
        del ours["ssl"]
    if "timeout" in ours:
        ours["connect_timeout"] = max(1, int(float(ours.pop("timeout"))))
    return ours


def _command_line(text: str) -> dict[str, str]:
    """Read ``-c name=value`` as libpq's ``options`` has it."""
    settings = [word.removeprefix("-c") for word in shlex.split(text) if "=" in word]
    return {name: value for name, _, value in (word.partition("=") for word in settings)}
