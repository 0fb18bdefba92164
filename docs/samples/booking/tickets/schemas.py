"""What goes over the wire. pydantic for what comes in and for pages, msgspec for long lists, where speed counts."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from pydantic import BaseModel, Field

from facade.contrib import msgspec as fast
from facade.contrib.pydantic import schema_for
from tickets.models import Account, Booking, Event, Venue

VenueOut = schema_for(Venue, name="VenueOut")
EventOut = schema_for(Event, depth=1, name="EventOut")  # with its venue and its tags
AccountOut = schema_for(Account, name="AccountOut")
BookingOut = schema_for(Booking, name="BookingOut")  # with the keys of its account and event

NewEvent = schema_for(Event, exclude=["id", "sold"], name="NewEvent")
EventChanges = schema_for(Event, exclude=["id", "sold", "venue"], optional=True, name="EventChanges")
NewAccount = schema_for(Account, fields=["name", "email"], name="NewAccount")

BoardLine = fast.schema_for(
    Event, fields=["id", "title", "starts", "venue__name", "venue__city"], name="BoardLine"
)
ExportLine = fast.schema_for(Booking, exclude=["reference"], name="ExportLine")


def line(booking: Booking) -> bytes:
    """Write a booking as a line of JSON."""
    return msgspec.json.encode(ExportLine.from_instance(booking))


class NewBooking(BaseModel):
    account: int
    event: int
    tickets: int = Field(ge=1, le=10)


class Deposit(BaseModel):
    amount: Decimal = Field(gt=0, le=10_000, decimal_places=2)


class NewTransfer(Deposit):
    payer: int
    payee: int
    reason: str = Field("transfer", max_length=40)


class VenueReport(BaseModel):
    venue: str
    events: int
    tickets: int
