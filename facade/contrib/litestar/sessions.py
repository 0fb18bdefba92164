"""A session of SQLAlchemy's for each request."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from facade.contrib.service.sessions import given_session


def request_session(
    make: Callable[[], Any], alias: str = "default"
) -> Callable[[Callable[..., Any]], Callable[..., Awaitable[Any]]]:
    """Return a decorator: the endpoint gets a session of yours for each request, as ``session``, whose transaction facade's statements join.

        @post("/orders")
        @request_session(sessionmaker(engine))
        def place_order(data: OrderIn, session: Session) -> None:
            session.add(OrderORM(...))
            Stock.objects.filter(pk=data.item).update(left=F("left") - 1)

    It is no dependency, since Litestar may resolve those in tasks of their own, whose sessions nothing else could join.

    ``make``: a sessionmaker, for `def` handlers, or an async_sessionmaker, for `async def` ones. ``alias``: the one whose statements join.
    The transaction is committed when the handler has returned, before the answer is sent, and rolled back when anything is raised, which is
    raised on. A status from 400 on that is returned, and not raised, does not undo it.
    """

    def decorate(handler: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        call: Any = given_session(make, alias, handler)
        hints = get_type_hints(handler, include_extras=True)
        signature = inspect.signature(handler)
        kept = [
            one.replace(annotation=hints.get(name, one.annotation))
            for name, one in signature.parameters.items()
            if name != "session"
        ]
        del call.__wrapped__  # whose parameters Litestar would ask the client for
        call.__signature__ = inspect.Signature(kept, return_annotation=hints.get("return", Any))
        call.__annotations__ = {name: hint for name, hint in hints.items() if name != "session"}
        return call  # type: ignore[no-any-return] # it is the function

    return decorate
