"""The commands of migrations: their options, and what they print."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facade.cli.reporting import TerminalProgress
from facade.foundation.imports import later

if TYPE_CHECKING:
    from facade.migrations import django_history
    from facade.migrations.commands import applying, histories, making, squashing, starting, writing
    from facade.migrations.revisions import questions
    from facade.migrations.runs import errors
else:
    applying, histories, making, squashing, starting, writing = (
        later(f"facade.migrations.commands.{name}")
        for name in ("applying", "histories", "making", "squashing", "starting", "writing")
    )
    django_history = later("facade.migrations.django_history")
    questions = later("facade.migrations.revisions.questions")
    errors = later("facade.migrations.runs.errors")

__all__ = ["register"]

Database = Annotated[str, typer.Option("--database", help="The alias of the database.")]
Configuration = Annotated[
    str | None, typer.Option("--config", "-c", help="The configuration; alembic.ini without it.")
]
Schemas = Annotated[
    list[str] | None, typer.Option("--schema", help="A tenant's schema; several times for several.")
]
NoInput = Annotated[bool, typer.Option("--no-input", "--noinput", help="Ask nothing.")]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show where an error came from.")]

DRY = "Write nothing; show what would be written."


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for name, command in COMMANDS.items():
        app.command(name, context_settings=SETTINGS.get(name))(command)


@contextmanager
def explained(*, with_traceback: bool = False) -> Iterator[None]:
    """Print what has a remedy as one line, and exit with 1."""
    try:
        yield
    except (KeyboardInterrupt, typer.Exit, typer.Abort):
        raise
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "alembic":
            _fail(error, with_traceback)
        _print_error("Migrations need Alembic: pip install 'sqlalchemy-facade[migrations]'")
        raise typer.Exit(1) from None
    except Exception as error:
        _fail(error, with_traceback)


def _fail(error: Exception, with_traceback: bool) -> None:
    if with_traceback:
        traceback.print_exception(error)
    _print_error(errors.said(error))
    raise typer.Exit(1) from None


def _print_error(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(text, style="red", markup=False, highlight=False)


def _ask(no_input: bool) -> questions.Ask | None:
    """Return what asks the user, where there is one."""
    if no_input or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return input


def init(
    modules: Annotated[
        list[str] | None,
        typer.Argument(help="The modules with your models, and with facade.configure(DATABASES=…)."),
    ] = None,
    *,
    folder: Annotated[str, typer.Option(help="Where the environment and the revisions go.")] = "migrations",
    database: Database = "default",
    config: Configuration = None,
    pyproject: Annotated[
        bool,
        typer.Option(
            "--pyproject", help="Write the section tool.alembic of pyproject.toml instead of alembic.ini."
        ),
    ] = False,
    with_traceback: Traceback = False,
) -> None:
    """Write what migrations need: alembic.ini, an env.py of three lines, a folder for revisions."""
    with explained(with_traceback=with_traceback):
        for path in starting.start(
            modules or (), folder=folder, alias=database, config=config, toml=pyproject
        ):
            typer.echo(f"Written: {path}")


def makemigrations(
    *,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="A name instead of one that tells the changes.")
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Write a revision to fill by hand.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where something is to be written.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=DRY)] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Join the ends of a history that has several.")
    ] = False,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE.OLD=NEW", help="A column, or a table, that was renamed."),
    ] = None,
    no_renames: Annotated[
        bool, typer.Option("--no-renames", help="What is gone is gone; nothing was renamed.")
    ] = False,
    default: Annotated[
        list[str] | None, typer.Option(metavar="TABLE.COLUMN=VALUE", help="What the rows that are there get.")
    ] = None,
    concurrently: Annotated[
        bool,
        typer.Option(
            "--concurrently",
            help="PostgreSQL: indexes of tables that are there in a revision that blocks nobody.",
        ),
    ] = False,
    no_input: NoInput = False,
    database: Database = "default",
    schema: Schemas = None,
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Write the revision that brings the database from its history to the models."""
    with explained(with_traceback=with_traceback):
        history = histories.find(database, config)
        if merge:
            _merge(history, name, dry_run=dry_run, ask=_ask(no_input))
            return
        answers = questions.Questions(
            questions.pairs("--rename", rename),
            questions.pairs("--default", default),
            _ask(no_input),
            no_renames,
        )
        made = making.make(
            history,
            name=name,
            empty=empty,
            dry_run=dry_run or check,
            questions=None if check else answers,
            schemas=schema or (),
            concurrently=concurrently,
        )
        _show_made(made, with_code=dry_run)
        if check and made.changes:
            raise typer.Exit(1)


def _merge(history: histories.History, name: str | None, *, dry_run: bool, ask: questions.Ask | None) -> None:
    for branch in making.branches(history):
        typer.echo(f"Branch {branch.title}")
        for change in branch.changes:
            typer.echo(f"    {change}")
    if ask is not None and not questions.agrees(ask, "Do both work, whichever is applied first?"):
        raise typer.Exit(1)
    made = making.merge(history, name=name, dry_run=dry_run)
    typer.echo(
        f"{'Written' if made.path else 'Would be written'}: {_from_here(made.path) if made.path else made.name}"
    )


