"""Presents what was measured on a terminal."""

from __future__ import annotations

import statistics

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import CONTENDERS, Entry
from benchmarks.operations import OPERATIONS
from benchmarks.results import Outcome
from benchmarks.roads import Road


def show(outcome: Outcome, console: Console) -> None:
    """One table a road, and what is missing in them."""
    for road in outcome.roads:
        console.print(_table(road, outcome))
    if outcome.measurements:
        console.print(
            "Best rounds. The bare driver's time, then multiples of it. Bold: the first of the ORMs; † other types.",
            style="dim",
        )
    if outcome.imports:
        medians = {name: statistics.median(rounds) for name, rounds in outcome.imports.items()}
        listed = ", ".join(f"{name} {duration(median)}" for name, median in medians.items())
        console.print(f"Importing: {listed}")
    for name, reason in outcome.absent.items():
        console.print(f"{name}: absent ({reason})", style="yellow", markup=False)
    for failed in outcome.failures:
        where = f"{failed.road.title}, {failed.operation or 'start'}"
        console.print(f"{failed.contender}, {where}: {failed.reason}", style="red", markup=False)


def present(road: Road, outcome: Outcome) -> list[Entry]:
    """The contenders that have a row on this road, in the tables' order."""
    there = {found.contender for found in outcome.measurements if found.road == road}
    return [entry for entry in CONTENDERS if entry.name in there]


def _table(road: Road, outcome: Outcome) -> Table:
    entries = present(road, outcome)
    table = Table(title=road.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("operation", min_width=15)
    for entry in entries:
        table.add_column(entry.title, justify="right")
    measured = {found.operation for found in outcome.measurements if found.road == road}
    for operation in OPERATIONS:
        if operation.name in measured:
            table.add_row(operation.title, *[cell(road, operation.name, entry, outcome) for entry in entries])
    means = [outcome.mean(road, entry.name, measured) for entry in entries]
    table.add_row("geometric mean", *[f"{mean:.2f}" if mean else "-" for mean in means])
    return table


def cell(road: Road, operation: str, entry: Entry, outcome: Outcome) -> str:
    """What a table says of one contender in one row."""
    found = outcome.find(road, operation, entry.name)
    if found is None:
        return "-"
    ratio = outcome.ratio(found)
    text = duration(found.best) if entry.name == "bare" or ratio is None else multiple(ratio)
    if found.types:
        return f"{text} †"
    return f"[bold]{text}[/]" if outcome.first(road, operation) == entry.name else text


def multiple(ratio: float) -> str:
    """A ratio with about three significant digits: ``"1.94"``."""
    return f"{ratio:.{0 if ratio >= 100 else 1 if ratio >= 10 else 2}f}"


def duration(seconds: float) -> str:
    """Seconds for people, with three significant digits: ``"14.2 µs"``."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1_000:
            return f"{seconds * factor:.{0 if seconds * factor >= 100 else 1}f} {unit}"
    return f"{seconds:.2f} s"
