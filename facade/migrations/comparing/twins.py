"""Tables as models want them in the words of the database, which rewrites what it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facade.migrations.comparing import mysql, postgresql, sqlite
from facade.migrations.comparing.named_types import make_types
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from facade.migrations.comparing.described import TableWords

    Describe = Callable[[Connection, str, str | None], TableWords]

__all__ = ["describes", "there", "wanted"]

log = logging.getLogger(__name__)

_DESCRIBE: dict[str, Describe] = {
    "sqlite": sqlite.describe,
    "postgresql": postgresql.describe,
    "mysql": mysql.describe,
}
_DESCRIBE_AGAIN = {"postgresql": postgresql.describe_again}
_NAME = "facade_wanted"
#: Where the temporary tables of a connection are.
_SCHEMA = {"sqlite": "temp", "postgresql": "pg_temp"}


def describes(dialect: sa.Dialect) -> bool:
    """Return whether facade reads for itself how a database describes a table."""
    return vendor_of(dialect).name in _DESCRIBE


def there(connection: Connection, table: sa.Table) -> TableWords:
    """Return how the database describes a table that it has."""
    return _DESCRIBE[vendor_of(connection.dialect).name](connection, table.name, table.schema)


def wanted(connection: Connection, plain: sa.Table) -> TableWords | None:
    """Return how the database would describe a table; None if it cannot make one, and has said so in the log.

    It is asked by a temporary table, which is gone afterwards. A user that may only read gets None, too.
    """
    kind = vendor_of(connection.dialect).name
    try:
        with _taken_back(connection):
            _make(connection, plain)
            found = _DESCRIBE[kind](connection, _NAME, _SCHEMA.get(kind))
            if kind in _DESCRIBE_AGAIN:
                _DESCRIBE_AGAIN[kind](connection, _NAME, found)
            return found
    except sa.exc.DBAPIError as error:
        log.warning(
            "The definitions of %s are not compared, but for their names: the database takes none like them. %s",
            plain.fullname,
            error.orig,
        )
        return None


@contextmanager
def _taken_back(connection: Connection) -> Iterator[None]:
    """Have a temporary table, within whatever transaction there is."""
    schema = _SCHEMA.get(vendor_of(connection.dialect).name)
    block = connection.begin_nested() if _would_fail_for_good(connection) else None
    try:
        yield
    finally:
        if block is not None:
            block.rollback()
        else:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {schema + '.' if schema else ''}{_NAME}")


def _would_fail_for_good(connection: Connection) -> bool:
    """Whether a statement that fails takes the transaction with it."""
    is_strict = vendor_of(connection.dialect).aborts_transactions
    return is_strict and connection.get_isolation_level() != "AUTOCOMMIT"


def _make(connection: Connection, plain: sa.Table) -> None:
    # SQLite says by the schema what others say by a word.
    schema = "temp" if vendor_of(connection.dialect).is_embedded else None
    twin = plain.to_metadata(sa.MetaData(), schema=schema, name=_NAME)  # type: ignore[arg-type]
    for reference in list(twin.foreign_key_constraints):
        twin.constraints.discard(reference)
    if vendor_of(connection.dialect).names_types:
        make_types(connection, plain)
    twin._prefixes = ["TEMPORARY"] if schema is None else []
    connection.execute(sa.schema.CreateTable(twin))
    for index in twin.indexes:
        connection.execute(sa.schema.CreateIndex(index))
