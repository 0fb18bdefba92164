"""The roads to each driver: the same results and errors on all of them, seen by whoever listens."""

from __future__ import annotations

import asyncio
import logging
import time
from types import SimpleNamespace

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError

from facade import bridge
from facade.configuration import configure, override, settings
from facade.db.channels.channel import Statement
from facade.db.channels.errors import error_class, says_lost
from facade.db.connection import close_all_async, connections
from facade.exceptions import (
    DatabaseError,
    DataError,
    DeadlockDetected,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SerializationFailure,
    TransactionManagementError,
)
from facade.transaction import atomic
from tests.entries import Entries
from tests.proxy import TcpProxy

ONE = Statement("SELECT 1", reads=True, returns=True)
NAMES = Statement("SELECT name FROM entry ORDER BY id", reads=True, returns=True)

ONE_ROAD = pytest.mark.without("mariadb", reason="it has the general road only")
COSTS_THE_CONNECTION = pytest.mark.without(
    "mariadb", reason="a cancelled statement costs its connection, for which there is a test"
)


@pytest.fixture(params=["fast", "listened", "slow", "psycopg"])
def road(request, face, database):
    """The roads on which a statement can travel; yields the database."""
    if request.param == "psycopg":
        if database.vendor != "postgresql" or not face.is_async:
            pytest.skip("only the async face of PostgreSQL has two drivers")
        configure(DATABASES={"default": database.url.replace("postgresql:", "postgresql+psycopg:")})
    with override(FACADE_FAST_ROADS=settings.FACADE_FAST_ROADS and request.param != "slow"):
        one = connections["default"]
        if request.param == "listened":
            event.listen(engine_of(face, one), "before_cursor_execute", lambda *args: None)
        yield one


@pytest.fixture
def fast():
    """The fast roads, which this is about, whatever the environment says."""
    with override(FACADE_FAST_ROADS=True):
        yield


def engine_of(face, one):
    return one.async_engine.sync_engine if face.is_async else one.engine


@pytest.fixture
def entries(database):
    return Entries(database)


def insert(one):
    return Statement(f"INSERT INTO entry (name, n) VALUES ({one.placeholder(1)}, {one.placeholder(2)})")


# -- results ----------------------------------------------------------------------------------------------


def test_verbs_give_the_same_on_every_road(face, entries, road):
    assert road.execute(insert(road), ("a", 1)) == 1
    road.execute_many(insert(road), [("b", 2), ("c", 3)])
    assert [tuple(row) for row in road.fetch(NAMES, ())] == [("a",), ("b",), ("c",)]
    assert road.execute(Statement("UPDATE entry SET n = 9 WHERE n > 1"), ()) == 2
    assert road.execute(Statement("UPDATE entry SET n = 9 WHERE n > 100"), ()) == 0
    outcome = road.perform(Statement("SELECT id, name FROM entry ORDER BY id"), ())
    assert list(outcome.columns) == ["id", "name"]
    assert [row[1] for row in outcome.rows] == ["a", "b", "c"]
    assert road.perform(Statement("DELETE FROM entry"), ()).columns is None
    assert pool(road).checkedout() == 0


def pool(one):
    return one.lender.engine.pool


@pytest.mark.vendors("sqlite")
def test_lastrowid(face, entries, road):
    assert road.execute_lastrowid(insert(road), ("a", 1)) == 1
    assert road.execute_lastrowid(insert(road), ("b", 1)) == 2


def test_many_rows_are_all_or_nothing(face, entries, road):
    with pytest.raises(IntegrityError):
        road.execute_many(insert(road), [("a", 1), ("b", 2), ("a", 3)])
    assert entries.stored == []
    road.execute_many(insert(road), [])
    road.execute_many(insert(road), [("a", 1)])
    assert entries.stored == ["a"]


def test_rows_come_in_chunks_and_the_cursor_is_closed(face, entries, road):
    road.execute_many(insert(road), [(str(n), n) for n in range(7)])
    assert [len(chunk) for chunk in road.stream(NAMES, (), 3)] == [3, 3, 1]
    assert [len(chunk) for chunk in road.stream(NAMES, (), 7)] == [7]
    with face.block(atomic()):
        assert [row[0] for chunk in road.stream(NAMES, (), 3) for row in chunk] == list("0123456")
        entries.add("after")
    assert pool(road).checkedout() == 0


