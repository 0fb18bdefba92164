"""Models, schemas and a client for the tests of services."""

from __future__ import annotations

import datetime as dt
from contextlib import asynccontextmanager
from decimal import Decimal

import httpx
from pydantic import BaseModel, ConfigDict

from facade import models, pool_stats


class Novelist(models.Model):
    name = models.CharField(max_length=40, unique=True)

    class Meta:
        app_label = "tests"


class Paperback(models.Model):
    title = models.CharField(max_length=40, unique=True)
    novelist = models.ForeignKey(Novelist, models.PROTECT, related_name="paperbacks", null=True, blank=True)
    price = models.DecimalField(max_digits=6, decimal_places=2, default=Decimal(10))
    published = models.DateField(null=True, blank=True)
    language = models.CharField(max_length=2, choices=[("de", "German"), ("en", "English")], default="en")
    stock = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "tests"
        constraints = [
            models.CheckConstraint(condition=models.Q(stock__lte=1000), name="tests_paperback_stock")
        ]


class NovelistOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str


class PaperbackOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    price: Decimal
    published: dt.date | None
    stock: int


class PaperbackWithNovelist(PaperbackOut):
    novelist: NovelistOut | None


class PaperbackIn(BaseModel):
    title: str
    price: Decimal = Decimal(10)
    stock: int = 0


def fill():
    """Store two novelists and seven paperbacks."""
    ann, bea = Novelist.objects.bulk_create([Novelist(name="Ann"), Novelist(name="Bea")])
    Paperback.objects.bulk_create(
        Paperback(
            title=f"Paperback {number}",
            novelist=(ann, bea, None)[number % 3],
            price=Decimal(10 + number % 2),
            published=None if number % 4 == 0 else dt.date(2020 + number % 3, 1, 1),
            stock=number,
            language="de" if number < 2 else "en",
        )
        for number in range(7)
    )


@asynccontextmanager
async def asking(app):
    """A client of an application in this process, whose lifespan it runs; no connection may be left in use."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app) if hasattr(app, "router") else app.lifespan():
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            yield client
        assert in_use() == 0


def in_use():
    """Return how many connections are in use, of all aliases and faces."""
    return sum(figures["in_use"] for faces in pool_stats().values() for figures in faces.values())


def stored(database):
    """Return the titles that were stored beside those of `fill`."""
    return {
        title
        for (title,) in database.observe(
            "SELECT title FROM tests_paperback WHERE title NOT LIKE 'Paperback%'"
        )
    }
