"""Where data migrations run: on Alembic's own connection, in its transaction, on both faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncEngine

from facade import bridge
from facade.db.connection import connections, using_connection
from facade.db.database import Database
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.db.settings import config
from facade.migrations.runs.errands import errand_of
from facade.migrations.runs.progress import Progress

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

    from facade.meta.registry import Apps

Joined = Callable[[], AbstractContextManager[object]]

__all__ = ["Joined", "alias_of", "on_connection", "progress_of", "waiting_for"]


def alias_of(context: MigrationContext) -> str:
    """Return the alias whose database is migrated, as `environment.run()` has told it; the default one otherwise."""
    return str(context.opts.get("facade_alias") or DEFAULT_DB_ALIAS)


def progress_of(context: MigrationContext) -> Progress:
    """Return whom the command that runs tells where it is."""
    around = context.environment_context
    errand = None if around is None else errand_of(around.config)
    return Progress() if errand is None else errand.progress


def waiting_for(function: Callable[..., Any], *args: object) -> Any:
    """Call a function, and wait for what it returns where it is async."""
    result = function(*args)
    return bridge.wait(result) if hasattr(result, "__await__") else result


def on_connection(
    work: Callable[[Joined], None], connection: Connection, alias: str, apps: Apps, *, is_async: bool
) -> None:
    """Do what asks models of ``apps`` for rows: within ``with joined():`` they are those of this connection.

    ``is_async`` says whether the work waits for coroutines.
    """

    def bound() -> None:
        with _stand_in(alias, connection), _route(apps, alias):
            work(lambda: using_connection(connection, alias))

    if is_async and not bridge.in_worker():
        bridge.complete(bridge.run(bound))
    else:
        bound()


@contextmanager
def _stand_in(alias: str, connection: Connection) -> Iterator[None]:
    """Let the alias be the database that the connection goes to, whatever the settings say of it.

    A connection of a driver that does not wait serves async functions as well: nothing else runs in their event loop.
    """
    waits = connection.dialect.is_async
    engine: Any = AsyncEngine(connection.engine) if waits else connection.engine
    settings = config.read(alias, engine)
    if alias in connections:  # its time zone says what SQLite's moments are
        settings = replace(settings, raw=connections[alias].settings.raw)
    database = Database(alias, settings)
    if not waits:
        database.serve_both_faces()
    before = connections.stand_in(alias, database)
    try:
        yield
    finally:
        connections.stand_in(alias, before)


class _ToDatabase:
    """Keeps the models of a migration on its database; about all others the project's routers decide."""

    def __init__(self, apps: Apps, alias: str) -> None:
        self._apps, self._alias = apps, alias

    def db_for_read(self, model: type[Any], **hints: object) -> str | None:
        return self._alias if model._meta.apps is self._apps else None

    db_for_write = db_for_read


@contextmanager
def _route(apps: Apps, alias: str) -> Iterator[None]:
    before = router.routers
    router.routers = [_ToDatabase(apps, alias), *before]
    try:
        yield
    finally:
        router.routers = before
