"""asyncpg: PostgreSQL under asyncio."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from facade.drivers import asyncpg_edges
from facade.drivers.others import POSTGRESQL
from facade.drivers.postgresql import (
    CONNECT_SECONDS,
    EITHER,
    HABITS,
    KEEPALIVES,
    LIBPQ,
    names_zone,
    number,
    session_zone,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

# What libpq's words are here: arguments by the same names, and what is read in ``dsn`` only.
SAME_NAME = frozenset({"user", "password", "passfile", "target_session_attrs", "krbsrvname", "gsslib"})
IN_DSN = frozenset(
    {
        "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslnegotiation", "ssl_min_protocol_version",
        "ssl_max_protocol_version",
    }
)  # fmt: skip
TRANSLATED = frozenset(
    {
        "application_name", "connect_timeout", "dbname", "fallback_application_name", "host", "options", "port", "sslmode",
    }
)  # fmt: skip
# What there is no word for: the values that say what asyncpg does anyway. None is a word for both or for none.
ALREADY: dict[str, frozenset[str]] = {
    "channel_binding": frozenset({"prefer", "disable"}),
    "client_encoding": frozenset({"utf8", "utf-8", "unicode"}),
    "gssdelegation": frozenset({"0"}),
    "gssencmode": frozenset({"prefer", "disable"}),
    "load_balance_hosts": frozenset({"disable"}),
    "max_protocol_version": frozenset({"3.0", "3.2", "latest"}),
    "min_protocol_version": frozenset({"3.0"}),
    "sslcertmode": frozenset({"allow"}),
    "sslcompression": frozenset({"0"}),
    "sslsni": frozenset({"1"}),
    **dict.fromkeys(
        (
            "hostaddr", "oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope", "require_auth",
            "requirepeer", "scram_client_key", "scram_server_key", "service", "servicefile", "sslcrldir", "sslkeylogfile",
        ),
        frozenset(),
    ),
}  # fmt: skip

# What libpq takes from the environment and asyncpg does not.
_ENVIRONMENT = {
    "PGAPPNAME": "application_name", "PGCHANNELBINDING": "channel_binding", "PGGSSENCMODE": "gssencmode",
    "PGHOSTADDR": "hostaddr", "PGLOADBALANCEHOSTS": "load_balance_hosts", "PGMINPROTOCOLVERSION": "min_protocol_version",
    "PGOPTIONS": "options", "PGREQUIREAUTH": "require_auth", "PGREQUIREPEER": "requirepeer", "PGSERVICE": "service",
    "PGSSLCERTMODE": "sslcertmode", "PGSSLCRLDIR": "sslcrldir", "PGSSLSNI": "sslsni",
}  # fmt: skip

_NUMBERS = {"timeout": float, "command_timeout": float, "statement_cache_size": int, "max_cached_statement_lifetime": int,
            "max_cacheable_statement_size": int, "prepared_statement_cache_size": int}  # fmt: skip
_OBJECTS = frozenset({"async_creator_fn", "connection_class", "prepared_statement_name_func", "record_class"})
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SECRETS = frozenset({"oauth_client_secret", "scram_client_key", "scram_server_key"})
_PORT = 5432


def defaults(pooled: bool) -> dict[str, Any]:
    """Return the arguments where the user gave none."""
    caches = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    return {"timeout": CONNECT_SECONDS, **(caches if pooled else {})}


# words


def translate(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return asyncpg's arguments for PostgreSQL's options in either driver's words."""
    words = {**_surroundings(words), **words}
    arguments = _servers(words)
    dsn: dict[str, str] = {}
    for name, value in words.items():
        if name in _NUMBERS:
            arguments[name] = value if value is None else number(name, value, _NUMBERS[name])
        elif name in SAME_NAME or name in _OBJECTS or name in ("database", "direct_tls"):
            arguments[name] = value
        elif name in IN_DSN:
            dsn[name] = str(value)
        elif name not in TRANSLATED | KEEPALIVES | HABITS | EITHER:
            _check_harmless(name, value)
    if "dbname" in words:
        arguments["database"] = words["dbname"]
    if "connect_timeout" in words:
        seconds = number("connect_timeout", words["connect_timeout"], float)
        arguments["timeout"] = seconds if seconds > 0 else None
    arguments.update(_ssl(words, dsn))
    server = _settings(words)
    return {**arguments, "server_settings": server} if server else arguments


def _surroundings(words: Mapping[str, Any]) -> dict[str, str]:
    """Return what the environment says of the connection, where the options do not."""
    found = {
        name: os.environ[variable] for variable, name in _ENVIRONMENT.items() if os.environ.get(variable)
    }
    if "application_name" in (words.get("server_settings") or ()):
        found.pop("application_name", None)
    return found


