"""Faults between client and server: cuts, lost acknowledgements, delays, a server that restarts."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
from contextlib import suppress

import pymysql
import pytest
from sqlalchemy import make_url

from facade import bridge
from facade.configuration import configure, settings
from facade.db.channels import retry
from facade.db.channels.channel import Statement
from facade.db.connection import close_all, close_all_async, connections
from facade.exceptions import CommitOutcomeUnknown, OperationalError
from facade.transaction import atomic
from tests.entries import Entries
from tests.proxy import TcpProxy

pytestmark = pytest.mark.vendors("postgres", "mariadb")

NAP = {
    "postgresql": Statement("SELECT pg_sleep(0.002)::text", reads=True, returns=True),
    "mysql": Statement("SELECT sleep(0.002)", reads=True, returns=True),
}
PID = Statement("SELECT pg_backend_pid()", reads=True, returns=True)
ONE = Statement("SELECT 1", reads=True, returns=True)


@pytest.fixture
def entries(database):
    return Entries(database)


@pytest.fixture(params=["own", "psycopg"])
def proxy(request, face, database, entries, monkeypatch):
    """The database behind a proxy, with a pool of two."""
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)
    url = make_url(database.url)
    if request.param == "psycopg":
        if database.vendor == "mysql":
            pytest.skip("mariadb: it has one driver for each face")
        if not face.is_async:
            pytest.skip("the sync face has psycopg anyway")
        url = url.set(drivername="postgresql+psycopg")
    with TcpProxy(url.host, url.port) as proxy:
        url = url.set(port=proxy.port).render_as_string(hide_password=False)
        configure(DATABASES={"default": {"URL": url, "POOL_SIZE": 2, "MAX_OVERFLOW": 0, "POOL_TIMEOUT": 2}})
        yield proxy
        close_all()


def wait(face, seconds):
    """Let an event loop notice what happened to its sockets."""
    if face.is_async:
        face.wait(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


def in_use():
    return connections["default"].lender.pool.checkedout()


def test_cut_connections_are_replaced_without_anybody_noticing(face, entries, proxy):
    one = connections["default"]
    held = [one.lend(), one.lend()]
    for channel in held:
        channel.check_in()
    proxy.cut()
    wait(face, 1.2 if one.vendor == "mysql" else 0.2)  # an idle second, and MariaDB is asked first
    entries.add("a write")
    assert entries.stored == ["a write"]
    assert (in_use(), proxy.accepted) == (0, 3)


def test_a_write_whose_acknowledgement_is_lost_is_stored_once(face, entries, proxy):
    if (
        connections["default"].lender.is_general()
        and connections["default"].lender.dialect.driver == "asyncpg"
    ):
        pytest.skip("SQLAlchemy has the statement prepared first: the lost answer is not the one to INSERT")
    one = connections["default"]
    whole = b"COMMIT" if one.vendor == "mysql" else b"COMMIT\x00"  # there is a level READ COMMITTED, too
    last = whole if one.lender.is_general() else b"INSERT INTO entry"
    for number in range(5):
        entries.read()  # what a new connection says first has a COMMIT, too
        proxy.swallow(last)
        with pytest.raises(OperationalError) as caught:
            entries.add(str(number))
        assert caught.value.connection_invalidated
    time.sleep(0.1)
    assert entries.stored == list("01234")
    assert in_use() == 0


def test_a_commit_whose_acknowledgement_is_lost_is_of_unknown_outcome(face, entries, proxy):
    with pytest.raises(CommitOutcomeUnknown, match="'default' was lost while it committed"):
        with face.block(atomic()):
            entries.add("stored all the same")
            proxy.swallow(b"COMMIT")
    assert entries.stored == ["stored all the same"]
    assert in_use() == 0
    assert entries.read() == ["stored all the same"]


SLOWLY = (
    "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(10); RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slowly()",
)


@pytest.fixture
def slow_commits(database, entries):
    """COMMIT takes its time on the server."""
    for sql in SLOWLY:
        database.observe(sql)
    yield
    database.observe("DROP FUNCTION slowly CASCADE")


def stop(number, frame):
    sys.exit(3)


@pytest.mark.vendors("postgres")
@pytest.mark.faces("sync")
@pytest.mark.parametrize("handler", [signal.default_int_handler, stop])
def test_what_interrupts_a_commit_is_raised_and_has_the_unknown_outcome_as_its_cause(
    entries, slow_commits, handler
):
    ordinary = signal.signal(signal.SIGINT, handler)
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
            with atomic():
                entries.add("perhaps")
                timer.start()
    finally:
        signal.signal(signal.SIGINT, ordinary)
        timer.join()
    assert isinstance(caught.value, SystemExit if handler is stop else KeyboardInterrupt)
    unknown = caught.value.__cause__
    assert isinstance(unknown, CommitOutcomeUnknown)
    assert "The COMMIT of 'default' was interrupted" in str(unknown)
    assert in_use() == 0
    assert entries.read() == []


def test_a_connection_that_was_lost_before_commit_has_saved_nothing(face, entries, proxy):
    channel = connections["default"].lend()
    channel.begin()
    channel.execute(Statement("INSERT INTO entry (name) VALUES ('gone')"), ())
    proxy.cut()
    wait(face, 0.2)
    with pytest.raises(OperationalError):  # CommitOutcomeUnknown is one; psycopg finds out when it sends
        channel.commit()
    assert (channel.broken, channel.in_transaction) == (True, False)
    channel.check_in()
    assert entries.stored == []
    assert in_use() == 0


@pytest.mark.vendors("postgres")
@pytest.mark.faces("async")
@pytest.mark.parametrize("turns", range(4))
async def test_an_idle_connection_that_the_server_has_ended_is_told_as_lost(database, turns):
    """However much of the end the event loop has seen: asyncpg knows of it a turn later than the protocol does."""
    entries, one = Entries(database), connections["default"]
    for read in (True, False):
        number = await bridge.spawn(lambda: one.fetch(PID, ())[0][0])
        database.observe(f"SELECT pg_terminate_backend({number}, 1000)")
        time.sleep(0.02)  # noqa: ASYNC251 - the loop is to see nothing of it
        for _ in range(turns):
            await asyncio.sleep(0)
        if read:  # tried again
            assert await bridge.spawn(entries.read) == []
            continue
        with pytest.raises(OperationalError, match="lost|terminating") as caught:
            await entries.aadd("x")
        assert caught.value.connection_invalidated
    assert entries.stored == []


def test_a_block_whose_connection_is_cut_ends_with_an_error_and_leaks_nothing(face, entries, proxy):
    with pytest.raises(OperationalError), face.block(atomic()):
        entries.add("gone")
        proxy.cut()
        wait(face, 0.2)
        entries.add("gone, too")
    assert entries.stored == []
    assert in_use() == 0
    entries.add("the next one works")
    assert entries.stored == ["the next one works"]


# PyMySQL's cursor complains when it is collected: it would read to the end of the stream.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stream_that_is_cut_ends_with_an_error_and_leaks_nothing(face, entries, proxy):
    values = ", ".join(f"('{number}')" for number in range(5000))
    connections["default"].execute(Statement(f"INSERT INTO entry (name) VALUES {values}"), ())
    with pytest.raises(OperationalError):
        # Wide rows: they are more than what lies in the buffers on the way.
        wide = Statement("SELECT name, repeat('x', 4000) FROM entry", reads=True, returns=True)
        for number, _ in enumerate(connections["default"].stream(wide, (), 10)):
            if number == 2:
                proxy.cut()
    gc.collect()
    assert in_use() == 0
    assert len(entries.read()) == 5000


def test_a_slow_network_is_no_error(face, entries, proxy):
    proxy.delay = 0.02
    with face.block(atomic()):
        entries.add("a")
        with face.block(atomic()):
            entries.add("b")
    proxy.delay = 0
    assert entries.stored == ["a", "b"]


@pytest.mark.faces("async")
@pytest.mark.parametrize("verb", ["statement", "commit", "rollback"])
def test_a_server_that_stops_answering_does_not_hold_a_cancelled_task_for_ever(
    face, entries, proxy, monkeypatch, verb
):
    """Clean-up has a time limit; past it the connection is closed hard (R3)."""
    monkeypatch.setattr(settings, "FACADE_CLEANUP_SECONDS", 0.3)
    one = connections["default"]
    one.fetch(ONE, ())
    channel = one.lend()
    if verb != "statement":
        channel.begin()
        channel.execute(Statement("INSERT INTO entry (name) VALUES ('gone')"), ())
    proxy.delay = 30
    work = {
        "statement": lambda: channel.fetch(ONE, ()),
        "commit": channel.commit,
        "rollback": channel.rollback,
    }[verb]

    async def cancelled():
        task = asyncio.create_task(bridge.spawn(work))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(asyncio.wait([task]), 5)
        return task

    start = time.monotonic()
    task = face.wait(cancelled())
    assert time.monotonic() - start < 3
    assert task.cancelled()
    assert channel.broken
    assert in_use() == 0


@pytest.mark.vendors("postgres")
def test_a_server_restart_is_survived(face, database, entries, postgres_server):
    one = connections["default"]
    held = [one.lend() for _ in range(3)]
    for channel in held:
        channel.check_in()
    entries.add("before")
    postgres_server.restart()
    wait(face, 0.2)
    assert one.fetch(ONE, ())[0][0] == 1
    entries.add("after")
    assert entries.stored == ["before", "after"]
    assert one.lender.pool.checkedout() == 0


def kill_two_sessions(database):
    if database.vendor == "postgresql":
        database.observe(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 2"
        )
        return
    sessions = database.observe(
        "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        " ORDER BY rand() LIMIT 2"
    )
    for (session,) in sessions:
        with suppress(pymysql.OperationalError):  # it has gone by itself
            database.observe(f"KILL {session}")


@pytest.mark.faces("async")
def test_sessions_killed_under_load_leave_a_working_pool(face, database, entries):
    """Whatever the driver says when it is hit in the middle of its protocol, callers get the documented classes."""
    configure(DATABASES={"default": {"URL": database.url, "POOL_SIZE": 5, "MAX_OVERFLOW": 0}})
    one = connections["default"]
    stop = threading.Event()

    def killer():
        while not stop.is_set():
            kill_two_sessions(database)
            time.sleep(0.02)

    async def reader(errors):
        for _ in range(30):
            try:
                await bridge.spawn(one.fetch, NAP[one.vendor], ())
            except OperationalError as error:
                errors.append(error)

    thread = threading.Thread(target=killer)
    thread.start()
    errors = []

    async def all_readers():
        await asyncio.gather(*(reader(errors) for _ in range(10)))

    try:
        face.wait(all_readers())
    finally:
        stop.set()
        thread.join()
    assert len(errors) < 300
    assert in_use() == 0
    assert one.fetch(ONE, ())[0][0] == 1
    face.wait(close_all_async())
