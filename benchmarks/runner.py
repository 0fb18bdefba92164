"""Runs the contenders in turn: one process each, rounds interleaved, results compared before anything is timed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.comparing import Returned
from benchmarks.contenders import Absent, Entry
from benchmarks.environments import interpreter
from benchmarks.operations import Operation
from benchmarks.results import Failed, Measurement, Outcome, Plan
from benchmarks.roads import Place, Road
from benchmarks.storage import Storage
from benchmarks.worker import Failure

MAX_LOOPS = 20_000
SLOW, FEW = 1.0, 2
"""Seconds a call, and rounds: a contender that takes longer than that is measured no oftener."""
PATIENCE = 120.0
"""Seconds after which a contender that does not answer is given up."""
ROOT = Path(__file__).parent.parent
START = "from benchmarks.worker import main; main()"
IMPORT = "from time import process_time as now; start = now(); {}; print(now() - start)"


class ContenderFailed(Exception):
    """A contender that is there and raises, or does not answer; the text is the reason."""


class Process:
    """A contender's process, seen from the runner; raises ``Absent`` or ``ContenderFailed`` when it cannot begin."""

    def __init__(self, entry: Entry, road: Road, place: Place) -> None:
        self.entry = entry
        python = interpreter(entry.requires)
        ours, theirs = socket.socketpair()
        with theirs:
            command = [python, "-c", START, str(theirs.fileno())]
            self.process = subprocess.Popen(
                command, env=os.environ | {"PYTHONPATH": str(ROOT)}, pass_fds=[theirs.fileno()]
            )
        self.channel = Connection(ours.detach())
        self.channel.send((entry, road, place))
        refusal = self._receive()
        if isinstance(refusal, Failure):
            self.stop()
            raise (Absent if refusal.absent else ContenderFailed)(refusal.reason)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the ``Worker`` over there; ``ContenderFailed`` carries a failure's reason."""
        try:
            self.channel.send((method, arguments))
        except OSError:
            raise ContenderFailed("its process ended") from None
        answer = self._receive()
        if isinstance(answer, Failure):
            raise ContenderFailed(answer.reason)
        return answer

    def stop(self) -> None:
        self.channel.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _receive(self) -> Any:
        try:
            if not self.channel.poll(PATIENCE):
                self.process.kill()
                return Failure(f"no answer within {PATIENCE:.0f} s")
            return self.channel.recv()
        except (EOFError, OSError):
            return Failure("its process ended")


@contextlib.contextmanager
def processes(
    entries: Sequence[Entry], road: Road, storage: Storage, outcome: Outcome
) -> Iterator[list[Process]]:
    """Started processes of the contenders that can run on this road, stopped at the end."""
    started: list[Process] = []
    try:
        for entry in entries:
            place = storage.copy(f"{entry.name}_{road.face}_{road.driver}")
            try:
                started.append(Process(entry, road, place))
            except Absent as error:
                outcome.absent[f"{entry.title}, {road.title}"] = str(error)
            except ContenderFailed as error:
                outcome.failures.append(Failed(road, "", entry.name, str(error)))
        yield started
    finally:
        for process in started:
            process.stop()


def run_road(
    road: Road,
    entries: Sequence[Entry],
    operations: Sequence[Operation],
    storage: Storage,
    outcome: Outcome,
    announce: Callable[[str], object] = print,
) -> None:
    """Measure the operations on one road and add to ``outcome`` what was found, and what failed."""
    with processes(entries, road, storage, outcome) as started:
        for operation in operations:
            announce(f"{road.title}: {operation.title}")
            running = [process for process in started if process.process.poll() is None]
            offered = [process for process in running if process.ask("offers", operation)]
            found = _checked(road, operation, offered, outcome)
            _measure(operation, found, outcome)
            outcome.measurements += [measured for measured in found.values() if measured.wall]


