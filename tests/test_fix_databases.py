"""The databases that tests get are empty, whatever the test before left behind."""

from __future__ import annotations

from contextlib import closing, suppress

import pytest

from facade.db.connection import close_all
from tests.fix_databases import ALIASES
from tests.models import Author, Category

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


# -- tables that stay for the variants of a test ------------------------------------------------------------

CHANGES = {
    "a column": "ALTER TABLE tests_author ADD COLUMN more int",
    "a default": "ALTER TABLE tests_author ALTER COLUMN age SET DEFAULT 3",
    "an index": "CREATE INDEX more ON tests_author (age)",
    "a table": "CREATE TABLE more (id int)",
    "a view": "CREATE VIEW more AS SELECT 1 AS one",
}


def begin(database, test):
    """Have the databases as the next test finds them."""
    close_all()
    database.home.tables.begin(test)


def made_for(database, test):
    """Begin a test that makes a table and stores a row; return the row's key."""
    begin(database, test)
    database.create(Author)
    return Author.objects.create(name="Ada").pk


def has_table(database):
    with suppress(Exception):
        database.count("tests_author")
        return True
    return False


@pytest.mark.vendors("postgres", "mariadb")
def test_tables_stay_for_a_test_that_begins_alike_without_their_rows(database):
    assert made_for(database, "one") == 1
    begin(database, "one")
    assert has_table(database)
    assert database.count("tests_author") == 0
    assert made_for(database, "one") == 1
    begin(database, "another")
    assert not has_table(database)


@pytest.mark.vendors("postgres", "mariadb")
def test_tables_that_stayed_go_where_the_test_makes_others(database):
    made_for(database, "one")
    begin(database, "one")
    database.create(Category)
    assert not has_table(database)


@pytest.mark.vendors("postgres", "mariadb")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_tables_that_were_changed_do_not_stay(database, change):
    made_for(database, "one")
    database.observe(change)
    begin(database, "one")
    assert not has_table(database)
    assert made_for(database, "one") == 1


@pytest.mark.vendors("postgres", "mariadb")
def test_tables_made_beside_others_do_not_stay(database):
    for _ in range(2):
        begin(database, "one")
        database.observe("CREATE TABLE more (id int)")
        database.create(Author)
        begin(database, "one")
        assert not has_table(database)
