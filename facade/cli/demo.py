"""``facade demo``: loads the flights, takes the tour in sync code and under asyncio, and tells what to do next."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType

import facade
from facade.cli import tour
from facade.cli.flights.database import Unusable, loaded
from facade.cli.flights.models import Flight
from facade.cli.pages import (
    REPEATED,
    Page,
    Run,
    count,
    duration,
    print_code,
    print_heading,
    print_next,
    print_page,
    print_summary,
    print_text,
    source,
    statements_of,
)
from facade.cli.picture import Recorder
from facade.db.connection import CaptureQueriesContext, connections
from facade.foundation.imports import later
from facade.foundation.texts import plural
from facade.models import QuerySet

if TYPE_CHECKING:
    from facade.cli.flights import service
else:
    # It needs FastAPI.
    service = later("facade.cli.flights.service")

__all__ = ["Recorder", "Unusable", "run", "serve"]

READERS = 200
SERVED = (
    ("/", "what there is"),
    ("/docs", "the OpenAPI page"),
    ("/flights?origin=JFK&date=2013-01-31", "flights with their relations, page by page"),
    ("/admin", "lists, search, filters and forms"),
)


Turn = Callable[[], bool]


class Timed(NamedTuple):
    """What came back, and after how many seconds."""

    result: object
    seconds: float


def run(
    console: Console,
    url: str = "",
    *,
    keep: bool = False,
    full: bool = False,
    pause: bool = False,
    recorder: Recorder | None = None,
) -> None:
    """Take the tour, or the whole of it; raises ``Unusable`` for a database that cannot be used.

    ``pause`` waits for Enter after each page; a ``recorder`` keeps the pages.
    """
    with loaded(console, url, keep=keep), asyncio.Runner() as loop:
        turn = Reader(console).turns if pause else _turns
        if recorder is not None:
            recorder.begin()
            turn = recorder.turns
        try:
            _tour(console, loop, turn, full=full)
            tour.clear_away()
        finally:
            loop.run(facade.close_all_async())


def serve(console: Console, url: str = "", *, keep: bool = False, port: int = 8000) -> None:
    """Open the service on the flights until Ctrl-C; raises ``Unusable``, too, where a package or the port is missing."""
    try:
        place = service.listening(port)
    except ModuleNotFoundError as error:
        raise Unusable(f"The service needs {error.name}: pip install 'sqlalchemy-facade[demo]'") from error
    except OSError as error:
        raise Unusable(
            f"Port {port} cannot be had: {error.strerror}. --port names another, and 0 takes a free one."
        ) from error
    with closing(place), loaded(console, url, keep=keep):
        here = f"http://{service.HOST}:{place.getsockname()[1]}"
        console.print()
        for path, what in SERVED:
            print_text(console, f"{here}{path}", style="bold")
            print_text(console, what, indent=4)
        print_text(console, "This machine only. Ctrl-C ends it.", style="dim")
        service.serve(place)
        console.print("Closed.")


def _tour(console: Console, loop: asyncio.Runner, turns: Turn, *, full: bool) -> None:
    stops = [stop for stop in tour.STOPS if full or stop.short]
    pages = []
    for number, stop in enumerate(stops, 1):
        pages.append(_visit(stop, loop))
        print_page(console, pages[-1], f"{number}/{len(stops) + 1}")
        if not turns():
            break
    else:
        _print_readers(console, loop, f"{len(stops) + 1}/{len(stops) + 1}")
        turns()
    if full:
        print_summary(console, pages)
    print_next(console, pages, full=full)


def _turns() -> bool:
    return True


class Reader:
    """Somebody at a terminal, who turns the pages."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.is_there = True

    def turns(self) -> bool:
        """Wait for Enter; tell whether to go on."""
        if not self.is_there:
            return True
        try:
            answer = self.console.input("[dim]Enter: next, a: all, q: end [/dim]").strip().lower()
        except EOFError:
            self.is_there = False
            self.console.print()
            return True
        except KeyboardInterrupt:
            self.console.print()
            raise
        self.console.control(Control((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)))
        self.is_there = not answer.startswith("a")
        return not answer.startswith("q")