def _settings(words: Mapping[str, Any]) -> dict[str, Any]:
    server = dict(words.get("server_settings") or {})
    server.update(
        {name: str(words[name]) for name in ("application_name", "search_path", "options") if name in words}
    )
    if "fallback_application_name" in words:
        server.setdefault("application_name", str(words["fallback_application_name"]))
    return server


def _servers(words: Mapping[str, Any]) -> dict[str, Any]:
    hosts, ports = words.get("host", []), words.get("port", [])
    if len(hosts) > 1 and not all(hosts):
        raise ValueError("host: asyncpg needs the name of each server.")
    if len(hosts) <= 1 and len(ports) <= 1:
        return {name: words[name][0] for name in ("host", "port") if name in words}
    return {"host": hosts, **({"port": [port or _PORT for port in ports]} if ports else {})}


def _ssl(words: Mapping[str, Any], dsn: dict[str, str]) -> dict[str, Any]:
    given = words.get("ssl", words.get("sslmode"))
    given = "require" if given == "true" else given  # as libpq reads it in a URL
    if dsn.get("sslrootcert") == "system":
        if len(dsn) > 1 or given not in (None, True, "verify-full"):
            _refuse("sslrootcert", "system")
        return {"ssl": True}
    if dsn and not (given is None or isinstance(given, str)):
        raise ValueError(
            f"{min(dsn)}: an SSLContext, or ssl=True, stands for all that is said of certificates."
        )
    found = {} if given is None else {"ssl": given}
    return {**found, "dsn": f"postgresql://?{urlencode(dsn, quote_via=quote)}"} if dsn else found


def _check_harmless(name: str, value: object) -> None:
    if str(value).lower() not in ALREADY.get(name, ()):
        _refuse(name, value)


def _refuse(name: str, value: object) -> None:
    shown = f"={value!r}" if isinstance(value, (str, int)) and name not in _SECRETS else ""
    raise ValueError(
        f"asyncpg cannot do {name}{shown}. psycopg can, where it is installed: the async face takes it unless the URL "
        "says postgresql+asyncpg."
    )


# new connections


def complete(words: Mapping[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with what connects as libpq does, where asyncpg does not: one server after the other, sockets.

    Raises ValueError for a file that is not there, where the driver's own error would not say which.
    """
    _check_files(words)
    sockets = {name: number(name, words[name], int) for name in sorted(KEEPALIVES & words.keys())}
    if sockets and "async_creator_fn" in words:
        raise ValueError(
            f"{min(sockets)}: what opens connections itself, async_creator_fn, sets that on them."
        )
    if not (sockets or isinstance(arguments.get("host"), list)):
        return arguments
    connect = import_module("facade.drivers.asyncpg_connecting").connect
    return {"async_creator_fn": connect, **arguments, **({"sockets": sockets} if sockets else {})}


def _check_files(words: Mapping[str, Any]) -> None:
    for name in _FILES if words.get("sslmode") != "disable" else ():
        file = words.get(name)
        if file not in (None, "system") and not Path(str(file)).exists():
            raise ValueError(f"{name}: there is no file {str(file)!r}.")


def ask_for_zone(dialect: Dialect, record: object, args: object, arguments: dict[str, Any]) -> None:
    """Add the zone to what a connection that is about to be made asks of the server."""
    given = dict(arguments.get("server_settings") or {})
    if "timezone" not in {name.lower() for name in given} and not names_zone(given.get("options", "")):
        arguments["server_settings"] = {**given, "TimeZone": session_zone()}


# errors


def is_stale_plan(error: BaseException) -> bool:
    """Tell whether a statement was refused for a plan that a changed table has made stale."""
    return type(error).__name__ == "InvalidCachedStatementError"


def forgets_stale_plan(raw: object, error: BaseException) -> bool:
    """Tell whether a statement was refused for such a plan: asyncpg has forgotten it."""
    return is_stale_plan(error)


ASYNCPG = replace(
    POSTGRESQL,
    name="asyncpg",
    faces=("async",),
    module="asyncpg",
    extra="postgres",
    roads={"async": "asyncpg:AsyncpgChannel"},
    max_parameters=32767,
    words=LIBPQ | _NUMBERS.keys() | _OBJECTS | HABITS | EITHER,
    translate=translate,
    complete=complete,
    defaults=defaults,
    listeners=(("do_connect", ask_for_zone),),
    lost=frozenset({"InternalClientError"}),  # it was hit amid its protocol
    passing=frozenset({"TargetServerAttributeNotMatched"}),  # a standby may be about to take over
    is_stale_plan=is_stale_plan,
    forgets_stale_plan=forgets_stale_plan,
    quoting=re.compile(
        r"invalid input for query argument \$\d+( in element #\d+ of executemany\(\) sequence)?(?=:)"
    ),
    day=asyncpg_edges.day,
    moment=asyncpg_edges.moment,
    gives_utc=True,
    privates={"asyncpg:Connection": ("_stmt_cache", "_transport"), "asyncpg.connection": ("_uid",)},
)
