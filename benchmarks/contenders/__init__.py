"""The contenders: each module knows one way of doing the operations, on every road that it has."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from benchmarks.roads import Place, Road


class Absent(Exception):
    """A contender that cannot run here; the text says why."""


class Contender:
    """One way of doing the operations on one road.

    A subclass defines a method for each operation that it offers, named as the operation, a coroutine
    function on async roads, and ``open``, ``close`` likewise.
    """

    def __init__(self, road: Road, place: Place) -> None:
        self.road, self.place = road, place

    def prepare(self, operation: str, argument: Any) -> Any:
        """An operation's argument in the form that this contender takes; not measured."""
        return argument

    def open(self) -> Any: ...

    def close(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender's name in the tables and the module that has its ``contender(road, place)``."""

    name: str
    title: str
    module: str
    exact_types: bool = False
    """Whether its records must hold the floor's Python types: rows of drivers and of Core need not."""

    def make(self, road: Road, place: Place) -> Contender:
        """The contender for a road; raises ``Absent`` when it, or its driver, is not installed."""
        try:
            contender: Contender = importlib.import_module(self.module).contender(road, place)
        except ImportError as error:
            raise Absent(f"not installed: {error}") from error
        return contender


CONTENDERS = (
    Entry("bare", "bare driver", "benchmarks.contenders.bare"),
    Entry("floor", "floor", "benchmarks.contenders.floor", exact_types=True),
    Entry("core", "Core", "benchmarks.contenders.core"),
    Entry("orm", "ORM", "benchmarks.contenders.orm"),
    Entry("django", "Django", "benchmarks.contenders.django", exact_types=True),
    Entry("facade", "facade", "benchmarks.contenders.facade", exact_types=True),
)


def find(names: list[str]) -> tuple[Entry, ...]:
    """The contenders with these names, all of them without names; ``ValueError`` names the ones there are."""
    by_name = {entry.name: entry for entry in CONTENDERS}
    if unknown := [name for name in names if name not in by_name]:
        raise ValueError(f"No contender {unknown[0]!r}. There are: {', '.join(by_name)}")
    return tuple(by_name[name] for name in names) or CONTENDERS
