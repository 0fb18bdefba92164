"""What goes over the wire. pydantic for what comes in and for pages, msgspec for long lists, where speed counts."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, Field

from facade.contrib import msgspec as structs
from facade.contrib.pydantic import Schema
from tickets.models import Account, Booking, Event, Venue


class VenueOut(Schema, model=Venue, depth=0):
    """What is told of a venue."""


class EventOut(Schema, model=Event, depth=1):
    """What is told of an event, with its venue and its tags."""


class AccountOut(Schema, model=Account, depth=0):
    """What is told of an account."""


class BookingOut(Schema, model=Booking, depth=0):
    """What is told of a booking, with the keys of its account and its event."""


class NewEvent(Schema, model=Event, exclude=["id", "sold"]):
    """What makes an event; `venue_id` and `tags` are keys."""


class EventChanges(Schema, model=Event, exclude=["id", "sold", "venue"], optional=True):
    """Some of what an event has: the rest stays as it is."""


class NewAccount(Schema, model=Account, fields=["name", "email"]):
    """Who opens an account."""


BoardLine = structs.schema_for(
    Event, fields=["id", "title", "starts", "venue__name", "venue__city"], name="BoardLine"
)
ExportLine = structs.schema_for(Booking, exclude=["reference"], name="ExportLine")


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
