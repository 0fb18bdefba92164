"""One contender in a process of its own: takes commands from the runner, calls the operations, and times them."""

from __future__ import annotations

import asyncio
import gc
import inspect
import itertools
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

from benchmarks.contenders import Absent, Contender, Entry
from benchmarks.operations import Operation, Returned, digest, flattened
from benchmarks.roads import Place, Road
from benchmarks.schema import BOOK_COLUMNS
from benchmarks.storage import Observer


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer for the runner: what went wrong in here."""

    reason: str
    absent: bool = False


class Worker:
    """Calls one contender's operations; its event loop, where it needs one, stays the same throughout."""

    def __init__(self, entry: Entry, road: Road, place: Place) -> None:
        self.contender: Contender = entry.make(road, place)
        self.runner = asyncio.Runner() if road.face == "async" else None
        self.observer = Observer(place)
        self.prepared: dict[str, list[Any]] = {}
        self._finish(self.contender.open())

    def offers(self, operation: Operation) -> bool:
        """Whether the contender has this operation; plans are built the same way on both faces."""
        wanted = operation.kind != "build" or self.runner is None
        return wanted and hasattr(self.contender, operation.name)

    def check(self, operation: Operation) -> Returned | None:
        """Call the operation a few times and reduce what it returned, or wrote, to a checksum."""
        if operation.kind == "write":
            self.observer.reset()
        call, arguments = self._call(operation), self._arguments(operation)[: operation.checked_calls]
        results = [self._finish(call(argument)) for argument in arguments]
        if operation.kind == "build":
            return None
        if operation.kind == "write":
            return digest(self.observer.drafts(), tuple(BOOK_COLUMNS))
        records = (result if isinstance(result, list) else [result] for result in results)
        found = flattened(itertools.chain.from_iterable(records), operation)
        return digest(found, operation.checked_columns)

    def time(self, operation: Operation, loops: int) -> float:
        """The mean duration of ``loops`` calls, in seconds.

        The collector runs before, not against the heap that is there already: a contender with large
        modules pays no more for them here than one with small ones.
        """
        if operation.kind == "write":
            self.observer.reset()
        call = self._call(operation)
        arguments = list(itertools.islice(itertools.cycle(self._arguments(operation)), loops))
        gc.collect()
        gc.freeze()
        try:
            if self.runner is None:
                return _time(call, arguments) / loops
            return self.runner.run(_time_async(call, arguments)) / loops
        finally:
            gc.unfreeze()

    def close(self) -> None:
        self._finish(self.contender.close())
        self.observer.close()
        if self.runner:
            self.runner.close()

    def _call(self, operation: Operation) -> Callable[[Any], Any]:
        call: Callable[[Any], Any] = getattr(self.contender, operation.name)
        return call

    def _arguments(self, operation: Operation) -> list[Any]:
        if operation.name not in self.prepared:
            prepared = [self.contender.prepare(operation.name, item) for item in operation.arguments()]
            self.prepared[operation.name] = prepared
        return self.prepared[operation.name]

    def _finish(self, result: Any) -> Any:
        if self.runner and inspect.isawaitable(result):
            return self.runner.run(_awaited(result))
        return result


async def _awaited(result: Any) -> Any:
    return await result


def _time(call: Callable[[Any], Any], arguments: list[Any]) -> float:
    started = perf_counter()
    for argument in arguments:
        call(argument)
    return perf_counter() - started


async def _time_async(call: Callable[[Any], Coroutine[Any, Any, Any]], arguments: list[Any]) -> float:
    started = perf_counter()
    for argument in arguments:
        await call(argument)
    return perf_counter() - started


def serve(channel: Connection, entry: Entry, road: Road, place: Place) -> None:
    """The process's main function: answer ``(method name, arguments)`` until the runner hangs up."""
    try:
        worker = Worker(entry, road, place)
    except Absent as error:
        channel.send(Failure(str(error), absent=True))
        return
    except Exception:
        channel.send(Failure(traceback.format_exc()))
        return
    channel.send(None)
    while (command := _next(channel)) is not None:
        method, arguments = command
        try:
            channel.send(getattr(worker, method)(*arguments))
        except Exception:
            channel.send(Failure(traceback.format_exc()))
    worker.close()


def _next(channel: Connection) -> tuple[str, tuple[Any, ...]] | None:
    try:
        command: tuple[str, tuple[Any, ...]] | None = channel.recv()
    except EOFError:
        return None
    return command
