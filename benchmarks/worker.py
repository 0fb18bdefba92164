"""One contender in a process of its own: takes commands from the runner, calls the operations, and times them."""

from __future__ import annotations

import asyncio
import gc
import inspect
import itertools
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from typing import Any

from benchmarks.comparing import Returned, digest, returned
from benchmarks.contenders import Absent, Contender, Entry
from benchmarks.memory import grown
from benchmarks.observing import Observer
from benchmarks.operations import Operation
from benchmarks.roads import Place, Road
from benchmarks.schema import BOOK_COLUMNS


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer for the runner: what went wrong in here."""

    reason: str
    absent: bool = False
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds per call: by the clock, and of this process's processor time."""

    wall: float
    cpu: float


class Worker:
    """Calls one contender's operations; its event loop, where it needs one, stays the same throughout."""

    def __init__(self, entry: Entry, road: Road, place: Place) -> None:
        self.contender: Contender = entry.make(road, place)
        self.runner = asyncio.Runner() if road.face == "async" else None
        self.observer = Observer(place)
        self.prepared: dict[str, list[Any]] = {}
        self._finish(self.contender.open())

    def offers(self, operation: Operation) -> bool:
        """Whether the contender has this operation; some are for one face only."""
        face = {"build": False, "concurrent": True}.get(operation.kind, bool(self.runner))
        return face is bool(self.runner) and hasattr(self.contender, operation.name)

    def check(self, operation: Operation) -> Returned | None:
        """Call the operation a few times and reduce what it returned, or wrote, to a checksum."""
        writes = operation.kind == "write"
        if writes:
            self.observer.reset()
        call = self._call(operation)
        results = [
            self._finish(call(argument)) for argument in self._arguments(operation, operation.checked_calls)
        ]
        if operation.kind == "build":
            return None
        return digest(self.observer.drafts(), tuple(BOOK_COLUMNS)) if writes else returned(results, operation)

    def time(self, operation: Operation, loops: int) -> Timed:
        """The mean duration of ``loops`` calls.

        The collector runs before, not against the heap that is there already: a contender with large
        modules pays no more for them here than one with small ones.
        """
        if operation.kind == "write":
            self.observer.reset()
        call, arguments = self._call(operation), self._arguments(operation, loops)
        gc.collect()
        gc.freeze()
        try:
            if self.runner is None:
                return _time(call, arguments)
            return self.runner.run(_time_async(call, arguments))
        finally:
            gc.unfreeze()

    def memory(self, operation: Operation) -> int | None:
        """By how many bytes the process grows while the operation runs once more, at most; None where nobody counts."""
        if operation.kind == "write":
            self.observer.reset()
        (argument,) = self._arguments(operation, 1)
        gc.collect()
        return grown(lambda: self._finish(self._call(operation)(argument)))

    def close(self) -> None:
        self._finish(self.contender.close())
        self.observer.close()
        if self.runner:
            self.runner.close()

    def _call(self, operation: Operation) -> Callable[[Any], Any]:
        call: Callable[[Any], Any] = getattr(self.contender, operation.name)
        return call

    def _arguments(self, operation: Operation, count: int) -> list[Any]:
        """So many prepared arguments, the same ones again where they may be used twice."""
        if operation.once:
            return [self._prepare(operation, item) for item in itertools.islice(operation.arguments(), count)]
        if operation.name not in self.prepared:
            self.prepared[operation.name] = [self._prepare(operation, item) for item in operation.arguments()]
        return list(itertools.islice(itertools.cycle(self.prepared[operation.name]), count))

    def _prepare(self, operation: Operation, item: Any) -> Any:
        return self._finish(self.contender.prepare(operation.name, item))

    def _finish(self, result: Any) -> Any:
        if self.runner and inspect.isawaitable(result):
            return self.runner.run(_awaited(result))
        return result


async def _awaited(result: Any) -> Any:
    return await result


def _time(call: Callable[[Any], Any], arguments: list[Any]) -> Timed:
    cpu, wall = process_time(), perf_counter()
    for argument in arguments:
        call(argument)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return Timed(wall / len(arguments), cpu / len(arguments))


async def _time_async(call: Callable[[Any], Coroutine[Any, Any, Any]], arguments: list[Any]) -> Timed:
    cpu, wall = process_time(), perf_counter()
    for argument in arguments:
        await call(argument)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return Timed(wall / len(arguments), cpu / len(arguments))


def serve(channel: Connection) -> None:
    """Take the contender, then answer ``(method name, arguments)`` until the runner hangs up."""
    try:
        worker = Worker(*channel.recv())
    except Absent as error:
        channel.send(Failure(str(error), absent=True))
        return
    except Exception as error:
        channel.send(_failure(error))
        return
    channel.send(None)
    while (command := _next(channel)) is not None:
        method, arguments = command
        try:
            channel.send(getattr(worker, method)(*arguments))
        except Exception as error:
            channel.send(_failure(error))
    worker.close()


def _failure(error: Exception) -> Failure:
    first = (str(error).strip() or repr(error)).splitlines()[0]
    return Failure(f"{type(error).__name__}: {first}"[:300], trace=traceback.format_exc())


def _next(channel: Connection) -> tuple[str, tuple[Any, ...]] | None:
    try:
        command: tuple[str, tuple[Any, ...]] | None = channel.recv()
    except EOFError:
        return None
    return command


def main() -> None:
    """The process's main function: talk to the runner over the socket that was inherited as this file."""
    with Connection(int(sys.argv[1])) as runner:
        serve(runner)
