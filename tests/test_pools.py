"""Pools: limits, threads, event loops, forks, and the end of connections."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from contextlib import nullcontext

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from facade import bridge, using_connection
from facade.configuration import configure
from facade.db.channels.channel import Statement
from facade.db.connection import close_all, close_all_async, connections, pool_stats
from facade.exceptions import OperationalError, PoolExhausted, TransactionManagementError
from facade.transaction import atomic
from tests.entries import Entries
from tests.models import Author
from tests.test_sqlalchemy import url_for

ONE = Statement("SELECT 1", reads=True, returns=True)
BACKENDS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}
CUT = BACKENDS["postgresql"].replace("count(*)", "pg_terminate_backend(pid)")


def ask(sql="SELECT 1", alias="default"):
    return connections[alias].fetch(Statement(sql, reads=True, returns=True), ())[0][0]


def backends(database, expected=None):
    """Count facade's connections on the server; it needs a moment to notice that one has gone, an event loop a turn."""
    deadline = time.monotonic() + 3
    while True:
        found = database.observe(BACKENDS[database.vendor])[0][0]
        if expected is None or found == expected or time.monotonic() > deadline:
            return found
        bridge.sleep(0.01)


def small(database, **settings):
    configure(
        DATABASES={
            "default": {
                "URL": database.url,
                "POOL_SIZE": 1,
                "MAX_OVERFLOW": 1,
                "POOL_TIMEOUT": 0.1,
                **settings,
            }
        }
    )
    return connections["default"]


def pool_of(one):
    return one.lender.engine.pool


# -- limits (S42, R9) ---------------------------------------------------------------------------------------


def test_exhaustion_names_the_alias_and_the_settings(face, database):
    one = small(database)
    held = [one.lend(), one.lend()]
    start = time.monotonic()
    with pytest.raises(
        PoolExhausted, match=r"'default'.*POOL_SIZE 1, MAX_OVERFLOW 1.*0.1 seconds \(POOL_TIMEOUT\)"
    ):
        ask()
    assert 0.09 < time.monotonic() - start < 1
    for channel in held:
        channel.check_in()
    assert ask() == 1


def test_the_pool_keeps_what_is_beyond_its_size_for_a_while(face, database):
    one = small(database, POOL_LINGER=0.2)
    held = [one.lend(), one.lend()]
    pool = pool_of(one)
    assert (pool.size(), pool.checkedout(), pool.overflow()) == (1, 2, 1)
    for channel in held:
        channel.check_in()
    assert (pool.checkedin(), pool.checkedout(), pool.overflow()) == (2, 0, 1)
    bridge.sleep(0.3)
    ask()  # the sync face looks at it when it is used, the async face has a timer
    bridge.sleep(0.05)
    assert (pool.checkedin(), pool.checkedout(), pool.overflow()) == (1, 0, 0)
    assert "Connections in pool: 1" in pool.status()


@pytest.mark.faces("async")
def test_what_is_beyond_the_size_is_closed_though_nobody_asks(face, database):
    one = small(database, POOL_LINGER=0.1)
    held = [one.lend(), one.lend()]
    for channel in held:
        channel.check_in()
    bridge.sleep(0.3)
    assert pool_of(one).checkedin() == 1


@pytest.mark.parametrize("tasks", [6, 10, 15, 100])
@pytest.mark.faces("async")
def test_what_is_in_demand_stays_open(face, database, tasks):
    """With the default sizes, 1,000 queries of any number of tasks take no more connects than there may be."""

    async def queries():
        for _ in range(1000 // tasks):
            await bridge.spawn(one.fetch, ONE, ())

    async def together():
        await asyncio.gather(*(queries() for _ in range(tasks)))

    configure(DATABASES={"default": database.url})
    one = connections["default"]
    opened = []
    event.listen(one.async_engine.sync_engine, "connect", lambda *_: opened.append(1))
    bridge.wait(together())
    assert len(opened) <= 20


@pytest.mark.faces("sync")
def test_what_threads_need_stays_open(face, database):
    def queries():
        for _ in range(1000 // 12):
            one.fetch(ONE, ())

    configure(DATABASES={"default": database.url})
    one = connections["default"]
    opened = []
    event.listen(one.engine, "connect", lambda *_: opened.append(1))
    threads = [threading.Thread(target=queries) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) <= 20


@pytest.mark.parametrize("settings", [{"POOL_SIZE": 0}, {"MAX_OVERFLOW": -1}])
def test_limits_can_be_taken_away(face, database, settings):
    one = small(database, **settings)
    held = [one.lend() for _ in range(5)]
    for channel in held:
        channel.check_in()
    assert pool_of(one).checkedout() == 0


def test_a_waiting_thread_gets_the_next_connection(database):
    one = small(database, MAX_OVERFLOW=0, POOL_TIMEOUT=5)
    held = one.lend()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(5)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    assert answers == []
    held.check_in()
    for thread in threads:
        thread.join(5)
    assert answers == [1] * 5
    assert pool_of(one).checkedout() == 0


async def test_waiting_tasks_are_served_in_their_order(database):
    one = small(database, MAX_OVERFLOW=0, POOL_TIMEOUT=5)
    held = await bridge.spawn(one.lend)
    order = []

    async def work(number):
        await bridge.spawn(one.fetch, ONE, ())
        order.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0.05)
    assert order == []
    tasks[1].cancel()
    await asyncio.sleep(0)
    await bridge.spawn(held.check_in)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3, 4]


