"""Errors as answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from facade.contrib.service.errors import HANDLED, Answer, Problem, answer_to, log

Handler = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


def exception_handlers() -> dict[Any, Handler]:
    """Return handlers that answer for facade's errors: 404 for `DoesNotExist`, 422, 409, 403, 503, 504, each with its reason.

        app = Starlette(routes=routes, exception_handlers=exception_handlers())

    An error without an answer, which is the service's own fault, is raised again. Errors of the server (503, 504) are
    logged by ``facade.service``.
    """
    return dict.fromkeys(HANDLED, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    answer = answer_to(error) if request.scope["type"] == "http" else None  # a websocket has no statuses
    if answer is None:
        raise error
    log(error, answer.status, f"{request.method} {request.url.path}")
    if answer.status == 304:
        return Response(status_code=304, headers=dict(answer.headers))
    return JSONResponse({"detail": _detail(answer)}, answer.status, dict(answer.headers))


def _detail(answer: Answer) -> object:
    return answer.detail if isinstance(answer.detail, str) else [_shown(problem) for problem in answer.detail]


def _shown(problem: Problem) -> dict[str, object]:
    """Return a problem as FastAPI shows its own."""
    return {"type": problem.code, "loc": list(problem.where), "msg": problem.message}
