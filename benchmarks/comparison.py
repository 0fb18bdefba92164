"""Compares two runs: what changed by more than their rounds differ among themselves."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.operations import OPERATIONS
from benchmarks.results import Outcome, in_order
from benchmarks.tables import multiple


@dataclass(frozen=True, slots=True)
class Change:
    """One row in two runs, each as a multiple of its own bare driver's best round where that was measured.

    So a machine that was busier in one of them changes both sides.
    """

    title: str
    before: float
    after: float
    noise: float
    """How far the rounds of both runs spread, as a fraction of their medians."""

    @property
    def factor(self) -> float:
        return self.after / self.before

    def is_regression(self, threshold: float) -> bool:
        return self.factor > 1 + max(threshold, self.noise)

    def is_gain(self, threshold: float) -> bool:
        return self.factor < 1 / (1 + max(threshold, self.noise))


def changes(before: Outcome, after: Outcome, contender: str) -> list[Change]:
    """The rows that both runs have of a contender; ``ValueError`` when there is none."""
    found = []
    names = [operation.name for operation in OPERATIONS]
    for road in before.roads:
        there = (
            one.operation for one in before.measurements if one.road == road and one.contender == contender
        )
        for name in in_order(there, names):
            old, new = before.find(road, name, contender), after.find(road, name, contender)
            if old and new:
                ratios = before.ratio(old), after.ratio(new)
                first, second = ratios if all(ratios) else (old.best, new.best)
                noise = old.spread + new.spread
                found.append(Change(f"{road.title}: {name}", first or 0, second or 0, noise))
    if not found:
        raise ValueError(f"the two runs have no row of {contender!r} in common")
    return found


def show(found: list[Change], threshold: float, console: Console) -> None:
    """The rows that changed, the worst first, and how many did not."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("row", "before", "after", "change", "noise"):
        table.add_column(heading, justify="left" if heading == "row" else "right")
    changed = [change for change in found if change.is_regression(threshold) or change.is_gain(threshold)]
    for change in sorted(changed, key=lambda change: -change.factor):
        style = "red" if change.factor > 1 else "green"
        numbers = (multiple(change.before), multiple(change.after))
        table.add_row(change.title, *numbers, f"{change.factor - 1:+.0%}", f"{change.noise:.0%}", style=style)
    if changed:
        console.print(table)
    console.print(f"{len(found) - len(changed)} of {len(found)} rows changed by less than their noise.")
