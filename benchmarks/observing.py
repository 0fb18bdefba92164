"""Looks into a contender's database from outside, and fills its table of drafts anew."""

from __future__ import annotations

import importlib
import sqlite3
from typing import Any

from benchmarks import schema
from benchmarks.roads import Place

RESET = ("DELETE FROM draft WHERE true", f"INSERT INTO draft SELECT * FROM book WHERE id <= {schema.DRAFTS}")
RESET_SEQUENCE = f"SELECT setval(pg_get_serial_sequence('draft', 'id'), {schema.DRAFTS})"
RESET_COUNTER = f"ALTER TABLE draft AUTO_INCREMENT = {schema.DRAFTS + 1}"


class Observer:
    """A connection of its own that reads and restores the ``draft`` table between measurements."""

    def __init__(self, place: Place) -> None:
        self.resets: tuple[str, ...] = RESET
        self.connection: Any
        match place.vendor:
            case "sqlite":
                self.connection = sqlite3.connect(place.name, isolation_level=None, timeout=30)
                self.cursor = self.connection.cursor()
            case "postgres":
                psycopg = importlib.import_module("psycopg")
                self.connection = psycopg.connect(**place.keywords(), autocommit=True)
                self.cursor = self.connection.cursor()
                self.resets += (RESET_SEQUENCE,)
            case _:
                pymysql = importlib.import_module("pymysql")
                self.connection = pymysql.connect(**place.keywords("database"), autocommit=True)
                self.cursor = self.connection.cursor()
                self.resets += (RESET_COUNTER,)

    def reset(self) -> None:
        for statement in self.resets:
            self.cursor.execute(statement)

    def drafts(self) -> list[tuple[Any, ...]]:
        self.cursor.execute(f"SELECT {', '.join(schema.BOOK_COLUMNS)} FROM draft ORDER BY id")
        return list(self.cursor.fetchall())

    def close(self) -> None:
        self.connection.close()
