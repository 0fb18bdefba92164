"""Cancellation, at every await of every operation and at random moments: nothing leaks, nothing is half done."""

from __future__ import annotations

import asyncio
import gc
import random
import time
import warnings
from contextlib import aclosing, nullcontext, suppress
from types import coroutine

import pytest

from facade import bridge, transaction
from facade.configuration import configure, settings
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.channels.channel import Statement
from facade.db.connection import close_all_async, connections
from facade.exceptions import TransactionManagementError
from facade.transaction import atomic
from tests.entries import Entries
from tests.fix_databases import DatabaseUnderTest
from tests.models import Author

DRIVERS = {"aiosqlite": "sqlite", "asyncpg": "postgres", "psycopg": "postgres"}
HOMES = {**DRIVERS, "asyncmy": "mariadb"}
HANGS_AFTER = 15  # seconds; nothing here takes more than one

if not settings.FACADE_FAST_ROADS:
    # SQLAlchemy drops a psycopg server cursor whose opening is cancelled, and psycopg warns of it.
    pytestmark = pytest.mark.filterwarnings("ignore:.*AsyncServerCursor.* was deleted while still open")


class Oops(Exception):
    """Raised by tests."""


@pytest.fixture(params=DRIVERS)
def driver(request):
    return request.param


@pytest.fixture
def pool_of_two(driver, request):
    """What the ``database`` fixture gives, with a pool of two connections, for each asyncio driver."""
    home = request.getfixturevalue(f"{HOMES[driver]}_home")
    home.empty()
    url = home.urls["default"]
    if driver == "psycopg":
        url = url.replace("postgresql://", "postgresql+psycopg://")
    small = {"POOL_SIZE": 2, "MAX_OVERFLOW": 0, "POOL_TIMEOUT": 10}
    configure(DATABASES={"default": {"URL": url, **small}, "other": {"URL": home.urls["other"], **small}})
    yield DatabaseUnderTest(home)
    configure(DATABASES={})
    if not settings.FACADE_FAST_ROADS:
        with warnings.catch_warnings(action="ignore"):
            gc.collect()  # while the mark above still holds


@pytest.fixture
def entries(pool_of_two):
    return Entries(pool_of_two)


def checked_out():
    return connections["default"].async_engine.pool.checkedout()


async def assert_clean(entries):
    """Nobody holds a connection or a transaction, and the next operations work."""
    assert checked_out() == 0
    async with asyncio.timeout(HANGS_AFTER):
        assert await entries.aread("SELECT 41 + 1") == [42]
        async with atomic():
            await entries.aread()
    await assert_server_idle(entries)


async def assert_server_idle(entries):
    """A server needs a moment to see that a connection was closed."""
    for _ in range(100):
        if entries.open_transactions() == 0:
            return
        await asyncio.sleep(0.05)
    assert entries.open_transactions() == 0


# at every await


