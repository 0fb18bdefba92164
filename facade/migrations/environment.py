"""`run()`: all that the env.py of a project on facade calls."""

from __future__ import annotations

import logging.config
from configparser import ConfigParser
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError, to_tuple

from facade import bridge
from facade.db.connection import connections
from facade.db.roads.general import autocommits
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.meta import registry
from facade.migrations import (
    operations,  # noqa: F401 - scripts find them on `op`
    plugin,
)
from facade.migrations.runs import dialects, locks, offline, tenants, transactions
from facade.migrations.runs.errands import Errand, errand_of
from facade.migrations.runs.errors import said
from facade.migrations.runs.marks import Marks
from facade.migrations.runs.signalling import announced
from facade.migrations.runs.telling import Steps, known, told
from facade.sql.tables.definitions import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alembic.config import Config
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.environment import ProcessRevisionDirectiveFn
    from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
    from sqlalchemy.engine import Connection

    from facade.db.database import Database
    from facade.migrations.runs.tenants import Schemas

__all__ = ["alias_of", "run"]

#: Where a section of alembic.ini names its database, if that is not the section's own name.
DATABASE = "facade_database"


def run(*others: sa.MetaData, schemas: Schemas = (), **options: Any) -> None:
    """Run what Alembic, or a command of facade's, asks of an env.py.

    The database is ``facade.connections``' for the section of alembic.ini: "default" for ``[alembic]``, else the one of
    the section's name. Its driver may be a sync or an async one. Each revision has a transaction of its own, where the
    database can undo DDL; deployers wait for each other.

    ``others`` are MetaData of tables that facade's models do not have, such as those of SQLAlchemy's mapped classes.
    ``schemas`` are the schemas of tenants, or a function that finds them by a connection: each gets the whole history.
    ``options`` are those of Alembic's ``context.configure()``, and go before what facade chooses.

    Raises Alembic's CommandError for what has a remedy, and what the database raises.
    """
    plugin.install()
    config = context.config
    errand = errand_of(config)
    if errand is None:
        errand = Errand()
        _set_up_logging(config)
    errand.ran = True
    alias = alias_of(config)
    if alias not in connections.databases:
        raise CommandError(
            f"There is no database {alias!r} in DATABASES ({', '.join(connections) or 'it is empty'}): name it in "
            "facade.configure(DATABASES={…}), in a module that env.py imports."
        )
    database = connections[alias]
    settings = _settings(database, others, options)
    if context.is_offline_mode():
        offline.write(database, settings)
    else:
        _on_its_face(database, partial(_visit, database, errand, schemas, settings))


def alias_of(config: Config) -> str:
    """Return the alias of the database that a section of alembic.ini is for."""
    section = config.config_ini_section
    named = config.get_alembic_option(DATABASE)
    if named:
        return named
    return DEFAULT_DB_ALIAS if section == "alembic" else section


def _set_up_logging(config: Config) -> None:
    """Do what every env.py of Alembic's does first; only its own commands show a log."""
    if config.config_file_name is None or config.cmd_opts is None:
        return
    parser = ConfigParser()
    parser.read(config.config_file_name)
    if parser.has_section("loggers"):
        logging.config.fileConfig(config.config_file_name, disable_existing_loggers=False)