def test_leaving_a_stream_early_frees_the_connection(face, entries, road):
    road.execute_many(insert(road), [(str(n), n) for n in range(7)])
    stream = road.stream(NAMES, (), 3)
    next(stream)
    assert pool(road).checkedout() == 1
    stream.close()
    assert pool(road).checkedout() == 0
    assert entries.open_transactions() == 0
    entries.add("writers are free")


def test_the_body_of_a_stream_may_write(face, entries, road):
    road.execute_many(insert(road), [(str(n), n) for n in range(5)])
    for chunk in road.stream(NAMES, (), 2):
        entries.add("lone" + chunk[0][0])
    with face.block(atomic()):
        for chunk in road.stream(NAMES, (), 2):
            entries.add("block" + chunk[0][0])
    assert len(entries.stored) == 5 + 3 + 4


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("in_block", [False, True])
def test_postgresql_streams_through_a_server_side_cursor(face, entries, road, in_block):
    road.execute_many(insert(road), [(str(n), n) for n in range(5)])
    cursors = Statement("SELECT count(*) FROM pg_cursors WHERE name <> ''", reads=True, returns=True)
    channel = road.lend()
    if in_block:
        channel.begin()
    stream = channel.stream(NAMES, (), 2)
    next(stream)
    assert channel.fetch(cursors, ())[0][0] == 1
    stream.close()
    if in_block:
        # Through SQLAlchemy, asyncpg's cursors end with their transaction only.
        lasts = face.is_async and road.lender.is_general() and road.lender.dialect.driver == "asyncpg"
        assert channel.fetch(cursors, ())[0][0] == (1 if lasts else 0)
        channel.commit()
    channel.check_in()


# -- errors (R7, R8, R16) ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO entry (name) VALUES ('twice')", IntegrityError),
        ("INSERT INTO entry (id, name) VALUES (NULL, 'x'), (1, 'twice')", IntegrityError),
        ("SELECT nope FROM entry", {"postgresql": ProgrammingError}),  # to SQLite and MariaDB operational
        ("SELEC 1", {"postgresql": ProgrammingError, "mysql": ProgrammingError}),
        ("INSERT INTO nowhere VALUES (1)", {"postgresql": ProgrammingError, "mysql": ProgrammingError}),
    ],
)
@pytest.mark.parametrize("in_block", [False, True])
def test_errors_are_the_same_classes_on_every_road(face, database, entries, road, sql, expected, in_block):
    entries.add("twice")
    expected = expected.get(database.vendor, OperationalError) if isinstance(expected, dict) else expected
    if in_block:
        with pytest.raises(DBAPIError) as caught, face.block(atomic()):
            entries.run(sql)
    else:
        with pytest.raises(DBAPIError) as caught:
            entries.run(sql)
    error = caught.value
    assert type(error) is expected
    assert error.orig is error.__cause__
    assert not type(error.orig).__module__.startswith("sqlalchemy")
    assert error.statement == sql
    assert not error.connection_invalidated
    assert pool(road).checkedout() == 0
    assert entries.stored == ["twice"]


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("value", [2**40, "a\x00b", "\ud800"])
def test_values_that_cannot_be_sent_are_data_errors(face, entries, road, value):
    column = "n" if isinstance(value, int) else "name"
    statement = Statement(f"UPDATE entry SET {column} = {road.placeholder(1)}")
    with pytest.raises(DataError):
        road.execute(statement, (value,))
    assert road.fetch(ONE, ())[0][0] == 1


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize("value", [2**70, "\ud800"])
def test_values_that_sqlite_cannot_take_are_data_errors(face, entries, road, value):
    with pytest.raises((DataError, DatabaseError)):
        road.execute(Statement("UPDATE entry SET name = ?"), (value,))


@pytest.mark.vendors("postgres")
async def test_a_deadlock_has_its_class(entries):
    await entries.aadd("a")
    await entries.aadd("b")
    both = asyncio.Barrier(2)

    async def cross(first, second):
        async with atomic():
            await entries.arun(f"UPDATE entry SET n = 1 WHERE name = '{first}'")
            await both.wait()
            await entries.arun(f"UPDATE entry SET n = 1 WHERE name = '{second}'")

    results = await asyncio.gather(cross("a", "b"), cross("b", "a"), return_exceptions=True)
    errors = [result for result in results if result is not None]
    assert [type(error) for error in errors] == [DeadlockDetected]


