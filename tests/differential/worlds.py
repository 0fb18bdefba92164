"""The two worlds that a case is run in: facade, and Django as the oracle, each with a connection of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import importlib.util
import uuid
from contextlib import contextmanager
from decimal import Decimal
from functools import cache, partial
from zoneinfo import ZoneInfo

from sqlalchemy import make_url

import facade
from facade.configuration import override
from facade.meta.registry import isolate_apps
from tests.differential import models, rows
from tests.differential.models import LABEL
from tests.differential.outcomes import outcome_of

STATEMENTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "(")
PROBE = "SELECT JSON("
BACKENDS = {"mariadb": "mysql"}  # Django's, where they have another name
TABLES = [
    "country",
    "author",
    "author_friends",
    "author_follows",
    "profile",
    "tag",
    "book",
    "book_tags",
    "ebook",
    "reading",
    "review",
]
WITH_SERIALS = ["author", "author_friends", "author_follows", "tag", "book", "book_tags", "reading", "review"]
FIRST_SERIAL = 1001
MOVED = """SELECT table_name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_name LIKE 'differential%%' AND auto_increment <> %s"""


class World:
    """An ORM: the names that a case's source may use, and how it is run there."""

    package = ""

    def __init__(self, declared):
        m = importlib.import_module(f"{self.package}.models")
        functions = importlib.import_module(f"{self.package}.models.functions")
        self.models = declared
        self.names = {
            "D": Decimal, "dt": dt, "uuid": uuid, "m": m, "fn": functions, "UTC": dt.UTC,
            "Vienna": ZoneInfo("Europe/Vienna"), "Auckland": ZoneInfo("Pacific/Auckland"),
            **{name: getattr(m, name) for name in ("F", "Q", "Value", "OuterRef", "Subquery", "Exists", "Prefetch")},
            **vars(declared),
        }  # fmt: skip

    def read(self, case):
        """Run a case that only reads."""
        with self.captured() as captured:
            return outcome_of(lambda: eval(case.compiled, dict(self.names)), lambda: statements(captured))

    def write(self, case):
        """Run a case that writes, in a transaction that is rolled back; the tables as they were before its end."""
        names = dict(self.names)

        def act():
            exec(case.compiled, names)
            return names.get("told")

        with self.rolled_back():
            with self.captured() as captured:
                outcome = outcome_of(act, lambda: statements(captured))
            # PostgreSQL refuses everything in a transaction after an error.
            outcome.tables = self.tables() if outcome.error is None else None
        return outcome

    def tables(self):
        """Return the rows of each table as the database writes them."""
        with self.connection.cursor() as cursor:
            return {name: _rows(cursor, sql) for name, sql in self.dumps.items()}

    def find_dumps(self, vendor):
        """Remember the SELECT that dumps each table."""
        if vendor == "postgresql":
            self.dumps = {t: f"SELECT t::text FROM {LABEL}_{t} AS t ORDER BY 1" for t in TABLES}
            return
        quoted = _quoted_by_mariadb if vendor == "mysql" else _quoted
        with self.connection.cursor() as cursor:
            self.dumps = {t: quoted(cursor, f"{LABEL}_{t}") for t in TABLES}


def _rows(cursor, sql):
    cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()]


def _quoted(cursor, table):
    columns = [row[1] for row in _rows(cursor, f"PRAGMA table_xinfo({table})")]
    return f"SELECT {', '.join(f'quote({name})' for name in columns)} FROM {table} ORDER BY 1, 2, 3"


def _quoted_by_mariadb(cursor, table):
    columns = [row[0] for row in _rows(cursor, f"SHOW COLUMNS FROM {table}")]
    # Its quote() gives text, which has a collation to which "a" and "A" are the same.
    return f"SELECT {', '.join(f'quote(`{name}`)' for name in columns)} FROM {table} ORDER BY BINARY `{columns[0]}`"


def statements(captured):
    """Return those captured statements that are questions and changes: no savepoints, no look at the database's abilities."""
    queries = [query["sql"] for query in captured.captured_queries]
    return [
        sql
        for sql in queries
        if sql.lstrip("( ").upper().startswith(STATEMENTS) and not sql.startswith(PROBE)
    ]


class FacadeWorld(World):
    package = "facade"

    def __init__(self):
        with isolate_apps(LABEL):
            super().__init__(models.build(facade.models))
        self.runner = asyncio.Runner()

    @property
    def connection(self):
        return facade.connections["default"]

    def captured(self):
        return facade.CaptureQueriesContext(self.connection)

    @contextmanager
    def rolled_back(self):
        with facade.atomic():
            yield
            facade.transaction.set_rollback(True)

    def on_loop(self, method, case):
        """Run `read` or `write` under asyncio, as `facade.run` runs sync code."""
        return self.runner.run(facade.run(method, case))

    def read_by_twins(self, case):
        """Run a case that only reads by `async for` or by the twin of its last method."""
        return self.runner.run(self._read_by_twins(case))

    async def _read_by_twins(self, case):
        with self.captured() as captured:
            try:
                value = await self._awaited(case)
            except Exception as error:
                return outcome_of(partial(raise_again, error), lambda: statements(captured))
            # Comparing may read what is missing; the worker lets it.
            return await facade.run(outcome_of, lambda: value, lambda: statements(captured))

    async def _awaited(self, case):
        queryset = eval(case.queryset, dict(self.names))
        if case.end is None:
            return [row async for row in queryset]
        # Arguments may ask the database as they are written.
        asked = f"queryset.a{case.end}"
        return await (await facade.run(eval, asked, {**self.names, "queryset": queryset}))

    def close(self):
        self.runner.run(facade.close_all_async())
        self.runner.close()


