"""What is tried again, and what never is (S41, R6)."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest
from sqlalchemy import event, make_url

from facade import bridge
from facade.configuration import configure
from facade.db.channels import retry
from facade.db.channels.channel import Statement
from facade.db.connection import close_all, close_all_async, connections
from facade.exceptions import OperationalError, PoolExhausted
from facade.transaction import atomic
from tests.entries import Entries
from tests.proxy import TcpProxy

pytestmark = pytest.mark.vendors("postgres")

# SQLAlchemy does not close the cursor of a lost connection, and psycopg complains.
UNRAISABLE = ["ignore::pytest.PytestUnraisableExceptionWarning"]
ONE = Statement("SELECT 1", reads=True, returns=True)
NAP = Statement("SELECT pg_sleep(0.3)::text, pg_backend_pid()", reads=True, returns=True)
SLEEPERS = (
    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event = 'PgSleep'"
)


@pytest.fixture(params=["own", "psycopg"])
def driver(request, face, database):
    """Both drivers of the async face."""
    if request.param == "psycopg":
        if not face.is_async:
            pytest.skip("the sync face has psycopg anyway")
        configure(DATABASES={"default": database.url.replace("postgresql:", "postgresql+psycopg:")})


@pytest.fixture
def entries(database):
    return Entries(database)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


def killing(database, times=1):
    """Terminate, in a thread, the next connections that are found asleep in the middle of a statement."""

    def kill():
        killed, deadline = set(), time.monotonic() + 10 * times
        while len(killed) < times and time.monotonic() < deadline:  # one may be seen again before it is gone
            killed.update(pid for pid, _ in database.observe(SLEEPERS))
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def attempts_of(monkeypatch, one):
    """Count how often a connection is lent."""
    lent = []
    lender = one.lender
    for name in ("lend", "lend_alone"):
        original = getattr(lender, name)
        monkeypatch.setattr(lender, name, lambda original=original: lent.append(1) or original())
    return lent


def test_a_lone_read_survives_the_loss_of_its_connection(face, database, driver):
    one = connections["default"]
    thread = killing(database)
    assert one.fetch(NAP, ())[0][1] > 0
    thread.join()
    assert one.lender.pool.checkedout() == 0


@pytest.mark.parametrize("listened", [False, True])
def test_one_loss_is_the_end_of_all_idle_connections(face, database, driver, listened):
    """A server that went took them all; each would cost a try."""
    one = connections["default"]
    held = [one.lend() for _ in range(4)]
    for channel in held:
        channel.check_in()
    pool = one.lender.pool
    pool.serve(None, pool.kill, pool.autocommit)  # as with a driver that cannot tell
    if listened:
        event.listen(one.lender.engine, "before_cursor_execute", lambda *args: None)
    database.observe(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    configure(FACADE_RETRY_ATTEMPTS=2)
    try:
        assert one.fetch(ONE, ())[0][0] == 1
    finally:
        configure(FACADE_RETRY_ATTEMPTS=3)
    assert (pool.checkedin(), pool.checkedout()) == (1, 0)


def test_it_is_given_up_after_the_last_try(face, database, driver, monkeypatch):
    one = connections["default"]
    lent = attempts_of(monkeypatch, one)
    thread = killing(database, times=3)
    with pytest.raises(OperationalError) as caught:
        one.fetch(NAP, ())
    thread.join()
    assert len(lent) == 3
    assert caught.value.connection_invalidated
    assert one.lender.pool.checkedout() == 0


def test_one_attempt_turns_it_off(face, database, driver, monkeypatch):
    configure(FACADE_RETRY_ATTEMPTS=1)
    one = connections["default"]
    lent = attempts_of(monkeypatch, one)
    thread = killing(database)
    try:
        with pytest.raises(OperationalError):
            one.fetch(NAP, ())
    finally:
        configure(FACADE_RETRY_ATTEMPTS=3)
        thread.join()
    assert len(lent) == 1


def test_in_a_block_there_is_one_try(face, database, entries, driver, monkeypatch):
    one = connections["default"]
    lent = attempts_of(monkeypatch, one)
    thread = killing(database)
    with pytest.raises(OperationalError), face.block(atomic()):
        entries.add("gone")
        one.fetch(NAP, ())
    thread.join()
    assert len(lent) == 1
    assert entries.stored == []
    assert one.lender.pool.checkedout() == 0
    assert one.fetch(ONE, ())[0][0] == 1


def test_a_lone_write_is_tried_once(face, database, entries, driver, monkeypatch):
    one = connections["default"]
    lent = attempts_of(monkeypatch, one)
    thread = killing(database)
    write = Statement("INSERT INTO entry (name) SELECT 'x' FROM pg_sleep(0.3)")
    with pytest.raises(OperationalError):
        one.execute(write, ())
    thread.join()
    assert len(lent) == 1


def test_a_statement_that_is_no_plain_read_is_tried_once(face, database, driver, monkeypatch):
    one = connections["default"]
    lent = attempts_of(monkeypatch, one)
    thread = killing(database)
    with pytest.raises(OperationalError):
        one.fetch(Statement(NAP.sql, returns=True), ())
    thread.join()
    assert len(lent) == 1


@pytest.mark.filterwarnings("ignore:.*deleted while still open:ResourceWarning", *UNRAISABLE)
def test_a_stream_is_tried_again_until_it_has_given_something(face, database, driver):
    one = connections["default"]
    thread = killing(database)
    assert len([row for chunk in one.stream(NAP, (), 2) for row in chunk]) == 1
    thread.join()
    # SQLAlchemy reads ahead, more and more.
    sql = "SELECT n, pg_sleep(CASE WHEN n = 200 THEN 5 ELSE 0 END)::text FROM generate_series(1, 300) n"
    later = Statement(sql, reads=True, returns=True)
    thread = killing(database)
    seen = []
    with pytest.raises(OperationalError):
        seen.extend(row[0] for chunk in one.stream(later, (), 2) for row in chunk)
    thread.join()
    gc.collect()
    assert one.lender.pool.checkedout() == 0


def test_an_error_of_the_statement_is_not_tried_again(face, database, monkeypatch):
    one = connections["default"]
    lent = attempts_of(monkeypatch, one)
    with pytest.raises(Exception, match="does not exist"):
        one.fetch(Statement("SELECT nope", reads=True, returns=True), ())
    assert len(lent) == 1


def test_an_exhausted_pool_is_not_tried_again(face, database):
    configure(
        DATABASES={"default": {"URL": database.url, "POOL_SIZE": 1, "MAX_OVERFLOW": 0, "POOL_TIMEOUT": 0.2}}
    )
    one = connections["default"]
    held = one.lend()
    start = time.monotonic()
    with pytest.raises(PoolExhausted):
        one.fetch(ONE, ())
    assert time.monotonic() - start < 0.55
    held.check_in()


def test_a_lock_timeout_is_not_tried_again(face, database, entries, monkeypatch):
    entries.add("a")
    one = connections["default"]
    lent = attempts_of(monkeypatch, one)
    with pytest.raises(OperationalError, match="statement timeout") as caught:
        one.perform(Statement("SELECT set_config('statement_timeout', '50', false)"), ())
        one.fetch(Statement("SELECT pg_sleep(1)::text", reads=True, returns=True), ())
    assert not caught.value.connection_invalidated
    assert len(lent) == 2
    face(one.close)


# -- connecting -----------------------------------------------------------------------------------------------


@pytest.fixture
def proxied(database):
    """The database behind a proxy."""
    url = make_url(database.url)
    with TcpProxy(url.host, url.port) as proxy:
        configure(DATABASES={"default": url.set(port=proxy.port)})
        yield proxy
        close_all()


def test_connecting_is_tried_again_for_writes_too(face, database, entries, proxied):
    proxied.refuse(2)
    entries.add("after two refusals")
    assert entries.stored == ["after two refusals"]
    assert proxied.accepted == 3
    if face.is_async:
        face.wait(close_all_async())


def test_connecting_is_given_up_after_the_last_try(face, database, proxied):
    proxied.refuse(100)
    with pytest.raises(OperationalError) as caught:
        connections["default"].fetch(ONE, ())
    assert proxied.accepted == 3
    assert caught.value.connection_invalidated
    assert connections["default"].lender.pool.checkedout() == 0


def test_a_server_that_is_not_there_is_an_operational_error(face, database):
    configure(DATABASES={"default": "postgresql://postgres@127.0.0.1:1/nowhere"})
    with pytest.raises(OperationalError) as caught:
        connections["default"].fetch(ONE, ())
    assert caught.value.__cause__ is caught.value.orig


@pytest.mark.parametrize("wrong", ["database", "user"])
def test_a_wrong_name_is_refused_at_once(face, database, proxied, wrong):
    url = make_url(database.url).set(port=proxied.port)
    url = (
        url.set(database="no_such_database")
        if wrong == "database"
        else url.set(username="nobody_of_that_name")
    )
    configure(DATABASES={"default": url})
    with pytest.raises(Exception, match=r"does not exist|no pg_hba|authentication") as caught:
        connections["default"].fetch(ONE, ())
    assert proxied.accepted <= 2  # a driver may ask with and without encryption
    assert not caught.value.connection_invalidated


def test_pauses_grow_with_jitter_and_end():
    pauses = list(retry.delays(8))
    assert len(pauses) == 7
    assert all(0.5 * 0.01 * 2**n <= pause <= 1.5 * 0.01 * 2**n for n, pause in enumerate(pauses))
    assert list(retry.delays(1)) == []


async def test_waiting_to_try_again_can_be_cancelled(database, monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 10)
    monkeypatch.setattr(retry, "LONGEST_DELAY", 10)
    configure(DATABASES={"default": "postgresql://postgres@127.0.0.1:1/nowhere"})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bridge.spawn(connections["default"].fetch, ONE, ()), 0.2)
