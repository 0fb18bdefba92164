"""A session of SQLAlchemy's for each request, which facade's statements join."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from facade.contrib.service.threads import in_own_thread
from facade.contrib.service.transactions import called
from facade.db.connection import using_connection
from facade.db.scopes.atomic import is_async

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

S = TypeVar("S", bound="Session | AsyncSession")


@asynccontextmanager
async def joined_session(make: Callable[[], S], alias: str) -> AsyncIterator[S]:
    """Open a session, let the statements of an alias join it, and commit at the end, or roll back.

    A Session is for code in threads, as `def` endpoints are, an AsyncSession for code in the event loop. It asks for a
    connection when it is first used, in whatever thread that is; its end has a thread of its own.
    """
    session: Any = make()
    if hasattr(session, "sync_session"):
        async with session, session.begin(), using_connection(session, alias):
            yield session
        return
    joining = using_connection(session, alias, shared=True)
    joining._enter()  # nothing is asked of the database yet
    error: BaseException | None = None
    try:
        yield cast("S", session)
    except BaseException as raised:
        error = raised
        raise
    finally:
        try:
            joining._exit(error)
            if error is None:
                await in_own_thread(session.commit)
        finally:
            await in_own_thread(session.close)  # which rolls back what is not committed


def given_session(
    make: Callable[[], Any], alias: str, endpoint: Callable[..., Any]
) -> Callable[..., Awaitable[Any]]:
    """Return an endpoint that is called with a session of its request's own as ``session``; a `def` one in a thread."""
    in_thread = not is_async(endpoint)

    @functools.wraps(endpoint)
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with joined_session(make, alias) as session:
            work = functools.partial(endpoint, *args, session=session, **kwargs)
            return await called(work, None, in_thread=in_thread)

    return call