@pytest.mark.vendors("postgres")
def test_a_serialization_failure_has_its_class(face, entries, road):
    entries.add("a")
    with pytest.raises(SerializationFailure), face.block(atomic(isolation_level="REPEATABLE READ")):
        entries.read()
        entries.database.observe("UPDATE entry SET n = 5")
        entries.run("UPDATE entry SET n = 6")
    assert entries.database.observe("SELECT n FROM entry") == [(5,)]


@pytest.mark.vendors("sqlite")
def test_a_reader_that_cannot_become_a_writer_has_its_class(face, entries, road):
    entries.add("a")
    channel = road.lend()
    channel._command("BEGIN DEFERRED")
    channel.in_transaction = True
    channel.fetch(NAMES, ())
    entries.database.observe("UPDATE entry SET n = 5")
    with pytest.raises(SerializationFailure):
        channel.execute(Statement("UPDATE entry SET n = 6"), ())
    channel.check_in()
    assert pool(road).checkedout() == 0


def test_asyncpg_errors_of_its_own_state_count_as_a_lost_connection():
    class InternalClientError(Exception):
        """Named as asyncpg's."""

    error = InternalClientError("cannot switch to state 12")
    assert says_lost(error)
    assert error_class(error) is OperationalError
    assert error_class(ConnectionRefusedError()) is OperationalError
    assert error_class(ZeroDivisionError()) is None


@pytest.mark.vendors("postgres")
@pytest.mark.faces("async")
def test_an_internal_client_error_costs_the_connection(face, entries, road, monkeypatch):
    asyncpg = pytest.importorskip("asyncpg")
    if road.lender.dialect.driver != "asyncpg":
        pytest.skip("about asyncpg")
    channel = road.lend()
    raw = channel.raw
    channel.check_in()
    failed = []

    async def fail(connection, *args, **kwargs):
        if connection is raw:
            failed.append(1)
            raise asyncpg.InternalClientError(
                "cannot switch to state 12; another operation (2) is in progress"
            )
        return await original(connection, *args, **kwargs)

    if road.lender.is_general():
        pytest.skip("SQLAlchemy prepares its statements")
    original = asyncpg.Connection.fetch
    monkeypatch.setattr(asyncpg.Connection, "fetch", fail)
    assert road.fetch(ONE, ())[0][0] == 1  # a lone read is tried again
    assert failed == [1]
    assert raw.is_closed()


def test_the_server_rolls_back_what_an_error_aborted(face, database, entries, road):
    """COMMIT after an error that was swallowed does not pretend that it worked."""
    channel = road.lend()
    channel.begin()
    entries_statement = Statement("INSERT INTO entry (name) VALUES ('a')")
    channel.execute(entries_statement, ())
    with pytest.raises(IntegrityError):
        channel.execute(entries_statement, ())
    if database.vendor == "postgresql":
        with pytest.raises(TransactionManagementError, match="nothing was saved"):
            channel.commit()
        assert not channel.in_transaction
        stored = []
    else:
        channel.commit()
        stored = ["a"]
    channel.check_in()
    assert entries.stored == stored


# -- transactions of a channel --------------------------------------------------------------------------------


def test_a_channel_commits_rolls_back_and_has_savepoints(face, entries, road):
    channel = road.lend()
    channel.begin()
    assert channel.in_transaction
    channel.execute(insert(road), ("kept", 1))
    channel.savepoint("s1")
    channel.execute(insert(road), ("undone", 1))
    channel.rollback_to("s1")
    channel.savepoint("s2")
    channel.execute(insert(road), ("released", 1))
    channel.release("s2")
    channel.commit()
    assert not channel.in_transaction
    channel.begin()
    channel.execute(insert(road), ("rolled back", 1))
    channel.rollback()
    channel.begin()
    channel.execute(insert(road), ("rolled back by check-in", 1))
    channel.check_in()
    channel.check_in()
    assert entries.stored == ["kept", "released"]
    assert entries.open_transactions() == 0
    assert pool(road).checkedout() == 0


