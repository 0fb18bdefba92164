"""How asyncpg connects as libpq does: each of several servers has the whole time, and sockets are kept alive."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import asyncpg

# The kernel's options by libpq's words; where it has none, libpq does without, too.
_TCP = {
    "keepalives_idle": ("TCP_KEEPIDLE", "TCP_KEEPALIVE"),
    "keepalives_interval": ("TCP_KEEPINTVL",),
    "keepalives_count": ("TCP_KEEPCNT",),
    "tcp_user_timeout": ("TCP_USER_TIMEOUT",),
}
_NEXT_SERVER = (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)


async def connect(
    *,
    host: str | Sequence[str] | None = None,
    port: int | Sequence[int] | None = None,
    target_session_attrs: str | None = None,
    sockets: Mapping[str, int] | None = None,
    **arguments: Any,
) -> Any:
    """Connect to the first server that can be reached and is of the wanted kind."""
    arguments["target_session_attrs"] = target_session_attrs
    servers = [*_servers(host, port)]
    rounds = [arguments]
    if target_session_attrs == "prefer-standby":
        rounds = [{**arguments, "target_session_attrs": kind} for kind in ("standby", "any")]
    for attempt in rounds:
        for server in servers:
            try:
                raw = await asyncpg.connect(**server, **attempt)
            except _NEXT_SERVER:
                if attempt is rounds[-1] and server is servers[-1]:
                    raise
            else:
                _keep_alive(raw._transport.get_extra_info("socket"), sockets or {})
                return raw
    raise AssertionError


def _servers(host: str | Sequence[str] | None, port: int | Sequence[int] | None) -> Iterator[dict[str, Any]]:
    hosts = [host] if host is None or isinstance(host, str) else host
    ports = [port] if port is None or isinstance(port, int) else port
    for n, name in enumerate(hosts):
        yield {"host": name, "port": ports[n if len(ports) > 1 else 0]}


def _keep_alive(connected: socket.socket, words: Mapping[str, int]) -> None:
    if not words or connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    if timeout := words.get("tcp_user_timeout"):
        _set(connected, "tcp_user_timeout", timeout)
    if words.get("keepalives", 1):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name in ("keepalives_idle", "keepalives_interval", "keepalives_count"):
            if value := words.get(name):
                _set(connected, name, value)


def _set(connected: socket.socket, word: str, value: int) -> None:
    number = next((getattr(socket, name) for name in _TCP[word] if hasattr(socket, name)), None)
    if number is not None:
        connected.setsockopt(socket.IPPROTO_TCP, number, value)
