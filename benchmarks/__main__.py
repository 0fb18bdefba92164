"""``python -m benchmarks``: measure the contenders against each other, report, compare."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import comparison, contenders, operations, report, results, scale, schemas, tables
from benchmarks.environments import interpreter, versions
from benchmarks.results import Outcome, Plan
from benchmarks.roads import ROADS, SCHEMES, Road
from benchmarks.runner import run_imports, run_road
from benchmarks.service.command import service
from benchmarks.storage import Unavailable, open_storage

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__)
QUICK = Plan(rounds=3, batch_seconds=0.02)
PACKAGES = (
    *("sqlalchemy", "greenlet", "aiosqlite", "asyncpg", "psycopg", "pymysql", "asyncmy"),
    *("sqlalchemy-facade", "sqlmodel", "django", "django-async-backend", "tortoise-orm", "piccolo", "peewee"),
    *("pony", "ormar", "djanorm", "oxyde", "sqlobjects"),
)
Names = Annotated[str, typer.Option(help="Names, comma-separated.")]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _chosen(kind: str, text: str, known: set[str]) -> set[str]:
    if unknown := [name for name in _names(text) if name not in known]:
        raise ValueError(f"No {kind} {unknown[0]!r}. There are: {', '.join(sorted(known))}")
    return set(_names(text)) or known


@contextlib.contextmanager
def _refusing(console: Console) -> Iterator[None]:
    """Show what is wrong with what was asked for, and end with 2."""
    try:
        yield
    except ValueError as error:
        console.print(str(error), style="red")
        raise typer.Exit(2) from None


@contextlib.contextmanager
def _on_one_core(pin: bool) -> Iterator[None]:
    """Keep this process, and what it starts, on one core where that is wanted and can be done."""
    if not (pin and hasattr(os, "sched_setaffinity")):
        yield
        return
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def _versions(entries: Sequence[contenders.Entry]) -> dict[str, str]:
    """Package → version, in the interpreters of the contenders; of what several have, that of the last contender's."""
    pythons: list[str] = []
    for entry in entries:
        with contextlib.suppress(contenders.Absent):
            pythons.append(interpreter(entry.requires))
    found: dict[str, str] = {}
    for python in dict.fromkeys(reversed(pythons)):
        found = versions(python, PACKAGES) | found
    return found


def servers(text: str) -> dict[str, str]:
    """Vendor → URL of its server, or nothing, from names and URLs; an empty text means SQLite and PostgreSQL."""
    found: dict[str, str] = {}
    for name in _names(text) or ["sqlite", "postgres"]:
        scheme = urlsplit(name).scheme.partition("+")[0]
        by_scheme = {**{scheme: vendor for vendor, scheme in SCHEMES.items()}, "mysql": "mariadb"}
        vendor = by_scheme.get(scheme, name)
        if vendor not in SCHEMES:
            raise ValueError(
                f"No database {name!r}. There are: {', '.join(sorted(SCHEMES))}, or a server's URL"
            )
        found[vendor] = name if scheme else ""
    return found


def roads(vendors: dict[str, str], faces: str, drivers: str) -> list[Road]:
    """The roads of these databases, faces and drivers; an empty text means all."""
    sides = _chosen("face", faces, {road.face for road in ROADS})
    named = _chosen("driver", drivers, {road.driver for road in ROADS})
    return [road for road in ROADS if road.vendor in vendors and road.face in sides and road.driver in named]


