"""The sample service as the test of its endurance runs it: with endpoints that fail, and one that shows the process's pools.

uvicorn --factory tests.booking_under_fire:create_app --workers 2
"""

from __future__ import annotations

import os
from decimal import Decimal

from fastapi import APIRouter, FastAPI, HTTPException
from tickets import app as service
from tickets import sales
from tickets.models import Booking, Entry

import facade
from facade.contrib.fastapi import AtomicRoute, atomic_route
from facade.models import FETCH_RAISE

failing = APIRouter(route_class=AtomicRoute)
crossing = APIRouter(route_class=atomic_route(retries=8))
plain = APIRouter()


@failing.post("/crash")
async def crash(payer: int, payee: int) -> None:
    """Move money, and fail."""
    await sales.transfer(payer, payee, Decimal(1), "crash")
    raise HTTPException(418, "injected")


@failing.post("/crash-in-a-thread")
def crash_in_a_thread(account: int) -> None:
    """The same as a `def` endpoint, on the sync driver."""
    Entry.objects.create(account_id=account, amount=1, reason="crash")
    raise HTTPException(418, "injected")


@crossing.post("/cross")
async def cross(payer: int, payee: int, reason: str) -> str:
    """Move a cent, and lock the accounts in the order in which they come: two of these deadlock."""
    for key, amount in ((payer, Decimal("-0.01")), (payee, Decimal("0.01"))):
        await sales.deposit(key, amount, reason)
    return "moved"


@plain.get("/bookings-in-a-thread/{account}")
def bookings_in_a_thread(account: int) -> list[str]:
    """Read on the sync driver, where a relation that is not loaded would be asked for, if that were allowed."""
    rows = Booking.objects.filter(account=account).select_related("event").fetch_mode(FETCH_RAISE)[:5]
    return [booking.event.title for booking in rows]


@plain.get("/process")
async def process() -> dict:
    """Tell of the process that answers: its number, and its pools on both faces."""
    return {"pid": os.getpid(), "pools": facade.pool_stats()["default"]}


def create_app() -> FastAPI:
    app = service.create_app()
    for router in (failing, crossing, plain):
        app.include_router(router)
    return app
