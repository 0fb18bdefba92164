"""The tables of TechEmpower's database tests, ``world`` and ``fortune``: made, filled and looked into."""

from __future__ import annotations

import random

import psycopg

from benchmarks.roads import Place

WORLDS = 10_000
LARGEST = 10_000
FORTUNES = (
    "A cache is a promise that somebody else has to keep.",
    "Every index is free until the first write.",
    "There are two hard things: names, and whatever you called the other one.",
    "<script>alert('A fortune that is not escaped runs away with you.');</script>",
    "He who locks in two orders waits for himself.",
    "The fastest query is the one that was never asked.",
    "\N{HIRAGANA LETTER HA}\N{HIRAGANA LETTER YA}\N{HIRAGANA LETTER I} & good: choose both.",
    "A migration without a way back is an expedition.",
    "Measure twice, optimise once.",
    "Tuesday's deployment is Wednesday's incident.",
    "NULL is not equal to your expectations.",
    "In the long run, everything is a full scan.",
)
TABLES = (
    "CREATE TABLE world (id integer PRIMARY KEY, randomnumber integer NOT NULL)",
    "CREATE TABLE fortune (id integer PRIMARY KEY, message varchar(2048) NOT NULL)",
)


def fill(place: Place) -> None:
    """Make the tables, with the same rows everywhere; vacuuming is left to ``tidy``, between the rounds."""
    numbers = random.Random(1)
    with psycopg.connect(**place.keywords()) as connection, connection.cursor() as cursor:
        for statement in TABLES:
            cursor.execute(statement)
        cursor.execute("ALTER TABLE world SET (autovacuum_enabled = off)")
        with cursor.copy("COPY world FROM STDIN") as copy:
            for key in range(1, WORLDS + 1):
                copy.write_row((key, numbers.randint(1, LARGEST)))
        cursor.executemany("INSERT INTO fortune VALUES (%s, %s)", list(enumerate(FORTUNES, start=1)))
    tidy(place)


def tidy(place: Place) -> None:
    """Take away the row versions that updates have left."""
    with psycopg.connect(**place.keywords(), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE world, fortune")


def stored_numbers(place: Place) -> list[tuple[int, int]]:
    """What the updates have left in ``world``."""
    with psycopg.connect(**place.keywords()) as connection:
        return connection.execute("SELECT id, randomnumber FROM world ORDER BY id").fetchall()
