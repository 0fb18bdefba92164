"""A service on the flights: an API with its OpenAPI page, an admin, and a page that leads to them. It needs the extra `demo`."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from html import escape
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import HTMLResponse

from facade.cli.flights.models import MODELS, Airline, Airport, Flight, Plane, Weather
from facade.contrib.admin import Admin, ModelView
from facade.contrib.fastapi import (
    AtomicRoute,
    CSVResponse,
    CursorPage,
    CursorPagination,
    Filtering,
    Filters,
    NumberedPage,
    PageByCursor,
    PageByNumber,
    PageNumberPagination,
    exception_handlers,
    health,
    lifespan,
    query,
)
from facade.contrib.pydantic import Schema
from facade.models import Avg, Count, QuerySet

__all__ = ["HOST", "application", "listening", "serve"]

HOST = "127.0.0.1"
SEARCHED = {
    Airline: ["name"],
    Airport: ["faa", "name"],
    Plane: ["tailnum"],
    Flight: ["tailnum"],
    Weather: ["origin__name"],
}


class AirlineOut(Schema, model=Airline):
    """An airline."""


class FlightOut(Schema, model=Flight, exclude=["plane", "destination"], depth=1):
    """A flight with its airline and the airport that it left."""


class FlightPatch(Schema, model=Flight, fields=["dep_delay", "arr_delay", "tailnum"], optional=True):
    """What may be changed."""


KEY = secrets.token_hex(32)  # cursors hold as long as the process

Page = Annotated[PageByNumber, Depends(query(PageNumberPagination(size=20, total=True)))]
Waits = Annotated[PageByCursor, Depends(query(CursorPagination(["-dep_delay", "id"], size=20, key=KEY)))]
Asked = Annotated[
    Filters,
    Depends(
        query(
            Filtering(
                Flight,
                {
                    "origin": ["exact"],
                    "airline": ["exact"],
                    "date": ["exact", "gte", "lte"],
                    "dep_delay": ["gte"],
                },
                search=["dest", "destination__name"],
                ordering=["date", "dep_delay", "distance"],
            )
        )
    ),
]
router = APIRouter(route_class=AtomicRoute)


@router.get("/flights", response_model=NumberedPage[FlightOut])
async def flights(page: Page, asked: Asked) -> Any:
    """Flights, filtered, searched by their destination, ordered, and page by page."""
    found: QuerySet[Flight] = asked.apply(Flight.objects.order_by("date", "id"))
    return await page.apage(found.select_related("airline", "origin"))


@router.get("/flights.csv")
async def table(asked: Asked) -> CSVResponse:
    """The same flights as a table, sent while it is read: all of them would be 27,004 lines."""
    columns = ["date", "airline__name", "number", "origin", "dest", "dep_delay", "distance"]
    return CSVResponse(asked.apply(Flight.objects.order_by("date", "id")), columns, filename="flights.csv")


@router.get("/flights/longest-waits", response_model=CursorPage[FlightOut])
async def longest_waits(page: Waits) -> Any:
    """The flights that left, those that waited longest first; each page names the next by a cursor."""
    return await page.apage(
        Flight.objects.filter(dep_delay__isnull=False).select_related("airline", "origin")
    )


@router.get("/flights/{number}", response_model=FlightOut)
async def flight(number: int) -> Any:
    """One flight; 404 where there is none."""
    return await Flight.objects.select_related("airline", "origin").aget(id=number)


@router.patch("/flights/{number}", response_model=FlightOut)
async def change_flight(number: int, given: FlightPatch) -> Any:
    """Change what is named, in a transaction that an error undoes."""
    found = await Flight.objects.select_related("airline", "origin").aget(id=number)
    return await given.aupdate(found)


@router.get("/airlines", response_model=list[AirlineOut])
def airlines() -> QuerySet[Airline]:
    """All airlines: a queryset that is returned is loaded, in sync endpoints as well."""
    return Airline.objects.order_by("name")


@router.get("/airlines/busiest")
async def busiest(first: int = 5) -> list[dict[str, Any]]:
    """The airlines with most departures, and how long their passengers waited on average, in minutes."""
    counted = Flight.objects.values("airline__name").annotate(departures=Count("id"), wait=Avg("dep_delay"))
    return await counted.order_by("-departures")[:first]


def application() -> FastAPI:
    """Return the service on the database that is configured."""
    app = FastAPI(
        title="Flights from New York, January 2013",
        lifespan=lifespan(),
        exception_handlers=dict(exception_handlers()),
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # no other name leads here
    app.include_router(router)
    app.add_route("/health", health(deep=True))

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def front() -> str:
        return _front(app.openapi())

    admin = Admin(title="Flights", local=True)
    for model in MODELS:
        admin.add_view(ModelView(model, search_fields=SEARCHED[model]))
    admin.mount_to(app)
    return app


def _front(openapi: Mapping[str, Any]) -> str:
    """Return a page with a link to whatever can be looked at, which needs nothing from elsewhere."""
    examples = {
        "/flights": "/flights?origin=JFK&amp;date=2013-01-31&amp;ordering=-dep_delay",
        "/flights.csv": "/flights.csv?search=honolulu",
        "/flights/{number}": "/flights/1",
    }
    rows = "".join(
        f'<li><a href="{examples.get(path, path)}">GET {examples.get(path, path)}</a>: {escape(about["get"]["description"])}'
        for path, about in openapi["paths"].items()
    )
    title = escape(openapi["info"]["title"])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>body {{font: 1rem/1.6 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto;"
        " padding: 0 1rem; color-scheme: light dark}</style>"
        f"<h1>{title}</h1><ul>{rows}</ul>"
        '<p><a href="/admin">The admin</a>, <a href="/docs">the OpenAPI page</a> (its scripts come from the net), '
        '<a href="/openapi.json">openapi.json</a>, <a href="/health">health</a>.</html>'
    )


def listening(port: int) -> socket.socket:
    """Return a socket at a port of this machine's own address, or at a free one for 0. Raises OSError for one that is taken."""
    made = socket.socket()
    if os.name == "posix":  # elsewhere it would let two processes have the port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except OSError:
        made.close()
        raise
    return made


def serve(place: socket.socket) -> None:
    """Answer requests until Ctrl-C."""
    config = uvicorn.Config(application(), log_level="warning", lifespan="on", timeout_graceful_shutdown=3)
    with closing(place), suppress(KeyboardInterrupt):  # uvicorn raises it again when all is closed
        uvicorn.Server(config).run(sockets=[place])
