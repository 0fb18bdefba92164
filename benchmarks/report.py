"""Presents what was measured: tables for people, JSON for comparing runs."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import CONTENDERS
from benchmarks.operations import OPERATIONS
from benchmarks.roads import Road
from benchmarks.runner import Outcome, Plan

PACKAGES = ("sqlalchemy", "greenlet", "aiosqlite", "asyncpg", "psycopg", "django", "sqlalchemy-facade")


def print_tables(outcome: Outcome, console: Console) -> None:
    """One table a road: medians, and under each its ratio to the bare driver and to the floor."""
    for road in _in_order(found.road for found in outcome.measurements):
        console.print(_table(road, outcome))
    if outcome.measurements:
        console.print("Medians per call; below: multiples of the bare driver / of the floor.", style="dim")
    for name, reason in outcome.absent.items():
        console.print(f"{name}: absent ({reason})", style="yellow")


def _table(road: Road, outcome: Outcome) -> Table:
    here = [found for found in outcome.measurements if found.road == road]
    entries = [entry for entry in CONTENDERS if any(found.contender == entry.name for found in here)]
    table = Table(title=road.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("operation", min_width=15)
    for entry in entries:
        table.add_column(entry.title, justify="right", no_wrap=True)
    for operation in OPERATIONS:
        if any(found.operation == operation.name for found in here):
            cells = (_cell(road, operation.name, entry.name, outcome) for entry in entries)
            table.add_row(operation.title, *cells)
    return table


def _cell(road: Road, operation: str, contender: str, outcome: Outcome) -> str:
    median = outcome.median(road, operation, contender)
    if median is None:
        return "-"
    ratios = [outcome.median(road, operation, base) for base in ("bare", "floor")]
    if not any(ratios):
        return duration(median)
    return f"{duration(median)}\n[dim]{'/'.join(_times(median, base) for base in ratios)}"


def _times(median: float, base: float | None) -> str:
    if not base:
        return "-"
    ratio = median / base
    return f"{ratio:.{0 if ratio >= 100 else 1 if ratio >= 10 else 2}f}"


def duration(seconds: float) -> str:
    """Seconds for people, with three significant digits: ``"14.2 µs"``."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1_000:
            return f"{seconds * factor:.{0 if seconds * factor >= 100 else 1}f} {unit}"
    return f"{seconds:.2f} s"


def as_json(outcome: Outcome, plan: Plan) -> dict[str, Any]:
    """Everything found, and on what it was found."""
    return {
        "machine": _machine(),
        "versions": {"python": platform.python_version(), **_packages(), **outcome.versions},
        "plan": {"rounds": plan.rounds, "batch_seconds": plan.batch_seconds},
        "absent": outcome.absent,
        "unit": "seconds per call",
        "measurements": [
            {
                "database": found.road.vendor,
                "face": found.road.face,
                "driver": found.road.driver,
                "operation": found.operation,
                "contender": found.contender,
                "median": found.median,
                "to_bare": _ratio(outcome, found, "bare"),
                "to_floor": _ratio(outcome, found, "floor"),
                "rounds": found.rounds,
            }
            for found in outcome.measurements
        ],
    }


def write_json(outcome: Outcome, plan: Plan, path: Path) -> None:
    path.write_text(json.dumps(as_json(outcome, plan), indent=1) + "\n", encoding="utf-8")


def _ratio(outcome: Outcome, found: Any, base: str) -> float | None:
    median = outcome.median(found.road, found.operation, base)
    return round(found.median / median, 3) if median else None


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "implementation": sys.implementation.name,
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _in_order(roads: Iterable[Road]) -> Sequence[Road]:
    return list(dict.fromkeys(roads))
