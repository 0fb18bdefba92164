"""Runs the contenders in turn: one process each, rounds interleaved, results compared before anything is timed."""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contenders import Entry
from benchmarks.operations import Operation, Returned
from benchmarks.roads import Road
from benchmarks.storage import Storage
from benchmarks.worker import Failure, serve

MAX_LOOPS = 20_000


class ContenderFailed(Exception):
    """A contender that is there and raises; the text has its traceback."""


class WrongResult(Exception):
    """Two contenders gave different answers to the same question."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often to measure."""

    rounds: int = 9
    batch_seconds: float = 0.15
    """How long one contender runs one operation in one round, at least; 0: once, without a warm-up."""


@dataclass(slots=True)
class Measurement:
    """The durations of one operation of one contender on one road, in seconds per call."""

    road: Road
    operation: str
    contender: str
    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


@dataclass(slots=True)
class Outcome:
    """Everything that a run found."""

    measurements: list[Measurement] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """Contender or database → why it is missing."""
    versions: dict[str, str] = field(default_factory=dict)

    def median(self, road: Road, operation: str, contender: str) -> float | None:
        for found in self.measurements:
            if (found.road, found.operation, found.contender) == (road, operation, contender):
                return found.median
        return None


class Process:
    """A contender's process, seen from the runner."""

    def __init__(self, entry: Entry, road: Road, storage: Storage) -> None:
        context = multiprocessing.get_context("spawn")
        self.entry = entry
        self.channel, theirs = context.Pipe()
        place = storage.copy(f"{entry.name}_{road.face}_{road.driver}")
        self.process = context.Process(target=serve, args=(theirs, entry, road, place), daemon=True)
        self.process.start()
        theirs.close()
        self.refusal: Failure | None = self._receive()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the ``Worker`` over there; ``ContenderFailed`` carries a failure's traceback."""
        self.channel.send((method, arguments))
        answer = self._receive()
        if isinstance(answer, Failure):
            raise ContenderFailed(f"{self.entry.title}: {answer.reason}")
        return answer

    def stop(self) -> None:
        self.channel.close()
        self.process.join(timeout=10)
        if self.process.is_alive():
            self.process.terminate()

    def _receive(self) -> Any:
        try:
            return self.channel.recv()
        except EOFError:
            return Failure("its process ended")


@contextlib.contextmanager
def processes(entries: Sequence[Entry], road: Road, storage: Storage) -> Iterator[list[Process]]:
    """Started processes of all contenders, stopped at the end."""
    started: list[Process] = []
    try:
        for entry in entries:
            started.append(Process(entry, road, storage))  # noqa: PERF401 - those already started must be stopped
        yield started
    finally:
        for process in started:
            process.stop()


def run_road(
    road: Road,
    entries: Sequence[Entry],
    operations: Sequence[Operation],
    storage: Storage,
    plan: Plan,
    outcome: Outcome,
    announce: Callable[[str], None] = print,
) -> None:
    """Measure the operations on one road and add to ``outcome``; raises ``WrongResult``, ``ContenderFailed``."""
    with processes(entries, road, storage) as started:
        for process in started:
            _note_refusal(process, outcome)
        present = [process for process in started if process.refusal is None]
        offered = {
            operation.name: [process for process in present if process.ask("offers", operation)]
            for operation in operations
        }
        for operation in operations:
            _check(operation, offered[operation.name])
        for operation in operations:
            announce(f"{road.title}: {operation.title}")
            outcome.measurements += _measure(road, operation, offered[operation.name], plan)


def _note_refusal(process: Process, outcome: Outcome) -> None:
    if process.refusal is None:
        return
    if not process.refusal.absent:
        raise ContenderFailed(f"{process.entry.title}: {process.refusal.reason}")
    outcome.absent[process.entry.title] = process.refusal.reason


def _check(operation: Operation, present: Sequence[Process]) -> None:
    """Compare what the contenders return or leave in the table, and the types of those who promise types."""
    answers = [(process.entry, process.ask("check", operation)) for process in present]
    given: list[tuple[Entry, Returned]] = [(entry, answer) for entry, answer in answers if answer]
    contents = {(answer.count, answer.checksum) for _, answer in given}
    types = {answer.types for entry, answer in given if entry.exact_types and operation.kind == "read"}
    if len(contents) > 1 or len(types) > 1:
        listing = "\n".join(f"  {entry.title}: {answer}" for entry, answer in given)
        raise WrongResult(f"The contenders disagree on {operation.title!r}:\n{listing}")


def _measure(road: Road, operation: Operation, present: Sequence[Process], plan: Plan) -> list[Measurement]:
    loops = {process: _loops(process, operation, plan) for process in present}
    found = {process: Measurement(road, operation.name, process.entry.name) for process in present}
    order = list(present)
    for _ in range(plan.rounds):
        for process in order:
            found[process].rounds.append(process.ask("time", operation, loops[process]))
        order.append(order.pop(0)) if order else None  # nobody always follows the same neighbour
    return list(found.values())


def _loops(process: Process, operation: Operation, plan: Plan) -> int:
    """Warm up, then choose how many calls fill a batch."""
    if plan.batch_seconds == 0:
        return 1
    process.ask("time", operation, 1)
    duration = process.ask("time", operation, 3)
    if (warm := int(plan.batch_seconds / 2 / duration)) > 3:
        duration = process.ask("time", operation, min(warm, MAX_LOOPS))
    return max(1, min(MAX_LOOPS, int(plan.batch_seconds / duration)))
