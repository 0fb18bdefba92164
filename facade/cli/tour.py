"""The tour's stops: functions whose source is shown and then run. A queryset that is returned serves both faces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from facade import transaction
from facade.cli.flights.models import Airline, Flight, Plane, Weather
from facade.exceptions import IntegrityError
from facade.models import Avg, Count, F, Max, Prefetch, Q


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing to show, and what there is to say about it.

    ``awaited`` is its async form where the sync one is not a queryset, and ``other`` tells what is written otherwise there.
    ``prepare`` brings the rows into the state that it begins with. The first visitors see the ``short`` ones. What has no
    rows to show has counted them under the name ``counted``.
    """

    title: str
    idea: str
    sync: Callable[[], Any]
    awaited: Callable[[], Awaitable[Any]] | None = None
    other: str = "await the queryset, or async for"
    prepare: Callable[[], object] | None = None
    short: bool = False
    counted: str = ""

    def begin(self) -> None:
        if self.prepare is not None:
            self.prepare()


def longest_waits() -> Any:
    return (
        Flight.objects.filter(origin="JFK", dep_delay__gte=180)
        .exclude(Q(airline="DL") | Q(dest="BOS"))
        .order_by("-dep_delay", "id")[:5]
    )


def with_relations() -> Any:
    return (
        Flight.objects.select_related("airline", "origin", "destination", "plane")
        .filter(airline__name__startswith="V", plane__seats__gt=150)
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


def savepoint() -> Any:
    with transaction.atomic():
        Airline.objects.create(carrier="ZZ", name="Zigzag Air")
        try:
            with transaction.atomic():
                Airline.objects.create(carrier="ZY", name="Undone Air")
                Airline.objects.create(carrier="UA", name="Taken Air")
        except IntegrityError:
            pass  # the inner block is undone, the outer one goes on
    return Airline.objects.filter(carrier__in=["UA", "ZY", "ZZ"]).order_by("carrier")


async def asavepoint() -> Any:
    async with transaction.atomic():
        await Airline.objects.acreate(carrier="ZZ", name="Zigzag Air")
        try:
            async with transaction.atomic():
                await Airline.objects.acreate(carrier="ZY", name="Undone Air")
                await Airline.objects.acreate(carrier="UA", name="Taken Air")
        except IntegrityError:
            pass  # the inner block is undone, the outer one goes on
    return await Airline.objects.filter(carrier__in=["UA", "ZY", "ZZ"]).order_by("carrier")


def stream() -> Any:
    flights = miles = 0
    for flight in Flight.objects.filter(origin="JFK").iterator(chunk_size=200):
        flights += 1
        miles += flight.distance
    return {"flights": flights, "miles": miles}


async def astream() -> Any:
    flights = miles = 0
    async for flight in Flight.objects.filter(origin="JFK").aiterator(chunk_size=200):
        flights += 1
        miles += flight.distance
    return {"flights": flights, "miles": miles}


def clear_away() -> None:
    """Delete the airlines that the stops add."""
    Airline.objects.filter(Q(carrier__startswith="X") | Q(carrier="ZZ")).delete()


def make_several() -> None:
    clear_away()
    several_at_once()


QUERYSET = Stop(
    "A queryset",
    "Built step by step as in Django, and sent when it is looped over, or awaited.",
    longest_waits,
    short=True,
)
RELATIONS = Stop(
    "Related rows",
    "select_related brings the rows of four tables in one statement.",
    with_relations,
    short=True,
)
GROUPS = Stop("Groups", "The database counts; each row comes back as a dict.", busiest, short=True)
TRANSACTION = Stop(
    "A savepoint",
    "One atomic() for with and async with. A block in a block is a savepoint: what fails in it is undone alone.",
    savepoint,
    asavepoint,
    "async with, await, acreate()",
    prepare=clear_away,
    short=True,
)
STREAM = Stop(
    "A stream",
    "iterator() holds one chunk of the rows at a time.",
    stream,
    astream,
    "async for, aiterator()",
    short=True,
    counted="flights",
)

STOPS = (
    QUERYSET,
    RELATIONS,
    Stop("Prefetching", "Rows of the other side take one statement more, not one for each.", prefetched),
    Stop("Tuples", "values_list gives tuples, over relations, too.", far_away),
    Stop(
        "Exact decimals", "What a column holds comes back as its type in Python, on SQLite, too.", cold_hours
    ),
    Stop("Totals", "Several figures of all rows in one statement.", month, amonth, "await, aaggregate()"),
    GROUPS,
    Stop(
        "One object",
        "get() raises where there is none, or more than one.",
        one_flight,
        aone_flight,
        "await, aget()",
    ),
    Stop(
        "An update",
        "F() is computed by the database: no row is read, and none is lost to a race.",
        more_seats,
        amore_seats,
        "await, aupdate()",
    ),
    Stop(
        "Get or create",
        "Looks first, and inserts where there is nothing.",
        found_or_made,
        afound_or_made,
        "await, aget_or_create()",
        prepare=clear_away,
    ),
    Stop(
        "Many rows",
        "bulk_create inserts many rows in one statement.",
        several_at_once,
        aseveral_at_once,
        "await, abulk_create()",
        prepare=clear_away,
    ),
    Stop(
        "A deletion",
        "What refers to the rows goes by its on_delete: in one transaction.",
        gone_again,
        agone_again,
        "await, adelete()",
        prepare=make_several,
    ),
    Stop(
        "The database's plan",
        "explain() asks how the database would do it.",
        plan,
        aplan,
        "await, aexplain()",
    ),
    TRANSACTION,
    STREAM,
)


def reader(number: int) -> list[Any]:
    """One of many readers: a flight, and the five that left the same airport after it."""
    flight = Flight.objects.select_related("airline").get(id=number)
    later = Flight.objects.filter(origin=flight.origin_id, id__gt=flight.id)
    return list(later.order_by("id")[:5])


async def areader(number: int) -> list[Any]:
    flight = await Flight.objects.select_related("airline").aget(id=number)
    later = Flight.objects.filter(origin=flight.origin_id, id__gt=flight.id)
    return await later.order_by("id")[:5]
