"""Markdown tables and SVG plots of a run, for the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.contenders import CONTENDERS, Entry
from benchmarks.operations import OPERATIONS
from benchmarks.results import ORMS, Outcome
from benchmarks.roads import Road
from benchmarks.tables import cell, duration, multiple, present

mpl.use("svg")
from matplotlib import pyplot as plt

mpl.rcParams["svg.hashsalt"] = "facade"  # the same figures give the same file
AVERAGED = [operation.name for operation in OPERATIONS if operation.kind in {"read", "write"}]
"""The operations of the geometric means: those that every road has."""
TITLES = {entry.name: entry.title for entry in CONTENDERS}


def write(outcome: Outcome, folder: Path) -> list[Path]:
    """Write ``figures.md`` and one plot a road; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = [_plot(road, outcome, folder) for road in outcome.roads]
    page = folder / "figures.md"
    page.write_text("\n".join(_page(outcome, plots)) + "\n", encoding="utf-8")
    return [page, *plots]


def _page(outcome: Outcome, plots: Sequence[Path]) -> Iterator[str]:
    yield "# Figures\n"
    yield "## All of them\n"
    yield from means(outcome)
    yield "\n## facade, and the quickest of the other ORMs\n"
    yield from summary(outcome)
    yield ""
    for road, plot in zip(outcome.roads, plots, strict=True):
        yield f"## {road.title}\n"
        yield from markdown(road, outcome)
        yield f"\n![Geometric means, {road.title}]({plot.name})\n"
    if outcome.imports:
        yield "## Importing\n\n| | processor time |\n|---|---|"
        for name, rounds in sorted(outcome.imports.items(), key=lambda item: statistics.median(item[1])):
            yield f"| {TITLES[name]} | {duration(statistics.median(rounds))} ± {duration(_spread(rounds))} |"
    yield from _missing(outcome)
    listed = ", ".join(f"{name} {version}" for name, version in sorted(outcome.versions.items()))
    where = outcome.machine
    yield (
        f"\n{where.get('cores')} cores ({where.get('processor')}), Python {where.get('python')}; {listed}."
        f" {outcome.plan.rounds} rounds of at least {outcome.plan.batch_seconds:g} s each."
    )


def means(outcome: Outcome) -> Iterator[str]:
    """A row for each contender: the geometric mean of its multiples of facade's time, over the rows that both have."""
    yield f"| multiples of facade's time (rows) | {_heads(outcome)} |"
    yield f"|---|{'---|' * len(outcome.roads)}"
    there = {found.contender for found in outcome.measurements}
    for entry in CONTENDERS:
        if entry.name in there and entry.name != "facade":
            cells = [_times_facade(road, entry, outcome) for road in outcome.roads]
            yield f"| {entry.title} | {' | '.join(cells)} |"


def _heads(outcome: Outcome) -> str:
    """The drivers, with the face where one has both."""
    drivers = [road.driver for road in outcome.roads]
    both = {driver for driver in drivers if drivers.count(driver) > 1}
    return " | ".join(
        f"{road.driver} {road.face}" if road.driver in both else road.driver for road in outcome.roads
    )


def _times_facade(road: Road, entry: Entry, outcome: Outcome) -> str:
    shared = [
        name
        for name in AVERAGED
        if outcome.find(road, name, entry.name) and outcome.find(road, name, "facade")
    ]
    mean = outcome.mean(road, entry.name, shared, base="facade")
    return f"{multiple(mean)} ({len(shared)})" if mean else ""


def summary(outcome: Outcome) -> Iterator[str]:
    """A row for each operation: facade as a multiple of the bare driver, and the best of the other ORMs, on each road."""
    yield f"| facade / the next ORM, multiples of the bare driver | {_heads(outcome)} |"
    yield f"|---|{'---|' * len(outcome.roads)}"
    for operation in OPERATIONS:
        if operation.kind not in {"build", "import"}:
            cells = [_beside(road, operation.name, outcome) for road in outcome.roads]
            yield f"| {operation.title} | {' | '.join(cells)} |"
    means = [outcome.mean(road, "facade", AVERAGED) for road in outcome.roads]
    yield f"| geometric mean | {' | '.join(multiple(mean) if mean else '-' for mean in means)} |"


