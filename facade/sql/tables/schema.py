"""Creating and dropping the tables of models, through facade's own connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine.mock import MockConnection

from facade.bridge import function_twin
from facade.db.channels.channel import Statement
from facade.db.connection import connections
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.db.scopes.atomic import atomic
from facade.foundation.imports import later
from facade.meta import registry
from facade.sql.core.parameters import compile_core
from facade.sql.tables.definitions import table_for
from facade.types.base import storage

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import ExecutableDDLElement
    from sqlalchemy.types import TypeEngine

    from facade.db.database import Database
else:
    postgresql = later("sqlalchemy.dialects.postgresql")


__all__ = ["acreate_all", "adrop_all", "create_all", "drop_all", "existing_tables"]

_EXISTING = {
    "sqlite": "SELECT NULL, name FROM sqlite_master WHERE type = 'table'",
    "postgresql": (
        "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname END, c.relname FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
        "AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'"
    ),
    "mysql": (
        "SELECT CASE WHEN table_schema = DATABASE() THEN NULL ELSE table_schema END, table_name "
        "FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    ),
}


def create_all(models: Iterable[type[Any]] | None = None, using: str = DEFAULT_DB_ALIAS) -> None:
    """Create the tables of `models` (of all models by default) that do not exist yet.

    Tables of unmanaged and swapped models, and those that a router keeps away from the database
    `using`, are left out. With a many-to-many field comes the table between. A table that is there is not changed: that is for
    migrations.
    """
    database = connections[using]
    tables = _tables(models, using)
    there = _existing(database, using, tables)
    missing = [table for table in tables if _name(database, table) not in there]
    types = _statements(database, lambda bind: _create_types(database, bind, missing))
    made = _statements(database, lambda bind: sa.MetaData().create_all(bind, missing, checkfirst=False))
    _run(using, [*types, *(statement for statement in made if not statement.lstrip().startswith(_TYPES))])


def drop_all(models: Iterable[type[Any]] | None = None, using: str = DEFAULT_DB_ALIAS) -> None:
    """Drop the tables of `models` (of all models by default), with all that is in them; tables that are not there are passed over."""
    database = connections[using]
    tables = _tables(models, using)
    there = _existing(database, using, tables)
    present = [table for table in tables if _name(database, table) in there]
    _run(using, _statements(database, lambda bind: sa.MetaData().drop_all(bind, present, checkfirst=False)))


acreate_all = function_twin(create_all)
adrop_all = function_twin(drop_all)


def existing_tables(using: str = DEFAULT_DB_ALIAS) -> set[tuple[str | None, str]]:
    """Return ``(schema, name)`` of the tables of a database; the schema is None for those found without it."""
    database = connections[using]
    query = _EXISTING.get(database.vendor)
    if query is None:
        inspector = sa.inspect(database.engine)
        return {(None, name) for name in inspector.get_table_names()}
    return {(row[0], row[1]) for row in database.fetch(Statement(query, reads=True, returns=True), ())}


def _existing(database: Database, using: str, tables: Iterable[sa.Table]) -> set[tuple[str | None, str]]:
    """Return ``(schema, name)`` of the tables that are there, in all schemas in which these tables stand."""
    found = existing_tables(using)
    if database.vendor == "sqlite":  # each database that is attached knows its own
        quote = database.compile_dialect.identifier_preparer.quote_schema
        schemas = {database.schema_of(table.schema) for table in tables}
        for schema in filter(None, schemas):
            query = f"SELECT name FROM {quote(schema)}.sqlite_master WHERE type = 'table'"
            rows = database.fetch(Statement(query, reads=True, returns=True), ())
            found.update((schema, name) for (name,) in rows)
    return found


_TYPES = (
    "CREATE TYPE",
    "CREATE DOMAIN",
)  # which SQLAlchemy writes from 2.1 on, also for those that are there


def _create_types(database: Database, bind: MockConnection, tables: Iterable[sa.Table]) -> None:
    """Create the enumerations and domains that columns of the tables have, and the database has not."""
    if not database.features.names_types:
        return
    wanted = {
        (database.schema_of(type_.schema), type_.name): type_ for type_ in _named_types(database, tables)
    }
    if not wanted:
        return
    there = {(row[0], row[1]) for row in database.fetch(Statement(_NAMED, reads=True, returns=True), ())}
    for name, type_ in wanted.items():
        if name not in there and type_.create_type:
            type_.create(bind, checkfirst=False)


_NAMED = (
    "SELECT CASE WHEN pg_type_is_visible(t.oid) THEN NULL ELSE n.nspname END, t.typname FROM pg_type t "
    "JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd')"
)


def _named_types(
    database: Database, tables: Iterable[sa.Table]
) -> Iterator[postgresql.ENUM | postgresql.DOMAIN]:
    for table in tables:
        for column in table.columns:
            found = _stored(column.type, database)
            if isinstance(found, sa.ARRAY):
                found = _stored(found.item_type, database)
            if isinstance(found, (postgresql.ENUM, postgresql.DOMAIN)):
                yield found


def _stored(type_: TypeEngine[Any], database: Database) -> TypeEngine[Any]:
    """Return the type that a column has on a database: a domain itself, whose copies lose its CHECK before SQLAlchemy 2.0.55."""
    if isinstance(type_, postgresql.DOMAIN):
        return type_
    found: TypeEngine[Any] = storage(type_, database.compile_dialect)
    return found


def _name(database: Database, table: sa.Table) -> tuple[str | None, str]:
    return database.schema_of(table.schema), table.name


def _tables(models: Iterable[type[Any]] | None, using: str) -> list[sa.Table]:
    found: dict[sa.Table, None] = {}
    for model in _with_tables_between(models):
        opts = model._meta
        if opts.can_migrate(connections[using]) and router.allow_migrate_model(using, model):
            found[table_for(model)] = None
    return list(found)


def _with_tables_between(models: Iterable[type[Any]] | None) -> Iterator[Any]:
    if models is None:
        yield from registry.current().get_models(include_auto_created=True)
        return
    for model in models:
        yield model
        for field in model._meta.local_many_to_many:
            through = field.remote_field.through
            if through is not None and through._meta.auto_created:
                yield through


def _statements(database: Database, generate: Callable[[Any], None]) -> list[str]:
    """The DDL that ``generate`` sends to the connection it is given."""
    dialect = database.compile_dialect
    found: list[str] = []

    def note(ddl: ExecutableDDLElement, *args: Any, **kwargs: Any) -> None:
        found.append(str(compile_core(ddl, dialect=dialect)))

    generate(MockConnection(dialect, note))
    return found


def _run(using: str, statements: list[str]) -> None:
    database = connections[using]
    # A failure leaves nothing half made where the database can take it back.
    block: Any = atomic(using=using) if database.features.can_rollback_ddl else nullcontext()
    with block:
        for sql in statements:
            database.execute(Statement(sql), ())
