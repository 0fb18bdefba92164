from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import UUID

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import facade
from tickets import sales, settings
from tickets.models import Account, Booking, Event


class Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class VenueOut(Read):
    id: int
    name: str
    city: str


class EventOut(Read):
    id: int
    title: str
    price: Decimal
    seats: int
    sold: int
    venue: VenueOut


class AccountOut(Read):
    id: int
    name: str
    balance: Decimal


class BookingOut(Read):
    reference: UUID
    tickets: int
    paid: Decimal


class NewBooking(BaseModel):
    account: int
    event: int
    tickets: int = Field(ge=1, le=10)


class NewTransfer(BaseModel):
    payer: int
    payee: int
    amount: Decimal = Field(gt=0, max_digits=10, decimal_places=2)
    reason: str = "transfer"


@asynccontextmanager
async def lifespan(app):
    yield
    await facade.close_all_async()


def create_app() -> FastAPI:
    app = FastAPI(lifespan=lifespan)

    @app.get("/events", response_model=list[EventOut])
    async def events(offset: int = 0, limit: int = 20):
        return await Event.objects.select_related("venue").prefetch_related("tags")[offset : offset + limit]

    @app.get("/accounts/{key}", response_model=AccountOut)
    async def account(key: int):
        return await Account.objects.aget(pk=key)

    @app.post("/bookings", response_model=BookingOut, status_code=201)
    async def book(new: NewBooking):
        return await sales.book(new.account, new.event, new.tickets)

    @app.delete("/bookings/{reference}", response_model=AccountOut)
    async def cancel(reference: UUID):
        return await sales.cancel(reference)

    @app.post("/transfers", response_model=AccountOut)
    async def transfer(new: NewTransfer):
        return await sales.transfer(new.payer, new.payee, new.amount, new.reason)

    @app.exception_handler(sales.Refused)
    async def refused(request: Request, error: sales.Refused) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=409)

    @app.exception_handler(facade.models.ObjectDoesNotExist)
    async def missing(request: Request, error) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.get("/healthz")
    async def health():
        return await facade.ahealth_check()

    return app
