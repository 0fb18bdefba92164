"""The Starlette application that all contenders share: it picks the rows, they find and change them."""

from __future__ import annotations

import contextlib
import html
import random
import sys
import time
import traceback
from collections.abc import AsyncGenerator, Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.service.contenders import Service
from benchmarks.service.tables import LARGEST, WORLDS

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

ADDED = (0, "Additional fortune added at request time.")
PAGE = """<!DOCTYPE html>
<html><head><title>Fortunes</title></head><body><table><tr><th>id</th><th>message</th></tr>{rows}</table></body></html>
"""
MOST = 500


def _wanted(request: Request) -> int:
    """How many rows a request asks for: 1 where it does not say, no more than 500."""
    text = request.query_params.get("queries", "")
    return min(max(int(text), 1), MOST) if text.isdecimal() else 1


def _shown(world: Any) -> dict[str, int]:
    return {"id": world.id, "randomNumber": world.randomnumber}


class Pages:
    """The pages; their random numbers are the same in every process, so that answers can be compared."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.random = random.Random(3)

    def _keys(self, count: int) -> list[int]:
        return self.random.sample(range(1, WORLDS + 1), count)

    async def db(self, request: Request) -> Response:
        return JSONResponse(_shown(await self.service.one(self.random.randint(1, WORLDS))))

    async def queries(self, request: Request) -> Response:
        found = await self.service.several(self._keys(_wanted(request)))
        return JSONResponse([_shown(world) for world in found])

    async def fortunes(self, request: Request) -> Response:
        found = [(fortune.id, fortune.message) for fortune in await self.service.fortunes()]
        found.append(ADDED)
        found.sort(key=itemgetter(1))
        rows = "".join(f"<tr><td>{key}</td><td>{html.escape(message)}</td></tr>" for key, message in found)
        return HTMLResponse(PAGE.format(rows=rows))

    async def updates(self, request: Request) -> Response:
        keys = sorted(
            self._keys(_wanted(request))
        )  # in one order everywhere: rows are locked without deadlocks
        changed = await self.service.change({key: self.random.randint(1, LARGEST) for key in keys})
        return JSONResponse([_shown(world) for world in changed])


async def process(request: Request) -> Response:
    """What the process has used so far: seconds of CPU, of all its threads, and bytes at its largest."""
    return JSONResponse({"cpu": time.process_time(), "memory": _largest()})


def _largest() -> int | None:
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if resource is None:
        return None
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


async def explain(request: Request, error: Exception) -> Response:
    """Errors travel in the answers, to be told by the runner."""
    return PlainTextResponse("".join(traceback.format_exception(error)), status_code=500)


def application(service: Service, opened: Callable[[str], None]) -> Starlette:
    """The application on one contender; ``opened`` is called when that is ready, or with why it is not."""
    pages = Pages(service)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(service.lifespan(app))
            except Exception:
                opened(traceback.format_exc())
                raise
            opened("")
            yield

    return Starlette(
        routes=[
            Route("/db", pages.db),
            Route("/queries", pages.queries),
            Route("/fortunes", pages.fortunes),
            Route("/updates", pages.updates),
            Route("/process", process),
        ],
        middleware=service.middleware,
        exception_handlers={Exception: explain},
        lifespan=lifespan,
    )
