"""Tenants' schemas: the same history in each of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.util import CommandError

from facade.vendors import vendor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.engine import Connection

    #: The names, or what finds them in the database.
    Schemas = Sequence[str] | Callable[[Connection], Sequence[str]]

__all__ = ["chosen", "within"]

_SHARED = "public"


def chosen(connection: Connection, declared: Schemas, named: Sequence[str]) -> tuple[str | None, ...]:
    """Return the schemas to visit: those that a command named, or else the environment's; (None,) where there are none.

    Raises CommandError for one that is not there.
    """
    names = tuple(named) or tuple(declared(connection) if callable(declared) else declared)
    connection.rollback()
    if not names:
        return (None,)
    if _PATHS.get(connection.dialect.name) is None:
        raise CommandError(
            f"{vendor_of(connection.dialect).display_name} has no schemas for tenants: give each tenant a database in DATABASES, and "
            "migrate it with --database."
        )
    there = set(sa.inspect(connection).get_schema_names())
    connection.rollback()
    for name in names:
        if name not in there:
            raise CommandError(f"There is no schema {name!r}. Those there are: {', '.join(sorted(there))}.")
    return names


@contextmanager
def within(connection: Connection, schema: str | None, *, comparing: bool) -> Iterator[None]:
    """Let names without a schema mean the tenant's; the shared tables are found behind it, unless for a comparison."""
    if schema is None:
        yield
        return
    dialect = connection.dialect
    before = dialect.default_schema_name
    go, back = _PATHS[dialect.name]
    _run(connection, go(dialect, schema, comparing))
    dialect.default_schema_name = schema
    try:
        yield
    finally:
        dialect.default_schema_name = before
        connection.rollback()
        _run(connection, back(dialect, before or ""))


def _run(connection: Connection, sql: str) -> None:
    connection.exec_driver_sql(sql)
    connection.commit()


def _search_path(dialect: sa.Dialect, schema: str, comparing: bool) -> str:
    names = [schema] if comparing else [schema, _SHARED]
    return f"SET search_path TO {', '.join(dialect.identifier_preparer.quote_identifier(name) for name in names)}"


def _use(dialect: sa.Dialect, schema: str, comparing: bool = False) -> str:
    return f"USE {dialect.identifier_preparer.quote_identifier(schema)}"


_PATHS: dict[str, tuple[Callable[[sa.Dialect, str, bool], str], Callable[[sa.Dialect, str], str]]] = {
    "postgresql": (_search_path, lambda dialect, schema: "RESET search_path"),
    "mysql": (_use, _use),
    "mariadb": (_use, _use),
}
