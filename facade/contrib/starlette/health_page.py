"""The health page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse

from facade.contrib.service import lifespan


def health(
    *aliases: str, deep: bool = False, details: bool = False
) -> Callable[[Request], Awaitable[JSONResponse]]:
    """Return the endpoint of a health page: 200 where all databases answer, or those named, else 503.

    ``deep`` begins a transaction in each. ``details`` tells versions, pools and texts of errors: not for the public.

        Route("/healthz", health())
    """

    async def show_health(request: Request) -> JSONResponse:
        status, body = await lifespan.health(*aliases, deep=deep, details=details)
        return JSONResponse(body, status)

    return show_health
