"""The SQL that a person would write for the operations, in each driver's placeholders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from benchmarks.operations import LISTED, PAGE
from benchmarks.roads import Road
from benchmarks.schema import (
    AUTHOR_COLUMNS,
    BOOK_COLUMNS,
    BOOK_VALUES,
    EVENT_COLUMNS,
    REVIEW_COLUMNS,
    TAG_COLUMNS,
    WIDE_COLUMNS,
)

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
SAVEPOINT, RELEASE = "SAVEPOINT step", "RELEASE SAVEPOINT step"
_ROW = f"({', '.join('?' * len(BOOK_VALUES))})"
_KEYS = {
    "sqlite": "IN (SELECT value FROM json_each(?))",
    "postgres": "= ANY(?::bigint[])",
    "mariadb": "IN (SELECT k FROM JSON_TABLE(?, '$[*]' COLUMNS (k bigint PATH '$')) AS given)",
}
"""Vendor → the condition that a column holds one of the keys in one parameter, an array or its JSON."""
_UPDATE_MANY = {
    "sqlite": "UPDATE draft SET pages = ? WHERE id = ?",
    "postgres": (
        "UPDATE draft SET pages = given.pages FROM unnest(?::bigint[], ?::bigint[]) AS given (pages, id)"
        " WHERE draft.id = given.id"
    ),
    "mariadb": (
        "UPDATE draft JOIN JSON_TABLE(?, '$[*]' COLUMNS (pages bigint PATH '$[0]', id bigint PATH '$[1]')) AS given"
        " ON draft.id = given.id SET draft.pages = given.pages"
    ),
}
"""Vendor → the quickest statement found: for SQLite one for each row, for the others one for all."""


def _columns(table: str, names: tuple[str, ...] | dict[str, str]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


@dataclass(frozen=True)
class Statements:
    """SQL with ``?`` turned into the placeholders of one driver."""

    road: Road

    def _placed(self, sql: str) -> str:
        if self.road.driver == "asyncpg":
            numbers = iter(range(1, sql.count("?") + 1))
            return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
        return sql if self.road.vendor == "sqlite" else sql.replace("?", "%s")

    @cached_property
    def _percent(self) -> str:
        return "%" if self.road.vendor == "sqlite" or self.road.driver == "asyncpg" else "%%"

    def _selected(self, table: str, columns: dict[str, str], rest: str) -> str:
        return self._placed(f"SELECT {_columns(table, columns)} FROM {table} {rest}")

    def _books(self, rest: str) -> str:
        return self._selected("book", BOOK_COLUMNS, rest)

    @cached_property
    def _any(self) -> str:
        return _KEYS[self.road.vendor]

    @cached_property
    def get(self) -> str:
        return self._books("WHERE book.id = ?")

    @cached_property
    def get_wide(self) -> str:
        return self._selected("wide", WIDE_COLUMNS, "WHERE wide.id = ?")

    @cached_property
    def page(self) -> str:
        return self._books(
            f"WHERE book.author_id = ? AND book.in_print ORDER BY book.created_at DESC LIMIT {PAGE}"
        )

    @cached_property
    def in_100(self) -> str:
        return self._books(f"WHERE book.id {self._any} ORDER BY book.id")

    @cached_property
    def complex_filter(self) -> str:
        return self._books(
            "INNER JOIN book_tags ON book_tags.book_id = book.id INNER JOIN tag ON tag.id = book_tags.tag_id"
            " INNER JOIN author ON author.id = book.author_id LEFT JOIN author editor ON editor.id = book.editor_id"
            f" WHERE tag.slug = ? AND (author.name LIKE 'A{self._percent}' OR editor.active)"
            " AND NOT (book.pages < 100) ORDER BY book.id LIMIT 50"
        )

    @cached_property
    def books(self) -> str:
        return self._books("ORDER BY book.id LIMIT ?")

    @cached_property
    def wide(self) -> str:
        return self._selected("wide", WIDE_COLUMNS, "ORDER BY wide.id LIMIT ?")

    @cached_property
    def values_list(self) -> str:
        return self._placed(f"SELECT {_columns('book', LISTED)} FROM book ORDER BY book.id LIMIT ?")

    @cached_property
    def events(self) -> str:
        return self._selected("event", EVENT_COLUMNS, "ORDER BY event.id")

    @cached_property
    def select_related(self) -> str:
        return self._placed(
            f"SELECT {_columns('book', BOOK_COLUMNS)}, {_columns('author', AUTHOR_COLUMNS)} FROM book"
            " INNER JOIN author ON book.author_id = author.id ORDER BY book.id LIMIT ?"
        )

    @cached_property
    def authors(self) -> str:
        return self._selected("author", AUTHOR_COLUMNS, "ORDER BY author.id LIMIT ?")

    @cached_property
    def books_of_authors(self) -> str:
        return self._books(f"WHERE book.author_id {self._any}")

    @cached_property
    def reviews_of_books(self) -> str:
        return self._selected("review", REVIEW_COLUMNS, f"WHERE review.book_id {self._any}")

    @cached_property
    def tags_of_books(self) -> str:
        """The tags of books, each with the key of its book at the end."""
        return self._placed(
            f"SELECT {_columns('tag', TAG_COLUMNS)}, book_tags.book_id FROM tag"
            f" INNER JOIN book_tags ON book_tags.tag_id = tag.id WHERE book_tags.book_id {self._any}"
        )

    @cached_property
    def count(self) -> str:
        return self._placed("SELECT COUNT(*) FROM book WHERE book.author_id = ?")

    @cached_property
    def exists(self) -> str:
        return self._placed("SELECT 1 FROM book WHERE book.author_id = ? AND book.pages > 1100 LIMIT 1")

    @cached_property
    def aggregate(self) -> str:
        return self._placed(
            "SELECT COUNT(book.id), SUM(book.pages), MAX(book.price) FROM book WHERE book.author_id = ?"
        )

    @cached_property
    def group_by(self) -> str:
        return (
            "SELECT book.author_id, COUNT(book.id), SUM(book.pages) FROM book"
            " GROUP BY book.author_id ORDER BY book.author_id"
        )

    @cached_property
    def insert(self) -> str:
        return self._placed(f"{INSERT} VALUES {_ROW} RETURNING id")

    @cached_property
    def insert_many(self) -> str:
        """A thousand rows: arrays for PostgreSQL, which is quickest there, a list of rows for the others."""
        if self.road.vendor != "postgres":
            return self._placed(f"{INSERT} VALUES {', '.join([_ROW] * 1_000)} RETURNING id")
        arrays = ", ".join(f"?::{ARRAYS[BOOK_COLUMNS[name]]}[]" for name in BOOK_VALUES)
        return self._placed(f"{INSERT} SELECT * FROM unnest({arrays}) RETURNING id")

    @cached_property
    def save(self) -> str:
        return self._placed(
            f"UPDATE draft SET {', '.join(f'{name} = ?' for name in BOOK_VALUES)} WHERE id = ?"
        )

    @cached_property
    def update(self) -> str:
        return self._placed("UPDATE draft SET price = ? WHERE id = ?")

    @cached_property
    def update_f(self) -> str:
        return self._placed("UPDATE draft SET pages = pages + 1 WHERE id > ? AND id <= ?")

    @cached_property
    def add_page(self) -> str:
        return self._placed("UPDATE draft SET pages = pages + 1 WHERE id = ?")

    @cached_property
    def update_many(self) -> str:
        return self._placed(_UPDATE_MANY[self.road.vendor])

    @cached_property
    def by_isbn(self) -> str:
        return self._selected("draft", BOOK_COLUMNS, "WHERE draft.isbn = ?")

    @cached_property
    def delete(self) -> str:
        return self._placed("DELETE FROM draft WHERE id = ?")
