"""A session of SQLAlchemy's for each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from facade.contrib.service.sessions import given_session


def request_session(
    make: Callable[[], Any], alias: str = "default"
) -> Callable[[Callable[..., Any]], Callable[..., Awaitable[Response]]]:
    """Return a decorator: the endpoint gets a session of yours for each request, as ``session``, whose transaction facade's statements join.

        @request_session(sessionmaker(engine))
        def place_order(request, session):
            session.add(OrderORM(...))
            Stock.objects.filter(pk=request.path_params["item"]).update(left=F("left") - 1)
            return Response(status_code=201)

        Route("/orders/{item:int}", place_order, methods=["POST"])

    ``make``: a sessionmaker, for `def` endpoints, or an async_sessionmaker, for `async def` ones. ``alias``: the one whose statements join.
    The transaction is committed when the endpoint has returned, before the answer is sent, and rolled back when anything is raised, which is
    raised on. A status from 400 on that is returned, and not raised, does not undo it.
    """

    def decorate(endpoint: Callable[..., Any]) -> Callable[..., Awaitable[Response]]:
        return given_session(make, alias, endpoint)

    return decorate
