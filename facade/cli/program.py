"""The commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facade.cli import checking, look_here, migrating
from facade.cli.stubs import ForeignStub, write_stub
from facade.foundation.imports import later

if TYPE_CHECKING:
    from facade.cli import demo as flights
else:
    # It has models, which other commands would find among those of the project.
    flights = later("facade.cli.demo")

app = typer.Typer(
    help="Django's ORM language on SQLAlchemy Core.", no_args_is_help=True, pretty_exceptions_enable=False
)
migrating.register(app)
checking.register(app)


@app.callback()
def facade() -> None:
    """Django's ORM language on SQLAlchemy Core."""


@app.command()
def demo(
    database: Annotated[str, typer.Option(help="A database's URL; a temporary SQLite file without it.")] = "",
    *,
    keep: Annotated[bool, typer.Option(help="Leave the tables, or the file, behind.")] = False,
) -> None:
    """Load the flights that left New York in January 2013 and query them, sync and async."""
    console = Console()
    try:
        flights.run(console, database, keep=keep)
    except flights.Unusable as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None


@app.command()
def stubs(
    modules: Annotated[list[str], typer.Argument(help="Modules with models, such as library.models.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Where to write them; beside the modules without it.")
    ] = None,
    depth: Annotated[
        int, typer.Option(min=0, help="How many relations the keywords of filter() go over.")
    ] = 1,
    check: Annotated[bool, typer.Option(help="Write nothing; fail where a stub is not up to date.")] = False,
) -> None:
    """Write .pyi files for modules with models: what type checkers cannot infer, the keywords of filter() and create() above all."""
    look_here()
    stale = False
    for module in modules:
        try:
            written = write_stub(module, out, depth, check)
        except (ImportError, ForeignStub) as error:
            typer.echo(f"{module}: {error}", err=True)
            raise typer.Exit(1) from None
        if written is None:
            typer.echo(f"{module}: no models")
            continue
        path, changed = written
        stale = stale or changed
        typer.echo(f"{path}: {('not up to date' if check else 'written') if changed else 'up to date'}")
    if check and stale:
        raise typer.Exit(1)
