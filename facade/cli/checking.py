"""The commands that look: what pending migrations do to others, and where a database differs from the models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from facade.cli import look_here
from facade.cli.migrating import Configuration, Database, Schemas, Traceback, explained
from facade.foundation.imports import later
from facade.foundation.texts import plural

if TYPE_CHECKING:
    from facade.migrations import difference, safety
    from facade.migrations.commands import histories
else:
    difference = later("facade.migrations.difference")
    safety = later("facade.migrations.safety")
    histories = later("facade.migrations.commands.histories")

__all__ = ["register"]

#: A table with as many rows is large, for the lint.
LARGE = 10_000


class FailOn(StrEnum):
    """From which level on a finding makes the command fail."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"
    NEVER = "never"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for name, command in COMMANDS.items():
        app.command(name)(command)


def lintmigrations(
    since: Annotated[
        str | None,
        typer.Argument(
            help="The revision behind which to begin; where the database is without it.", metavar="[REVISION]"
        ),
    ] = None,
    *,
    fail_on: Annotated[FailOn, typer.Option(help="From which level on to fail.")] = FailOn.ERROR,
    large: Annotated[
        int, typer.Option(min=0, help="From how many rows on a table is large; 0 for all.")
    ] = LARGE,
    database: Database = "default",
    schema: Schemas = None,
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Say what pending migrations do to those who use the database meanwhile, and the safe way to the same end."""
    with explained(with_traceback=with_traceback):
        history = histories.find(database, config)
        scripts, found = safety.lint(history, since, large=large, schemas=schema or ())
        for finding in found:
            typer.echo(f"{finding}\n")
        levels = Counter(finding.level for finding in found)
        told = ", ".join(
            plural(number, level.name.lower()) for level, number in sorted(levels.items(), reverse=True)
        )
        typer.echo(f"{plural(len(scripts), 'pending revision')}: {told or 'nothing found'}.")
        if fail_on is not FailOn.NEVER and any(level >= safety.Level[fail_on.name] for level in levels):
            raise typer.Exit(1)


def diff(
    modules: Annotated[
        list[str] | None,
        typer.Argument(help="The modules with your models and facade.configure(), where there is no env.py."),
    ] = None,
    *,
    database: Database = "default",
    schema: Schemas = None,
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Compare a database as it is with the models; fail where they differ."""
    with explained(with_traceback=with_traceback):
        if modules:
            _import(modules)
            found = [difference.find_without_history(database)]
        else:
            found = difference.find(histories.find(database, config), schemas=schema or ())
        for one in found:
            _show(one)
        if any(one.changes for one in found):
            raise typer.Exit(1)


def _import(modules: list[str]) -> None:
    look_here()
    for module in modules:
        import_module(module)


def _show(one: difference.Difference) -> None:
    if one.schema is not None:
        typer.echo(f"Schema {one.schema}")
    typer.echo("To bring it to the models:" if one.changes else "No differences.")
    for change in one.changes:
        typer.echo(f"    {change}")
    if one.others:
        typer.echo(f"(not compared, as no model has them: {', '.join(one.others)})")


COMMANDS: dict[str, Callable[..., None]] = {"diff": diff, "lintmigrations": lintmigrations}
