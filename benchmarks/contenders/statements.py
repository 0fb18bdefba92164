"""The SQL that a person would write for the operations, in each driver's placeholders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from benchmarks.operations import LISTED, PAGE
from benchmarks.schema import AUTHOR_COLUMNS, BOOK_COLUMNS, BOOK_VALUES, TAG_COLUMNS

INSERT = f"INSERT INTO draft ({', '.join(BOOK_VALUES)})"
ARRAYS = {
    "text": "text",
    "int": "bigint",
    "int?": "bigint",
    "decimal": "numeric",
    "date": "date",
    "datetime": "timestamptz",
    "bool": "boolean",
}
_ROW = f"({', '.join('?' * len(BOOK_VALUES))})"


def _columns(table: str, names: tuple[str, ...] | dict[str, str]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


@dataclass(frozen=True)
class Statements:
    """SQL with ``?`` turned into the placeholders of one driver."""

    driver: str

    def _placed(self, sql: str) -> str:
        if self.driver == "psycopg":
            return sql.replace("?", "%s")
        if self.driver == "asyncpg":
            numbers = iter(range(1, sql.count("?") + 1))
            return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
        return sql

    @cached_property
    def get(self) -> str:
        return self._placed(f"SELECT {_columns('book', BOOK_COLUMNS)} FROM book WHERE book.id = ?")

    @cached_property
    def page(self) -> str:
        return self._placed(
            f"SELECT {_columns('book', BOOK_COLUMNS)} FROM book WHERE book.author_id = ? AND book.in_print"
            f" ORDER BY book.created_at DESC LIMIT {PAGE}"
        )

    @cached_property
    def books(self) -> str:
        return self._placed(f"SELECT {_columns('book', BOOK_COLUMNS)} FROM book ORDER BY book.id LIMIT ?")

    @cached_property
    def values_list(self) -> str:
        return self._placed(f"SELECT {_columns('book', LISTED)} FROM book ORDER BY book.id LIMIT ?")

    @cached_property
    def select_related(self) -> str:
        return self._placed(
            f"SELECT {_columns('book', BOOK_COLUMNS)}, {_columns('author', AUTHOR_COLUMNS)} FROM book"
            " INNER JOIN author ON book.author_id = author.id ORDER BY book.id LIMIT ?"
        )

    @cached_property
    def _any(self) -> str:
        """The condition that a column holds one of the keys in one parameter, an array or its JSON."""
        return (
            "IN (SELECT value FROM json_each(?))"
            if self.driver in {"sqlite3", "aiosqlite"}
            else "= ANY(?::bigint[])"
        )

    @cached_property
    def authors(self) -> str:
        return self._placed(
            f"SELECT {_columns('author', AUTHOR_COLUMNS)} FROM author ORDER BY author.id LIMIT ?"
        )

    @cached_property
    def books_of_authors(self) -> str:
        return self._placed(
            f"SELECT {_columns('book', BOOK_COLUMNS)} FROM book WHERE book.author_id {self._any}"
        )

    @cached_property
    def tags_of_books(self) -> str:
        """The tags of books, each with the key of its book at the end."""
        return self._placed(
            f"SELECT {_columns('tag', TAG_COLUMNS)}, book_tags.book_id FROM tag"
            f" INNER JOIN book_tags ON book_tags.tag_id = tag.id WHERE book_tags.book_id {self._any}"
        )

    @cached_property
    def insert(self) -> str:
        return self._placed(f"{INSERT} VALUES {_ROW} RETURNING id")

    @cached_property
    def insert_many(self) -> str:
        """A thousand rows: arrays for PostgreSQL, which is quickest there, a list of rows for SQLite."""
        if self.driver in {"sqlite3", "aiosqlite"}:
            return f"{INSERT} VALUES {', '.join([_ROW] * 1_000)} RETURNING id"
        arrays = ", ".join(f"?::{ARRAYS[BOOK_COLUMNS[name]]}[]" for name in BOOK_VALUES)
        return self._placed(f"{INSERT} SELECT * FROM unnest({arrays}) RETURNING id")

    @cached_property
    def update(self) -> str:
        return self._placed("UPDATE draft SET price = ? WHERE id = ?")
