"""What moves money and seats. It is called in the transaction of a request, and locks what it changes."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from facade.models import F
from tickets.models import Account, Booking, Event


class Refused(Exception):
    """The request is understood, and the answer is no."""


async def move(account: Account, amount: Decimal, reason: str) -> None:
    """Change the balance of a locked account, and write down why.

    The sum is made here, not by `F("balance") + amount`: SQLite's own arithmetic is binary, Python's decimal.
    """
    account.balance += amount
    if account.balance < 0:
        raise Refused(f"{account.name} has not enough money.")
    await account.asave(update_fields=["balance"])
    await account.entries.acreate(amount=amount, reason=reason)


async def deposit(account_id: int, amount: Decimal, reason: str = "deposit") -> Account:
    """Add money to an account."""
    account = await Account.objects.select_for_update().aget(pk=account_id)
    await move(account, amount, reason)
    return account


async def transfer(payer_id: int, payee_id: int, amount: Decimal, reason: str) -> Account:
    """Move money from one account to another.

    Both are locked at once and in the order of their keys, so that two transfers that cross never wait for each other.
    """
    both = Account.objects.select_for_update().filter(pk__in=[payer_id, payee_id]).order_by("pk")
    found = {account.pk: account async for account in both}
    if len(found) < 2:
        raise Refused("Money goes from one account to another one.")
    await move(found[payer_id], -amount, reason)
    await move(found[payee_id], amount, reason)
    return found[payer_id]


async def book(account_id: int, event_id: int, tickets: int) -> Booking:
    """Sell tickets, if there are so many and the account can pay for them."""
    free = Event.objects.filter(pk=event_id, sold__lte=F("seats") - tickets)
    sold = await free.aupdate(sold=F("sold") + tickets)
    event = await Event.objects.aget(pk=event_id)
    if not sold:
        raise Refused(f"{event.title} has only {event.seats - event.sold} seats left.")
    cost = event.price * tickets
    account = await Account.objects.select_for_update().aget(pk=account_id)
    await move(account, -cost, f"event {event.pk}")
    return await Booking.objects.acreate(account=account, event=event, tickets=tickets, paid=cost)


async def cancel(reference: UUID) -> Account:
    """Give the tickets back, and the money."""
    booking = await Booking.objects.select_for_update().aget(pk=reference)
    await Event.objects.filter(pk=booking.event_id).aupdate(sold=F("sold") - booking.tickets)
    await booking.adelete()
    return await deposit(booking.account_id, booking.paid, f"refund of event {booking.event_id}")
