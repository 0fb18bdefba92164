"""``facade demo``: loads the flights, runs the tour in sync code and under asyncio, and sums up."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import platform
import tempfile
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import facade
from facade import transaction
from facade.cli import tour
from facade.cli.flights import data
from facade.cli.flights.models import MODELS, Flight
from facade.cli.pages import Page, Record, print_page, print_summary
from facade.db.connection import CaptureQueriesContext, connections
from facade.drivers import DRIVERS
from facade.exceptions import ImproperlyConfigured
from facade.models import QuerySet

BATCH = 1_000
READERS = 50
EXTRAS = {driver.module: driver.extra for driver in DRIVERS if driver.extra}


class Unusable(Exception):
    """The database cannot be used; the text is one line that says why."""


def run(console: Console, url: str = "", *, keep: bool = False) -> None:
    """Run the whole demonstration; raises ``Unusable`` for a missing driver or an unreachable server."""
    with _database(url, keep=keep) as place:
        facade.configure(DATABASES={"default": place})
        with _explained(place):
            facade.drop_all(MODELS)
            facade.create_all(MODELS)
        console.print(f"{_versions()}\nDatabase: {_shown(place)}", highlight=False)
        records = [_load(console)]
        records += _in_sync_code(console)
        facade.close_all()
        with _explained(place):
            records += asyncio.run(_under_asyncio(console))
        print_summary(console, records)
        if url and not keep:
            facade.drop_all(MODELS)
        facade.close_all()
    if keep:
        console.print(f"Left behind: {_shown(place)}", highlight=False)


@contextlib.contextmanager
def _database(url: str, *, keep: bool) -> Iterator[str]:
    if url:
        yield url
    elif keep:
        yield f"sqlite:///{Path(tempfile.mkdtemp(prefix='facade-demo-')) / 'flights.sqlite3'}"
    else:
        with tempfile.TemporaryDirectory(prefix="facade-demo-", ignore_cleanup_errors=True) as folder:
            yield f"sqlite:///{Path(folder) / 'flights.sqlite3'}"


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what a missing driver or an unreachable server raises into one clear line."""
    try:
        yield
    except ImportError as error:
        name = error.name or str(error)
        source = f"'sqlalchemy-facade[{EXTRAS[name]}]'" if name in EXTRAS else name
        raise Unusable(
            f"The driver {name!r} for {_shown(url)} is not installed: pip install {source}"
        ) from error
    except (ArgumentError, NoSuchModuleError, ImproperlyConfigured) as error:
        raise Unusable(f"{_shown(url)} is no database that facade can use: {_line(error)}") from error
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise Unusable(f"{_shown(url)} cannot be reached: {_line(error)}") from error


def _versions() -> str:
    python = platform.python_version()
    return f"facade {facade.__version__} on SQLAlchemy {sqlalchemy.__version__}, Python {python}"


def _line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _shown(url: str) -> str:
    """The URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url)


def _load(console: Console) -> Record:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started, statements = perf_counter(), 0
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Loading", total=data.total())
        for model, _, instances in data.SOURCES:
            with transaction.atomic():
                for batch in _batches(instances()):
                    model.objects.bulk_create(batch)
                    statements += 1
                    progress.update(task, advance=len(batch), description=f"Loading {model.__name__}")
    return Record("load", "sync", statements, data.total(), perf_counter() - started)


def _batches(instances: Iterator[object]) -> Iterator[list[object]]:
    while batch := list(itertools.islice(instances, BATCH)):
        yield batch


def _in_sync_code(console: Console) -> list[Record]:
    console.rule("Sync")
    records = []
    stops = [partial(_visit, stop) for stop in (*tour.STOPS, tour.TRANSACTION)]
    visits: list[Callable[[], Page]] = [*stops, _visit_stream]
    for visit in visits:
        page = visit()
        print_page(console, page)
        records.append(page.record)
    return records


def _visit(stop: tour.Stop) -> Page:
    with CaptureQueriesContext(connections["default"]) as captured:
        result, seconds = _timed(stop)
    page = Page.of(stop.title, "sync", stop.sync, result, captured.captured_queries, seconds)
    if stop.undo is not None:
        stop.undo().delete()
    return page.repeated(_timed(stop)[1]) if stop.repeatable else page


def _timed(stop: tour.Stop) -> tuple[Any, float]:
    started = perf_counter()
    result = stop.sync()
    if isinstance(result, QuerySet):
        result = list(result)
    return result, perf_counter() - started


def _visit_stream() -> Page:
    page = _visit(tour.STREAM)
    with _peak_memory() as peak:
        result = tour.STREAM.sync()
    with _peak_memory() as whole:
        list(Flight.objects.select_related("airline"))
    return page.reading(result["flights"]).noting(_memory_note(peak, whole))


async def _under_asyncio(console: Console) -> list[Record]:
    console.print()
    console.rule("The same under asyncio")
    records = []
    stops = [partial(_avisit, stop) for stop in (*tour.STOPS, tour.TRANSACTION)]
    visits: list[Callable[[], Awaitable[Page]]] = [*stops, _avisit_stream, _concurrent_readers]
    for visit in visits:
        page = await visit()
        print_page(console, page)
        records.append(page.record)
    await facade.close_all_async()
    return records


async def _avisit(stop: tour.Stop) -> Page:
    with CaptureQueriesContext(connections["default"]) as captured:
        result, seconds = await _atimed(stop)
    shown = stop.awaited or stop.sync
    page = Page.of(stop.title, "async", shown, result, captured.captured_queries, seconds)
    if stop.undo is not None:
        await stop.undo().adelete()
    return page.repeated((await _atimed(stop))[1]) if stop.repeatable else page


async def _atimed(stop: tour.Stop) -> tuple[Any, float]:
    started = perf_counter()
    result = await stop.awaited() if stop.awaited else stop.sync()
    if isinstance(result, QuerySet):
        result = await result
    return result, perf_counter() - started


async def _avisit_stream() -> Page:
    page = await _avisit(tour.STREAM)
    with _peak_memory() as peak:
        result = await tour.astream()
    with _peak_memory() as whole:
        await Flight.objects.select_related("airline")
    return page.reading(result["flights"]).noting(_memory_note(peak, whole))


async def _concurrent_readers() -> Page:
    with CaptureQueriesContext(connections["default"]) as captured:
        started = perf_counter()
        counts = await asyncio.gather(*(tour.reader(number) for number in range(READERS)))
        seconds = perf_counter() - started
    result = {"readers": len(counts), "flights": sum(counts)}
    title = f"{READERS} concurrent readers"
    page = Page.of(title, "async", tour.reader, result, captured.captured_queries, seconds)
    pace = f"{page.record.statements / seconds:,.0f} statements a second, no thread in between"
    return page.reading(sum(counts)).noting(pace)


@contextlib.contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """A list whose only item is, at the end, the block's peak of Python's memory in bytes."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
    finally:
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()


def _memory_note(peak: list[int], whole: list[int]) -> str:
    return f"peak memory {peak[0] / 1e6:.1f} MB; {whole[0] / 1e6:.1f} MB for all flights in one list"
