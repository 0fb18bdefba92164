"""From instances to JSON: schemas of facade beside code of pydantic and msgspec that is written by hand.

1,000 instances, each with one related object and five that refer to it. All ways give the same bytes, of instances that were just loaded, and
again of the same ones, whose related managers have been made then. Nothing waits in what is timed: it is the time of the processor that counts,
which other programs on the machine take no part of.
"""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from time import process_time
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, TypeAdapter, field_validator
from rich.console import Console
from rich.table import Table

import facade
import facade.contrib.msgspec
import facade.contrib.pydantic
from benchmarks.roads import Place
from facade import models

HOUSES, WRITERS, VOLUMES_EACH = 20, 1_000, 5
START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class House(models.Model):
    name = models.CharField(max_length=50)
    city = models.CharField(max_length=50)

    class Meta:
        app_label = "schemas"


class Writer(models.Model):
    name = models.CharField(max_length=50)
    email = models.EmailField()
    age = models.IntegerField(null=True)
    joined = models.DateTimeField()
    is_active = models.BooleanField()
    house = models.ForeignKey(House, models.CASCADE)

    class Meta:
        app_label = "schemas"


class Volume(models.Model):
    writer = models.ForeignKey(Writer, models.CASCADE, related_name="volumes")
    title = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    pages = models.IntegerField()

    class Meta:
        app_label = "schemas"


def fill() -> None:
    """Create the tables and their rows."""
    facade.create_all(models=[House, Writer, Volume])
    House.objects.bulk_create(
        [House(id=n, name=f"house {n}", city=f"city {n}") for n in range(1, HOUSES + 1)]
    )
    Writer.objects.bulk_create(
        [
            Writer(
                id=n,
                name=f"writer {n}",
                email=f"writer{n}@example.org",
                age=n % 90 or None,
                joined=START + dt.timedelta(minutes=n),
                is_active=n % 3 > 0,
                house_id=n % HOUSES + 1,
            )
            for n in range(1, WRITERS + 1)
        ]
    )
    count = WRITERS * VOLUMES_EACH
    prices = [Decimal(n).scaleb(-2) for n in range(count)]
    Volume.objects.bulk_create(
        [
            Volume(id=n + 1, writer_id=n % WRITERS + 1, title=f"volume {n}", price=prices[n], pages=n)
            for n in range(count)
        ]
    )


def loaded() -> list[Writer]:
    """Return the instances as a view has them: nobody has looked at one yet."""
    return list(Writer.objects.order_by("pk").select_related("house").prefetch_related("volumes"))


# -- by hand ----------------------------------------------------------------------------------------------------------


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class HouseShown(Shown):
    id: int
    name: str
    city: str


class VolumeShown(Shown):
    id: int
    title: str
    price: Decimal
    pages: int


class WriterShown(Shown):
    id: int
    name: str
    email: str
    age: int | None
    joined: dt.datetime
    is_active: bool
    house: HouseShown
    volumes: list[VolumeShown]

    @field_validator("volumes", mode="before")
    @classmethod
    def rows(cls, value: Any) -> Any:
        return value if isinstance(value, list) else list(value.all())


PYDANTIC = TypeAdapter(list[WriterShown])


def pydantic_attributes(writers: Sequence[Writer]) -> bytes:
    return PYDANTIC.dump_json(PYDANTIC.validate_python(writers))


def pydantic_constructors(writers: Sequence[Writer]) -> bytes:
    return PYDANTIC.dump_json(
        [
            WriterShown(
                id=writer.id,
                name=writer.name,
                email=writer.email,
                age=writer.age,
                joined=writer.joined,
                is_active=writer.is_active,
                house=HouseShown(id=writer.house.id, name=writer.house.name, city=writer.house.city),
                volumes=[
                    VolumeShown(id=volume.id, title=volume.title, price=volume.price, pages=volume.pages)
                    for volume in writer.volumes.all()  # type: ignore[attr-defined]
                ],
            )
            for writer in writers
        ]
    )


class HouseStruct(msgspec.Struct):
    id: int
    name: str
    city: str


class VolumeStruct(msgspec.Struct):
    id: int
    title: str
    price: Decimal
    pages: int