def test_a_channel_that_was_given_back_refuses(face, entries, road):
    channel = road.lend()
    channel.check_in()
    with pytest.raises(OperationalError, match="given back"):
        channel.fetch(ONE, ())
    with pytest.raises(OperationalError, match="given back"):
        channel.begin()
    channel.discard()
    assert road.fetch(ONE, ())[0][0] == 1


def test_a_discarded_channel_refuses_and_its_place_is_free(face, entries, road):
    channel = road.lend()
    channel.begin()
    channel.execute(insert(road), ("gone", 1))
    channel.discard()
    assert (channel.broken, channel.in_transaction) == (True, False)
    for refused in (channel.commit, channel.begin, lambda: channel.fetch(ONE, ())):
        with pytest.raises(OperationalError, match="was lost"):
            refused()
    channel.rollback()
    channel.check_in()
    assert (pool(road).checkedout(), pool(road).checkedin()) == (0, 0)
    assert entries.stored == []


@pytest.mark.parametrize("level", ["chaos", "SERIALIZABLE; DROP TABLE entry"])
def test_an_unknown_isolation_level_is_refused(face, entries, road, level):
    channel = road.lend()
    with pytest.raises(ValueError, match="is no isolation level"):
        channel.begin(level)
    channel.check_in()


# -- listeners (S66) -----------------------------------------------------------------------------------------


@pytest.fixture
def seen(face, database):
    """What a listener to the engine's statements hears."""
    engine = engine_of(face, connections["default"])
    statements = []

    def listen(conn, cursor, statement, parameters, context, executemany):
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    yield statements
    event.remove(engine, "before_cursor_execute", listen)


def test_a_listener_sees_every_statement(face, entries, seen):
    one = connections["default"]
    one.execute(insert(one), ("a", 1))
    one.fetch(NAMES, ())
    one.execute_many(insert(one), [("b", 2)])
    list(one.stream(NAMES, (), 2))
    one.perform(ONE, ())
    text = insert(one).sql
    heard = [sql for sql in seen if not sql.startswith("BEGIN")]
    assert heard == [text, NAMES.sql, text, NAMES.sql, "SELECT 1"]


@pytest.mark.usefixtures("fast")
@ONE_ROAD
def test_a_listener_that_comes_in_the_middle_of_a_block_sees_the_next(face, entries):
    one = connections["default"]
    engine = one.lender.engine
    statements, ends = [], []
    with face.block(atomic()):
        entries.add("before")
        listen = lambda conn, cursor, statement, *args: statements.append(statement)  # noqa: E731
        event.listen(engine, "before_cursor_execute", listen)
        event.listen(engine, "commit", end := lambda connection: ends.append(connection))
        entries.add("during")
    with face.block(atomic()):
        entries.add("after")
        event.remove(engine, "before_cursor_execute", listen)
    event.remove(engine, "commit", end)
    assert [text for text in statements if text.startswith("INSERT")] == [
        "INSERT INTO entry (name) VALUES ('after')"
    ]
    assert len(ends) == 1
    assert entries.stored == ["before", "during", "after"]
    assert not one.lender.is_general()


def test_a_listener_may_handle_errors(face, entries):
    heard = []
    engine = connections["default"].lender.engine
    event.listen(engine, "handle_error", lambda context: heard.append(type(context.sqlalchemy_exception)))
    entries.add("a")
    with pytest.raises(IntegrityError):
        entries.add("a")
    assert heard == [IntegrityError]


def test_echo_logs_statements(face, database, caplog):
    configure(DATABASES={"default": {"URL": database.url, "ECHO": True}})
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        connections["default"].fetch(ONE, ())
    assert "SELECT 1" in caplog.text


def test_the_loggers_level_alone_asks_for_statements(face, database, caplog):
    one = connections["default"]
    one.fetch(ONE, ())
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        one.fetch(ONE, ())
    assert "SELECT 1" in caplog.text


@pytest.mark.usefixtures("fast")
@ONE_ROAD
def test_an_event_of_the_pool_alone_leaves_statements_on_the_fast_road(face, database):
    one = connections["default"]
    event.listen(one.lender.engine, "connect", lambda *args: None)
    assert not one.lender.is_general()


