"""Tables that several tests in a row have alike: made by a script, and only emptied in between.

Most tests begin with ``database.create(Author, Book)``, and to make tables takes longer than what they do with them. So the
DDL of the same models is generated once for each database, and is sent in one go from then on. Where the variants of one test (its
faces, its parameters) begin alike, the tables of the one before stay for the next, without their rows, if nothing but rows
has changed: each database can tell (`mark`). A test that makes its tables in another way finds nothing but an empty database.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from facade.configuration import settings
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.connection import connections
from facade.sql.tables.schema import create_all

DDL = ("CREATE", "ALTER", "COMMENT")


def ddl_of(models, alias):
    """Create the tables, and return the statements that did it."""
    with CaptureQueriesContext(connections[alias]) as captured:
        create_all(models=list(models), using=alias)
    statements = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in statements if sql.lstrip().startswith(DDL)]


def are_usual(home, models):
    """Tell whether the databases are configured as tests get them, and the models are a module's: a test's own nobody else will ask for."""
    return home.urls == settings.DATABASES and all(map(_is_of_module, models))


def _is_of_module(model):
    declared = (
        model._meta.auto_created or model
    )  # the table of a many-to-many relation belongs to the model that has it
    return getattr(sys.modules.get(declared.__module__), declared.__qualname__, None) is declared


class Tables:
    """The tables of the two databases of a server, ``home``."""

    def __init__(self, home):
        self.home = home
        self.scripts = {}  # DDL by the models
        self.standing = {}  # by alias: models and the mark of their tables, as they were made
        self.ready = {}  # by alias: models whose empty tables wait for the test
        self.made = set()  # the aliases for which the test has had tables made
        self.firsts = {}  # by test and alias: the models with which its variants begin
        self.test = None

    def forget(self):
        self.standing.clear()
        self.ready.clear()
        self.made.clear()
        self.test = None

    def begin(self, test):
        """Have empty databases, or in them the tables with which the test will begin."""
        standing, self.standing = self.standing, {}
        kept = {
            alias: found
            for alias, found in standing.items()
            if self.firsts.get((test, alias)) == found[0] and self.home.mark(alias) == found[1]
        }
        self.home.empty_but(kept)
        self.ready, self.made, self.test = {}, set(), test
        for alias, (models, _) in kept.items():
            self.home.delete_rows(alias)
            self.ready[alias] = models

    def make(self, models, alias):
        """Make the tables of the models; False if they are to be made in the ordinary way."""
        first, self.made = alias not in self.made, self.made | {alias}
        ready = self.ready.pop(alias, None)
        if not first or not are_usual(self.home, models):
            self.standing.pop(alias, None)
            self.firsts.pop((self.test, alias), None)
            if ready is not None:
                self.home.empty_one(alias)
            return False
        if ready is not None and ready != models:
            self.home.empty_one(alias)
        elif ready is None and not self.home.is_empty(alias):
            return False
        if models not in self.scripts:
            self.scripts[models] = ddl_of(models, alias)
        elif ready != models:
            self.home.run(alias, self.scripts[models])
        if self.test is not None:
            self.standing[alias] = models, self.home.mark(alias)
            self.firsts[self.test, alias] = models
        return True


class SQLiteTables:
    """A file with the tables is copied."""

    files = {}

    def __init__(self, home):
        self.home = home

    def begin(self, test):
        """Nothing to do: the files are new."""

    def make(self, models, alias):
        path = Path(make_url(self.home.urls[alias]).database)
        if path.exists() or not are_usual(self.home, models):
            return False
        if models in self.files:
            path.write_bytes(self.files[models])
            return True
        create_all(models=list(models), using=alias)
        with closing(sqlite3.connect(path)) as connection:
            self.files[models] = connection.serialize()
        return True
