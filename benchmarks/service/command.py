"""``python -m benchmarks service``: one application on several ORMs under load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.service import contenders, kinds, report
from benchmarks.service.runner import Outcome, Plan, Run, ServiceFailed, WrongAnswer, cores_apart
from benchmarks.storage import Unavailable, open_storage

QUICK = Plan(clients=(1, 32), rounds=1, seconds=0.5, warm_up=0.1)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _levels(text: str) -> tuple[int, ...]:
    found = tuple(int(count) if count.isdecimal() else 0 for count in _names(text))
    if not all(found):
        raise ValueError(f"--clients takes numbers from 1 on, not {text!r}")
    return found or Plan().clients


def service(
    kind_names: Annotated[str, typer.Option("--kinds", help="db,queries,fortunes,updates")] = "",
    contender_names: Annotated[str, typer.Option("--contenders", help="Names, comma-separated.")] = "",
    clients: Annotated[str, typer.Option(help="How many at a time, comma-separated.")] = "",
    rounds: Annotated[
        int, typer.Option(help="How often each contender takes its turn.", min=1)
    ] = Plan().rounds,
    seconds: Annotated[float, typer.Option(help="How long a turn is.", min=0.01)] = Plan().seconds,
    pool_size: Annotated[int, typer.Option(help="Connections of each contender.", min=1)] = Plan().pool_size,
    json: Annotated[Path | None, typer.Option(help="Also write everything here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables here.")] = None,
    *,
    pin: Annotated[bool, typer.Option(help="Give the servers a core of their own.")] = True,
    quick: Annotated[bool, typer.Option(help="One short round: a smoke test, not a measurement.")] = False,
) -> None:
    """Measure TechEmpower's database tests as a service on each ORM: requests per second, p50, p99, memory."""
    console = Console()
    try:
        entries = contenders.find(_names(contender_names))
        wanted = kinds.find(_names(kind_names))
        levels = _levels(clients)
    except ValueError as error:
        console.print(str(error), style="red")
        raise typer.Exit(2) from None
    plan = QUICK if quick else Plan(levels, rounds, seconds)
    plan = replace(plan, pool_size=pool_size, pin=pin)
    outcome = Outcome()
    try:
        with (
            cores_apart(plan.pin) as cores,
            open_storage("postgres") as storage,
            console.status("starting") as status,
        ):
            outcome.versions["PostgreSQL"] = storage.version().removeprefix("PostgreSQL ")
            Run(plan, outcome, status.update).run(entries, wanted, storage, cores)
    except (WrongAnswer, ServiceFailed, Unavailable) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("Interrupted: this is what was measured until then.", style="yellow")
    report.print_tables(outcome, console)
    if json:
        report.write_json(outcome, plan, json)
    if markdown:
        report.write_markdown(outcome, plan, markdown)