# -- asyncio (S48, R12) --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("fast")
@pytest.mark.vendors("sqlite")
async def test_aiosqlite_crosses_to_its_thread_once_per_operation(entries, monkeypatch):
    one = connections["default"]
    channel = await bridge.spawn(one.lend)
    hops = []
    jobs = channel.raw._tx
    # An older aiosqlite's thread asks the connection for its queue again and again: it gets the queue's own reading.
    put = SimpleNamespace(
        put_nowait=lambda job: hops.append(job) or jobs.put_nowait(job),
        get=jobs.get,
        get_nowait=jobs.get_nowait,
    )
    monkeypatch.setattr(channel.raw, "_tx", put)
    await bridge.spawn(channel.check_in)
    await bridge.spawn(one.fetch, NAMES, ())
    assert len(hops) == 1
    await entries.aadd("a")
    assert len(hops) == 2
    await bridge.spawn(lambda: list(one.stream(NAMES, (), 10)))
    assert len(hops) == 5  # open, read, close
    monkeypatch.undo()


@pytest.mark.usefixtures("fast")
@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_lone_statement_is_one_round_trip(entries, driver):
    url = make_url(entries.database.url)
    with TcpProxy(url.host, url.port) as proxy:
        configure(DATABASES={"default": url.set(drivername=f"postgresql+{driver}", port=proxy.port)})
        one = connections["default"]
        for _ in range(8):  # until it is prepared
            await bridge.spawn(one.fetch, NAMES, ())
        before = proxy.sent
        for _ in range(5):
            await bridge.spawn(one.fetch, NAMES, ())
        assert proxy.sent - before == 5
        assert entries.open_transactions() == 0
        await close_all_async()


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_statements_do_not_block_the_event_loop(entries, driver):
    url = entries.database.url.replace("postgresql:", f"postgresql+{driver}:")
    configure(DATABASES={"default": {"URL": url, "POOL_SIZE": 20, "MAX_OVERFLOW": 0}})
    one = connections["default"]
    nap = Statement("SELECT pg_sleep(0.2)", reads=True, returns=True)
    await asyncio.gather(*(bridge.spawn(one.fetch, ONE, ()) for _ in range(20)))
    beats = 0

    async def tick():
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    ticker = asyncio.create_task(tick())
    start = time.monotonic()
    await asyncio.gather(*(bridge.spawn(one.fetch, nap, ()) for _ in range(20)))
    assert time.monotonic() - start < 2  # one after the other they would take four seconds
    assert beats >= 5
    ticker.cancel()


@pytest.mark.vendors("postgres")
def test_behind_pgbouncer_nothing_is_prepared(face, entries):
    configure(DATABASES={"default": {"URL": entries.database.url, "TRANSACTION_POOLING": True}})
    one = connections["default"]
    for _ in range(8):  # psycopg prepares after five times
        one.fetch(NAMES, ())
    assert one.execute(insert(one), ("a", 1)) == 1
    prepared = one.fetch(
        Statement("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''", returns=True), ()
    )
    assert prepared[0][0] == 0
    if face.is_async:  # prepare and run meet in one transaction
        times = Statement("SELECT now() < statement_timestamp()", returns=True)
        assert one.fetch(times, ())[0][0] is True


# -- cancellation (S40, R3-R5) ----------------------------------------------------------------------------------


async def running(entries):
    """Wait until the server, or SQLite's thread, works on a statement."""
    for _ in range(200):
        await asyncio.sleep(0.01)
        if entries.vendor == "sqlite" or entries.open_transactions():
            return


@pytest.fixture(params=["own", "psycopg"])
def async_driver(request, database):
    if request.param == "psycopg":
        if database.vendor != "postgresql":
            pytest.skip("about PostgreSQL")
        configure(DATABASES={"default": database.url.replace("postgresql:", "postgresql+psycopg:")})


@pytest.mark.usefixtures("fast")
@COSTS_THE_CONNECTION
async def test_a_cancelled_statement_stops_and_its_connection_is_used_again(entries, async_driver):
    one = connections["default"]
    channel = await bridge.spawn(one.lend)
    raw = channel.raw
    await bridge.spawn(channel.check_in)
    task = asyncio.create_task(entries.apause(20))
    await running(entries)
    start = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - start < 3
    assert entries.open_transactions() == 0
    pool = one.async_engine.pool
    assert (pool.checkedout(), pool.checkedin()) == (0, 1)
    again = await bridge.spawn(one.lend)
    assert again.raw is raw
    assert (await bridge.spawn(again.fetch, ONE, ()))[0][0] == 1
    await bridge.spawn(again.check_in)


