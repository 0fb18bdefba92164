"""How facade's costs grow: with rows, columns, parents, keys in a list, tasks, threads and distinct queries."""

from __future__ import annotations

import asyncio
import gc
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import matplotlib as mpl

import facade
from benchmarks.memory import grown
from benchmarks.roads import Place
from facade import models
from facade.models import F

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter

ITEMS = 100_000
PARENTS, CHILDREN_EACH = 10_000, 5
WIDE_ROWS = 1_000
GETS = 2_000
BATCH = 5_000


class Item(models.Model):
    name = models.CharField(max_length=50)
    number = models.IntegerField()
    is_there = models.BooleanField()

    class Meta:
        app_label = "scale"


class Parent(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "scale"


class Child(models.Model):
    parent = models.ForeignKey(Parent, models.CASCADE, related_name="children")
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "scale"


def wide_model(columns: int) -> Any:
    """A model of so many columns, of which one is the key and the others are numbers and texts in turn."""
    kinds: Sequence[Callable[[], models.Field[Any]]] = (
        models.IntegerField,
        lambda: models.CharField(max_length=20),
    )
    fields = {f"column_{position}": kinds[position % 2]() for position in range(columns - 1)}
    meta = type("Meta", (), {"app_label": "scale"})
    return type(f"Wide{columns}", (models.Model,), {**fields, "Meta": meta, "__module__": __name__})


WIDE = {columns: wide_model(columns) for columns in (4, 8, 16, 32, 64)}


@dataclass(slots=True)
class Series:
    """What was measured for growing sizes: seconds, and by how many bytes the process grew."""

    name: str
    title: str
    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: list[int | None] = field(default_factory=list)

    @property
    def exponent(self) -> float:
        """The power of the size that the time grows with over the upper half of the sizes: 1 is linear."""
        middle = len(self.sizes) // 2
        growth = math.log(self.seconds[-1] / self.seconds[middle])
        return growth / math.log(self.sizes[-1] / self.sizes[middle])


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for each size."""

    name: str
    title: str
    sizes: tuple[int, ...]
    ask: Callable[[int], object]
    repeats: int = 3


def in_batches(made: Iterator[Any], model: Any) -> None:
    """Write instances, some thousands at a time."""
    batch = []
    for instance in made:
        batch.append(instance)
        if len(batch) == BATCH:
            model.objects.bulk_create(batch)
            batch.clear()
    model.objects.bulk_create(batch)


def fill() -> None:
    """Create the tables and their rows."""
    facade.create_all()
    in_batches((Item(name=f"item {n}", number=n, is_there=n % 2 == 0) for n in range(ITEMS)), Item)
    in_batches((Parent(id=n, name=f"parent {n}") for n in range(1, PARENTS + 1)), Parent)
    children = range(PARENTS * CHILDREN_EACH)
    in_batches((Child(parent_id=n // CHILDREN_EACH + 1, name=f"child {n}") for n in children), Child)
    for columns, model in WIDE.items():
        values = {f"column_{n}": f"text {n}" if n % 2 else n for n in range(columns - 1)}
        in_batches((model(**values) for _ in range(WIDE_ROWS)), model)


def distinct_shapes(count: int) -> None:
    """So many querysets of which none is built like another one."""
    database = facade.connections["default"]
    for number in range(count):
        Item.objects.annotate(**{f"name_{count}_{number}": F("number")}).filter(number=number)._plan(database)


def in_threads(count: int) -> None:
    """Gets by so many threads at once."""
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(lambda number: Item.objects.get(number=number), range(200)))


async def in_tasks(count: int) -> None:
    """Gets by so many tasks at once, a fixed number in all."""

    async def task(number: int) -> None:
        for key in range(number, GETS, count):
            await Item.objects.aget(pk=key + 1)

    await asyncio.gather(*[task(number) for number in range(count)])


def questions(runner: asyncio.Runner) -> tuple[Question, ...]:
    """The questions in their order; the last one leaves its shapes in the cache."""
    powers = tuple(10**power for power in range(1, 6))
    return (
        Question("rows", "rows of a list", powers, lambda size: list(Item.objects.order_by("pk")[:size])),
        Question(
            "columns", "columns of 1,000 rows", tuple(WIDE), lambda size: list(WIDE[size].objects.all())
        ),
        Question(
            "parents",
            "parents of a prefetch, 5 children each",
            powers[:-1],
            lambda size: list(Parent.objects.order_by("pk").prefetch_related("children")[:size]),
        ),
        Question(
            "keys",
            "keys in a list",
            powers,
            lambda size: list(Item.objects.filter(number__in=list(range(size)))),
        ),
        Question(
            "tasks",
            f"tasks for {GETS:,} gets in all",
            (1, 5, 10, 50, 100, 500),
            lambda size: runner.run(in_tasks(size)),
        ),
        Question("threads", "threads for 200 gets in all", (1, 2, 5, 10, 20), in_threads),
        Question("shapes", "distinct querysets, compiled", (100, 1_000, 10_000, 100_000), distinct_shapes, 1),
    )


def measure(place: Place, announce: Callable[[str], object] = print) -> list[Series]:
    """Ask every question for every size: the best of a few repetitions, and the growth of one."""
    facade.configure(DATABASES={"default": place.url()})
    fill()
    found = []
    with asyncio.Runner() as runner:
        for question in questions(runner):
            series = Series(question.name, question.title)
            for size in question.sizes:
                announce(f"{question.title}: {size:,}")
                gc.collect()
                taken: list[float] = []
                series.memory.append(grown(lambda: _timed(question, size, taken)))  # noqa: B023 - called at once
                for _ in range(question.repeats - 1):
                    _timed(question, size, taken)
                series.sizes.append(size)
                series.seconds.append(min(taken))
            found.append(series)
        runner.run(facade.close_all_async())
    facade.close_all()
    return found


def _timed(question: Question, size: int, taken: list[float]) -> None:
    start = perf_counter()
    question.ask(size)
    taken.append(perf_counter() - start)


def write(found: Sequence[Series], folder: Path, vendor: str) -> None:
    """Write the figures (times in seconds, memory in bytes) and a plot of them."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = [asdict(series) | {"exponent": series.exponent} for series in found]
    (folder / f"scale-{vendor}.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    _plot(found, folder / f"scale-{vendor}.svg")


def _plot(found: Sequence[Series], path: Path) -> None:
    """One panel for each question: time in colour, memory beside it."""
    figure: Any
    rows = (len(found) + 1) // 2  # two in a row can be read on a page
    figure, panels = plt.subplots(rows, 2, figsize=(7, 3.25 * rows), layout="constrained", squeeze=False)
    for panel, series in zip(panels.flat, found, strict=False):
        panel.loglog(series.sizes, series.seconds, "o-", color="#1f6f8b", label="seconds")
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set_xticks(series.sizes, [f"{size:,}" for size in series.sizes], fontsize=7)
        panel.set_title(f"{series.title}\n(time grows with the power {series.exponent:.2f})", fontsize=9)
        beside = panel.twinx()
        megabytes = [(memory or 0) / 1e6 for memory in series.memory]
        beside.plot(series.sizes, megabytes, ".--", color="#b08968", label="MB")
        beside.set_ylabel("MB", color="#b08968", fontsize=8)
        panel.set_ylabel("seconds", color="#1f6f8b", fontsize=8)
    for panel in list(panels.flat)[len(found) :]:
        panel.set_axis_off()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