def _visit(stop: tour.Stop, loop: asyncio.Runner) -> Page:
    sync = _in_sync_code(stop)
    awaited = _under_asyncio(stop, loop)
    note = _memory() if stop is tour.STREAM else ""
    result = sync.result
    rows = int(result[stop.counted]) if stop.counted and isinstance(result, dict) else count(result)
    return Page(stop.title, stop.idea, source(stop.sync), stop.other, sync, awaited, rows, note)


def _in_sync_code(stop: tour.Stop) -> Run:
    def once() -> tuple[object, float]:
        started = perf_counter()
        result = stop.sync()
        if isinstance(result, QuerySet):
            result = list(result)
        return result, perf_counter() - started

    stop.begin()
    with CaptureQueriesContext(connections["default"]) as captured:
        result, first = once()
    again = []
    for _ in range(REPEATED):
        stop.begin()
        again.append(once()[1])
    return Run(result, statements_of(captured.captured_queries), first, min(again))


def _under_asyncio(stop: tour.Stop, loop: asyncio.Runner) -> Run:
    async def once() -> tuple[object, float]:
        started = perf_counter()
        result = await stop.awaited() if stop.awaited else stop.sync()
        if isinstance(result, QuerySet):
            result = await result
        return result, perf_counter() - started

    async def captured_once() -> tuple[object, float, tuple[str, ...]]:
        with CaptureQueriesContext(connections["default"]) as captured:
            result, seconds = await once()
        return result, seconds, statements_of(captured.captured_queries)

    stop.begin()
    result, first, statements = loop.run(captured_once())
    again = []
    for _ in range(REPEATED):
        stop.begin()
        again.append(loop.run(once())[1])
    return Run(result, statements, first, min(again))


def _print_readers(console: Console, loop: asyncio.Runner, place: str) -> None:
    """Show what many readers take, one after another in sync code, and all at once under asyncio."""
    print_heading(
        console, "Many at once", f"{READERS} readers ask one after another, then all at once.", place
    )
    console.print()
    print_code(console, source(tour.areader))
    console.print()
    with CaptureQueriesContext(connections["default"]) as captured:
        tour.reader(1)
    statements = len(captured) * READERS
    runs = [(_timed_readers(), loop.run(_timed_areaders())) for _ in range(REPEATED)]
    assert all(one.result == other.result for one, other in runs)
    sync, awaited = (min(run.seconds for run in face) for face in zip(*runs, strict=True))
    for face, seconds in (("sync, one after another", sync), ("async, all at once", awaited)):
        pace = f"{statements / seconds:,.0f} a second"
        print_text(
            console, f"{face}: {plural(statements, 'statement')} in {duration(seconds)}, {pace}", indent=2
        )
    print_text(console, f"{_threads()} {_waits()}", style="dim")


def _timed_readers() -> Timed:
    started = perf_counter()
    return Timed([tour.reader(number) for number in range(1, READERS + 1)], perf_counter() - started)


async def _timed_areaders() -> Timed:
    started = perf_counter()
    found = await asyncio.gather(*(tour.areader(number) for number in range(1, READERS + 1)))
    return Timed([*found], perf_counter() - started)


def _threads() -> str:
    """Tell which modules' threads there are."""
    counted = Counter(
        getattr(thread, "_target", type(thread)).__module__.partition(".")[0]
        for thread in threading.enumerate()
        if thread is not threading.main_thread()
    )
    told = ", ".join(f"{number} of {module}" for module, number in counted.items())
    return f"Threads beside the event loop's: {told or 'none'}."


def _waits() -> str:
    if connections["default"].features.is_embedded:
        return "SQLite answers in this process: there is no server to wait for, which asyncio is there for."
    return "While the server works on one, the event loop goes on with the others."


def _memory() -> str:
    with _peak_memory() as streamed:
        tour.STREAM.sync()
    with _peak_memory() as whole:
        list(Flight.objects.filter(origin="JFK"))
    return f"Peak memory: {streamed[0] / 1e6:.1f} MB; {whole[0] / 1e6:.1f} MB with all of them in one list."


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