def _show_made(made: making.Made, *, with_code: bool) -> None:
    for note in made.notes:
        typer.echo(note)
    if not made.changes and made.path is None:
        typer.echo("No changes detected")
        return
    typer.echo(f"Written: {_from_here(made.path)}" if made.path else f"Would be written: {made.name}")
    for path in made.more:
        typer.echo(f"Written: {_from_here(path)}")
    for change in made.changes:
        typer.echo(f"    {change}")
    if with_code:
        typer.echo(f"\n{made.code}")


def migrate(
    target: Annotated[
        str | None,
        typer.Argument(help="A revision, or `zero`; the last one without it.", metavar="[REVISION]"),
    ] = None,
    *,
    fake: Annotated[
        bool, typer.Option("--fake", help="Take revisions as applied without running them.")
    ] = False,
    fake_initial: Annotated[
        bool, typer.Option("--fake-initial", help="Take a first revision as applied if its tables are there.")
    ] = False,
    from_django: Annotated[
        bool,
        typer.Option(
            "--from-django", help="Begin where Django's migrations have come to; writes the first revision."
        ),
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Do nothing; fail where something is to be done.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Run a revision that was interrupted; what it did is undone by hand."),
    ] = False,
    database: Database = "default",
    schema: Schemas = None,
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Bring the database to a revision, back or forth."""
    with explained(with_traceback=with_traceback):
        history = histories.find(database, config)
        if plan or check:
            planned = applying.plan(history, target, schemas=schema or ())
            _show_plan(planned)
            if check and planned:
                raise typer.Exit(1)
            return
        if from_django:
            _take_over(history, schema or ())
            return
        with TerminalProgress() as progress:
            applying.migrate(
                history,
                target,
                fake=fake,
                fake_initial=fake_initial,
                schemas=schema or (),
                again=again,
                progress=progress,
            )


def _take_over(history: histories.History, schemas: Sequence[str]) -> None:
    with TerminalProgress() as progress:
        taken = django_history.take_over(history, schemas=schemas, progress=progress)
    if taken.written is not None:
        typer.echo(f"Written: {_from_here(taken.written)}")
    told = ", ".join(f"{app} ({number})" for app, number in taken.applied.items())
    typer.echo(f"Taken over from django_migrations: {told}")


def _show_plan(planned: list[applying.Planned]) -> None:
    typer.echo("Planned operations:" if planned else "No planned migration operations.")
    place = None
    for one in planned:
        if one.schema != place:
            place = one.schema
            typer.echo(f"Schema {place}")
        typer.echo(f"{one.title}{'' if one.is_upgrade else ' (back)'}")
        for operation in one.operations:
            typer.echo(f"    {operation}")


def showmigrations(
    *,
    database: Database = "default",
    schema: Schemas = None,
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Show the revisions, and which are applied."""
    with explained(with_traceback=with_traceback):
        for place in applying.places(histories.find(database, config), schemas=schema or ()):
            typer.echo(f"{database}{f', schema {place.schema}' if place.schema else ''}")
            for title, applied in place.revisions:
                typer.echo(f" [{'X' if applied else ' '}] {title}")
            if not place.revisions:
                typer.echo(" (no migrations)")


def sqlmigrate(
    revision: Annotated[str, typer.Argument(help="The revision, or the beginning of its name.")],
    *,
    backwards: Annotated[bool, typer.Option("--backwards", help="The SQL that undoes it.")] = False,
    database: Database = "default",
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Print the SQL of a revision."""
    with explained(with_traceback=with_traceback):
        typer.echo(writing.sql_of(histories.find(database, config), revision, backwards=backwards), nl=False)


def squashmigrations(
    first: Annotated[
        str, typer.Argument(help="The first revision; the history's first one if there is no other.")
    ],
    last: Annotated[str | None, typer.Argument(help="The last revision.")] = None,
    *,
    name: Annotated[
        str | None, typer.Option("--squashed-name", "--name", "-n", help="A name instead of `squashed`.")
    ] = None,
    no_input: NoInput = False,
    database: Database = "default",
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Write one revision instead of several, which every database has behind it or before it."""
    with explained(with_traceback=with_traceback):
        history = histories.find(database, config)
        chosen = squashing.choose(history, *((first, last) if last else (None, first)))
        typer.echo("Will squash:")
        for title in chosen.titles:
            typer.echo(f" - {title}")
        ask = _ask(no_input)
        if ask is not None and not questions.agrees(
            ask, "Every database that matters has them applied, or none of them?"
        ):
            raise typer.Exit(1)
        typer.echo(f"Written: {_from_here(squashing.squash(history, chosen, name=name))}")


def _from_here(path: Path) -> str:
    """Return a path as it is written from the folder that the command is called in."""
    here, path = Path.cwd(), Path(os.path.normpath(path))
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "makemigrations": makemigrations,
    "migrate": migrate,
    "showmigrations": showmigrations,
    "sqlmigrate": sqlmigrate,
    "squashmigrations": squashmigrations,
}

SETTINGS = {"migrate": {"ignore_unknown_options": True}}  # `migrate -1` goes back by one
