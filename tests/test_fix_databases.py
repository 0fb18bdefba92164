"""The databases that tests get are empty, whatever the test before left behind."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.fix_databases import ALIASES

LEFT = {
    "postgresql": [
        "CREATE TYPE mood AS ENUM ('glad')",
        "CREATE TABLE a (id int PRIMARY KEY, mood mood)",
        "CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a)",
        "CREATE SCHEMA aside",
        "CREATE TABLE aside.c (id int REFERENCES public.a)",
        "CREATE SEQUENCE numbers",
        "CREATE VIEW seen AS SELECT id FROM a",
    ],
    "mysql": [
        "CREATE TABLE a (id int PRIMARY KEY)",
        "CREATE TABLE b (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES a (id))",
        "CREATE VIEW seen AS SELECT id FROM a",
    ],
}


@pytest.mark.vendors("postgres", "mariadb")
@pytest.mark.parametrize("alias", ALIASES)
def test_nothing_is_left_behind(database, alias):
    for _ in range(2):
        for sql in LEFT[database.vendor]:
            database.observe(sql, alias)
        database.home.empty()


@pytest.mark.vendors("postgres", "mariadb")
@pytest.mark.parametrize("alias", ALIASES)
def test_a_connection_that_holds_a_lock_is_ended(database, alias):
    database.observe("CREATE TABLE a (id int)", alias)
    with closing(database.home.connect(alias)) as left, left.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO a VALUES (1)")
        database.home.empty()
        database.observe("CREATE TABLE a (id int)", alias)
        with pytest.raises(Exception, match=r"terminat|closed|Lost connection|kill"):
            cursor.execute("SELECT 1")
