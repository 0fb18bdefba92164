"""Runs the servers in turn: one process each, rounds interleaved, answers compared before anything is measured."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from benchmarks.service import load, tables
from benchmarks.service.contenders import Entry
from benchmarks.service.kinds import Kind, checked_targets
from benchmarks.service.load import Answer, Sample
from benchmarks.service.server import Server
from benchmarks.storage import Storage


class ServiceFailed(Exception):
    """A contender that is there and does not serve; the text says what it answered."""


class WrongAnswer(Exception):
    """Two contenders gave different answers to the same request, or left different rows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to ask, how long and how often."""

    clients: tuple[int, ...] = (1, 8, 32, 128)
    rounds: int = 3
    seconds: float = 3.0
    warm_up: float = 0.5
    pool_size: int = 10
    pin: bool = True
    """Whether servers have a core of their own, where there are two at least and the system can do it."""


@dataclass(slots=True)
class Measurement:
    """One kind of requests by so many clients from one contender: a sample for each round."""

    kind: str
    clients: int
    contender: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(sample.rate for sample in self.samples)

    @property
    def p50(self) -> float:
        return statistics.median(sample.p50 for sample in self.samples)

    @property
    def p99(self) -> float:
        return statistics.median(sample.p99 for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Seconds of the server's CPU for a request, in the best round: other programs only add to it."""
        return min(sample.cpu for sample in self.samples)

    @property
    def errors(self) -> int:
        return sum(sample.errors for sample in self.samples)

    @property
    def complaint(self) -> str:
        """The last line of the first error, where there is one."""
        found = next((sample.complaint for sample in self.samples if sample.complaint), "")
        return found.strip().rpartition("\n")[2]


@dataclass(slots=True)
class Outcome:
    """Everything that a run found."""

    measurements: list[Measurement] = field(default_factory=list)
    memory: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """Contender → bytes of its process at its largest, before the load and after it."""
    absent: dict[str, str] = field(default_factory=dict)
    """Contender → why it is missing."""
    versions: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str, clients: int) -> list[Measurement]:
        return [found for found in self.measurements if (found.kind, found.clients) == (kind, clients)]


@contextlib.contextmanager
def cores_apart(pin: bool) -> Iterator[AbstractSet[int]]:
    """Leave one core to the servers, whose number is given, and take this process and its children to the others.

    Nothing is given, and nothing changed, where that is not wanted or cannot be done.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    mine: set[int] = affinity(0) if pin and affinity else set()
    if len(mine) < 2:
        yield frozenset()
        return
    servers = frozenset({min(mine)})
    os.sched_setaffinity(0, mine - servers)
    try:
        yield servers
    finally:
        os.sched_setaffinity(0, mine)


class Run:
    """A run over some contenders, with their servers and the process of the clients."""

    def __init__(self, plan: Plan, outcome: Outcome, announce: Callable[[str], None]) -> None:
        self.plan, self.outcome, self.announce = plan, outcome, announce

    def run(
        self, entries: Sequence[Entry], kinds: Sequence[Kind], storage: Storage, cores: AbstractSet[int]
    ) -> None:
        """Measure and add to the outcome; raises ``WrongAnswer``, ``ServiceFailed``."""
        spawning = multiprocessing.get_context("spawn")
        with (
            ProcessPoolExecutor(1, spawning) as self.clients,
            self._servers(entries, storage, cores) as servers,
        ):
            for kind in kinds:
                self.announce(f"comparing answers: {kind.title}")
                self._compare(kind, servers)
            before = [self._memory(server) for server in servers]
            for kind in kinds:
                self._measure(kind, servers)
            for server, start in zip(servers, before, strict=True):
                self.outcome.memory[server.entry.name] = (start, self._memory(server))

    @contextlib.contextmanager
    def _servers(
        self, entries: Sequence[Entry], storage: Storage, cores: AbstractSet[int]
    ) -> Iterator[list[Server]]:
        started: list[Server] = []
        try:
            for entry in entries:
                self.announce(f"starting {entry.title}")
                place = storage.copy(f"service_{entry.name}")
                tables.fill(place)
                started.append(Server(entry, place, self.plan.pool_size, cores))
            for server in started:
                server.wait()
                self._note_refusal(server)
            yield [server for server in started if server.refusal is None]
        finally:
            for server in started:
                server.stop()

    def _note_refusal(self, server: Server) -> None:
        if server.refusal is None:
            return
        if not server.refusal.absent:
            raise ServiceFailed(f"{server.entry.title}: {server.refusal.reason}")
        self.outcome.absent[server.entry.title] = server.refusal.reason

    def _compare(self, kind: Kind, servers: Sequence[Server]) -> None:
        targets = checked_targets(kind)
        answers = {
            server.entry.title: self.clients.submit(load.ask, server.port, targets).result()
            for server in servers
        }
        compare(targets, answers)
        if kind.writes:
            left = {server.entry.title: tables.stored_numbers(server.place) for server in servers}
            if any(rows != next(iter(left.values())) for rows in left.values()):
                raise WrongAnswer(f"The contenders left different rows in world: {_parties(left)}")

    def _memory(self, server: Server) -> int | None:
        used: int | None = self.clients.submit(load.usage, server.port).result()["memory"]
        return used

    def _measure(self, kind: Kind, servers: Sequence[Server]) -> None:
        plan = self.plan
        if plan.warm_up:
            for server in servers:
                self._sample(kind, server, max(plan.clients), plan.warm_up)
        for clients in plan.clients:
            found = [Measurement(kind.name, clients, server.entry.name) for server in servers]
            for number in range(plan.rounds):
                self.announce(f"{kind.title}, {clients} clients: round {number + 1} of {plan.rounds}")
                turn = number % len(servers) if servers else 0  # nobody always follows the same one
                for at in (*range(turn, len(servers)), *range(turn)):
                    found[at].samples.append(self._sample(kind, servers[at], clients, plan.seconds))
                if not number:  # whole rows only: a run may be interrupted
                    self.outcome.measurements += found

    def _sample(self, kind: Kind, server: Server, clients: int, seconds: float) -> Sample:
        if kind.writes:
            tables.tidy(server.place)
        return self.clients.submit(load.load, server.port, kind.targets, clients, seconds).result()


def compare(targets: Sequence[str], answers: dict[str, list[Answer]]) -> None:
    """See that every contender answered every request, and as the others."""
    for name, found in answers.items():
        if found[-1].status != 200:
            text = found[-1].body.decode(errors="replace")
            raise ServiceFailed(f"{name} answered {targets[len(found) - 1]} with {found[-1].status}: {text}")
    for at, target in enumerate(targets):
        given = {name: found[at] for name, found in answers.items()}
        if len(set(given.values())) > 1:
            listing = "\n".join(
                f"  {name}: {answer.content_type} {answer.body!r}" for name, answer in given.items()
            )
            raise WrongAnswer(f"The contenders disagree on {target}:\n{listing}")


def _parties(left: dict[str, list[tuple[int, int]]]) -> str:
    parties: list[tuple[list[tuple[int, int]], list[str]]] = []
    for name, rows in left.items():
        names = next((names for known, names in parties if known == rows), None)
        if names is None:
            parties.append((rows, [name]))
        else:
            names.append(name)
    return " against ".join(", ".join(names) for _, names in parties)
