"""Reads the package's CSV files into unsaved models."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from facade.cli.flights.models import Airline, Airport, Flight, Plane, Weather

EMPTY = frozenset({"", "NA"})
Row = dict[str, str]


@cache
def rows(name: str) -> list[Row]:
    """The rows of one file of the package."""
    packed = files(__package__).joinpath(f"{name}.csv.gz").read_bytes()
    return list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))


def _text(value: str) -> str | None:
    return None if value in EMPTY else value


def _number(value: str) -> int | None:
    return None if value in EMPTY else int(value)


def _real(value: str) -> float | None:
    return None if value in EMPTY else float(value)


def _airlines() -> Iterator[Airline]:
    for row in rows("airlines"):
        yield Airline(carrier=row["carrier"], name=row["name"])


def _airports() -> Iterator[Airport]:
    for row in rows("airports"):
        yield Airport(
            faa=row["faa"],
            name=row["name"],
            latitude=float(row["lat"]),
            longitude=float(row["lon"]),
            altitude=int(row["alt"]),
            utc_offset=int(row["tz"]),
            timezone=_text(row["tzone"]),
        )


def _planes() -> Iterator[Plane]:
    for row in rows("planes"):
        yield Plane(
            tailnum=row["tailnum"],
            year=_number(row["year"]),
            kind=row["type"],
            manufacturer=row["manufacturer"],
            model=row["model"],
            engines=int(row["engines"]),
            seats=int(row["seats"]),
        )


def _weather() -> Iterator[Weather]:
    for row in rows("weather-2013-01"):
        yield Weather(
            origin_id=row["origin"],
            time_hour=datetime.fromisoformat(row["time_hour"]),
            temperature=Decimal(row["temp"]),
            humidity=Decimal(row["humid"]),
            wind_speed=float(row["wind_speed"]),
            wind_gust=_real(row["wind_gust"]),
            visibility=float(row["visib"]),
        )


def _flights() -> Iterator[Flight]:
    airports = {row["faa"] for row in rows("airports")}
    planes = {row["tailnum"] for row in rows("planes")}
    for row in rows("flights-2013-01"):
        yield Flight(
            date=date(int(row["year"]), int(row["month"]), int(row["day"])),
            airline_id=row["carrier"],
            number=int(row["flight"]),
            tailnum=_text(row["tailnum"]),
            plane_id=row["tailnum"] if row["tailnum"] in planes else None,
            origin_id=row["origin"],
            dest=row["dest"],
            destination_id=row["dest"] if row["dest"] in airports else None,
            sched_dep_time=int(row["sched_dep_time"]),
            dep_time=_number(row["dep_time"]),
            dep_delay=_number(row["dep_delay"]),
            sched_arr_time=int(row["sched_arr_time"]),
            arr_time=_number(row["arr_time"]),
            arr_delay=_number(row["arr_delay"]),
            air_time=_number(row["air_time"]),
            distance=int(row["distance"]),
            time_hour=datetime.fromisoformat(row["time_hour"]),
        )


SOURCES: tuple[tuple[type[Any], str, Any], ...] = (
    (Airline, "airlines", _airlines),
    (Airport, "airports", _airports),
    (Plane, "planes", _planes),
    (Weather, "weather-2013-01", _weather),
    (Flight, "flights-2013-01", _flights),
)
"""Model, file and the function that makes unsaved instances, in loading order."""


def total() -> int:
    """How many rows there are to load."""
    return sum(len(rows(name)) for _, name, _ in SOURCES)