def _beside(road: Road, operation: str, outcome: Outcome) -> str:
    found = outcome.find(road, operation, "facade")
    ratio = outcome.ratio(found) if found else None
    if ratio is None:
        return "-"
    others = {
        other: outcome.ratio(one)
        for other in ORMS - {"facade"}
        if (one := outcome.find(road, operation, other)) and not one.types
    }
    next_one = min(others, key=lambda other: others[other] or 0, default=None)
    if next_one is None:
        return f"**{multiple(ratio)}**"
    best = others[next_one] or 0
    ours = f"**{multiple(ratio)}**" if ratio <= best else multiple(ratio)
    return f"{ours} / {multiple(best)} {TITLES[next_one]}"


def markdown(road: Road, outcome: Outcome) -> Iterator[str]:
    """The table of one road: the bare driver's best round, multiples of it, and the spread of facade's rounds."""
    entries = present(road, outcome)
    yield f"| {road.title} | {' | '.join(entry.title for entry in entries)} | spread |"
    yield f"|---|{'---|' * (len(entries) + 1)}"
    measured = [
        operation
        for operation in OPERATIONS
        if any(found.operation == operation.name and found.road == road for found in outcome.measurements)
    ]
    for operation in measured:
        cells = [_markdown(cell(road, operation.name, entry, outcome)) for entry in entries]
        yield f"| {operation.title} | {' | '.join(cells)} | {_noise(road, operation.name, outcome)} |"
    means = [_mean(road, entry, [operation.name for operation in measured], outcome) for entry in entries]
    yield f"| geometric mean | {' | '.join(means)} | |"


def _markdown(text: str) -> str:
    return text.replace("[bold]", "**").replace("[/]", "**")


def _mean(road: Road, entry: Entry, operations: Sequence[str], outcome: Outcome) -> str:
    mean = outcome.mean(road, entry.name, operations)
    return multiple(mean) if mean else "-"


def _noise(road: Road, operation: str, outcome: Outcome) -> str:
    found = outcome.find(road, operation, "facade")
    return f"± {found.spread / 2:.0%}" if found else ""


def _spread(rounds: Sequence[float]) -> float:
    return statistics.pstdev(rounds) if len(rounds) > 1 else 0.0


def _missing(outcome: Outcome) -> Iterator[str]:
    typed = [found for found in outcome.measurements if found.types]
    if not (outcome.absent or outcome.failures or typed):
        return
    yield "\n## What is missing, and why\n"
    for name, reason in outcome.absent.items():
        yield f"- {name}: {reason}"
    for failed in outcome.failures:
        where = f"{failed.road.title}, {failed.operation or 'start'}"
        yield f"- {TITLES.get(failed.contender, failed.contender)}, {where}: {failed.reason}"
    for found in typed:
        yield f"- † {TITLES[found.contender]}, {found.road.title}, {found.operation}: {found.types}"


def _plot(road: Road, outcome: Outcome, folder: Path) -> Path:
    """The contenders' geometric means, as bars; each operation of each is a dot."""
    names = [operation.name for operation in OPERATIONS]
    means = {
        entry.title: (mean, entry)
        for entry in present(road, outcome)
        if entry.name != "bare" and (mean := outcome.mean(road, entry.name, names))
    }
    ordered = sorted(means, key=lambda title: -means[title][0])
    figure: Any
    axes: Any
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(ordered) + 1.2), layout="constrained")
    colours = ["#1f6f8b" if title == "facade" else "#b7c4cc" for title in ordered]
    axes.barh(ordered, [means[title][0] for title in ordered], color=colours)
    for position, title in enumerate(ordered):
        rows = [outcome.find(road, name, means[title][1].name) for name in names]
        ratios = [ratio for found in rows if found and (ratio := outcome.ratio(found))]
        axes.plot(ratios, [position] * len(ratios), ".", color="#333333", alpha=0.35, markersize=4)
    axes.set_xscale("log")
    axes.set_xlabel("multiples of the bare driver's time (log scale): geometric mean, and each operation")
    axes.set_title(road.title, loc="left")
    path = folder / f"{road.name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path
