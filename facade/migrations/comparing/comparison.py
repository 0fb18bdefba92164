"""One comparison of models with a database: what each table is like there, and how it would be if it were made now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from facade.migrations.comparing.reflected import complete, make_writable
from facade.migrations.comparing.twins import describes, there, wanted
from facade.migrations.plain import PlainMetaData

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy.engine import Connection

    from facade.migrations.comparing.described import ColumnWords, TableWords

__all__ = ["IS_FACADES", "Both", "both_of", "compared"]

#: The option of a context whose comparison has tables of models in it.
IS_FACADES = "facade_tables"


class Both(NamedTuple):
    """A table in the words of the database."""

    conn_table: sa.Table
    plain: sa.Table
    there: TableWords
    wanted: TableWords | None
    """None where the database cannot be asked: names are all that is compared, then."""

    def column(self, name: str) -> tuple[ColumnWords, ColumnWords] | None:
        """Return a column as it is and as it is wanted, None where they cannot be compared."""
        if self.wanted is None or name not in self.there.columns:
            return None
        return self.there.columns[name], self.wanted.columns[name]

    def is_generated(self, name: str) -> bool:
        """Return whether a column is computed, now or then."""
        pair = self.column(name)
        return pair is not None and any(words.generated is not None for words in pair)


def both_of(context: AutogenContext, plain: sa.Table | None, conn_table: sa.Table | None) -> Both | None:
    """Return what there is to compare of a table that a model and the database have; None for tables that are not facade's."""
    if plain is None or conn_table is None or not isinstance(plain.metadata, PlainMetaData):
        return None
    if not describes(context.dialect):
        return None
    compared = plain.metadata.compared
    if plain.key not in compared:
        connection: Connection = context.connection  # type: ignore[assignment]
        words = there(connection, conn_table)
        make_writable(conn_table, context.dialect)
        complete(conn_table, words)
        compared[plain.key] = Both(conn_table, plain, words, wanted(connection, plain))
    found: Both = compared[plain.key]
    return found


def compared(context: AutogenContext, name: str, schema: str | None) -> Both | None:
    """Return what has been compared of a table; None for tables that are not facade's."""
    default = context.dialect.default_schema_name
    places = [schema] if schema is not None else [None, default]
    keys = (name if place is None else f"{place}.{name}" for place in places)
    table = next((context.table_key_to_table[key] for key in keys if key in context.table_key_to_table), None)
    home = None if table is None else table.metadata
    return home.compared.get(table.key) if table is not None and isinstance(home, PlainMetaData) else None
