"""The tour's stops: functions whose source is shown and then run. A queryset that is returned serves both faces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from facade import transaction
from facade.cli.flights.models import Airline, Airport, Flight, Plane, Weather
from facade.exceptions import IntegrityError
from facade.models import Avg, Count, F, Max, Prefetch, Q, QuerySet


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing to show; ``awaited`` is its async form where the sync one is not a queryset.

    A repeatable stop is timed twice. ``undo`` gives the rows that have to go afterwards.
    """

    title: str
    sync: Callable[[], Any]
    awaited: Callable[[], Awaitable[Any]] | None = None
    repeatable: bool = True
    undo: Callable[[], QuerySet[Any, Any]] | None = None


def longest_waits() -> Any:
    return (
        Flight.objects.filter(origin="JFK", dep_delay__gte=180)
        .exclude(Q(airline="DL") | Q(dest="BOS"))
        .order_by("-dep_delay", "id")[:5]
    )


def with_relations() -> Any:
    return (
        Flight.objects.select_related("airline", "origin", "destination", "plane")
        .filter(airline__name__startswith="Virgin", plane__seats__gt=150)
        .order_by("-distance", "id")[:3]
    )


def prefetched() -> Any:
    first = Flight.objects.filter(date=date(2013, 1, 1)).select_related("destination")
    return Airline.objects.order_by("name").prefetch_related(Prefetch("flights", queryset=first))[:4]


def far_away() -> Any:
    return Flight.objects.filter(distance__gt=4_000).values_list("dest", "destination__name").distinct()


def cold_hours() -> Any:
    return (
        Weather.objects.filter(temperature__lt=15)
        .order_by("temperature", "id")
        .values("origin", "temperature")[:3]
    )


def month() -> Any:
    return Flight.objects.aggregate(
        flights=Count("id"),
        cancelled=Count("id", filter=Q(dep_time=None)),
        delay=Avg("dep_delay"),
        farthest=Max("distance"),
    )


async def amonth() -> Any:
    return await Flight.objects.aaggregate(
        flights=Count("id"),
        cancelled=Count("id", filter=Q(dep_time=None)),
        delay=Avg("dep_delay"),
        farthest=Max("distance"),
    )


def busiest() -> Any:
    return Flight.objects.values("airline__name").annotate(departures=Count("id")).order_by("-departures")[:5]


def one_flight() -> Any:
    return Flight.objects.select_related("airline").get(airline="UA", number=1545, date=date(2013, 1, 1))


async def aone_flight() -> Any:
    return await Flight.objects.select_related("airline").aget(
        airline="UA", number=1545, date=date(2013, 1, 1)
    )


def more_seats() -> Any:
    return Plane.objects.filter(manufacturer="AIRBUS", seats__gt=300).update(seats=F("seats") + 2)


async def amore_seats() -> Any:
    return await Plane.objects.filter(manufacturer="AIRBUS", seats__gt=300).aupdate(seats=F("seats") + 2)


def found_or_made() -> Any:
    return Airline.objects.get_or_create(carrier="X0", defaults={"name": "Extra Air"})


async def afound_or_made() -> Any:
    return await Airline.objects.aget_or_create(carrier="X0", defaults={"name": "Extra Air"})


def several_at_once() -> Any:
    return Airline.objects.bulk_create([Airline(carrier=f"X{n}", name=f"Extra Air {n}") for n in range(1, 4)])


async def aseveral_at_once() -> Any:
    return await Airline.objects.abulk_create(
        [Airline(carrier=f"X{n}", name=f"Extra Air {n}") for n in range(1, 4)]
    )


def gone_again() -> Any:
    return Airline.objects.filter(carrier__startswith="X").delete()


async def agone_again() -> Any:
    return await Airline.objects.filter(carrier__startswith="X").adelete()


def plan() -> Any:
    return Flight.objects.filter(origin="JFK", airline="B6").explain()


async def aplan() -> Any:
    return await Flight.objects.filter(origin="JFK", airline="B6").aexplain()


STOPS = (
    Stop("filter, exclude, order_by, a slice", longest_waits),
    Stop("select_related: one statement", with_relations),
    Stop("prefetch_related: always two statements", prefetched),
    Stop("values_list, distinct", far_away),
    Stop("values: exact decimals", cold_hours),
    Stop("aggregate", month, amonth),
    Stop("annotate: groups", busiest),
    Stop("get", one_flight, aone_flight),
    Stop("update with F", more_seats, amore_seats, repeatable=False),
    Stop("get_or_create", found_or_made, afound_or_made, repeatable=False),
    Stop("bulk_create", several_at_once, aseveral_at_once, repeatable=False),
    Stop("delete: with all that depends on it", gone_again, agone_again, repeatable=False),
    Stop("explain", plan, aplan),
)


def savepoint() -> Any:
    with transaction.atomic():
        Airline.objects.create(carrier="ZZ", name="Zigzag Air")
        try:
            with transaction.atomic():
                Airline.objects.filter(carrier="AA").update(name="Renamed")
                Airline.objects.create(carrier="UA", name="There is a UA")
        except IntegrityError:
            pass  # the inner block is undone, the outer one goes on
    return Airline.objects.filter(carrier__in=["AA", "UA", "ZZ"]).order_by("carrier")


async def asavepoint() -> Any:
    async with transaction.atomic():
        await Airline.objects.acreate(carrier="ZZ", name="Zigzag Air")
        try:
            async with transaction.atomic():
                await Airline.objects.filter(carrier="AA").aupdate(name="Renamed")
                await Airline.objects.acreate(carrier="UA", name="There is a UA")
        except IntegrityError:
            pass  # the inner block is undone, the outer one goes on
    return await Airline.objects.filter(carrier__in=["AA", "UA", "ZZ"]).order_by("carrier")


def stream() -> Any:
    flights = miles = 0
    for flight in Flight.objects.select_related("airline").iterator(chunk_size=500):
        flights, miles = flights + 1, miles + flight.distance
    return {"flights": flights, "miles": miles}


async def astream() -> Any:
    flights = miles = 0
    async for flight in Flight.objects.select_related("airline").aiterator(chunk_size=500):
        flights, miles = flights + 1, miles + flight.distance
    return {"flights": flights, "miles": miles}


def zigzag() -> QuerySet[Any, Any]:
    return Airline.objects.filter(carrier="ZZ")


TRANSACTION = Stop("a savepoint that fails", savepoint, asavepoint, repeatable=False, undo=zigzag)
STREAM = Stop("a stream over all flights", stream, astream, repeatable=False)


async def reader(number: int) -> int:
    """One of the concurrent readers: a day's flights of one airport, with their airlines."""
    origin = ("EWR", "JFK", "LGA")[number % 3]
    day = date(2013, 1, number % 31 + 1)
    airport = await Airport.objects.aget(faa=origin)
    flights = await Flight.objects.filter(origin=airport, date=day).select_related("airline")
    return len(flights)
