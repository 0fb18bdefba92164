"""How SQLite describes a table: by the text it was made with, and what it reads in that."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facade.migrations.comparing.described import ColumnWords, Item, TableWords
from facade.migrations.comparing.words import (
    column_name,
    matching,
    same_text,
    split,
    text_of,
    unquoted,
    words,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["collations_of", "constraints_of", "counts_keys", "describe", "index_parts"]

_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
_COLUMNS = sa.text("SELECT name, type, dflt_value, hidden FROM pragma_table_xinfo(:name, :place)")
_GENERATED = {2: "virtual", 3: "stored"}


def describe(connection: Connection, name: str, schema: str | None) -> TableWords:
    """Return how a table is described by its own text, read as SQLite reads it."""
    place = schema or "main"
    master = f"{connection.dialect.identifier_preparer.quote_identifier(place)}.sqlite_master"
    sql = connection.execute(
        sa.text(f"SELECT sql FROM {master} WHERE type = 'table' AND name = :name"), {"name": name}
    ).scalar_one()
    found = TableWords()
    parts = {column_name(part): part for part in _parts_of(sql) if part[0].upper() not in _CONSTRAINTS}
    for column, type_, default, hidden in connection.execute(_COLUMNS, {"name": name, "place": place}):
        found.columns[column] = _column(parts.get(column, [column]), type_, default, hidden)
    for given, item in constraints_of(sql):
        if given is None:
            found.unnamed.append(item)
        else:
            found.items[given] = item
    found.unread = _unread(connection, name, schema, found)
    indexes = sa.text(
        f"SELECT name, sql FROM {master} WHERE type = 'index' AND tbl_name = :name AND sql <> ''"
    )
    for index, text in connection.execute(indexes, {"name": name}):
        unique, items, where = index_parts(text)
        condition = f" where {same_text(where)}" if where else ""
        found.items[index] = Item(
            "index", f"{'unique ' if unique else ''}{', '.join(map(same_text, items))}{condition}"
        )
    return found


def _unread(connection: Connection, name: str, schema: str | None, found: TableWords) -> set[tuple[str, ...]]:
    """Return the columns of constraints without a name that Core does not find behind types such as ``varchar(30)``."""
    there = {tuple(sorted(item.columns)) for item in found.unnamed if item.kind == "unique"}
    if not there:
        return there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)  # of indexes that it does not read
        read = connection.dialect.get_unique_constraints(connection, name, schema)
    return there - {tuple(sorted(filter(None, one["column_names"]))) for one in read}


def _parts_of(sql: str) -> list[list[str]]:
    """Return the columns and constraints that stand in a CREATE TABLE, as words."""
    given = words(sql)
    start = given.index("(")
    return list(split(given[start + 1 : matching(given, start)]))


# -- columns -----------------------------------------------------------------------------------------


def _collation(part: Sequence[str]) -> str | None:
    upper = [word.upper() for word in part]
    return unquoted(part[upper.index("COLLATE", 1) + 1]) if "COLLATE" in upper[1:] else None


def collations_of(sql: str) -> dict[str, str]:
    """Return the collations of the columns that a CREATE TABLE gives one."""
    parts = (part for part in _parts_of(sql) if part[0].upper() not in _CONSTRAINTS)
    return {column_name(part): found for part in parts if (found := _collation(part)) is not None}


def counts_keys(sql: str) -> bool:
    """Return whether a CREATE TABLE says that no key comes again."""
    return any("AUTOINCREMENT" in map(str.upper, part[1:]) for part in _parts_of(sql))


_ARGUMENTS = re.compile(r"\(([^)]*)\)")


def _column(part: Sequence[str], type_: str, default: str | None, hidden: int) -> ColumnWords:
    upper = [word.upper() for word in part]
    said = f"{_affinity(type_)} {(_collation(part) or 'binary').lower()}"
    if hidden in _GENERATED:
        start = part.index("(", upper.index("AS"))
        return ColumnWords(
            said, generated=f"{text_of(part[start : matching(part, start) + 1])} {_GENERATED[hidden]}"
        )
    if "AUTOINCREMENT" in upper:
        return ColumnWords(said, "identity")
    return ColumnWords(said, None if default is None or default.upper() == "NULL" else same_text(default))


def _affinity(type_: str) -> str:
    """Return what SQLite makes of the name of a type, with the length of a text: Django has other names than Core."""
    name = type_.upper()
    if "INT" in name:
        return "integer"
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        arguments = _ARGUMENTS.search(name)
        return f"text({arguments[1].strip()})" if arguments else "text"
    if "BLOB" in name or not name:
        return "blob"
    return "real" if any(word in name for word in ("REAL", "FLOA", "DOUB")) else f"numeric {_kind(name)}"


def _kind(name: str) -> str:
    word = name.partition("(")[0].strip()
    return {"BOOL": "boolean", "DECIMAL": "numeric"}.get(word, word.lower())


# -- constraints -------------------------------------------------------------------------------------


def constraints_of(sql: str) -> Iterator[tuple[str | None, Item]]:
    """Yield the checks and unique constraints of a CREATE TABLE with their names, None for those without."""
    for part in _parts_of(sql):
        yield from _constraints(part)


def _constraints(part: Sequence[str]) -> Iterator[tuple[str | None, Item]]:
    """Yield the checks and unique constraints of a part, with their names: those of a column stand behind it."""
    of_column = part[0].upper() not in _CONSTRAINTS
    name = None
    position = 1 if of_column else 0
    while position < len(part):
        word = part[position].upper()
        start = position + 1
        if word == "CONSTRAINT":
            name, position = unquoted(part[start]), position + 2
            continue
        if word == "CHECK":
            close = matching(part, start)
            yield name, Item("check", text_of(part[start : close + 1]))
            name, position = None, close
        elif word == "UNIQUE":
            columns = (
                [part[0]] if of_column else [one[0] for one in split(part[start + 1 : matching(part, start)])]
            )
            names = tuple(map(unquoted, columns))
            yield name, Item("unique", ", ".join(sorted(names)), names)
            name = None
        elif word == "(":
            position = matching(part, position)
        position += 1


def checked_when(sql: str) -> dict[str, dict[str, str | bool]]:
    """Return when the references are checked that stand with a column in a CREATE TABLE, by its name.

    >>> checked_when("CREATE TABLE t (a integer REFERENCES b (id) DEFERRABLE INITIALLY DEFERRED)")
    {'a': {'deferrable': True, 'initially': 'DEFERRED'}}
    """
    found: dict[str, dict[str, str | bool]] = {}
    for part in _parts_of(sql):
        upper = [word.upper() for word in part]
        if upper[0] in _CONSTRAINTS or "REFERENCES" not in upper or "DEFERRABLE" not in upper:
            continue
        at = upper.index("DEFERRABLE")
        options = found[column_name(part)] = {"deferrable": upper[at - 1] != "NOT"}
        if upper[at + 1 : at + 2] == ["INITIALLY"]:
            options["initially"] = upper[at + 2]
    return found


# -- indexes -----------------------------------------------------------------------------------------


def index_parts(sql: str) -> tuple[bool, list[str], str]:
    """Return of a CREATE INDEX whether it is unique, what it is on, and its condition.

    >>> index_parts("CREATE UNIQUE INDEX i ON t (lower(name) DESC, kind) WHERE kind <> 'a'")
    (True, ['lower(name) DESC', 'kind'], "kind <> 'a'")
    """
    unique = words(sql[:40])[1].upper() == "UNIQUE"
    start = _opening(sql)
    spans = _spans(sql)
    depth, items, begin, end = 0, [], start + 1, len(sql)
    for at, word in spans:
        if at < start:
            continue
        depth += {"(": 1, ")": -1}.get(word, 0)
        if (word == "," and depth == 1) or depth == 0:
            items.append(sql[begin:at].strip())
            begin = at + 1
        if depth == 0:
            end = at
            break
    rest = sql[end + 1 :].strip()
    return unique, items, rest[5:].strip() if rest[:5].upper() == "WHERE" else ""


def _opening(sql: str) -> int:
    return next(at for at, word in _spans(sql) if word == "(")


def _spans(sql: str) -> list[tuple[int, str]]:
    found, at = [], 0
    for word in words(sql):
        at = sql.index(word, at)
        found.append((at, word))
        at += len(word)
    return found
