"""Connection options: the words of libpq and of each driver, and how each driver takes them.

A word means the same to either driver of PostgreSQL, or the one that cannot do what it says refuses it. Only how a
driver keeps its prepared statements (`_HABITS`) is nobody else's business.
"""

from __future__ import annotations

import difflib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_LIBPQ_DRIVERS = frozenset({"psycopg", "psycopg_async", "psycopg2", "psycopg2cffi"})

KEEPALIVES = frozenset(
    {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
# asyncpg's arguments by the same names, and what it reads in its ``dsn`` only.
_SAME_NAME = frozenset({"user", "password", "passfile", "target_session_attrs", "krbsrvname", "gsslib"})
_IN_DSN = frozenset(
    {
        "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslnegotiation", "ssl_min_protocol_version",
        "ssl_max_protocol_version",
    }
)  # fmt: skip
_TRANSLATED = frozenset(
    {
        "application_name", "connect_timeout", "dbname", "fallback_application_name", "host", "options", "port", "sslmode",
    }
)  # fmt: skip
# What asyncpg has no word for: the values that say what it does anyway. None is a word for both or for none.
_ALREADY: dict[str, frozenset[str]] = {
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
_LIBPQ = frozenset({*_SAME_NAME, *_IN_DSN, *_TRANSLATED, *KEEPALIVES, *_ALREADY, "replication"})

# What libpq takes from the environment and asyncpg does not.
_ENVIRONMENT = {
    "PGAPPNAME": "application_name", "PGCHANNELBINDING": "channel_binding", "PGGSSENCMODE": "gssencmode",
    "PGHOSTADDR": "hostaddr", "PGLOADBALANCEHOSTS": "load_balance_hosts", "PGMINPROTOCOLVERSION": "min_protocol_version",
    "PGOPTIONS": "options", "PGREQUIREAUTH": "require_auth", "PGREQUIREPEER": "requirepeer", "PGSERVICE": "service",
    "PGSSLCERTMODE": "sslcertmode", "PGSSLCRLDIR": "sslcrldir", "PGSSLSNI": "sslsni",
}  # fmt: skip

_ASYNCPG = {"timeout": float, "command_timeout": float, "statement_cache_size": int, "max_cached_statement_lifetime": int,
            "max_cacheable_statement_size": int, "prepared_statement_cache_size": int}  # fmt: skip
_ASYNCPG_OBJECTS = frozenset(
    {"async_creator_fn", "connection_class", "prepared_statement_name_func", "record_class"}
)
_ASYNCPG_ONLY = frozenset({"command_timeout", "connection_class", "record_class"})
_PSYCOPG_ONLY = frozenset({"context", "cursor_factory"})
_HABITS = frozenset(
    {
        "autocommit", "max_cacheable_statement_size", "max_cached_statement_lifetime", "prepare_threshold",
        "prepared_statement_cache_size", "prepared_statement_name_func", "statement_cache_size",
    }
)  # fmt: skip
_EITHER = frozenset({"database", "direct_tls", "search_path", "server_settings", "ssl", "timeout"})
_KNOWN = frozenset({*_LIBPQ, *_ASYNCPG, *_ASYNCPG_OBJECTS, *_PSYCOPG_ONLY, *_HABITS, *_EITHER})
_VALUES = {
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "sslcertmode": ("disable", "allow", "require"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SECRETS = frozenset({"oauth_client_secret", "scram_client_key", "scram_server_key"})
_FALSE = frozenset({"0", "false", "off", "no"})
_PORT = 5432

_SQLITE3 = frozenset(
    {"timeout", "detect_types", "isolation_level", "check_same_thread", "factory", "cached_statements", "uri"}
)


def for_driver(url: URL, options: Mapping[str, Any]) -> tuple[URL, dict[str, Any]]:
    """Return the URL and the driver's arguments; PostgreSQL's options are understood in either driver's words.

    Raises ValueError, which names the word, for what the driver does not know or cannot do.
    """
    if not _is_read(url):
        return url, dict(options)
    words = _words(url, options)
    translate = _asyncpg if url.get_driver_name() == "asyncpg" else _libpq
    return url.set(query={}), translate(words)


def is_honoured(url: URL, options: Mapping[str, Any]) -> bool:
    """Tell whether a driver can do all that the options say."""
    try:
        for_driver(url, options)
    except ValueError:
        return False
    return True


def check_words(url: URL, options: Mapping[str, Any]) -> None:
    """Raise ValueError for what no driver of PostgreSQL knows."""
    if _is_read(url):
        _words(url, options)


def check_arguments(driver: str, arguments: Iterable[str]) -> None:
    """Raise ValueError for an argument that the driver, as it is installed, will not take."""
    known = _known_to(driver)
    for name in sorted(set(arguments) - known) if known else ():
        raise ValueError(_unknown(name, known, f"The driver {driver}"))


def socket_words(url: URL, options: Mapping[str, Any]) -> dict[str, int]:
    """Return what libpq would set on its sockets, for a driver that does not."""
    if url.get_driver_name() != "asyncpg":
        return {}
    words = _words(url, options)
    found = {name: _number(name, words[name], int) for name in sorted(KEEPALIVES & words.keys())}
    if found and "async_creator_fn" in words:
        raise ValueError(f"{min(found)}: what opens connections itself, async_creator_fn, sets that on them.")
    return found


def check_files(url: URL, options: Mapping[str, Any]) -> None:
    """Raise ValueError for a file that is not there, where the driver's own error would not say which."""
    words = _words(url, options) if url.get_driver_name() == "asyncpg" else {}
    for name in _FILES if words.get("sslmode") != "disable" else ():
        file = words.get(name)
        if file not in (None, "system") and not Path(str(file)).exists():
            raise ValueError(f"{name}: there is no file {str(file)!r}.")


# reading


def _is_read(url: URL) -> bool:
    driver = url.get_driver_name()
    return url.get_backend_name() == "postgresql" and (driver == "asyncpg" or driver in _LIBPQ_DRIVERS)


def _words(url: URL, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the URL and the options say, checked as far as both drivers agree."""
    given = {name: value for name, value in {**url.query, **options}.items() if name != "plugin"}
    for name in given:
        if name not in _KNOWN:
            raise ValueError(
                _unknown(name, _KNOWN, "PostgreSQL")
                + " Settings of the server are written {'options': '-c name=value'}."
            )
    words = {name: _plain(name, value) for name, value in given.items() if not _is_unset(name, value)}
    if str(words.pop("replication", "off")).lower() not in _FALSE:
        raise ValueError("replication: such a connection runs no queries.")
    return {**words, **_servers(words)}


def _is_unset(name: str, value: object) -> bool:
    """Tell whether a word of libpq's has the value that stands for its default."""
    return name in _LIBPQ and (value is None or value == "")


def _plain(name: str, value: object) -> Any:
    """Return a value as libpq writes it; raises ValueError for one that it does not know."""
    if name not in _LIBPQ:
        return value
    if isinstance(value, bool):
        return int(value)
    allowed = _VALUES.get(name)
    if allowed is None:
        return value
    plain = str(value).replace("_", "-") if name == "sslmode" else str(value)
    if plain not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}.")
    return plain


def _servers(words: Mapping[str, Any]) -> dict[str, Any]:
    """Read the names and ports of several servers, or of one, in any of the forms in which they may be written."""
    if not {"host", "port"} & words.keys():
        return {}
    given = words.get("host", ())
    hosts = [*given] if isinstance(given, (tuple, list)) else str(given).split(",") if given else []
    ports = words.get("port", ())
    ports = [*ports] if isinstance(ports, (tuple, list)) else str(ports).split(",")
    if not ports:  # SQLAlchemy's form: host=one:5432&host=other:5433
        pairs = [split_server(server) for server in hosts]
        hosts, ports = [host for host, _ in pairs], [port for _, port in pairs]
    if len(ports) > 1 and len(ports) != len(hosts):
        raise ValueError(f"port: there are {len(ports)} ports for {len(hosts)} hosts.")
    ports = [_number("port", port, int) if port else "" for port in ports]
    return {**({"host": hosts} if hosts else {}), **({"port": ports} if any(ports) else {})}


def split_server(text: str) -> tuple[str, str]:
    """Split ``host:port``; an IPv6 address stands in brackets then, and a folder of sockets has no port."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port.removeprefix(":")
    if text.startswith("/") or text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _number(name: str, value: object, kind: Callable[[Any], Any]) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is a number, not {value!r}.") from None


def _unknown(name: str, known: Iterable[str], who: str) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{who} knows no option {name!r}.{hint}"


def _known_to(driver: str) -> frozenset[str]:
    """Return the arguments that the installed driver takes; none if that cannot be known."""
    if driver in ("pysqlite", "aiosqlite"):
        newer = {"autocommit"} if sys.version_info >= (3, 12) else set()
        return (
            _SQLITE3 | newer | ({"iter_chunk_size", "async_creator_fn"} if driver == "aiosqlite" else set())
        )
    if driver in ("pymysql", "asyncmy", "aiomysql"):
        parameters = inspect.signature(import_module(driver).connect).parameters.values()
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            return frozenset(parameter.name for parameter in parameters) | {"async_creator_fn"}
    if driver in ("psycopg", "psycopg_async"):
        libpq = {option.keyword.decode() for option in import_module("psycopg.pq").Conninfo.get_defaults()}
        return frozenset({*libpq, *_PSYCOPG_ONLY, "prepare_threshold", "async_creator_fn"})
    return frozenset()


# asyncpg


def _asyncpg(words: Mapping[str, Any]) -> dict[str, Any]:
    words = {**_surroundings(words), **words}
    arguments = _asyncpg_servers(words)
    dsn: dict[str, str] = {}
    for name, value in words.items():
        if name in _ASYNCPG:
            arguments[name] = value if value is None else _number(name, value, _ASYNCPG[name])
        elif name in _SAME_NAME or name in _ASYNCPG_OBJECTS or name in ("database", "direct_tls"):
            arguments[name] = value
        elif name in _IN_DSN:
            dsn[name] = str(value)
        elif name not in _TRANSLATED | KEEPALIVES | _HABITS | _EITHER:
            _check_harmless(name, value)
    if "dbname" in words:
        arguments["database"] = words["dbname"]
    if "connect_timeout" in words:
        seconds = _number("connect_timeout", words["connect_timeout"], float)
        arguments["timeout"] = seconds if seconds > 0 else None
    arguments.update(_asyncpg_ssl(words, dsn))
    server = _asyncpg_settings(words)
    return {**arguments, "server_settings": server} if server else arguments


def _surroundings(words: Mapping[str, Any]) -> dict[str, str]:
    """Return what the environment says of the connection, where the options do not."""
    found = {
        name: os.environ[variable] for variable, name in _ENVIRONMENT.items() if os.environ.get(variable)
    }
    if "application_name" in (words.get("server_settings") or ()):
        found.pop("application_name", None)
    return found


def _asyncpg_settings(words: Mapping[str, Any]) -> dict[str, Any]:
    server = dict(words.get("server_settings") or {})
    server.update(
        {name: str(words[name]) for name in ("application_name", "search_path", "options") if name in words}
    )
    if "fallback_application_name" in words:
        server.setdefault("application_name", str(words["fallback_application_name"]))
    return server


def _asyncpg_servers(words: Mapping[str, Any]) -> dict[str, Any]:
    hosts, ports = words.get("host", []), words.get("port", [])
    if len(hosts) > 1 and not all(hosts):
        raise ValueError("host: asyncpg needs the name of each server.")
    if len(hosts) <= 1 and len(ports) <= 1:
        return {name: words[name][0] for name in ("host", "port") if name in words}
    return {"host": hosts, **({"port": [port or _PORT for port in ports]} if ports else {})}


def _asyncpg_ssl(words: Mapping[str, Any], dsn: dict[str, str]) -> dict[str, Any]:
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
    if str(value).lower() not in _ALREADY.get(name, ()):
        _refuse(name, value)


def _refuse(name: str, value: object) -> None:
    shown = f"={value!r}" if isinstance(value, (str, int)) and name not in _SECRETS else ""
    raise ValueError(
        f"asyncpg cannot do {name}{shown}. psycopg can, where it is installed: the async face takes it unless the URL "
        "says postgresql+asyncpg."
    )


# libpq


def _libpq(words: Mapping[str, Any]) -> dict[str, Any]:
    for name in sorted(_ASYNCPG_ONLY & words.keys()):
        limit = (
            " {'options': '-c statement_timeout=5000'} limits statements on both faces."
            if name == "command_timeout"
            else ""
        )
        raise ValueError(
            f"psycopg has no {name}: if it is for asyncpg alone, say it in ASYNC_OPTIONS.{limit}"
        )
    ours = {name: value for name, value in words.items() if name not in _HABITS | _EITHER | _ASYNCPG.keys()}
    if words.get("prepare_threshold", "") != "":
        threshold = words["prepare_threshold"]
        ours["prepare_threshold"] = (
            threshold if threshold is None else _number("prepare_threshold", threshold, int)
        )
    for name in ("host", "port"):
        if name in ours:
            ours[name] = ",".join(map(str, ours[name]))
    server = dict(words.get("server_settings") or {})
    if "application_name" in server:
        ours["application_name"] = server.pop("application_name")
    if "search_path" in words:
        server["search_path"] = words["search_path"]
    if server:
        ours["options"] = " ".join(
            [*([str(ours["options"])] if "options" in ours else []), *map(_flag, server.items())]
        )
    if "database" in words:
        ours["dbname"] = words["database"]
    if "timeout" in words and "connect_timeout" not in words:
        seconds = words["timeout"]
        ours["connect_timeout"] = 0 if seconds is None else max(1, int(_number("timeout", seconds, float)))
    if words.get("direct_tls"):
        ours["sslnegotiation"] = "direct"
    return {**ours, **_libpq_ssl(words)}


def _flag(setting: tuple[str, Any]) -> str:
    name, value = setting
    escaped = "".join(f"\\{sign}" if sign.isspace() or sign == "\\" else sign for sign in str(value))
    return f"-c {name}={escaped}"


def _libpq_ssl(words: Mapping[str, Any]) -> dict[str, Any]:
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
    return {"sslmode": _plain("sslmode", "require" if given == "true" else given)}
