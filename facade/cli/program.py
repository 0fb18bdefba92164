"""The commands and their options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facade.cli import checking, inspecting, look_here, migrating, porting
from facade.cli.stubs import ForeignStub, write_stub
from facade.cli.terminal import spell_signs
from facade.foundation.imports import later
from facade.version import __version__

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
inspecting.register(app)
porting.register(app)


#: Commands that print code or SQL, which stays as it is where the terminal has no sign for something of it.
VERBATIM = frozenset({"makemigrations", "port", "sqlmigrate"})


def print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"facade {__version__}")
        raise typer.Exit


@app.callback()
def facade(
    context: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Django's ORM language on SQLAlchemy Core."""
    spell_signs(on=context.invoked_subcommand not in VERBATIM)


@app.command()
def demo(
    *,
    database: Annotated[
        str,
        typer.Option(help="A database's URL, for tables nycflights_…; a temporary SQLite file without it."),
    ] = "",
    full: Annotated[bool, typer.Option("--full", help="All steps, and a table of their times.")] = False,
    pause: Annotated[
        bool | None, typer.Option(help="Wait for Enter after each page, as in a terminal; or never.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the tables, or the file, behind.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the pages into an SVG file instead of printing them.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Open a service on the flights instead, for this machine only.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port of the service; 0 for a free one.")
    ] = 8000,
) -> None:
    """Load the flights that left New York in January 2013 and query them, sync and async."""
    console = Console(highlight=False)
    recorder = None if picture is None else flights.Recorder()
    if pause is None:
        pause = console.is_interactive and sys.stdin.isatty()
    try:
        if serve:
            flights.serve(console, database, keep=keep, port=port)
        elif picture is not None and recorder is not None:
            flights.run(recorder.console, database, keep=keep, full=full, recorder=recorder)
            picture.write_text(recorder.svg(), encoding="utf-8")
            typer.echo(f"Written: {picture}")
        else:
            flights.run(console, database, keep=keep, full=full, pause=pause)
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
