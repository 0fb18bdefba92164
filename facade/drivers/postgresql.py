"""What the drivers of PostgreSQL share: the words of libpq and their own, the time zone of sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facade.configuration import settings

CONNECT_SECONDS = 10

KEEPALIVES = frozenset(
    {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
LIBPQ = KEEPALIVES | frozenset(
    {
        "application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname", "fallback_application_name",
        "gssdelegation", "gssencmode", "gsslib", "host", "hostaddr", "krbsrvname", "load_balance_hosts",
        "max_protocol_version", "min_protocol_version", "oauth_client_id", "oauth_client_secret", "oauth_issuer",
        "oauth_scope", "options", "passfile", "password", "port", "replication", "require_auth", "requirepeer",
        "scram_client_key", "scram_server_key", "service", "servicefile", "ssl_max_protocol_version",
        "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl", "sslcrldir", "sslkey",
        "sslkeylogfile", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "target_session_attrs", "user",
    }
)  # fmt: skip
HABITS = frozenset(
    {
        "autocommit", "max_cacheable_statement_size", "max_cached_statement_lifetime", "prepare_threshold",
        "prepared_statement_cache_size", "prepared_statement_name_func", "statement_cache_size",
    }
)  # fmt: skip
"""How a driver keeps its prepared statements, which is nobody else's business: the others take no notice."""
EITHER = frozenset({"database", "direct_tls", "search_path", "server_settings", "ssl", "timeout"})
"""Words that libpq does not have and every driver here does what they say."""

_VALUES = {
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "sslcertmode": ("disable", "allow", "require"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}

STALE_PLAN = "0A000"  # "cached plan must not change result type", among others: the statement has not run


def plain(name: str, value: object) -> Any:
    """Return a value as libpq writes it; raises ValueError for one that it does not know."""
    if name not in LIBPQ:
        return value
    if isinstance(value, bool):
        return int(value)
    allowed = _VALUES.get(name)
    if allowed is None:
        return value
    written = str(value).replace("_", "-") if name == "sslmode" else str(value)
    if written not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}.")
    return written


def number(name: str, value: object, kind: Callable[[Any], Any]) -> Any:
    """Return the number that a word has been given; raises ValueError for something else."""
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is a number, not {value!r}.") from None


def session_zone() -> str:
    """Return the name of the zone of sessions, which the casts of moments to text and JSON, and SQL of one's own, follow.

    It is UTC, with ``USE_TZ`` off ``TIME_ZONE``, whatever the server's is. Who names another one in the options of the
    connection gets that.
    """
    return "UTC" if settings.USE_TZ else settings.TIME_ZONE


def names_zone(options: str) -> bool:
    """Tell whether the options of a connection name a zone."""
    return "timezone=" in options.lower()
