"""A pooler between: pgbouncer hands servers out by transaction, and no client gets another's rows."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from facade import bridge, models, transaction
from facade.configuration import configure
from facade.db.channels.channel import Statement
from facade.db.connection import close_all, close_all_async, connections
from facade.exceptions import DatabaseError, StatementTimeout

BINARY = os.environ.get("FACADE_TEST_PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin")
pytestmark = [
    pytest.mark.vendors("postgres"),
    pytest.mark.faces("sync"),
    pytest.mark.skipif(BINARY is None, reason="no pgbouncer: name one in FACADE_TEST_PGBOUNCER"),
]
WIDTH = 40  # statements; psycopg numbers those that it prepares by their order


@pytest.fixture
def folder():
    """A folder that pgbouncer can read: it does not run as root."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def bouncer(database, folder):
    """A pgbouncer in transaction mode in front of the test database; gives its URL."""
    url = make_url(database.url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    host = url.query.get("host") or url.host or "127.0.0.1"
    target = f"host={host} port={url.port or 5432} dbname={url.database} user={url.username}"
    if url.password:
        target += f" password={url.password}"
    (folder / "users.txt").write_text(f'"{url.username}" "{url.password or ""}"\n')
    config = folder / "pgbouncer.ini"
    config.write_text(
        textwrap.dedent(
            f"""
            [databases]
            bounced = {target}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {folder}/users.txt
            pool_mode = transaction
            default_pool_size = 4
            max_client_conn = 300
            ignore_startup_parameters = extra_float_digits
            """
        )
    )
    command = [BINARY, str(config)]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "nobody"]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        assert process.poll() is None, (folder / "log").read_text()
        yield url.set(host="127.0.0.1", port=port, database="bounced", password=None, query={})
    finally:
        process.terminate()
        process.wait(10)
        log.close()


READERS = """
import asyncio, sys
from facade import bridge
from facade.configuration import configure
from facade.db.channels.channel import Statement
from facade.db.connection import connections

url, base, settings = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
configure(DATABASES={"default": {"URL": url, "POOL_SIZE": 20, "MAX_OVERFLOW": 20, **settings}})
one = connections["default"]
counts = {"right": 0, "wrong": 0, "error": 0}

async def reader(number):
    for turn in range(%(turns)d):
        wanted = base + (number + turn) %% %(width)d
        statement = Statement(f"SELECT {wanted}", reads=True, returns=True)
        try:
            found = (await bridge.spawn(one.fetch, statement, ()))[0][0]
        except Exception:
            counts["error"] += 1
        else:
            counts["right" if found == wanted else "wrong"] += 1

async def main():
    await asyncio.gather(*(reader(number) for number in range(40)))

asyncio.run(main())
print(counts["right"], counts["wrong"], counts["error"])
"""


def read_from_two_processes(url, turns, **settings):
    """Return how many reads of two processes with 40 tasks each were right, wrong and failed."""
    script = READERS % {"turns": turns, "width": WIDTH}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, url.render_as_string(False), str(base), repr(settings)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for base in (1000, 2000)
    ]
    found = [process.communicate(timeout=120)[0].split() for process in running]
    return [sum(int(row[index]) for row in found) for index in range(3)]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_no_client_gets_the_rows_of_another(bouncer, driver, database):
    right, wrong, _ = read_from_two_processes(bouncer.set(drivername=f"postgresql+{driver}"), 125)
    assert (wrong, right > 0) == (0, True)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_with_the_setting_all_is_right(bouncer, driver, database):
    url = bouncer.set(drivername=f"postgresql+{driver}")
    assert read_from_two_processes(url, 40, TRANSACTION_POOLING=True) == [3200, 0, 0]


def test_psycopg_prepares_what_is_run_often_where_no_pooler_stands_between(face, bouncer, database):
    read = Statement("SELECT 1", reads=True, returns=True)
    prepared = Statement("SELECT count(*) FROM pg_prepared_statements", reads=True, returns=True)
    for url, prepares in ((make_url(database.url), True), (bouncer, False)):
        configure(DATABASES={"default": url.set(drivername="postgresql+psycopg")})
        one = connections["default"]
        for _ in range(8):
            one.fetch(read, ())
        assert bool(one.fetch(prepared, ())[0][0]) is prepares


def test_psycopg_that_is_to_prepare_has_names_of_its_own(bouncer, database):
    url = bouncer.set(drivername="postgresql+psycopg")
    right, wrong, _ = read_from_two_processes(url, 125, OPTIONS={"prepare_threshold": 0})
    assert (wrong, right > 0) == (0, True)