@app.command()
def run(
    db: Annotated[str, typer.Option(help="sqlite, postgres, mariadb, or the URL of a server.")] = "",
    faces: Annotated[str, typer.Option(help="sync,async")] = "",
    drivers: Annotated[str, typer.Option(help="sqlite3,aiosqlite,psycopg,asyncpg,pymysql,asyncmy")] = "",
    ops: Names = "",
    contender_names: Annotated[str, typer.Option("--contenders", help="Names, comma-separated.")] = "",
    rounds: Annotated[int, typer.Option(help="How often each contender takes its turn.")] = Plan().rounds,
    json: Annotated[Path | None, typer.Option(help="Also write everything here.")] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Three short rounds: a smoke test, not a measurement.")] = False,
    pin: Annotated[
        bool, typer.Option(help="Keep contenders, and a server that this starts, on one core.")
    ] = True,
) -> None:
    """Measure get, page, list, insert … as the bare drivers and the ORMs do them."""
    console = Console()
    with _refusing(console):
        vendors = servers(db)
        chosen = roads(vendors, faces, drivers)
        entries = contenders.find(_names(contender_names))
        wanted = operations.find(_names(ops))
    outcome = Outcome(QUICK if quick else Plan(rounds=rounds), machine=results.machine())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with _on_one_core(pin), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def announce(text: str) -> None:
            progress.update(task, description=text)

        for vendor, url in vendors.items():
            try:
                with open_storage(vendor, url) as storage:
                    outcome.versions[vendor] = storage.version()
                    for road in chosen:
                        if road.vendor == vendor:
                            timed = [operation for operation in wanted if operation.kind != "import"]
                            run_road(road, entries, timed, storage, outcome, announce)
                            if json:  # a long run that is stopped leaves the roads that it has done
                                results.write(outcome, json)
            except Unavailable as error:
                outcome.absent[vendor] = str(error)
        if any(operation.kind == "import" for operation in wanted):
            run_imports(entries, outcome, announce)
    outcome.versions |= _versions(entries)
    tables.show(outcome, console)
    if json:
        results.write(outcome, json)


@app.command("report")
def write_report(
    found: Annotated[Path, typer.Argument(help="What `run --json` wrote.")],
    folder: Annotated[Path, typer.Option(help="Where the tables and plots go.")] = Path("benchmark-report"),
) -> None:
    """Write Markdown tables and SVG plots of a run."""
    console = Console()
    with _refusing(console):
        outcome = results.read(found)
    for path in report.write(outcome, folder):
        console.print(str(path))


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="What `run --json` wrote.")],
    after: Annotated[Path, typer.Argument(help="What a later run wrote.")],
    contender: Annotated[str, typer.Option(help="Whose rows are compared.")] = "facade",
    threshold: Annotated[float, typer.Option(help="The least change that counts, as a fraction.")] = 0.05,
) -> None:
    """Show what became slower or quicker between two runs, beside their noise; exits with 1 on a regression."""
    console = Console()
    with _refusing(console):
        changes = comparison.changes(results.read(before), results.read(after), contender)
    comparison.show(changes, threshold, console)
    if any(change.is_regression(threshold) for change in changes):
        raise typer.Exit(1)


@app.command("scale")
def show_scale(
    db: Annotated[str, typer.Option(help="sqlite, postgres, or the URL of a server.")] = "sqlite",
    folder: Annotated[Path, typer.Option(help="Where the plot and the figures go.")] = Path(
        "benchmark-report"
    ),
) -> None:
    """Measure how facade's costs grow with rows, columns, parents, keys, tasks, threads and distinct queries."""
    console = Console()
    with _refusing(console):
        ((vendor, url),) = servers(db).items()
    with open_storage(vendor, url) as storage:
        found = scale.measure(storage.copy("scale"), console.print)
    scale.write(found, folder, vendor)
    for series in found:
        console.print(f"{series.title}: time grows with the power {series.exponent:.2f} of the size")


@app.command("schemas")
def show_schemas(
    db: Annotated[str, typer.Option(help="sqlite, postgres, or the URL of a server.")] = "sqlite",
    rounds: Annotated[int, typer.Option(help="How often each way takes its turn.")] = 20,
    *,
    pin: Annotated[bool, typer.Option(help="Keep everything on one core.")] = True,
) -> None:
    """Measure the way from instances to JSON: schemas beside code that is written by hand with pydantic and msgspec."""
    console = Console()
    with _refusing(console):
        ((vendor, url),) = servers(db).items()
    with _on_one_core(pin), open_storage(vendor, url) as storage:
        schemas.show(schemas.measure(storage.copy("schemas"), rounds), console)


app.command()(service)


if __name__ == "__main__":
    app()
