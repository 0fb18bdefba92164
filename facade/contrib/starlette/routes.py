"""Routes whose requests are transactions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facade.contrib.service.transactions import RequestAtomic, whole
from facade.db.scopes.atomic import is_async

Endpoint = Callable[..., Any]
_DISPATCHED = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
)  # what an HTTPEndpoint has methods for


class AtomicRoute(Route):
    """A route whose requests are transactions, for `def` and `async def` endpoints and `HTTPEndpoint` classes alike.

        Starlette(routes=[AtomicRoute("/orders", place_order, methods=["POST"])])

    It is committed when the endpoint returns, before the answer is sent, and rolled back when it raises anything,
    HTTPException included, and when the status of the answer is 400 or above. Methods that promise to change nothing have none:
    GET, HEAD, OPTIONS, TRACE, PROPFIND, REPORT, SEARCH and QUERY; all others have one. `atomic_route` changes this and other options.
    """

    atomic: ClassVar[RequestAtomic] = RequestAtomic()

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, _whole(self.atomic, endpoint), **options)


def atomic_route(**options: Any) -> type[AtomicRoute]:
    """Return an `AtomicRoute` with other options: those of `facade.atomic`, ``methods`` and ``retries``.

        Orders = atomic_route(isolation_level="SERIALIZABLE", retries=3)
        Starlette(routes=[Orders("/orders", place_order, methods=["POST"])])

    ``retries``: call the endpoint again, up to so many times, when the database reports a deadlock or a serialization
    failure. The body of the request is kept for that by ``request.body()``, ``.json()`` and ``.form()``; an endpoint that reads
    ``request.stream()`` cannot be called again.
    """

    class Atomic(AtomicRoute):
        atomic = RequestAtomic(**options)

    return Atomic


def _whole(options: RequestAtomic, endpoint: Endpoint) -> Endpoint:
    if isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint):
        handlers = {
            method.lower(): whole(options, getattr(endpoint, method.lower()))
            for method in _DISPATCHED
            if options.covers(method) and hasattr(endpoint, method.lower())
        }
        return type(endpoint.__name__, (endpoint,), handlers)
    inside = whole(options, endpoint)

    def chosen(request: Request) -> Endpoint:
        return inside if options.covers(request.method) else endpoint

    @functools.wraps(endpoint)
    def call(request: Request) -> Response:
        return chosen(request)(request)  # type: ignore[no-any-return] # an endpoint returns a response

    @functools.wraps(endpoint)
    async def acall(request: Request) -> Response:
        return await chosen(request)(request)  # type: ignore[no-any-return] # an endpoint returns a response

    return acall if is_async(endpoint) else call