def _checked(
    road: Road, operation: Operation, offered: Sequence[Process], outcome: Outcome
) -> dict[Process, Measurement]:
    """The contenders whose values are the first one's; where their types are not the floor's, that is noted."""
    answers: dict[Process, Returned | None] = {}
    for process in offered:
        with _noting(road, operation, process, outcome):
            answers[process] = process.ask("check", operation)
    right: dict[Process, Measurement] = {}
    reference = next(iter(answers.values()), None)
    typed = next(
        (answer for process, answer in answers.items() if answer and process.entry.exact_types), None
    )
    for process, answer in answers.items():
        if reference and answer and (answer.count, answer.checksum) != (reference.count, reference.checksum):
            counts = (
                f": {answer.count} records for {reference.count}" if answer.count != reference.count else ""
            )
            reason = f"gives other values{counts}"
            outcome.failures.append(Failed(road, operation.name, process.entry.name, reason))
            continue
        right[process] = Measurement(road, operation.name, process.entry.name)
        if typed and answer and process.entry.exact_types and operation.kind != "write":
            right[process].types = other_types(typed, answer, operation)
    return right


def other_types(expected: Returned, found: Returned, operation: Operation) -> str:
    """Which columns have other Python types than they should, for people."""
    columns = zip(operation.checked_columns, expected.types, found.types, strict=True)
    return ", ".join(f"{name}: {got} for {wanted}" for name, wanted, got in columns if wanted != got)


@contextlib.contextmanager
def _noting(road: Road, operation: Operation, process: Process, outcome: Outcome) -> Iterator[None]:
    try:
        yield
    except ContenderFailed as error:
        outcome.failures.append(Failed(road, operation.name, process.entry.name, str(error)))


def _measure(operation: Operation, found: dict[Process, Measurement], outcome: Outcome) -> None:
    loops: dict[Process, int] = {}
    for process, measured in found.items():
        with _noting(measured.road, operation, process, outcome):
            loops[process] = _loops(process, operation, outcome.plan)
            if outcome.plan.batch_seconds:
                measured.memory = process.ask("memory", operation)
    order = list(loops)
    for _ in range(outcome.plan.rounds):
        for process in list(order):
            measured = found[process]
            if len(measured.wall) >= FEW and measured.best > SLOW:
                continue
            try:
                measured.add(process.ask("time", operation, loops[process]))
            except ContenderFailed as error:
                road, name = found.pop(process).road, process.entry.name
                outcome.failures.append(Failed(road, operation.name, name, str(error)))
                order.remove(process)
        order.append(order.pop(0)) if order else None  # nobody always follows the same neighbour


def _loops(process: Process, operation: Operation, plan: Plan) -> int:
    """Warm up, then choose how many calls fill a batch."""
    if plan.batch_seconds == 0:
        return 1
    most = len(operation.arguments()) if operation.once else MAX_LOOPS
    if (duration := process.ask("time", operation, 1).wall) > plan.batch_seconds:
        return 1
    duration = process.ask("time", operation, min(3, most)).wall
    if (warm := int(plan.batch_seconds / 2 / duration)) > 3:
        duration = process.ask("time", operation, min(warm, most)).wall
    return max(1, min(most, int(plan.batch_seconds / duration)))


def run_imports(
    entries: Sequence[Entry], outcome: Outcome, announce: Callable[[str], object] = print
) -> None:
    """Measure what importing the contenders takes, each round in new processes, in turn."""
    pythons: dict[str, tuple[str, str]] = {}
    for entry in entries:
        with contextlib.suppress(Absent):  # its reason is on record with the first road
            if entry.imports:
                pythons[entry.name] = (interpreter(entry.requires), IMPORT.format(entry.imports))
    for _ in range(outcome.plan.rounds):
        for name, (python, code) in pythons.items():
            announce(f"import {name}")
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
            if done.returncode == 0:
                outcome.imports.setdefault(name, []).append(float(done.stdout))
            else:
                outcome.absent[f"{name}, import"] = done.stderr.strip().splitlines()[-1][:300]
