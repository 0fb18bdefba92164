"""A session of SQLAlchemy's for each request, which facade's statements join."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from facade.contrib.service.threads import in_own_thread
from facade.db.connection import using_connection

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
