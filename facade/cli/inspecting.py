"""The commands that inspect a project: whether its models and settings are right, and whether its databases answer."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Annotated

import typer

from facade import checks
from facade.apps import apps
from facade.cli import look_here
from facade.cli.migrating import Configuration, Traceback, explained
from facade.configuration import settings
from facade.db.connection import ahealth_check, close_all, close_all_async, connections, health_check
from facade.db.routing import router
from facade.db.settings.config import DatabaseSettings, check_installed
from facade.foundation.imports import later

if TYPE_CHECKING:
    from facade.db.health import Health
    from facade.migrations.commands import histories
else:
    histories = later("facade.migrations.commands.histories")

__all__ = ["register"]

Modules = Annotated[
    list[str] | None,
    typer.Argument(
        help="The modules with your models and facade.configure(); those that env.py imports without it."
    ),
]

NO_DATABASE = (
    'No database is configured: facade.configure(DATABASES={"default": "sqlite:///library.sqlite3"}).'
)


class FailLevel(StrEnum):
    """From which level on a finding makes the command fail."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


LEVELS = {level: getattr(checks, level.name) for level in FailLevel}


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(check)
    app.command()(health)


def check(
    modules: Modules = None,
    *,
    fail_level: Annotated[
        FailLevel, typer.Option(help="From which level on to fail.", case_sensitive=False)
    ] = FailLevel.ERROR,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Find settings, too, that are not for production.")
    ] = False,
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Find what is wrong with models and settings, without asking a database.

    What `Model.check()` finds in each model, and what `DATABASES` and `DATABASE_ROUTERS` say that cannot be. The ids in the setting
    `SILENCED_SYSTEM_CHECKS` are left out.
    """
    with explained(with_traceback=with_traceback):
        _load(modules, config)
        found = sorted(_findings(deploy=deploy), key=lambda one: -one.level)
    silenced = frozenset(getattr(settings, "SILENCED_SYSTEM_CHECKS", ()))
    shown = [one for one in found if one.id not in silenced]
    for one in shown:
        typer.echo(f"{_level(one).name} {one}")
    typer.echo(_summary(shown, len(found) - len(shown)))
    if any(one.is_serious(LEVELS[fail_level]) for one in shown):
        raise typer.Exit(1)


def health(
    modules: Modules = None,
    *,
    database: Annotated[
        list[str] | None,
        typer.Option(
            "--database", help="The alias of a database; several times for several, all without it."
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Begin a transaction in each, and tell the server's version.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what `facade.health_check()` returns, as JSON.")
    ] = False,
    config: Configuration = None,
    with_traceback: Traceback = False,
) -> None:
    """Ask each database whether it answers; fail where one does not."""
    with explained(with_traceback=with_traceback):
        _load(modules, config)
        found = _asked(database or list(connections), deep=deep)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        width = max(map(len, found), default=0)
        for alias, one in found.items():
            typer.echo(f"{alias:{width}}  {_told(alias, one)}")
    if not found:
        typer.echo(NO_DATABASE, err=True)
    if not found or not all(one["ok"] for one in found.values()):
        raise typer.Exit(1)


# -- the project -------------------------------------------------------------------------------------------------------


def _load(modules: Sequence[str] | None, config: str | None) -> None:
    """Import the modules, or what env.py imports, and the models of the applications. Asks no database."""
    look_here()
    for module in modules or ():
        import_module(module)
    if not modules:
        if find_spec("alembic") is None:
            raise typer.BadParameter("Name the modules with your models.", param_hint="MODULES")
        history = histories.find(file=config)
        history.config.output_buffer = StringIO()
        history.visit(as_sql=True, starting_rev=None)
    apps.import_models()


# -- what is wrong -----------------------------------------------------------------------------------------------------


def _findings(*, deploy: bool) -> Iterator[checks.CheckMessage]:
    if not connections:
        yield checks.Warning(NO_DATABASE, obj="DATABASES")
    for alias in connections:
        yield from _of_database(alias, deploy=deploy)
    yield from _of_routers()
    for model in apps.get_models(include_swapped=True):
        yield from model.check(databases=list(connections))


def _of_database(alias: str, *, deploy: bool) -> Iterator[checks.CheckMessage]:
    place = f"DATABASES[{alias!r}]"
    try:
        said = connections[alias].settings
        if said.url is not None:
            check_installed(said, said.url, "sync")
        if said.async_url is not None:
            check_installed(said, said.async_url, "async")
    except Exception as error:
        yield checks.Error(" ".join(str(error).removeprefix(f"{place}: ").split()), obj=place)
        return
    if deploy:
        yield from (checks.Warning(message, hint, place) for message, hint in _not_for_production(said))


def _not_for_production(said: DatabaseSettings) -> Iterator[tuple[str, str]]:
    if said.echo:
        yield "ECHO prints every statement.", "Leave it out; events of the engine see statements, too."
    if said.allow_blocking:
        yield "ALLOW_BLOCKING lets sync code block the event loop.", "Leave it out; it is for notebooks."
    if not said.hide_parameters:
        yield "HIDE_PARAMETERS is off: errors and logs show the values of statements.", "Leave it out."
    if said.memory:
        yield "The database is in memory, and of this process alone.", "Name a file, or a server."


def _of_routers() -> Iterator[checks.CheckMessage]:
    try:
        _ = router.routers
    except Exception as error:
        hint = "It is a list of objects, or of dotted paths of classes."
        yield checks.Error(f"{type(error).__name__}: {error}", hint, "DATABASE_ROUTERS")


def _level(one: checks.CheckMessage) -> FailLevel:
    """Return the name of a finding's level, or of the next one below it."""
    return max(
        (level for level, number in LEVELS.items() if number <= one.level),
        key=LEVELS.__getitem__,
        default=FailLevel.DEBUG,
    )


def _summary(found: Sequence[checks.CheckMessage], silenced: int) -> str:
    counts = Counter(map(_level, found))
    told = [_counted(counts[level], level.value) for level in reversed(FailLevel) if counts[level]]
    checked = f"{_counted(len(apps.get_models()), 'model')} and {_counted(len(connections), 'database')}"
    return f"{checked}: {', '.join(told) or 'nothing found'}{f' ({silenced} silenced)' if silenced else ''}."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# -- what answers ------------------------------------------------------------------------------------------------------


def _asked(aliases: Sequence[str], *, deep: bool) -> dict[str, Health]:
    """Ask by the async drivers, where there are any: all at once, and none for longer than a few seconds."""
    awaited = [alias for alias in aliases if _has_async_face(alias)]
    others = [alias for alias in aliases if alias not in awaited]
    found = asyncio.run(_aasked(awaited, deep=deep)) if awaited else {}
    try:
        found |= health_check(*others, deep=deep) if others else {}
    finally:
        close_all()
    return {alias: found[alias] for alias in aliases}


async def _aasked(aliases: Sequence[str], *, deep: bool) -> dict[str, Health]:
    try:
        return await ahealth_check(*aliases, deep=deep)
    finally:
        await close_all_async()


def _has_async_face(alias: str) -> bool:
    try:
        said = connections[alias].settings
    except Exception:  # the answer to the question says it
        return False
    return said.async_url is not None or said.async_engine is not None


def _told(alias: str, one: Health) -> str:
    if not one["ok"]:
        return f"failed  {' '.join((one['error'] or '').split())}"
    name = " ".join(filter(None, [connections[alias].display_name, one["version"]]))
    return f"ok      {one['latency'] * 1000:.1f} ms  {name}"