def _settings(database: Database, others: Sequence[sa.MetaData], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `context.configure()`."""
    features = database.features
    return {
        "facade_alias": database.alias,
        "target_metadata": [metadata(), *others],
        "include_object": _belongs(database.alias, options.get("version_table", "alembic_version")),
        "compare_type": True,
        "compare_server_default": True,
        "render_as_batch": not features.alters_tables,
        "transactional_ddl": features.can_rollback_ddl,
        "transaction_per_migration": True,
        **options,
        "process_revision_directives": partial(_write, options.get("process_revision_directives")),
    }


def _write(
    own: ProcessRevisionDirectiveFn | None,
    running: MigrationContext,
    heads: tuple[str, ...],
    directives: list[MigrationScript],
) -> None:
    """Let revisions that Alembic's own command writes say what they were made on, as those of facade's do."""
    if running.script is not None:
        dialects.check_history(running.script, running.dialect)
    if own is not None:
        own(running, heads, directives)
    dialects.mark(running, directives)


def _belongs(alias: str, version_table: str) -> Callable[..., bool]:
    """Return what leaves out the tables of models that the routers keep away from a database, and Alembic's own."""
    models = registry.apps.get_models(include_auto_created=True)
    owners = {model._meta.db_table: model for model in models if not model._meta.proxy}

    def include(item: sa.schema.SchemaItem, name: str, kind: str, reflected: bool, other: object) -> bool:
        if kind == "table" and reflected and name == version_table:
            return False  # in a tenant's schema Alembic does not know it
        if kind != "table" or reflected or name not in owners:
            return True
        return router.allow_migrate_model(alias, owners[name])

    return include


def _on_its_face(database: Database, work: Callable[[], None]) -> None:
    """Do the work by the sync driver, or by the async one where there is no other, in an event loop of its own."""
    settings = database.settings
    if settings.url is not None or settings.engine is not None:
        work()
        return
    bridge.complete(bridge.spawn(work))


def _visit(database: Database, errand: Errand, schemas: Schemas, settings: dict[str, Any]) -> None:
    engine = database.async_engine.sync_engine if bridge.in_worker() else database.engine
    with ExitStack() as stack:
        stack.callback(database.close)
        connection = stack.enter_context(_connected(engine, database))
        _begin_transactions(connection, database)
        names = tenants.chosen(connection, schemas, errand.schemas)
        asked = _asked(connection, settings)
        changes = "destination_rev" in asked
        if changes:
            stack.enter_context(locks.held(connection, database.alias, errand.progress.waiting))
        if changes and not database.features.alters_tables:
            checks = stack.enter_context(transactions.of_sqlite(connection))
            settings = {
                **settings,
                "on_version_apply": (*to_tuple(settings.get("on_version_apply"), ()), checks),
            }
        for name in names[:1] if errand.first_only else names:
            errand.progress.enter(name)
            with tenants.within(connection, name, comparing=not changes):
                placed = {**settings, "version_table_schema": name} if name else settings
                if not changes:
                    _run_migrations(connection, errand, asked["fn"], placed)
                    continue
                steps = _chosen(connection, asked["fn"], placed)
                with announced(database.alias, steps, name):
                    _run_migrations(connection, errand, known(steps), placed)


def _connected(engine: sa.Engine, database: Database) -> Connection:
    try:
        return engine.connect()
    except sa.exc.DBAPIError as error:
        url = database.settings.any_url.render_as_string(hide_password=True)
        raise CommandError(
            f"The database {database.alias!r} ({url}) cannot be reached: {said(error)}"
        ) from error


def _begin_transactions(connection: Connection, database: Database) -> None:
    """Let a connection of an engine that commits each statement hold a revision whole all the same."""
    if autocommits(connection):
        usual = "SERIALIZABLE" if database.features.is_embedded else "READ COMMITTED"
        connection.execution_options(isolation_level=usual)


def _asked(connection: Connection, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what the command has asked the environment for."""
    context.configure(connection=connection, **settings)
    return dict(context.get_context().opts)


def _chosen(connection: Connection, steps: Steps, settings: dict[str, Any]) -> list[RevisionStep | StampStep]:
    """Choose the steps, and refuse those of another kind of database, before Alembic makes its table."""
    context.configure(connection=connection, **settings)
    running = context.get_context()
    found = dialects.checked(steps, () if running.purge else running.get_current_heads(), running)
    connection.rollback()
    return found


def _run_migrations(connection: Connection, errand: Errand, steps: Steps, settings: dict[str, Any]) -> None:
    errand.progress.whole = settings["transactional_ddl"]
    marks = Marks(connection)
    context.configure(connection=connection, **settings, fn=partial(told, steps, errand.progress, marks))
    sa.event.listen(connection, "commit", errand.progress.commit)
    try:
        with marks.watching(context.get_context(), again=errand.again), context.begin_transaction():
            context.run_migrations()
    finally:
        sa.event.remove(connection, "commit", errand.progress.commit)
        connection.rollback()
