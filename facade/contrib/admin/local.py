"""Answers this machine only."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["LocalOnly"]

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class LocalOnly:
    """Refuses, with 403, whoever is not this machine itself.

    That the connection comes from a loopback address is not enough: a proxy on this machine connects from there for all the
    world, which its headers tell, and so does a browser that a foreign page's name has led here, which `Host` tells.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_local(scope):
            await self.app(scope, receive, send)
            return
        answer = PlainTextResponse(
            "This admin has no login: it answers this machine only, at http://localhost or http://127.0.0.1, without a proxy.",
            status_code=403,
        )
        await answer(scope, receive, send)


def is_local(scope: Scope) -> bool:
    """Return whether a request comes from this machine, without a proxy, to a name of this machine."""
    headers = Headers(scope=scope)
    if any(name in headers for name in FORWARDED):
        return False
    client = scope.get("client")
    return client is not None and _is_loopback(client[0]) and _host(headers.get("host", "")) in LOCAL_NAMES


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _host(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()