async def test_a_timeout_cancels_on_the_server(entries, async_driver):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(entries.apause(20), 0.1)
    assert entries.open_transactions() == 0
    assert connections["default"].async_engine.pool.checkedout() == 0
    assert await entries.aread() == []


async def test_a_statement_cancelled_twice_leaks_nothing(entries, async_driver):
    pool = connections["default"].async_engine.pool
    for _ in range(5):
        task = asyncio.create_task(entries.apause(20))
        await running(entries)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.checkedout() == 0
    assert await entries.aread() == []


@pytest.mark.usefixtures("fast")
@COSTS_THE_CONNECTION
async def test_cancelling_within_a_transaction_leaves_the_channel_usable_or_broken(entries, async_driver):
    one = connections["default"]
    channel = await bridge.spawn(one.lend)
    await bridge.spawn(channel.begin)
    await bridge.spawn(channel.execute, Statement("INSERT INTO entry (name) VALUES ('a')"), ())
    await bridge.spawn(channel.savepoint, "s")
    sleep = "SELECT pg_sleep(20)" if entries.vendor == "postgresql" else (
        "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM t WHERE x<90000000) SELECT max(x) FROM t"
    )  # fmt: skip
    task = asyncio.create_task(bridge.spawn(channel.fetch, Statement(sleep, returns=True), ()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not channel.broken
    await bridge.spawn(channel.rollback_to, "s")
    await bridge.spawn(channel.commit)
    await bridge.spawn(channel.check_in)
    assert entries.stored == ["a"]


@pytest.mark.parametrize("verb", ["commit", "rollback"])
async def test_an_end_that_has_begun_is_reached_in_spite_of_cancellation(entries, async_driver, verb):
    one = connections["default"]
    for number in range(10):
        channel = await bridge.spawn(one.lend)
        await bridge.spawn(channel.begin)
        await bridge.spawn(channel.execute, Statement(f"INSERT INTO entry (name) VALUES ('{number}')"), ())
        task = asyncio.create_task(bridge.spawn(getattr(channel, verb)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.__cause__ is None
        assert (channel.in_transaction, channel.broken) == (False, False)
        await bridge.spawn(channel.check_in)
    assert len(entries.stored) == (10 if verb == "commit" else 0)
    assert entries.open_transactions() == 0


@pytest.mark.usefixtures("fast")
@pytest.mark.without("mariadb", reason="its drivers send no BEGIN: there is nothing to wait for")
async def test_a_begin_that_is_cancelled_leaves_no_transaction(entries, async_driver):
    one = connections["default"]
    for _ in range(10):
        channel = await bridge.spawn(one.lend)
        task = asyncio.create_task(bridge.spawn(channel.begin))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not channel.in_transaction
        await bridge.spawn(channel.check_in)
        assert entries.open_transactions() == 0
    assert one.async_engine.pool.checkedout() == 0
    await entries.aadd("writers are free")


@pytest.mark.vendors("mariadb")
async def test_on_the_general_road_a_cancelled_statement_costs_its_connection(entries):
    one = connections["default"]
    task = asyncio.create_task(
        bridge.spawn(one.fetch, Statement("SELECT sleep(20)", reads=True, returns=True), ())
    )
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    pool = one.async_engine.pool
    assert (pool.checkedout(), pool.checkedin()) == (0, 0)
    with pytest.raises(ZeroDivisionError):
        async with atomic():
            await entries.aadd("gone")
            raise ZeroDivisionError
    assert entries.stored == []


@pytest.mark.vendors("mariadb")
def test_on_the_general_road_a_lost_connection_is_replaced(face, entries):
    one = connections["default"]
    (pid,) = one.fetch(Statement("SELECT connection_id()", reads=True, returns=True), ())[0]
    entries.database.observe(f"KILL {pid}")
    assert one.fetch(ONE, ())[0][0] == 1
    assert pool(one).checkedout() == 0
