"""The commands and their options."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from facade.cli.demo import Unusable, run

app = typer.Typer(
    help="Django's ORM language on SQLAlchemy Core.", no_args_is_help=True, pretty_exceptions_enable=False
)


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
        run(console, database, keep=keep)
    except Unusable as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
