"""How MySQL and MariaDB describe a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from facade.migrations.comparing.described import ColumnWords, Item, TableWords
from facade.migrations.comparing.words import matching, split, text_of, unquoted, words

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["describe"]

# What may follow the type of a column.
_AFTER_TYPE = {
    "NOT",
    "NULL",
    "DEFAULT",
    "AUTO_INCREMENT",
    "GENERATED",
    "AS",
    "COMMENT",
    "CHECK",
    "ON",
    "INVISIBLE",
}


def describe(connection: Connection, name: str, schema: str | None) -> TableWords:
    """Return how SHOW CREATE TABLE describes a table."""
    preparer = connection.dialect.identifier_preparer
    table = f"{preparer.quote(schema)}.{preparer.quote(name)}" if schema else preparer.quote(name)
    (row,) = connection.exec_driver_sql(f"SHOW CREATE TABLE {table}")
    found = TableWords()
    references = set()
    for part in _parts(row[1]):
        if part[0] == "CONSTRAINT" and part[2] == "FOREIGN":
            references.add(unquoted(part[1]))
        elif part[0][0] == "`":
            found.columns[unquoted(part[0])] = _column(part[1:])
        elif item := _item(part):
            found.items[item[0]] = item[1]
    # The server makes an index for a reference that has none.
    found.items = {name: item for name, item in found.items.items() if name not in references}
    return found


def _parts(sql: str) -> Iterator[list[str]]:
    given = words(sql, backslashes=True)
    start = given.index("(")
    return split(given[start + 1 : matching(given, start)])


def _column(part: Sequence[str]) -> ColumnWords:
    end = _first(part, _AFTER_TYPE)
    type_ = " ".join(part[:end]).lower()
    rest = part[end:]
    if "GENERATED" in rest or "AS" in rest:
        start = rest.index("(", rest.index("AS"))
        close = matching(rest, start)
        kind = "virtual" if "VIRTUAL" in rest[close:] else "stored"
        return ColumnWords(type_, generated=f"{text_of(rest[start : close + 1])} {kind}")
    if "AUTO_INCREMENT" in rest:
        return ColumnWords(type_, "identity")
    return ColumnWords(type_, _default(rest))


def _default(rest: Sequence[str]) -> str | None:
    if "DEFAULT" not in rest:
        return None
    start = rest.index("DEFAULT") + 1
    end = start + _first(rest[start:], {"NOT", "COMMENT", "CHECK", "ON", "INVISIBLE"})
    text = text_of(rest[start:end])
    return None if text == "null" else text


def _first(part: Sequence[str], ends: set[str]) -> int:
    return next((position for position, word in enumerate(part) if word.upper() in ends), len(part))


def _item(part: Sequence[str]) -> tuple[str, Item] | None:
    """Return an index or a constraint with its name, None for what is neither."""
    if part[0] == "CONSTRAINT" and part[2] == "CHECK":
        return unquoted(part[1]), Item("check", text_of(part[3:]))
    if part[0] == "UNIQUE":
        columns = tuple(unquoted(one[0]) for one in split(part[4:-1]))
        return unquoted(part[2]), Item("unique", text_of(part[3:]), columns)
    if part[0] == "KEY":
        items = (" ".join([one[0], *(word.upper() for word in one[1:])]) for one in split(part[3:-1]))
        return unquoted(part[1]), Item("index", text_of(part[2:]), tuple(items))
    return None
