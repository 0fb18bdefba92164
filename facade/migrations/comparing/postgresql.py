"""How PostgreSQL describes a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facade.migrations.comparing.described import ColumnWords, Item, TableWords
from facade.migrations.texts import SQLText

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["describe", "describe_again"]

_COLUMNS = sa.text("""
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN c.collname END,
    pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = CAST(:name AS regclass) AND a.attnum > 0 AND NOT a.attisdropped
""")
_CONSTRAINTS = sa.text("""
SELECT n.conname, n.contype, pg_get_constraintdef(n.oid), ARRAY(
    SELECT a.attname FROM pg_attribute a WHERE a.attrelid = n.conrelid AND a.attnum = ANY (n.conkey) ORDER BY a.attname
) FROM pg_constraint n WHERE n.conrelid = CAST(:name AS regclass) AND n.contype IN ('c', 'u', 'x')
""")
_INDEXES = sa.text("""
SELECT c.relname, i.indisunique, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = CAST(:name AS regclass) AND NOT EXISTS (
    SELECT FROM pg_constraint n WHERE n.conindid = i.indexrelid AND n.contype IN ('p', 'u', 'x')
)
""")
_KINDS = {"c": "check", "u": "unique", "x": "exclude"}
_SEQUENCE = re.compile(r"nextval\('.*'::regclass\)")


def describe(connection: Connection, name: str, schema: str | None) -> TableWords:
    """Return how the server describes a table: it writes the same definitions always in the same way."""
    preparer = connection.dialect.identifier_preparer
    given = {"name": f"{preparer.quote(schema)}.{preparer.quote(name)}" if schema else preparer.quote(name)}
    found = TableWords()
    for column, type_, collation, default, generated, identity in connection.execute(_COLUMNS, given):
        found.columns[column] = _column(type_, collation, default, _text(generated), _text(identity))
    for constraint, kind, text, columns in connection.execute(_CONSTRAINTS, given):
        # One that rows of old may violate is there all the same.
        words = text.removesuffix(" NOT VALID")
        found.items[constraint] = Item(_KINDS[_text(kind)], words, tuple(columns))
    for index, unique, text in connection.execute(_INDEXES, given):
        _, _, words = text.partition(" USING ")
        found.items[index] = Item("index", f"{'UNIQUE ' if unique else ''}{words}")
    return found


def describe_again(connection: Connection, name: str, words: TableWords) -> None:
    """Add how the server writes what it has written: it adds casts to some texts that come from itself.

    `name` is a temporary table that is described by `words`.
    """
    told = {
        key: item
        for key, item in words.items.items()
        if "::" in item.text and item.kind in ("check", "index")
    }
    if not told:
        return
    quote = connection.dialect.identifier_preparer.quote
    again = f"{name}_again"
    _run(connection, f"CREATE TEMPORARY TABLE {again} (LIKE {name})")
    for key, item in told.items():
        if item.kind == "check":
            _run(connection, f"ALTER TABLE {again} ADD CONSTRAINT {quote(key)} {item.text}")
        else:
            text = item.text.removeprefix("UNIQUE ")
            unique = "" if text == item.text else "UNIQUE "
            _run(connection, f"DROP INDEX pg_temp.{quote(key)}")
            _run(connection, f"CREATE {unique}INDEX {quote(key)} ON {again} USING {text}")
    found = describe(connection, again, "pg_temp")
    words.again = {key: item.text for key, item in found.items.items()}
    _run(connection, f"DROP TABLE pg_temp.{again}")


def _run(connection: Connection, sql: str) -> None:
    connection.execute(SQLText(sql))


def _column(
    type_: str, collation: str | None, default: str | None, generated: str, identity: str
) -> ColumnWords:
    words = f"{type_} COLLATE {collation}" if collation else type_
    if generated:
        return ColumnWords(words, generated=f"{default} {generated}")
    # A default by a sequence is how keys were counted before IDENTITY.
    counted = bool(identity) or (default is not None and _SEQUENCE.fullmatch(default) is not None)
    return ColumnWords(words, "identity" if counted else default)


def _text(char: str | bytes) -> str:
    """Read a value of PostgreSQL's type "char", which asyncpg gives as bytes."""
    return char.decode() if isinstance(char, bytes) else char
