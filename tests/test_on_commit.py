"""Callbacks after the commit: once, in order, and only if the work they belong to was kept."""

from __future__ import annotations

import asyncio
import functools
import logging

import pytest

from facade import bridge, transaction
from facade.db.connection import connections
from facade.exceptions import SynchronousOnlyOperation, TransactionManagementError
from facade.transaction import atomic, on_commit
from tests.entries import Entries


class Oops(Exception):
    """Raised by tests."""


@pytest.fixture
def entries(database):
    return Entries(database)


@pytest.fixture
def called():
    return []


def test_callback_runs_after_the_outermost_commit(face, entries, called):
    with face.block(atomic()):
        with face.block(atomic()):
            entries.add("kept")
            on_commit(lambda: called.append(list(entries.stored)))
        assert called == []
    assert called == [["kept"]]


def test_callback_runs_at_once_outside_of_a_block(face, database, called):
    on_commit(lambda: called.append(1))
    assert called == [1]


def test_callbacks_run_once_and_in_order(face, entries, called):
    with face.block(atomic()):
        on_commit(lambda: called.append(1))
        with face.block(atomic()):
            on_commit(lambda: called.append(2))
        on_commit(lambda: called.append(3))
    with face.block(atomic()):
        pass
    assert called == [1, 2, 3]


def test_rolled_back_block_drops_its_callbacks(face, database, called):
    with pytest.raises(Oops), face.block(atomic()):
        on_commit(lambda: called.append(1))
        raise Oops
    with face.block(atomic()):
        pass
    assert called == []


def test_savepoint_drops_the_callbacks_registered_in_it(face, database, called):
    with face.block(atomic()):
        on_commit(lambda: called.append("outer"))
        with pytest.raises(Oops), face.block(atomic()):
            on_commit(lambda: called.append("lost"))
            with face.block(atomic()):
                on_commit(lambda: called.append("lost, too"))
            raise Oops
        with face.block(atomic()):
            on_commit(lambda: called.append("inner"))
    assert called == ["outer", "inner"]


def test_block_without_savepoint_drops_the_callbacks_of_the_block_around(face, database, called):
    with face.block(atomic()):
        on_commit(lambda: called.append("outer"))
        with face.block(atomic()):
            on_commit(lambda: called.append("lost"))
            with pytest.raises(Oops), face.block(atomic(savepoint=False)):
                raise Oops
    assert called == ["outer"]


def test_manual_savepoint_drops_the_callbacks_registered_since(face, database, called):
    with face.block(atomic()):
        on_commit(lambda: called.append("before"))
        sid = face(transaction.savepoint)
        on_commit(lambda: called.append("lost"))
        face(transaction.savepoint_rollback, sid)
        on_commit(lambda: called.append("after"))
    assert called == ["before", "after"]


def test_set_rollback_drops_callbacks(face, database, called):
    with face.block(atomic()):
        on_commit(lambda: called.append(1))
        transaction.set_rollback(True)
    assert called == []


def test_callback_can_query_and_open_blocks(face, entries, called):
    def callback():
        assert not connections["default"].in_atomic_block
        with atomic():
            entries.add("two")
            on_commit(lambda: called.append(entries.read()))

    with face.block(atomic()):
        entries.add("one")
        on_commit(callback)
    assert called == [["one", "two"]]


def test_error_in_a_callback_reaches_the_caller_after_the_commit(face, entries, called):
    with pytest.raises(Oops), face.block(atomic()):
        entries.add("kept")
        on_commit(lambda: called.append(1))
        on_commit(fail)
        on_commit(lambda: called.append("not any more"))
    assert (entries.stored, called) == (["kept"], [1])
    with face.block(atomic()):
        pass
    assert called == [1]


def fail():
    raise Oops("it failed")


def test_robust_callback_is_logged(face, database, called, caplog):
    with caplog.at_level(logging.ERROR, "facade"), face.block(atomic()):
        on_commit(fail, robust=True)
        on_commit(lambda: called.append(1))
    assert called == [1]
    assert caplog.messages == ["Error calling fail in on_commit() during transaction (it failed)."]
    assert caplog.records[0].exc_info[0] is Oops


def test_robust_callback_outside_of_a_block_is_logged(face, database, caplog):
    callback = functools.partial(fail)
    with caplog.at_level(logging.ERROR, "facade"):
        on_commit(callback, robust=True)
    assert caplog.messages == [f"Error calling {callback} in on_commit() (it failed)."]