async def test_who_waits_too_long_is_told_in_time_and_few_timers_serve_many(database, monkeypatch):
    one = small(database, MAX_OVERFLOW=0, POOL_TIMEOUT=0.3)
    held = await bridge.spawn(one.lend)
    loop, timers, waited = asyncio.get_running_loop(), [], []

    def call_later(delay, callback, *args):
        timers.append(callback.__name__)
        return type(loop).call_later(loop, delay, callback, *args)

    async def work():
        start = time.monotonic()
        with pytest.raises(PoolExhausted):
            await bridge.spawn(one.fetch, ONE, ())
        waited.append(time.monotonic() - start)

    monkeypatch.setattr(loop, "call_later", call_later)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            for _ in range(20):
                group.create_task(work())
            await asyncio.sleep(0.1)
    assert len(waited) == 60
    assert all(0.29 < seconds < 10 for seconds in waited)
    assert timers.count("_expire") < 10
    assert not one.async_engine.pool.here().waiting
    assert one.async_engine.pool.here().alarm is None
    await bridge.spawn(held.check_in)
    assert (await bridge.spawn(one.fetch, ONE, ()))[0][0] == 1


async def test_who_was_served_is_not_told_that_the_pool_is_exhausted(database):
    one = small(database, MAX_OVERFLOW=0, POOL_TIMEOUT=0.3)
    held = await bridge.spawn(one.lend)
    first = asyncio.create_task(bridge.spawn(one.lend))
    await asyncio.sleep(0.15)
    second = asyncio.create_task(bridge.spawn(one.lend))
    await asyncio.sleep(0)
    await bridge.spawn(held.check_in)
    await asyncio.sleep(0.2)  # the first one's time is over, not the second one's
    assert not second.done()
    await bridge.spawn((await first).check_in)
    await bridge.spawn((await second).check_in)
    assert one.async_engine.pool.checkedout() == 0


async def test_a_place_is_not_lost_when_its_receiver_is_cancelled(database):
    one = small(database, MAX_OVERFLOW=0, POOL_TIMEOUT=2)
    for _ in range(30):
        held = await bridge.spawn(one.lend)
        task = asyncio.create_task(bridge.spawn(one.fetch, ONE, ()))
        await asyncio.sleep(0)
        give_back = asyncio.create_task(bridge.spawn(held.check_in))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, give_back, return_exceptions=True)
    assert one.async_engine.pool.checkedout() == 0
    assert (await bridge.spawn(one.fetch, ONE, ()))[0][0] == 1


def test_a_failed_connect_frees_its_place(face, database, monkeypatch):
    one = small(database, MAX_OVERFLOW=0)
    pool = pool_of(one)

    def fail(dbapi_connection, record):
        raise ZeroDivisionError

    event.listen(pool, "connect", fail)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            ask()
    assert (pool.checkedout(), pool.checkedin()) == (0, 0)
    event.remove(pool, "connect", fail)
    assert ask() == 1


@pytest.mark.without("sqlite", reason="its files know no sessions")
def test_a_connection_that_is_replaced_is_closed(face, database):
    one = small(database, POOL_RECYCLE=0.02)
    for _ in range(4):
        one.lend().check_in()
        time.sleep(0.03)
    assert backends(database, 1) == 1


def test_old_connections_are_replaced(face, database):
    one = small(database, POOL_RECYCLE=0.05)
    first = one.lend()
    raw = first.raw
    first.check_in()
    second = one.lend()
    assert second.raw is raw
    second.check_in()
    time.sleep(0.06)
    third = one.lend()
    assert third.raw is not raw
    third.check_in()
    assert pool_of(one).checkedin() == 1


