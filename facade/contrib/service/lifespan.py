"""The beginning and the end of a service's process, and whether its databases are there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from facade.configuration import configure
from facade.db.connection import ahealth_check, close_all_async
from facade.exceptions import ImproperlyConfigured

Lifespan = Callable[[object], AbstractAsyncContextManager[None]]


def lifespan(*, check: bool = False, **settings: Any) -> Lifespan:
    """Return a lifespan: configure facade when a worker starts, close all connections when it stops.

    ``settings`` are those of `facade.configure`; without any, what is configured already stays. ``check``: ask each
    database when the worker starts, and raise ImproperlyConfigured where one does not answer, instead of failing with
    the first request. Each worker has connections of its own, which are opened when they are needed.

        app = FastAPI(lifespan=lifespan(DATABASES={"default": "postgresql://…"}))

    Within a lifespan of your own: ``async with lifespan(DATABASES=…)(app): …``.
    """

    @asynccontextmanager
    async def alive(app: object) -> AsyncIterator[None]:
        if settings:
            configure(**settings)
        try:
            if check:
                await _check()
            yield
        finally:
            await close_all_async()

    return alive


async def _check() -> None:
    for alias, health in (await ahealth_check()).items():
        if not health["ok"]:
            raise ImproperlyConfigured(f"The database {alias!r} does not answer: {health['error']}")


async def health(*aliases: str, deep: bool = False, details: bool = False) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a health page: 200, or 503 if one of the databases does not answer.

    The databases are all, or those named. ``details`` adds what `facade.ahealth_check` tells, texts of errors
    included: for those who run the service.

    >>> from facade import configure, run
    >>> import asyncio
    >>> configure(DATABASES={"default": "sqlite://"})
    >>> asyncio.run(health())
    (200, {'status': 'ok', 'databases': {'default': 'ok'}})
    """
    found = await ahealth_check(*aliases, deep=deep)
    well = all(one["ok"] for one in found.values())
    told = {alias: one if details else ("ok" if one["ok"] else "failed") for alias, one in found.items()}
    return (200 if well else 503), {"status": "ok" if well else "failed", "databases": told}