def raise_again(error):
    raise error


class DjangoWorld(World):
    package = "django.db"

    def __init__(self):
        _set_up_django()
        super().__init__(_declared_once())

    @property
    def connection(self):
        return django_db().connections["default"]

    def captured(self):
        self.connection.queries_log.clear()  # which keeps 9,000 statements: a full one captures none
        return importlib.import_module("django.test.utils").CaptureQueriesContext(self.connection)

    @contextmanager
    def rolled_back(self):
        atomic = django_db().transaction.atomic
        with atomic():
            yield
            self.connection.set_rollback(True)

    def connect(self, url, time_zone, use_tz):
        """Point the default alias at a database."""
        settings = importlib.import_module("django.conf").settings
        # Not by Django's override_settings(), which changes the time zone of the process.
        settings.TIME_ZONE, settings.USE_TZ = time_zone, use_tz
        importlib.import_module("django.utils.timezone").get_default_timezone.cache_clear()
        handler = django_db().connections
        handler.settings = handler.configure_settings({"default": database_settings(url)})
        handler["default"] = handler.create_connection("default")

    def knows_zones(self):
        """Return whether time zones have names there; those of MariaDB are in tables that may be empty."""
        return self.connection.vendor != "mysql" or self.connection.features.has_zoneinfo_database

    def create_tables(self):
        with self.connection.schema_editor() as editor:
            for model in vars(self.models).values():
                if not model._meta.proxy:
                    editor.create_model(model)

    def restart_serials(self):
        """Let the next keys be the same for both worlds; the sequences of servers know no rollback."""
        with self.connection.cursor() as cursor:
            if self.connection.vendor == "postgresql":
                calls = [
                    f"setval(pg_get_serial_sequence('{LABEL}_{t}', 'id'), {FIRST_SERIAL}, false)"
                    for t in WITH_SERIALS
                ]
                cursor.execute(f"SELECT {', '.join(calls)}")
            elif self.connection.vendor == "mysql":
                cursor.execute(MOVED, [FIRST_SERIAL])
                for (table,) in cursor.fetchall():  # one at a time: each ALTER TABLE waits for the disk
                    cursor.execute(f"ALTER TABLE {table} AUTO_INCREMENT = {FIRST_SERIAL}")

    def close(self):
        self.connection.close()


def django_db():
    importlib.import_module("django.db.transaction")
    return importlib.import_module("django.db")


def _set_up_django():
    conf = importlib.import_module("django.conf")
    if not conf.settings.configured:
        conf.settings.configure(
            TIME_ZONE="UTC",
            INSTALLED_APPS=["tests.differential"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        )
        importlib.import_module("django").setup()


@cache
def _declared_once():
    return models.build(importlib.import_module("django.db.models"))


def database_settings(url):
    url = make_url(url)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database}
    if backend in ("mysql", "mariadb"):
        _have_mysqldb()
    return {
        "ENGINE": f"django.db.backends.{BACKENDS.get(backend, backend)}", "NAME": url.database, "HOST": url.host, "PORT": url.port or "",
        "USER": url.username or "", "PASSWORD": url.password or "",
    }  # fmt: skip


def _have_mysqldb():
    """Let PyMySQL stand in where mysqlclient, which Django asks for, is not installed."""
    if importlib.util.find_spec("MySQLdb") is None:
        importlib.import_module("pymysql").install_as_MySQLdb()


@contextmanager
def both_worlds(url, time_zone="Europe/Vienna", use_tz=True):
    """Give facade's world and Django's, on the same tables with the same rows.

    A server that knows no time zones by name has UTC alone, for every name that a case's source may use.
    """
    django = DjangoWorld()
    django.connect(url, time_zone, use_tz)
    zones = django.knows_zones()
    if not zones:
        time_zone = "UTC"
        django.connect(url, time_zone, use_tz)
    with override(USE_TZ=use_tz, TIME_ZONE=time_zone, DATABASES={"default": url}):
        django.create_tables()
        rows.fill(django.models, dt.UTC if use_tz else None)
        ours = FacadeWorld()
        for world in (ours, django):
            world.find_dumps(django.connection.vendor)
            if not zones:
                world.names.update(Vienna=dt.UTC, Auckland=dt.UTC)
        try:
            yield ours, django
        finally:
            ours.close()
            facade.close_all()
            django.close()