def test_an_error_of_spread_statements_names_the_setting(bouncer, database):
    configure(
        DATABASES={
            "default": {
                "URL": bouncer.set(drivername="postgresql+psycopg"),
                "OPTIONS": {"prepare_threshold": 0},
            }
        }
    )
    one = connections["default"]
    read = Statement("SELECT 1", reads=True, returns=True)
    held = [one.lend() for _ in range(3)]
    try:
        with pytest.raises(DatabaseError, match="'default'.*TRANSACTION_POOLING"):
            for _ in range(50):
                for channel in held:
                    channel.begin()
                    channel.fetch(read, ())
                for channel in reversed(held):
                    channel.commit()
                held.append(held.pop(0))
    finally:
        for channel in held:
            channel.discard()
        close_all()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_an_engine_that_somebody_else_made(bouncer, driver, database):
    """SQLAlchemy's own statements are right there, and ours are, too."""
    options = {"statement_cache_size": 0} if driver == "asyncpg" else {}
    engine = create_async_engine(
        bouncer.set(drivername=f"postgresql+{driver}"), connect_args=options, pool_size=20
    )

    async def reader(number, one):
        found = []
        for turn in range(40):
            wanted = (number + turn) % WIDTH
            statement = Statement(f"SELECT {wanted}", reads=True, returns=True)
            found.append((await bridge.spawn(one.fetch, statement, ()))[0][0] == wanted)
        return found

    async def main():
        one = connections["default"]
        found = await asyncio.gather(*(reader(number, one) for number in range(20)))
        await close_all_async()
        await engine.dispose()
        return [right for row in found for right in row]

    configure(DATABASES={"default": engine})
    found = asyncio.run(main())
    assert len(found) == 800
    assert all(found)


# -- what docs/pooling.md says ---------------------------------------------------------------------------------


class Visit(models.Model):
    number = models.IntegerField()

    class Meta:
        app_label = "tests_poolers"


@pytest.mark.faces("sync", "async")
def test_blocks_streams_limits_and_words_of_a_transaction_work_behind_a_pooler(face, bouncer, database):
    database.create(Visit)
    Visit.objects.bulk_insert(Visit(number=number) for number in range(600))
    configure(DATABASES={"default": {"URL": bouncer, "TRANSACTION_POOLING": True}})
    rows = Visit.objects.order_by("number")
    found = [face(rows.filter(pk=row.pk).count) for row in face.iterate(rows.iterator, 200)]
    assert found == [1] * 600
    with face.block(transaction.atomic()):
        with face.block(transaction.atomic()):
            face(rows.select_for_update().get, number=1)
        one = connections["default"].cursor()
        one.execute("SELECT set_config('app.by', 'ada', true)")
        one.execute("SELECT current_setting('app.by')")
        assert one.fetchone()[0] == "ada"
    slow = rows.annotate(
        slept=models.Func(models.Value(3.0), function="pg_sleep", output_field=models.TextField())
    )
    with pytest.raises(StatementTimeout):
        face(slow.timeout(0.1).first)
    assert face(rows.count) == 600


# -- tables that change (no pooler needed) -----------------------------------------------------------------


@pytest.mark.parametrize("threshold", [None, 0, 5])
def test_altered_columns_do_not_break_open_connections(database, threshold):
    options = {} if threshold is None else {"OPTIONS": {"prepare_threshold": threshold}}
    url = make_url(database.url).set(drivername="postgresql+psycopg")
    configure(DATABASES={"default": {"URL": url, **options}})
    engine = create_engine(url)
    one = connections["default"]
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS changing"))
        connection.execute(text("CREATE TABLE changing (n integer)"))
        connection.execute(text("INSERT INTO changing VALUES (1)"))
    read = Statement("SELECT n FROM changing", reads=True, returns=True)
    write = Statement("UPDATE changing SET n = n RETURNING n", returns=True)
    try:
        for kind in ("bigint", "numeric", "text", "varchar(5)"):
            for _ in range(8):
                one.fetch(read, ())
                one.fetch(write, ())
            with engine.begin() as connection:
                connection.execute(text(f"ALTER TABLE changing ALTER COLUMN n TYPE {kind}"))
            assert str(one.fetch(read, ())[0][0]) == "1"
            assert str(one.fetch(write, ())[0][0]) == "1"
    finally:
        close_all()
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE changing"))
        engine.dispose()