@pytest.mark.vendors("postgres")
def test_a_ping_finds_connections_that_the_driver_thinks_well(face, database):
    one = small(database, POOL_PRE_PING=True)
    ask()
    pool = pool_of(one)
    pool.alive = None  # as with a driver that cannot tell
    database.observe(CUT)
    one.execute(Statement("CREATE TABLE t (n integer)"), ())  # a write is not retried
    assert pool.checkedout() == 0


@pytest.mark.vendors("postgres")
def test_a_connection_that_was_cut_while_idle_costs_nothing(face, database):
    """The driver knows at check-out; a write, which would not be retried, does not notice."""
    one = small(database, POOL_SIZE=3)
    held = [one.lend() for _ in range(3)]
    for channel in held:
        channel.check_in()
    database.observe(CUT)
    assert backends(database, 0) == 0
    if face.is_async:
        face.wait(asyncio.sleep(0.05))
    one.execute(Statement("CREATE TABLE t (n integer)"), ())
    assert pool_of(one).checkedin() == 1


def test_pool_stats(face, database):
    one = small(database)
    held = one.lend()
    stats = pool_stats()["default"][face.name]
    assert stats == {"size": 1, "idle": 0, "in_use": 1, "overflow": 0, "max_overflow": 1, "timeout": 0.1}
    held.check_in()
    assert pool_stats()["default"][face.name]["idle"] == 1


# -- listeners to the pool ---------------------------------------------------------------------------------


def test_a_listener_to_connect_may_change_the_session(face, database):
    one = connections["default"]
    setting, asked, found = {
        "sqlite": ("PRAGMA cache_size = 77", "PRAGMA cache_size", 77),
        "postgresql": ("SET statement_timeout = 77000", "SHOW statement_timeout", "77s"),
        "mysql": ("SET SESSION sort_buffer_size = 77824", "SELECT @@sort_buffer_size", 77824),
    }[database.vendor]

    @event.listens_for(one.lender.engine, "connect")
    def connect(dbapi_connection, record):
        cursor = dbapi_connection.cursor()
        cursor.execute(setting)
        cursor.close()

    assert ask(asked) == found


# -- settings of a session ----------------------------------------------------------------------------------


SETTINGS = {
    "postgresql": ("SET search_path = pg_catalog", "SHOW search_path"),
    "mysql": ("SET SESSION group_concat_max_len = 77", "SELECT @@SESSION.group_concat_max_len"),
}


@pytest.mark.vendors("postgres", "mariadb")
def test_a_setting_of_a_session_reaches_nobody_else(face, database):
    one, (setting, asked) = small(database), SETTINGS[database.vendor]
    before = ask(asked)
    with one.cursor() as cursor:
        for written in (setting, setting.lower(), f"-- why\n /* how */ {setting}"):
            with pytest.raises(TransactionManagementError, match="'default'.*inside atomic"):
                face(cursor.execute, written)
        for end in (None, LookupError):
            with pytest.raises(LookupError) if end else nullcontext(), face.block(atomic()):
                face(cursor.execute, setting)
                assert ask(asked) != before
                if end:
                    raise end
            assert ask(asked) == before
            assert pool_of(one).checkedout() == 0
        if database.vendor == "postgresql":
            with face.block(atomic()):
                face(cursor.execute, setting.replace("SET", "SET LOCAL"))
            assert (ask(asked), pool_of(one).checkedin()) == (before, 1)


@pytest.mark.vendors("postgres", "mariadb")
def test_the_owner_of_a_joined_session_may_set_it(face, database):
    engine = (create_async_engine if face.is_async else create_engine)(url_for(database, face))
    configure(DATABASES={"default": engine})
    setting, asked = SETTINGS[database.vendor]
    with face.block(engine.connect()) as connection:
        before = ask(asked)
        with face.block(using_connection(connection)), connections["default"].cursor() as cursor:
            face(cursor.execute, setting)
            assert ask(asked) != before
        run = getattr(connection, "sync_connection", connection)
        assert run.exec_driver_sql(asked).scalar() != before
    face.wait(engine.dispose()) if face.is_async else engine.dispose()


@pytest.mark.vendors("mariadb")
def test_a_connection_that_the_server_has_closed_is_noticed_before_a_write(face, database):
    database.create(Author)
    one = small(database)
    (number,) = {ask("SELECT CONNECTION_ID()")}
    database.observe(f"KILL {number}")
    bridge.sleep(1.2)
    face(Author.objects.create, name="Ada")
    assert database.count("tests_author") == 1
    assert pool_of(one).checkedout() == 0


# -- the end of connections (S44) -----------------------------------------------------------------------------


