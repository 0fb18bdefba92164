"""``python -m benchmarks``: measure the contenders against each other and print the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import contenders, operations, report
from benchmarks.roads import ROADS, Road
from benchmarks.runner import ContenderFailed, Outcome, Plan, WrongResult, run_road
from benchmarks.storage import Unavailable, open_storage

app = typer.Typer(pretty_exceptions_enable=False)
QUICK = Plan(rounds=3, batch_seconds=0.02)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _chosen(kind: str, text: str, known: set[str]) -> set[str]:
    if unknown := [name for name in _names(text) if name not in known]:
        raise ValueError(f"No {kind} {unknown[0]!r}. There are: {', '.join(sorted(known))}")
    return set(_names(text)) or known


def roads(databases: str, faces: str, drivers: str) -> list[Road]:
    """The roads of these databases, faces and drivers; an empty text means all."""
    vendors = _chosen("database", databases, {road.vendor for road in ROADS})
    sides = _chosen("face", faces, {road.face for road in ROADS})
    named = _chosen("driver", drivers, {road.driver for road in ROADS})
    return [road for road in ROADS if road.vendor in vendors and road.face in sides and road.driver in named]


@app.command()
def main(
    databases: Annotated[str, typer.Option(help="sqlite,postgres")] = "",
    faces: Annotated[str, typer.Option(help="sync,async")] = "",
    drivers: Annotated[str, typer.Option(help="sqlite3,aiosqlite,psycopg,asyncpg")] = "",
    operation_names: Annotated[str, typer.Option("--operations", help="Names, comma-separated.")] = "",
    contender_names: Annotated[str, typer.Option("--contenders", help="Names, comma-separated.")] = "",
    rounds: Annotated[int, typer.Option(help="How often each contender takes its turn.")] = Plan().rounds,
    json: Annotated[Path | None, typer.Option(help="Also write everything here.")] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Three short rounds: a smoke test, not a measurement.")] = False,
) -> None:
    """Measure get, page, list, insert … as the bare driver, SQLAlchemy, Django and facade do them."""
    console = Console()
    plan = QUICK if quick else Plan(rounds=rounds)
    try:
        chosen = roads(databases, faces, drivers)
        entries = contenders.find(_names(contender_names))
        wanted = operations.find(_names(operation_names))
    except ValueError as error:
        console.print(str(error), style="red")
        raise typer.Exit(2) from None
    outcome = Outcome()
    try:
        _run(chosen, entries, wanted, plan, outcome, console)
    except (WrongResult, ContenderFailed) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    report.print_tables(outcome, console)
    if json:
        report.write_json(outcome, plan, json)


def _run(
    chosen: list[Road],
    entries: tuple[contenders.Entry, ...],
    wanted: tuple[operations.Operation, ...],
    plan: Plan,
    outcome: Outcome,
    console: Console,
) -> None:
    for vendor in dict.fromkeys(road.vendor for road in chosen):
        try:
            with open_storage(vendor) as storage, console.status("") as status:
                outcome.versions[vendor] = storage.version()
                for road in chosen:
                    if road.vendor == vendor:
                        run_road(road, entries, wanted, storage, plan, outcome, status.update)
        except Unavailable as error:
            outcome.absent[vendor] = str(error)


if __name__ == "__main__":
    app()
