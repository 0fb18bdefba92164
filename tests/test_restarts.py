"""A server that stops and starts again under load, and one that takes no more connections."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import psycopg
import pytest

from facade import bridge
from facade.configuration import configure
from facade.db.channels.channel import Statement
from facade.db.connection import close_all, close_all_async, connections
from facade.exceptions import PoolExhausted
from facade.transaction import atomic
from tests.fix_databases import own_postgres_server

ONE = Statement("SELECT 1", reads=True, returns=True)
NAP = Statement("SELECT pg_sleep(0.1)::text", reads=True, returns=True)
INSERT = Statement("INSERT INTO visit DEFAULT VALUES")
DRIVERS = ["psycopg", "asyncpg", "psycopg async"]


@pytest.fixture(scope="module")
def server():
    with own_postgres_server() as server:
        yield server


@pytest.fixture(params=DRIVERS)
def workers(request, server):
    """What runs functions in threads, or in tasks of one event loop, on a database of a server of our own."""
    dialect = "postgresql+psycopg" if "psycopg" in request.param else "postgresql+asyncpg"

    def use(**keys):
        configure(DATABASES={"default": {"URL": server.url.replace("postgresql", dialect, 1), **keys}})
        return in_threads if request.param == "psycopg" else in_tasks

    yield use
    close_all()
    configure(DATABASES={})


def in_threads(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_tasks(functions):
    async def main():
        await asyncio.gather(*(bridge.spawn(function) for function in functions))
        await close_all_async()

    asyncio.run(main())


class Load:
    """Kinds of work that are done again and again, and what has become of them."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.failed = {"read": [], "write": [], "begin": [], "block": []}
        self.done = dict.fromkeys(self.failed, 0)

    def _again(self, work):
        while time.monotonic() < self.end:
            work()
            bridge.sleep(0.001)

    def _try(self, kind, work):
        try:
            result = work()
        except Exception as error:
            self.failed[kind].append(error)
            return None
        self.done[kind] += 1
        return result

    def read(self):
        self._again(lambda: self._try("read", lambda: connections["default"].fetch(ONE, ())))

    def write(self):
        self._again(lambda: self._try("write", lambda: connections["default"].execute(INSERT, ())))

    def block(self):
        self._again(self._block)

    def _block(self):
        block = atomic()
        if self._try("begin", block.__enter__) is not None:
            self._try("block", lambda: self._in(block))

    def _in(self, block):
        try:
            connections["default"].execute(INSERT, ())
        except Exception as error:
            block.__exit__(type(error), error, None)
            raise
        block.__exit__(None, None, None)


def crash(server):
    time.sleep(0.5)
    server.stop()
    time.sleep(1)
    server.restart()


def test_a_restart_costs_what_was_in_flight_and_nothing_else(server, workers):
    run = workers(POOL_SIZE=5, MAX_OVERFLOW=10)
    in_threads(
        [
            lambda: connections["default"].execute(
                Statement("CREATE TABLE IF NOT EXISTS visit (id serial)"), ()
            )
        ]
    )
    load = Load(seconds=3.5)
    crashing = threading.Thread(target=crash, args=(server,))
    crashing.start()
    run([*[load.read] * 5, *[load.write] * 5, *[load.block] * 5])
    crashing.join()
    assert load.failed["read"] == []
    assert load.failed["begin"] == []
    for kind in ("write", "block"):
        assert len(load.failed[kind]) <= 5
        assert all(is_in_flight(error) for error in load.failed[kind])
    assert all(load.done.values())


def is_in_flight(error):
    """Tell whether a statement, or COMMIT, may have reached the server."""
    return type(error).__name__ == "CommitOutcomeUnknown" or (
        error.statement is not None and error.connection_invalidated
    )


# -- a server that takes no more connections ----------------------------------------------------------------------------


@pytest.fixture(params=[0, 3])
def full(request, server):
    """A server that takes eight connections, some of them from superusers only: the last words differ."""
    server.restart(max_connections=8, superuser_reserved_connections=request.param)
    with server.connect() as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE ada LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    yield server
    server.restart()


@pytest.mark.usefixtures("full")
def test_own_connections_that_come_free_are_waited_for(workers):
    run = workers(POOL_SIZE=10, MAX_OVERFLOW=10, POOL_TIMEOUT=10, OPTIONS={"user": "ada"})
    answers = []

    def work():
        answers.extend([connections["default"].fetch(NAP, ()) for _ in range(3)])

    run([work] * 20)
    assert len(answers) == 60


def test_where_none_comes_free_it_says_which_limit_it_is(full, workers):
    run = workers(POOL_SIZE=10, MAX_OVERFLOW=10, POOL_TIMEOUT=0.5, OPTIONS={"user": "ada"})
    refused = []

    def work():
        try:
            with atomic():
                bridge.sleep(1.5)
        except PoolExhausted as error:
            refused.append(str(error))

    run([work] * 20)
    assert 12 <= len(refused) < 20
    for message in refused:
        assert message.startswith("The server of database 'default' takes no more connections")
        assert "0.5 seconds (POOL_TIMEOUT)" in message
        assert "max_connections" in message


def test_where_others_have_them_all_it_says_so(full, workers):
    """No connection of our own can come free; when one of theirs does, it is taken."""
    others = []
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            others.append(full.connect(user="ada"))
    run = workers(POOL_SIZE=1, MAX_OVERFLOW=2, POOL_TIMEOUT=2, OPTIONS={"user": "ada"})
    one = connections["default"]
    seen = []

    def ask():
        try:
            seen.append(one.fetch(ONE, ())[0][0])
        except PoolExhausted as error:
            seen.append(str(error))

    def leave():
        bridge.sleep(0.3)
        for other in others:
            other.close()

    run([ask] * 3)
    assert len(seen) == 3
    for message in seen:
        assert "The server of database 'default' takes no more connections, and this pool got none" in message
    seen.clear()
    run([*[ask] * 3, leave])
    assert seen == [1, 1, 1]

    def exhaust():
        held = [one.lend() for _ in range(3)]
        ask()
        for channel in held:
            channel.check_in()

    run([exhaust])
    assert seen[-1].startswith("The pool of database 'default' is exhausted")


KINDS = ("bigint", "numeric", "text", "varchar(9)", "integer") * 4
CHANGE = "ALTER TABLE changing ALTER COLUMN n TYPE {0} USING n::{0}"
READ = Statement("SELECT n FROM changing", reads=True, returns=True)
WRITE = Statement("UPDATE changing SET n = n RETURNING n", returns=True)


def alter(server):
    with server.connect() as connection:
        for kind in KINDS:
            time.sleep(0.05)
            connection.execute(CHANGE.format(kind))


def test_tables_that_are_altered_under_load_fail_nobody(server, workers):
    with server.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS changing (n integer)")
        connection.execute("INSERT INTO changing VALUES (1)")
    run = workers(POOL_SIZE=5, MAX_OVERFLOW=10)
    load, one = Load(seconds=2), connections["default"]

    @atomic(retries=3)
    def block():
        one.fetch(READ, ())
        one.fetch(WRITE, ())

    kinds = {"read": lambda: one.fetch(READ, ()), "write": lambda: one.fetch(WRITE, ()), "block": block}
    altering = threading.Thread(target=alter, args=(server,))
    altering.start()
    run([lambda kind=kind: load._again(lambda: load._try(kind, kinds[kind])) for kind in list(kinds) * 4])
    altering.join()
    assert {kind: errors for kind, errors in load.failed.items() if errors} == {}
    assert all(load.done[kind] > 50 for kind in kinds)
    with server.connect() as connection:
        connection.execute("DROP TABLE changing")