def test_waiting_callbacks_can_be_looked_at(face, database):
    connection = connections["default"]
    assert connection.run_on_commit == []
    with face.block(atomic()):
        with face.block(atomic()):
            on_commit(print, robust=True)
            ((savepoints, callback, robust),) = connection.run_on_commit
            assert (savepoints, callback, robust) == (set(connection.savepoint_ids), print, True)
        transaction.set_rollback(True)


def test_callback_belongs_to_its_alias(face, entries, called):
    with face.block(atomic("other")):
        with face.block(atomic()):
            on_commit(lambda: called.append("other"), using="other")
            on_commit(lambda: called.append("default"))
        assert called == ["default"]
    assert called == ["default", "other"]


def test_what_cannot_be_called_is_refused(face, database):
    with pytest.raises(TypeError, match=r"on_commit\(\)'s callback must be a callable."):
        on_commit(None)


def test_manual_transactions_have_no_callbacks(face, entries, called):
    face(transaction.set_autocommit, False)
    with pytest.raises(TransactionManagementError, match="cannot be used in manual transaction management"):
        on_commit(print)
    with face.block(atomic()):
        entries.add("kept")
        on_commit(lambda: called.append(1))
    assert called == []
    face(transaction.commit)
    face(transaction.set_autocommit, True)
    assert called == [1]


def test_manual_rollback_drops_callbacks(face, entries, called):
    face(transaction.set_autocommit, False)
    with face.block(atomic()):
        entries.add("lost")
        on_commit(lambda: called.append(1))
    face(transaction.rollback)
    face(transaction.set_autocommit, True)
    assert called == []


# async callbacks


async def test_async_callbacks_are_awaited_in_order(entries, called):
    async def callback():
        await asyncio.sleep(0.001)
        called.append(await entries.aread())

    async with atomic():
        await entries.aadd("kept")
        on_commit(callback)
        on_commit(lambda: called.append("sync"))
        on_commit(lambda: callback())
    assert called == [["kept"], "sync", ["kept"]]


async def test_async_callback_can_open_a_block(entries):
    async def callback():
        async with atomic():
            await entries.aadd("two")

    async with atomic():
        await entries.aadd("one")
        on_commit(callback)
    assert entries.stored == ["one", "two"]


async def test_async_callback_outside_of_a_block_needs_the_twin(database, called):
    async def callback():
        called.append(1)

    with pytest.raises((TypeError, SynchronousOnlyOperation)):
        on_commit(callback)
    await transaction.aon_commit(callback)
    assert called == [1]


async def test_robust_async_callback_is_logged(database, caplog):
    async def failing():
        raise Oops("it failed")

    with caplog.at_level(logging.ERROR, "facade"):
        async with atomic():
            on_commit(failing, robust=True)
    assert caplog.records[0].exc_info[0] is Oops


def test_sync_block_refuses_async_callbacks(database):
    async def callback():
        pytest.fail("must not be called")

    with atomic(), pytest.raises(TypeError, match="cannot await"):
        on_commit(callback)


async def test_callback_of_a_shared_child_is_dropped_with_its_savepoint_only(entries, called):
    inside, go = asyncio.Event(), asyncio.Event()

    async def child():
        on_commit(lambda: called.append("child"))
        async with atomic():
            await entries.aread()
            on_commit(lambda: called.append("lost"))
            inside.set()
            await go.wait()
            raise Oops

    async with atomic() as block:
        block.shared()
        task = asyncio.create_task(child())
        await inside.wait()
        on_commit(lambda: called.append("owner"))  # while the child's savepoint is open
        go.set()
        await asyncio.gather(task, return_exceptions=True)
    assert called == ["child", "owner"]


async def test_callbacks_run_although_the_task_was_cancelled_during_the_commit(entries, called, monkeypatch):
    """What was committed has its callbacks called; then the cancellation goes on."""
    committing = asyncio.Event()

    async def work():
        async with atomic() as block:
            await entries.aadd("kept")
            on_commit(lambda: called.append("called"))
            slow_commit(block, committing, monkeypatch)

    task = asyncio.create_task(work())
    await committing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (entries.stored, called) == (["kept"], ["called"])


def slow_commit(block, committing, monkeypatch):
    channel_type = type(block.transaction.channel)
    run = channel_type._commit

    def commit(channel):
        committing.set()
        bridge.sleep(0.05)
        run(channel)

    monkeypatch.setattr(channel_type, "_commit", commit)
