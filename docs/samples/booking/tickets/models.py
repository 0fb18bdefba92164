"""What is stored."""

from __future__ import annotations

import uuid
from decimal import Decimal

from facade import models
from facade.models import F, Q


class Venue(models.Model):
    name = models.CharField(max_length=80, unique=True)
    city = models.CharField(max_length=60, db_index=True)

    events: models.RelatedManager[Event]
    held: int  # how many events the report has counted, and
    tickets: int  # how many tickets were sold

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    label = models.CharField(max_length=30, unique=True)

    class Meta:
        ordering = ["label"]

    def __str__(self) -> str:
        return self.label


class Event(models.Model):
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="events")
    title = models.CharField(max_length=120)
    starts = models.DateTimeField(db_index=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    seats = models.PositiveIntegerField()
    sold = models.PositiveIntegerField(default=0)
    tags = models.ManyToManyField(Tag, related_name="events", blank=True)

    bookings: models.RelatedManager[Booking]

    class Meta:
        ordering = ["starts", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(sold__lte=F("seats")), name="event_is_not_oversold"),
            models.CheckConstraint(condition=Q(price__gte=0), name="event_price_is_not_negative"),
        ]

    def __str__(self) -> str:
        return self.title


class Account(models.Model):
    name = models.CharField(max_length=80)
    email = models.EmailField(unique=True)
    balance = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal("0.00"))

    bookings: models.RelatedManager[Booking]
    entries: models.RelatedManager[Entry]

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=Q(balance__gte=0), name="account_is_not_overdrawn")]

    def __str__(self) -> str:
        return self.name


class Booking(models.Model):
    reference = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="bookings")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="bookings")
    tickets = models.PositiveSmallIntegerField()
    paid = models.DecimalField(max_digits=10, decimal_places=2)
    made = models.DateTimeField(auto_now_add=True)

    account_id: models.DeferredAttribute[int]
    event_id: models.DeferredAttribute[int]

    class Meta:
        ordering = ["made", "reference"]


class Entry(models.Model):
    """Each change of a balance: the balance of an account is the sum of its entries."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="entries")
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    reason = models.CharField(max_length=40)
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
