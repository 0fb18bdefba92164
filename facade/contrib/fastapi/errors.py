"""Errors as answers, those of FastAPI's own checks included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from facade.contrib.service.serialization import as_json
from facade.contrib.starlette import errors
from facade.contrib.starlette.errors import Handler


def exception_handlers() -> dict[Any, Handler]:
    """Return handlers that answer for facade's errors; see `facade.contrib.service.errors.answer_to`.

        app = FastAPI(exception_handlers=exception_handlers())

    What FastAPI refuses itself is told in its own form, with status 422, also where the client's value is one that JSON has not, as NaN
    and half a character are; one that is nested too deeply to be written is left out. An error without an answer, which is the service's
    own fault, is raised again. Errors of the server (503, 504) are logged by ``facade.service``.
    """
    return {**errors.exception_handlers(), RequestValidationError: _refuse}


async def _refuse(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else ()
    try:
        told = _told(problems)
    except RecursionError:
        told = _told([{name: said for name, said in one.items() if name != "input"} for one in problems])
    return Response(told, 422, media_type="application/json")


def _told(problems: Sequence[Any]) -> bytes:
    return as_json({"detail": jsonable_encoder(problems)})
