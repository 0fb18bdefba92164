"""What a run found, as objects and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.roads import Road
from benchmarks.worker import Timed

ORMS = {entry.name for entry in CONTENDERS if entry.is_orm}


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often to measure."""

    rounds: int = 7
    batch_seconds: float = 0.1
    """How long one contender runs one operation in one round, at least; 0: once, without a warm-up."""


@dataclass(slots=True)
class Measurement:
    """The durations of one operation of one contender on one road, in seconds per call, a value for each round."""

    road: Road
    operation: str
    contender: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: int | None = None
    """By how many bytes the process grew during one call, at most."""
    types: str = ""
    """Where its Python types differ from the floor's; empty where they do not."""

    def add(self, timed: Timed) -> None:
        self.wall.append(timed.wall)
        self.cpu.append(timed.cpu)

    @property
    def best(self) -> float:
        return min(self.wall)

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The rounds' first and third quartile: half of them lie between."""
        if len(self.wall) < 2:
            return self.wall[0], self.wall[0]
        first, _, third = statistics.quantiles(self.wall, n=4, method="inclusive")
        return first, third

    @property
    def spread(self) -> float:
        """How far the middle half of the rounds lies apart, as a fraction of their median."""
        first, third = self.quartiles
        return (third - first) / self.median


@dataclass(frozen=True, slots=True)
class Failed:
    """An operation that a contender has and that went wrong, or gave other values than the bare driver's."""

    road: Road
    operation: str
    contender: str
    reason: str


@dataclass(slots=True)
class Outcome:
    """Everything that a run found."""

    plan: Plan = field(default_factory=Plan)
    measurements: list[Measurement] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """Contender, alone or with a road, or database → why it is missing."""
    imports: dict[str, list[float]] = field(default_factory=dict)
    """Contender → seconds of processor time that its import takes, a value for each round."""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    @property
    def roads(self) -> list[Road]:
        return list(dict.fromkeys(found.road for found in self.measurements))

    def find(self, road: Road, operation: str, contender: str) -> Measurement | None:
        for found in self.measurements:
            if (found.road, found.operation, found.contender) == (road, operation, contender):
                return found
        return None

    def ratio(self, found: Measurement, base: str = "bare") -> float | None:
        """The best round as a multiple of another contender's best one."""
        other = self.find(found.road, found.operation, base)
        return found.best / other.best if other else None

    def mean(self, road: Road, contender: str, operations: Iterable[str], base: str = "bare") -> float | None:
        """The geometric mean of the ratios of those operations that both have."""
        found = [self.find(road, operation, contender) for operation in operations]
        ratios = [ratio for one in found if one and (ratio := self.ratio(one, base))]
        return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None

    def first(self, road: Road, operation: str) -> str | None:
        """The quickest ORM of a row by best rounds, among those whose values and types are right."""
        here = [
            found
            for found in self.measurements
            if (found.road, found.operation) == (road, operation)
            and found.contender in ORMS
            and not found.types
        ]
        return min(here, key=lambda found: found.best).contender if here else None


def machine() -> dict[str, Any]:
    """What the run was made on."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
    }


def write(outcome: Outcome, path: Path) -> None:
    path.write_text(json.dumps(as_json(outcome), indent=1) + "\n", encoding="utf-8")


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything found, and on what it was found; times in seconds per call, memory in bytes."""
    return {
        "machine": outcome.machine,
        "versions": outcome.versions,
        "plan": asdict(outcome.plan),
        "absent": outcome.absent,
        "imports": outcome.imports,
        "failures": [_flat(failed) for failed in outcome.failures],
        "measurements": [
            _flat(found)
            | {
                "best": found.best,
                "median": found.median,
                "quartiles": found.quartiles,
                "to_bare": outcome.ratio(found, "bare"),
                "to_floor": outcome.ratio(found, "floor"),
            }
            for found in outcome.measurements
        ],
    }


def read(path: Path) -> Outcome:
    """The outcome that ``write`` left; raises ``ValueError`` when the file holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(
            Plan(**found["plan"]),
            [_nested(Measurement, item) for item in found["measurements"]],
            [_nested(Failed, item) for item in found["failures"]],
            found["absent"],
            found["imports"],
            found["versions"],
            found["machine"],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not what `run --json` writes: {error}") from error


def _flat(found: Measurement | Failed) -> dict[str, Any]:
    items = asdict(found)
    road: dict[str, Any] = items.pop("road")
    return road | items


def _nested(kind: Any, items: dict[str, Any]) -> Any:
    road = Road(*(items[name] for name in ("vendor", "face", "driver")))
    return kind(road, **{name: items[name] for name in kind.__slots__ if name != "road"})


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """These names, once each, in the order of a list that has them."""
    there = set(names)
    return [name for name in order if name in there]
