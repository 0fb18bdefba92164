"""Presents what was measured: tables for people, in the terminal and in Markdown, and JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.service.contenders import CONTENDERS, Entry
from benchmarks.service.kinds import KINDS
from benchmarks.service.runner import Measurement, Outcome, Plan

PACKAGES = (
    "sqlalchemy-facade",
    "sqlalchemy",
    "tortoise-orm",
    "django",
    "django-async-backend",
    "asyncpg",
    "psycopg",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
)
OURS = "facade"
MEGABYTE = 1_000_000


def _known(outcome: Outcome) -> list[Entry]:
    names = {found.contender for found in outcome.measurements}
    return [entry for entry in CONTENDERS if entry.name in names]


def _levels(outcome: Outcome) -> list[int]:
    return list(dict.fromkeys(found.clients for found in outcome.measurements))


def _racing(found: Sequence[Measurement]) -> list[Measurement]:
    """Those of the ORMs: facade runs once in the race, on the driver that it takes by itself."""
    outside = {entry.name for entry in CONTENDERS if entry.reference} | {f"{OURS}-psycopg"}
    return [measurement for measurement in found if measurement.contender not in outside]


def _best(found: Sequence[Measurement]) -> tuple[Measurement, Measurement] | None:
    """Who answers most, and whose slow answers are the fastest."""
    racing = _racing(found)
    if not racing:
        return None
    return max(racing, key=lambda one: one.rate), min(racing, key=lambda one: one.p99)


def behind(outcome: Outcome) -> list[str]:
    """Where somebody is ahead of facade, in words."""
    titles = {entry.name: entry.title for entry in CONTENDERS}
    found = []
    for kind in KINDS:
        for clients in _levels(outcome):
            here = outcome.of(kind.name, clients)
            ours = next((one for one in here if one.contender == OURS), None)
            best = _best(here)
            if ours is None or best is None:
                continue
            most, fastest = best
            where = f"{kind.title}, {clients} clients"
            if most.rate > ours.rate:
                rates = f"{titles[most.contender]} {most.rate:,.0f}, {OURS} {ours.rate:,.0f}"
                found.append(f"{where}: requests per second: {rates}")
            if fastest.p99 < ours.p99:
                times = f"{titles[fastest.contender]} {_ms(fastest.p99)} ms, {OURS} {_ms(ours.p99)} ms"
                found.append(f"{where}: p99: {times}")
    return found


def troubles(outcome: Outcome) -> list[str]:
    """Who answered with errors, and who is not there, in words."""
    titles = {entry.name: entry.title for entry in CONTENDERS}
    failed = [
        f"{titles[found.contender]}, {found.kind}, {found.clients} clients: {found.errors} errors: {found.complaint}"
        for found in outcome.measurements
        if found.errors
    ]
    return failed + [f"{name}: absent ({reason})" for name, reason in outcome.absent.items()]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.{1 if seconds < 0.1 else 0}f}"


def _rows(outcome: Outcome, kind: str, strong: Callable[[str], str]) -> Iterator[list[str]]:
    """A row for each contender: its name, a cell for each number of clients, and the CPU of a request."""
    levels = _levels(outcome)
    for entry in _known(outcome):
        cells = [entry.title]
        cpus = []
        for clients in levels:
            here = outcome.of(kind, clients)
            mine = next((one for one in here if one.contender == entry.name), None)
            if mine is None:
                cells.append("-")
                continue
            rate, p99 = f"{mine.rate:,.0f}", _ms(mine.p99)
            if best := _best(here):
                rate = strong(rate) if best[0] is mine else rate
                p99 = strong(p99) if best[1] is mine else p99
            cells.append(
                f"{rate} · {_ms(mine.p50)} · {p99}" + (f" ({mine.errors} errors)" if mine.errors else "")
            )
            cpus.append(mine.cpu)
        yield [*cells, f"{min(cpus) * 1e6:,.0f} µs" if cpus else "-"]


def _heads(outcome: Outcome, title: str) -> list[str]:
    clients = [f"{count} client{'s' * (count > 1)}" for count in _levels(outcome)]
    return [title, *clients, "CPU / request"]


def _memory(outcome: Outcome) -> Iterator[list[str]]:
    for entry in _known(outcome):
        before, after = outcome.memory.get(entry.name, (None, None))
        yield [entry.title, entry.driver, _megabytes(before), _megabytes(after)]


def _megabytes(size: int | None) -> str:
    return f"{size / MEGABYTE:,.0f} MB" if size else "-"


MEMORY_HEADS = ["server", "driver", "memory before the load", "after it"]
LEGEND = (
    "Requests per second · p50 · p99 in milliseconds: medians of the rounds; the best of the ORMs stand out."
)


def _tables(outcome: Outcome, strong: Callable[[str], str]) -> Iterator[tuple[list[str], list[list[str]]]]:
    for kind in KINDS:
        if any(found.kind == kind.name for found in outcome.measurements):
            yield _heads(outcome, kind.title), list(_rows(outcome, kind.name, strong))
    if outcome.memory:
        yield MEMORY_HEADS, list(_memory(outcome))


def print_tables(outcome: Outcome, console: Console) -> None:
    """A table for each kind of requests, one of memory, and where facade is not first."""
    for heads, rows in _tables(outcome, lambda text: f"[bold green]{text}[/]"):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for at, head in enumerate(heads):
            table.add_column(head, justify="right" if at else "left", no_wrap=not at)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(LEGEND, style="dim")
    for text in (*(f"{OURS} is not first: {text}" for text in behind(outcome)), *troubles(outcome)):
        console.print(text, style="yellow", markup=False)


def as_markdown(outcome: Outcome, plan: Plan) -> str:
    """The same tables for a page of the documentation."""
    parts = []
    for heads, rows in _tables(outcome, lambda text: f"**{text}**"):
        rule = ["---", *["---:"] * (len(heads) - 1)]
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)))
    versions = ", ".join(f"{name} {version}" for name, version in _versions(outcome).items())
    parts.append(
        f"{LEGEND} CPU / request: of the server's process, at its best. {plan.rounds} rounds of {plan.seconds:g} s, "
        f"interleaved; {plan.pool_size} connections each; answers compared before. {_machine()}; {versions}."
    )
    words = [f"{OURS} is not first: {text}" for text in behind(outcome)] + troubles(outcome)
    if words:
        parts.append("\n".join(f"- {text}" for text in words))
    return "\n\n".join(parts) + "\n"


def as_json(outcome: Outcome, plan: Plan) -> dict[str, Any]:
    """Everything found, and on what it was found. Times are seconds, sizes bytes."""
    return {
        "machine": _machine(),
        "versions": _versions(outcome),
        "plan": asdict(plan),
        "absent": outcome.absent,
        "behind": behind(outcome),
        "memory": {
            name: {"before": before, "after": after} for name, (before, after) in outcome.memory.items()
        },
        "measurements": [
            {
                "kind": found.kind,
                "clients": found.clients,
                "contender": found.contender,
                "rate": found.rate,
                "p50": found.p50,
                "p99": found.p99,
                "cpu": found.cpu,
                "errors": found.errors,
                "rounds": [asdict(sample) for sample in found.samples],
            }
            for found in outcome.measurements
        ],
    }


def write_json(outcome: Outcome, plan: Plan, path: Path) -> None:
    path.write_text(json.dumps(as_json(outcome, plan), indent=1) + "\n", encoding="utf-8")


def write_markdown(outcome: Outcome, plan: Plan, path: Path) -> None:
    path.write_text(as_markdown(outcome, plan), encoding="utf-8")


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _versions(outcome: Outcome) -> dict[str, str]:
    found = {"Python": platform.python_version(), **outcome.versions}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