class WriterStruct(msgspec.Struct):
    id: int
    name: str
    email: str
    age: int | None
    joined: dt.datetime
    is_active: bool
    house: HouseStruct
    volumes: list[VolumeStruct]


ENCODER = msgspec.json.Encoder()


def msgspec_constructors(writers: Sequence[Writer]) -> bytes:
    return ENCODER.encode(
        [
            WriterStruct(
                writer.id,
                writer.name,
                writer.email,
                writer.age,
                writer.joined,
                writer.is_active,
                HouseStruct(writer.house.id, writer.house.name, writer.house.city),
                [
                    VolumeStruct(volume.id, volume.title, volume.price, volume.pages)
                    for volume in writer.volumes.all()  # type: ignore[attr-defined]
                ],
            )
            for writer in writers
        ]
    )


# -- by facade --------------------------------------------------------------------------------------------------------

FIELDS = ("id", "name", "email", "age", "joined", "is_active", "house", "volumes")
EXCLUDED = ("volumes__writer",)

WriterOut = facade.contrib.pydantic.schema_for(Writer, fields=FIELDS, exclude=EXCLUDED, depth=1)
FACADE = TypeAdapter(list[WriterOut])  # type: ignore[valid-type]
WriterOutStruct = facade.contrib.msgspec.schema_for(Writer, fields=FIELDS, exclude=EXCLUDED, depth=1)


def facade_pydantic(writers: Sequence[Writer]) -> bytes:
    return FACADE.dump_json(WriterOut.from_instances(writers))


def facade_response_model(writers: Sequence[Writer]) -> bytes:
    return FACADE.dump_json(FACADE.validate_python(writers))


def facade_msgspec(writers: Sequence[Writer]) -> bytes:
    return ENCODER.encode(WriterOutStruct.from_instances(writers))


@dataclass(slots=True)
class Way:
    """One way from instances to JSON; `of` names the package whose hand-written code it is compared with."""

    title: str
    of: str
    is_ours: bool
    run: Callable[[Sequence[Writer]], bytes]
    seconds: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)


def ways() -> list[Way]:
    return [
        Way("pydantic by hand, constructors", "pydantic", False, pydantic_constructors),
        Way("pydantic by hand, from_attributes", "pydantic", False, pydantic_attributes),
        Way("facade, from_instances()", "pydantic", True, facade_pydantic),
        Way("facade, as a response_model", "pydantic", True, facade_response_model),
        Way("msgspec by hand, constructors", "msgspec", False, msgspec_constructors),
        Way("facade, Structs", "msgspec", True, facade_msgspec),
    ]


def measure(place: Place, rounds: int) -> list[Way]:
    """Let each way take its turn in every round, beginning with another one each time."""
    facade.configure(DATABASES={"default": place.url()})
    fill()
    taking = ways()
    wanted = taking[0].run(loaded())
    for way in taking:
        if way.run(loaded()) != wanted:
            raise ValueError(f"{way.title} gives other bytes than {taking[0].title}")
    for number in range(rounds):
        for way in taking[number % len(taking) :] + taking[: number % len(taking)]:
            writers = loaded()
            for taken in (way.seconds, way.again):
                gc.collect()
                start = process_time()
                way.run(writers)
                taken.append(process_time() - start)
    facade.close_all()
    return taking


def ratio(way: Way, taking: Sequence[Way], *, again: bool = False) -> float:
    """The best round as a multiple of the best round of the quickest way that is written by hand with the same package."""

    def best(one: Way) -> float:
        return min(one.again if again else one.seconds)

    return best(way) / min(best(other) for other in taking if other.of == way.of and not other.is_ours)


def show(taking: Sequence[Way], console: Console) -> None:
    table = Table(title=f"{WRITERS:,} instances with {VOLUMES_EACH} others each, to JSON, in ms")
    columns = ("way", "best", "median", "times by hand", "again: best", "median", "times by hand")
    for number, title in enumerate(columns):
        table.add_column(title, justify="right" if number else "left")
    for way in taking:
        cells = [way.title]
        for taken, again in ((way.seconds, False), (way.again, True)):
            cells += [f"{min(taken) * 1e3:.1f}", f"{median(taken) * 1e3:.1f}"]
            cells.append(f"{ratio(way, taking, again=again):.2f}")
        table.add_row(*cells)
    console.print(table)