@coroutine
def cancelled_at(operation, turn, delay):
    """Await ``operation``, and cancel the running task when it waits for the ``turn``-th time.

    With a ``delay`` (in seconds) the cancellation comes while it waits, rather than before it begins to. Returns
    whether there was such a turn.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    waits = 0
    timer = None
    steps = operation.__await__()
    try:
        waited_for = steps.send(None)
        while True:
            waits += 1
            if waits == turn:
                if delay is None:
                    task.cancel()
                else:
                    timer = loop.call_later(delay, task.cancel)
            try:
                value = yield waited_for
            except BaseException as error:
                waited_for = steps.throw(error)
            else:
                waited_for = steps.send(value)
    except StopIteration:
        return waits >= turn
    finally:
        if timer is not None:
            timer.cancel()
        steps.close()


async def with_every_cancellation(operation, check, delay):
    """Run the operation again and again, cancelled at its first wait, at its second, ... until it has no more."""
    turn = 0
    while True:
        turn += 1
        task = asyncio.create_task(run_cancelled(operation, turn, delay))
        outcome = (await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), HANGS_AFTER))[0]
        if isinstance(outcome, BaseException) and not isinstance(outcome, (asyncio.CancelledError, Oops)):
            raise outcome
        await check(outcome)
        if outcome is False:
            return turn - 1


async def run_cancelled(operation, turn, delay):
    return await cancelled_at(operation(), turn, delay)


DELAYS = pytest.mark.parametrize("delay", [None, 0, 0.0005], ids=["before", "next-turn", "later"])


class Numbered:
    """Operations that each store names of their own, so that half of one is told from the whole."""

    def __init__(self, entries):
        self.entries = entries
        self.number = 0

    async def check(self, outcome):
        await assert_clean(self.entries)
        groups = {}
        for name in self.entries.stored:
            number, _, part = name.partition("-")
            groups.setdefault(int(number), set()).add(part)
        for parts in groups.values():
            assert self.is_whole(parts), parts
        if outcome is False:
            assert self.number in groups, "the undisturbed run has stored its work"

    def is_whole(self, parts):
        raise NotImplementedError


class LoneWrite(Numbered):
    async def __call__(self):
        self.number += 1
        await self.entries.aadd(f"{self.number}-a")

    def is_whole(self, parts):
        return parts == {"a"}


class PlainBlock(Numbered):
    async def __call__(self):
        self.number += 1
        number = self.number
        async with atomic():
            await self.entries.aadd(f"{number}-a")
            await asyncio.sleep(0)
            await self.entries.aadd(f"{number}-b")

    def is_whole(self, parts):
        return parts == {"a", "b"}


class NestedBlocks(Numbered):
    """The outer work of ``a`` and ``d`` is one, the inner work of ``b`` and ``c`` is another inside of it."""

    async def __call__(self):
        self.number += 1
        number = self.number
        async with atomic():
            await self.entries.aadd(f"{number}-a")
            with suppress(Oops):
                async with atomic():
                    await self.entries.aadd(f"{number}-lost")
                    async with atomic(savepoint=False):
                        raise Oops
            async with atomic():
                await self.entries.aadd(f"{number}-b")
                await self.entries.aadd(f"{number}-c")
            await self.entries.aadd(f"{number}-d")

    def is_whole(self, parts):
        return parts == {"a", "b", "c", "d"}


class SurvivedBlock(Numbered):
    """The inner block is what is cancelled; the outer one goes on.

    SQLite undoes the whole transaction if an INSERT is interrupted, and SQLAlchemy closes a connection whose
    statement is cancelled: then the outer block cannot be committed.
    """

    broken = 0

    async def __call__(self):
        self.number += 1
        number = self.number
        try:
            async with atomic():
                await self.entries.aadd(f"{number}-a")
                try:
                    async with atomic():
                        await self.entries.aadd(f"{number}-b")
                        await self.entries.aadd(f"{number}-c")
                except asyncio.CancelledError:
                    asyncio.current_task().uncancel()
                await self.entries.aadd(f"{number}-d")
        except TransactionManagementError:
            self.broken += 1

    def is_whole(self, parts):
        assert self.broken == 0 or self.entries.vendor == "sqlite" or not settings.FACADE_FAST_ROADS
        return parts in ({"a", "b", "c", "d"}, {"a", "d"})


class SharedBlock(Numbered):
    async def child(self, name):
        async with atomic():
            await self.entries.aadd(f"{name}1")
            await self.entries.aadd(f"{name}2")

    async def __call__(self):
        self.number += 1
        number = self.number
        async with atomic() as block:
            block.shared()
            await asyncio.gather(
                self.child(f"{number}-a"), self.child(f"{number}-b"), self.entries.aadd(f"{number}-c")
            )

    def is_whole(self, parts):
        return parts == {"a1", "a2", "b1", "b2", "c"}


class Stream(Numbered):
    async def __call__(self):
        self.number += 1
        number = self.number
        async with atomic():
            await self.entries.aadd(f"{number}-a")
            async with aclosing(self.entries.astream(chunk_size=1, order="id DESC")) as names:
                assert await anext(names) == f"{number}-a"
                await anext(names, None)
            await self.entries.aadd(f"{number}-b")

    def is_whole(self, parts):
        return parts == {"a", "b"}


class ManualSavepoint(Numbered):
    async def __call__(self):
        self.number += 1
        number = self.number
        async with atomic():
            await self.entries.aadd(f"{number}-a")
            sid = await transaction.asavepoint()
            await self.entries.aadd(f"{number}-lost")
            await transaction.asavepoint_rollback(sid)
            await self.entries.aadd(f"{number}-b")
            await transaction.asavepoint_commit(sid)

    def is_whole(self, parts):
        return parts == {"a", "b"}


OPERATIONS = [LoneWrite, PlainBlock, NestedBlocks, SurvivedBlock, SharedBlock, Stream, ManualSavepoint]


@DELAYS
@pytest.mark.parametrize("kind", OPERATIONS)
async def test_cancelled_at_every_await(entries, kind, delay):
    operation = kind(entries)
    await operation.entries.aread()  # a first connection is there
    turns = await with_every_cancellation(operation, operation.check, delay)
    assert turns >= 1


@pytest.mark.parametrize("driver", HOMES, indirect=True)
async def test_cancelled_at_every_await_of_the_first_connection(entries):
    """The pool is empty each time: connecting is what is cancelled."""
    operation = PlainBlock(entries)

    async def check(outcome):
        await operation.check(outcome)
        await anew()

    async def anew():
        await close_all_async()
        configure(DATABASES=settings.DATABASES)

    await anew()
    assert await with_every_cancellation(operation, check, 0) >= 1


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in-a-block"])
async def test_cancellation_is_never_lost(entries, inside):
    """Leaving a stream early closes a cursor, which waits; what is closed by garbage collection cannot raise."""
    await bridge.spawn(entries.database.create, Author)
    for number in range(5):
        await Author.objects.acreate(name=f"author {number}")

    async def operation():
        async with atomic() if inside else nullcontext():
            async with aclosing(Author.objects.aiterator(chunk_size=2)) as authors:
                async for _ in authors:
                    break

    async def check(outcome):
        assert outcome is not True, "the task was cancelled and went on"
        await assert_clean(entries)

    assert await with_every_cancellation(operation, check, None) > 2


@DELAYS
async def test_callbacks_are_called_for_what_was_committed_and_only_then(entries, delay):
    called = []

    class WithCallback(PlainBlock):
        async def __call__(self):
            number = self.number + 1

            async def callback():
                called.append(number)

            async with atomic():
                transaction.on_commit(callback)
                await super().__call__()

    operation = WithCallback(entries)
    await with_every_cancellation(operation, operation.check, delay)
    assert called == sorted({int(name.partition("-")[0]) for name in entries.stored})


# with a statement that takes its time


async def test_timeout_of_an_inner_block_keeps_the_outer_work(entries):
    if not settings.FACADE_FAST_ROADS:
        pytest.skip("SQLAlchemy closes a connection whose statement is cancelled")
    async with atomic():
        await entries.aadd("before")
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), atomic():
                await entries.aadd("lost")
                await entries.apause(5)
        assert time.monotonic() - started < 3
        await entries.aadd("after")
    assert entries.stored == ["before", "after"]
    await assert_clean(entries)


async def test_savepoint_is_set_in_spite_of_cancellation_and_rolled_back(entries, monkeypatch):
    """Stopped half way, it could leave an aborted transaction to the outer block."""
    async with atomic() as block:
        await entries.aadd("before")
        channel_type = type(block.transaction.channel)
        set_savepoint = channel_type.savepoint

        def slowly(channel, name):
            bridge.sleep(0.05)
            set_savepoint(channel, name)
            bridge.sleep(0.05)

        monkeypatch.setattr(channel_type, "savepoint", slowly)
        with CaptureQueriesContext(connections["default"]) as captured, pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02), atomic():
                pytest.fail("must not be entered")
        await entries.aadd("after")
    commands = [query["sql"].partition(" facade_")[0] for query in captured.captured_queries]
    assert commands == ["SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT"]
    assert entries.stored == ["before", "after"]


async def test_wait_for_that_cancels_a_block_leaves_nothing(entries):
    async def work():
        async with atomic():
            await entries.aadd("lost")
            await entries.apause(5)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work(), 0.1)
    assert entries.stored == []
    await assert_clean(entries)


async def test_block_with_a_cancelled_statement_is_broken(entries):
    async with atomic():
        await entries.aadd("lost")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await entries.apause(5)
        with pytest.raises(TransactionManagementError) as caught:
            await entries.aadd("refused")
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert entries.stored == []
    await assert_clean(entries)


async def test_failing_block_does_not_wait_for_a_long_statement_of_a_child(entries, monkeypatch):
    monkeypatch.setattr(settings, "FACADE_CLEANUP_SECONDS", 0.3)

    async def child():
        await entries.apause(3)

    started = time.monotonic()
    with pytest.raises(Oops):
        async with atomic() as block:
            block.shared()
            await entries.aadd("lost")
            task = asyncio.create_task(child())
            await asyncio.sleep(0.05)
            raise Oops
    assert time.monotonic() - started < 2
    assert entries.stored == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await assert_clean(entries)


# at random moments


class Load:
    """What the clients of a small service do; ``half`` are names that a half committed block would leave."""

    def __init__(self, entries, seed):
        self.entries = entries
        self.random = random.Random(seed)
        self.number = 0

    async def once(self):
        self.number += 1
        kind = self.random.choice([self.read, self.write, self.stream, self.block, self.nested, self.shared])
        await kind(self.number)

    async def read(self, number):
        assert await self.entries.aread("SELECT 41 + 1") == [42]

    async def write(self, number):
        await self.entries.aadd(f"{number}-lone")

    async def stream(self, number):
        async with aclosing(self.entries.astream(chunk_size=3)) as names:
            async for _ in names:
                await asyncio.sleep(0)

    async def block(self, number):
        async with atomic():
            await self.entries.aadd(f"{number}-a")
            await self.stream(number)
            await self.entries.aadd(f"{number}-b")

    async def nested(self, number):
        async with atomic():
            await self.entries.aadd(f"{number}-a")
            with suppress(Oops):
                async with atomic():
                    await self.entries.aadd(f"{number}-lost")
                    raise Oops
            async with atomic():
                await self.entries.aadd(f"{number}-b")

    async def shared(self, number):
        async with atomic() as block:
            block.shared()
            await asyncio.gather(self.child(f"{number}-a"), self.child(f"{number}-b"))

    async def child(self, name):
        async with atomic():
            await self.entries.aadd(name)

    def half_done(self):
        groups = {}
        for name in self.entries.stored:
            number, _, part = name.partition("-")
            groups.setdefault(number, set()).add(part)
        return [parts for parts in groups.values() if parts not in ({"lone"}, {"a", "b"})]


@pytest.mark.slow
async def test_500_random_cancellations_on_a_pool_of_two(entries):
    load = Load(entries, seed=20)
    clients, finished, cancelled = 4, 0, 0
    usual = await duration_of(load, clients)
    while cancelled < 500:
        tasks = [asyncio.create_task(load.once()) for _ in range(clients)]
        for task in tasks:
            asyncio.get_running_loop().call_later(load.random.uniform(0, 1.5 * usual), task.cancel)
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), HANGS_AFTER)
        cancelled += sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        finished += sum(outcome is None for outcome in outcomes)
        assert [one for one in outcomes if not isinstance(one, (asyncio.CancelledError, type(None)))] == []
        assert checked_out() == 0
    assert finished > 50, "some were not disturbed"
    assert load.half_done() == []
    await assert_clean(entries)


async def duration_of(load, clients):
    """How long the clients take undisturbed, so that cancellations fall into their work."""
    started = time.monotonic()
    for _ in range(5):
        await asyncio.gather(*(load.once() for _ in range(clients)))
    return (time.monotonic() - started) / 5


@pytest.mark.slow
async def test_a_commit_that_nobody_cancels_takes_the_time_it_needs(entries, driver, monkeypatch):
    """A deferred constraint may need longer than a clean-up may."""
    if driver == "aiosqlite":
        pytest.skip("SQLite has no deferred triggers")
    monkeypatch.setattr(settings, "FACADE_CLEANUP_SECONDS", 0.2)
    for sql in (
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END'",
        (
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slowly()"
        ),
    ):
        await bridge.spawn(connections["default"].execute, Statement(sql), ())
    try:
        async with atomic():
            await entries.aadd("kept")
        assert entries.stored == ["kept"]
        block = asyncio.create_task(one_more(entries))
        await asyncio.sleep(0.3)
        block.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await block
        assert time.monotonic() - started < 0.7
    finally:
        await bridge.spawn(connections["default"].execute, Statement("DROP FUNCTION slowly CASCADE"), ())


async def one_more(entries):
    async with atomic():
        await entries.aadd("perhaps")