@pytest.mark.vendors("postgres")
def test_close_all_leaves_no_server_connection(database):
    held = [connections["default"].lend() for _ in range(3)]
    for channel in held:
        channel.check_in()
    assert backends(database) == 3
    close_all()
    assert backends(database, 0) == 0
    assert ask() == 1


@pytest.mark.vendors("postgres")
async def test_close_all_async_leaves_no_server_connection(database):
    one = connections["default"]
    held = [await bridge.spawn(one.lend) for _ in range(3)]
    for channel in held:
        await bridge.spawn(channel.check_in)
    assert backends(database) == 3
    await close_all_async()
    assert backends(database, 0) == 0
    assert (await bridge.spawn(one.fetch, ONE, ()))[0][0] == 1


@pytest.mark.vendors("postgres")
def test_a_connection_in_use_is_closed_when_it_comes_back(face, database):
    one = connections["default"]
    held = one.lend()
    face(one.close)
    assert held.fetch(ONE, ())[0][0] == 1
    held.check_in()
    assert backends(database, 0) == 0
    assert pool_of(one).checkedin() == 0


@pytest.mark.vendors("postgres")
def test_the_engines_own_dispose_closes_too(face, database):
    one = connections["default"]
    ask()
    if face.is_async:
        face.wait(one.async_engine.dispose())
    else:
        one.engine.dispose()
    assert backends(database, 0) == 0
    assert ask() == 1
    assert pool_of(one) is one.lender.pool


@pytest.mark.vendors("postgres")
def test_configuring_anew_closes_the_old_connections(database):
    ask()
    assert backends(database, 1) == 1
    configure(DATABASES={})
    assert backends(database, 0) == 0


# -- event loops (S43, R14) --------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["own", "psycopg"])
def test_event_loops_one_after_the_other_leak_nothing(database, driver):
    url = database.url.replace("postgresql:", "postgresql+psycopg:") if driver == "psycopg" else database.url
    configure(DATABASES={"default": url})
    entries = Entries(database)

    async def main(number):
        await asyncio.gather(*(entries.aadd(f"{number}-{n}") for n in range(3)))
        return len(await entries.aread())

    assert [asyncio.run(main(number)) for number in range(5)] == [3, 6, 9, 12, 15]
    pool = connections["default"].async_engine.pool
    assert pool._shelves == {}
    if database.vendor == "postgresql":
        assert backends(database, 0) == 0
    gc.collect()


@pytest.mark.filterwarnings(
    "ignore:.*unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_an_event_loop_that_ends_abruptly_leaves_no_connection_to_the_next(database):
    """Neither ``shutdown_asyncgens`` nor anything else ran: the connections are cut when the next loop comes."""
    one = connections["default"]
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(bridge.spawn(one.fetch, ONE, ()))[0][0] == 1
    guardian = one.async_engine.pool._shelves[loop].guardian
    loop.close()
    assert asyncio.run(bridge.spawn(one.fetch, ONE, ()))[0][0] == 1
    assert one.async_engine.pool._shelves == {}
    if database.vendor == "postgresql":
        assert backends(database, 0) == 0
    del guardian, loop
    gc.collect()


def test_event_loops_in_threads_have_pools_of_their_own(database):
    entries = Entries(database)
    one = connections["default"]
    seen = []

    async def main(name):
        await entries.aadd(name)
        channel = await bridge.spawn(one.lend)
        seen.append(id(channel.raw))
        await asyncio.sleep(0.05)
        await bridge.spawn(channel.check_in)

    threads = [threading.Thread(target=asyncio.run, args=(main(f"thread {n}"),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 3
    assert sorted(entries.stored) == ["thread 0", "thread 1", "thread 2"]


# -- forks (R15) ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(database):
    entries = Entries(database)
    entries.add("parent")
    one = connections["default"]
    held = one.lend()
    pid = ask("SELECT pg_backend_pid()") if database.vendor == "postgresql" else None
    child = os.fork()
    if child == 0:
        code = 1
        try:
            entries.add("child")
            if pid is not None and ask("SELECT pg_backend_pid()") == pid:
                code = 2
            try:
                held.fetch(ONE, ())
                code = 3
            except OperationalError:
                code = 0 if code == 1 else code
            close_all()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert held.fetch(ONE, ())[0][0] == 1
    held.check_in()
    entries.add("parent again")
    assert entries.stored == ["parent", "child", "parent again"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_leaves_the_parents_block_does_not_end_its_transaction(database):
    entries = Entries(database)
    block = atomic()
    block.__enter__()
    entries.add("in the block of the parent")
    child = os.fork()
    if child == 0:
        try:
            block.__exit__(None, None, None)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert entries.stored == []
    block.__exit__(None, None, None)
    assert entries.stored == ["in the block of the parent"]
