"""The service: `uvicorn tickets.app:app`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from facade.contrib.fastapi import (
    AtomicRoute,
    CursorPage,
    CursorPagination,
    Filtering,
    Filters,
    NDJSONResponse,
    NumberedPage,
    PageByCursor,
    PageByNumber,
    PageNumberPagination,
    QuerySetRoute,
    exception_handlers,
    health,
    lifespan,
    query,
)
from facade.models import Count, Sum
from facade.models.functions import Coalesce
from tickets import admin, sales
from tickets.models import Account, Booking, Event, Venue
from tickets.schemas import (
    AccountOut,
    BoardLine,
    BookingOut,
    Deposit,
    EventChanges,
    EventOut,
    ExportLine,
    NewAccount,
    NewBooking,
    NewEvent,
    NewTransfer,
    VenueOut,
    VenueReport,
)

# -- what a request may ask for -----------------------------------------------------------------------------------

Page = Annotated[PageByNumber, Depends(query(PageNumberPagination(size=20)))]
Place = Annotated[PageByCursor, Depends(query(CursorPagination("-made", size=20)))]
EventFilters = Annotated[
    Filters,
    Depends(
        query(
            Filtering(
                Event,
                {
                    "venue": ["exact"],
                    "venue__city": ["exact"],
                    "starts": ["gte", "lt"],
                    "price": ["lte"],
                    "tags__label": ["in"],
                },
                search=["title", "venue__name"],
                ordering=["starts", "price", "title"],
            )
        )
    ),
]

# -- reading: querysets are loaded by the route -----------------------------------------------------------------

reading = APIRouter(route_class=QuerySetRoute)


@reading.get("/venues", response_model=list[VenueOut])
async def list_venues() -> Any:
    return Venue.objects.all()


@reading.get("/events", response_model=NumberedPage[EventOut])
async def list_events(page: Page, filters: EventFilters) -> Any:
    return await page.apage(filters.apply(EventOut.prefetched(Event.objects.all())))


@reading.get("/events/{key}", response_model=EventOut)
async def show_event(key: int) -> Any:
    return await EventOut.prefetched(Event.objects.all()).aget(pk=key)


@reading.get("/board")
async def show_board() -> Response:
    """What is on: a long list that is asked for often, by msgspec."""
    events = await BoardLine.prefetched(Event.objects.all())[:200]
    return Response(msgspec.json.encode(BoardLine.from_instances(events)), media_type="application/json")


@reading.get("/accounts/{key}", response_model=AccountOut)
async def show_account(key: int) -> Any:
    return await Account.objects.aget(pk=key)


@reading.get("/accounts/{key}/bookings", response_model=CursorPage[BookingOut])
async def list_bookings(key: int, place: Place) -> Any:
    return await place.apage(Booking.objects.filter(account=key))


@reading.get("/bookings.ndjson")
async def export_bookings() -> NDJSONResponse:
    return NDJSONResponse(Booking.objects.all(), row=ExportLine.from_instance)


@reading.get("/report", response_model=list[VenueReport])
def report() -> Any:
    """A `def` endpoint: it runs in a thread, on the sync driver."""
    rows = Venue.objects.annotate(held=Count("events"), tickets=Coalesce(Sum("events__sold"), 0))
    return [VenueReport(venue=venue.name, events=venue.held, tickets=venue.tickets) for venue in rows]


# -- writing: each request is a transaction, which ends before its answer is sent --------------------------------

writing = APIRouter(route_class=AtomicRoute)


@writing.post("/events", response_model=EventOut, status_code=201)
async def add_event(new: NewEvent) -> Any:
    return await show_event((await new.acreate()).pk)


@writing.patch("/events/{key}", response_model=EventOut)
async def change_event(key: int, changes: EventChanges) -> Any:
    event = await Event.objects.select_for_update().aget(pk=key)
    await changes.aupdate(event)
    return await show_event(key)


@writing.post("/accounts", response_model=AccountOut, status_code=201)
async def open_account(new: NewAccount) -> Any:
    return await new.acreate()


@writing.post("/accounts/{key}/deposits", response_model=AccountOut)
async def deposit(key: int, new: Deposit) -> Any:
    return await sales.deposit(key, new.amount)


@writing.post("/transfers", response_model=AccountOut)
async def transfer(new: NewTransfer) -> Any:
    return await sales.transfer(new.payer, new.payee, new.amount, new.reason)


@writing.post("/bookings", response_model=BookingOut, status_code=201)
async def book(new: NewBooking) -> Any:
    return await sales.book(new.account, new.event, new.tickets)


@writing.delete("/bookings/{reference}", response_model=AccountOut)
async def cancel(reference: UUID) -> Any:
    return await sales.cancel(reference)


# -- the application -----------------------------------------------------------------------------------------------


async def refused(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=409)


def create_app() -> FastAPI:
    app = FastAPI(
        title="Box office",
        lifespan=lifespan(check=True),
        exception_handlers={**exception_handlers(), sales.Refused: refused},
    )
    app.include_router(reading)
    app.include_router(writing)
    app.add_api_route("/healthz", health(), include_in_schema=False)
    admin.build().mount_to(app)
    return app


app = create_app()
