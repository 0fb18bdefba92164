"""Whose transaction it is: operations belong to the task, or the thread, that created them."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from facade import bridge, transaction
from facade.db.connection import connections
from facade.exceptions import DetachedOperation, TransactionManagementError
from facade.transaction import atomic
from tests.entries import Entries

WAYS_OUT = r"(?s)shared\(\).*transaction\.detached\(\)"


class Oops(Exception):
    """Raised by tests."""


@pytest.fixture
def entries(database):
    return Entries(database)


# operations of the owner


async def test_gather_in_the_owners_body_takes_part(entries):
    with pytest.raises(Oops):
        async with atomic():
            await asyncio.gather(*(entries.aadd(f"lost {n}") for n in range(5)))
            assert entries.stored == []
            raise Oops
    assert entries.stored == []
    async with atomic():
        await asyncio.gather(*(entries.aadd(f"kept {n}") for n in range(5)))
    assert len(entries.stored) == 5


async def test_operation_handed_to_a_task_still_belongs_to_its_creator(entries):
    async with atomic():
        await asyncio.create_task(entries.aadd("kept"))
        await asyncio.wait_for(entries.aadd("kept, too"), 5)
        assert entries.stored == []
    assert entries.stored == ["kept", "kept, too"]


async def test_statements_of_a_block_take_turns(entries):
    channel_type = None
    running, most = 0, 0

    async def count(operation):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await operation
        running -= 1

    async with atomic() as block:
        channel_type = type(block.transaction.channel)
        at_work, overlaps = [], []
        fetch = channel_type.fetch

        def watched(channel, *args):
            overlaps.append(len(at_work))
            at_work.append(1)
            try:
                return fetch(channel, *args)
            finally:
                at_work.pop()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(channel_type, "fetch", watched)
            await asyncio.gather(*(count(entries.aread()) for _ in range(5)))
    assert (most, set(overlaps)) == (5, {0})


async def test_operations_of_the_owner_that_open_blocks_take_turns(entries):
    def add_two(name):
        with atomic():
            entries.add(f"{name}1")
            entries.add(f"{name}2")
            if name == "fails":
                raise Oops

    add_both = bridge.function_twin(add_two)
    async with atomic():
        done = await asyncio.gather(
            add_both("a"), add_both("fails"), add_both("b"), entries.aadd("c"), return_exceptions=True
        )
    assert [type(one) for one in done] == [type(None), Oops, type(None), type(None)] or isinstance(
        done[1], Oops
    )
    assert sorted(entries.stored) == ["a1", "a2", "b1", "b2", "c"]


async def test_operation_created_before_the_inner_block_does_not_slip_into_it(entries):
    async with atomic():
        early = asyncio.create_task(entries.aadd("early"))
        async with atomic():
            with pytest.raises(DetachedOperation, match="was created before its own task entered"):
                await early
            await entries.aadd("kept")
    assert entries.stored == ["kept"]


async def test_block_waits_for_operations_that_were_not_awaited(entries):
    async with atomic():
        left = [asyncio.create_task(entries.aadd(f"kept {n}")) for n in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*left)
    assert len(entries.stored) == 3


# tasks that merely inherit


async def test_inherited_block_is_refused_with_the_ways_out(entries):
    async def child():
        await entries.aadd("refused")

    async with atomic():
        with pytest.raises(DetachedOperation, match=WAYS_OUT):
            await asyncio.create_task(child())
        with pytest.raises(DetachedOperation, match=WAYS_OUT):
            await asyncio.gather(child())
        await entries.aadd("kept")
    assert entries.stored == ["kept"]


async def nested_block(entries):
    async with atomic():
        pytest.fail("must not be entered")


async def stream(entries):
    async for _ in entries.astream():
        pytest.fail("must not read")


async def savepoint(entries):
    await transaction.asavepoint()


async def callback(entries):
    transaction.on_commit(print)


async def rollback_wanted(entries):
    transaction.set_rollback(True)


async def rollback_asked_for(entries):
    transaction.get_rollback()


@pytest.mark.parametrize(
    "use", [nested_block, stream, savepoint, callback, rollback_wanted, rollback_asked_for]
)
async def test_every_use_of_an_inherited_block_is_refused(entries, use):
    async with atomic():
        await entries.aadd("kept")
        with pytest.raises(DetachedOperation, match=WAYS_OUT):
            await asyncio.create_task(use(entries))
    assert entries.stored == ["kept"]


async def test_refused_task_does_not_break_the_block(entries):
    async def child():
        with transaction.mark_for_rollback_on_error():
            await entries.aadd("refused")

    async with atomic():
        with pytest.raises(DetachedOperation):
            await asyncio.create_task(child())
        assert not transaction.get_rollback()
        await entries.aadd("kept")
    assert entries.stored == ["kept"]


@pytest.mark.parametrize("delay", [0, 0.001, 0.01, 0.03])
async def test_background_task_is_refused_whatever_the_timing(entries, delay):
    async def background():
        await asyncio.sleep(delay)
        await entries.aadd("refused")

    async with atomic():
        task = asyncio.create_task(background())
        await entries.aadd("kept")
        await entries.apause(0.02)
        await asyncio.sleep(0.03)
        await entries.aread()
        assert task.done()
    with pytest.raises(DetachedOperation):
        await task
    assert entries.stored == ["kept"]


async def test_task_that_outlives_its_block_works_on_its_own(entries):
    go = asyncio.Event()

    async def background():
        await go.wait()
        assert not connections["default"].in_atomic_block
        await entries.aadd("kept")

    with pytest.raises(Oops):
        async with atomic():
            await entries.aadd("lost")
            task = asyncio.create_task(background())
            raise Oops
    if entries.vendor == "sqlite":  # an SQLite block would keep the other connection waiting
        go.set()
        await task
    else:
        async with atomic():
            await entries.aadd("kept in the block")
            go.set()
            await task
            assert entries.stored == ["kept"]
    assert entries.stored[0:1] == ["kept"] or "kept" in entries.stored


async def test_task_that_outlives_the_inner_block_only_is_refused(entries):
    go = asyncio.Event()

    async def background():
        await go.wait()
        await entries.aadd("refused")

    async with atomic():
        async with atomic():
            task = asyncio.create_task(background())
        go.set()
        with pytest.raises(DetachedOperation):
            await task
    assert entries.stored == []


async def test_block_with_the_connection_of_another_never_serves_a_late_task(entries):
    """The connection of the first block is in the second one when the task of the first block goes on."""
    go = asyncio.Event()

    async def background():
        await go.wait()
        return await entries.aread()

    async with atomic():
        await entries.aread()
        task = asyncio.create_task(background())
    async with atomic(read_only=entries.vendor == "sqlite"):
        if entries.vendor != "sqlite":
            await entries.aadd("not seen by others")
        go.set()
        assert await task == []


# shared blocks


async def test_shared_block_lets_child_tasks_take_part(entries):
    async def child(name):
        await entries.aadd(name)

    with pytest.raises(Oops):
        async with atomic() as block:
            block.shared()
            await asyncio.gather(child("a"), child("b"))
            assert entries.stored == []
            raise Oops
    assert entries.stored == []
    async with atomic() as block, block.shared():
        await asyncio.gather(child("a"), child("b"))
    assert entries.stored == ["a", "b"]


async def test_sharing_ends_with_its_block(entries):
    async def child(name):
        await entries.aadd(name)

    async with atomic() as block:
        with block.shared() as same:
            assert same is block
            await asyncio.create_task(child("kept"))
        with pytest.raises(DetachedOperation):
            await asyncio.create_task(child("refused"))
    assert entries.stored == ["kept"]


async def test_failure_of_one_nested_shared_block_undoes_exactly_its_work(entries):
    async def child(name):
        async with atomic():
            for n in range(3):
                await entries.aadd(f"{name}{n}")
                await asyncio.sleep(0)
            if name == "b":
                raise Oops

    async with atomic() as block:
        block.shared()
        done = await asyncio.gather(
            child("a"), child("b"), child("c"), entries.aadd("d"), return_exceptions=True
        )
    assert isinstance(done[1], Oops)
    assert sorted(entries.stored) == ["a0", "a1", "a2", "c0", "c1", "c2", "d"]


async def test_gather_that_fails_early_keeps_the_others_work(entries):
    """gather() raises while the third child still waits for its turn; the block waits for it."""

    async def child(name):
        async with atomic():
            await entries.aadd(name)
            if name == "b":
                raise Oops

    async with atomic() as block:
        block.shared()
        with pytest.raises(Oops):
            await asyncio.gather(child("a"), child("b"), child("c"))
    assert entries.stored == ["a", "c"]


async def test_failing_shared_block_cuts_off_its_children(entries):
    """The child's block must not be able to commit, nor its statements run on their own."""
    inside = asyncio.Event()
    go = asyncio.Event()

    async def child():
        async with atomic():
            await entries.aadd("lost")
            inside.set()
            await go.wait()
            with pytest.raises(TransactionManagementError, match="ended first"):
                await entries.aadd("refused")

    with pytest.raises(Oops):
        async with atomic() as block:
            block.shared()
            task = asyncio.create_task(child())
            await inside.wait()
            raise Oops
    go.set()
    with pytest.raises(TransactionManagementError, match="ended first"):
        await task
    assert entries.stored == []


async def test_nested_block_of_a_child_is_exclusive(entries):
    order = []

    async def nested(name):
        async with atomic():
            for _ in range(3):
                order.append(name)
                await entries.aread()
                await asyncio.sleep(0.001)

    async def plain():
        await asyncio.sleep(0.001)
        await entries.aread()
        order.append("plain")

    async with atomic() as block:
        block.shared()
        await asyncio.gather(nested("a"), nested("b"), plain())
    assert "".join(name for name in order if name != "plain") == "aaabbb"
    assert order.index("plain") >= 3


async def test_grandchildren_take_part_where_each_level_shares(entries):
    async def add(name):
        await entries.aadd(name)

    async def child(name, share):
        async with atomic() as block:
            if share:
                block.shared()
            await asyncio.gather(add(f"{name}1"), add(f"{name}2"))

    async with atomic() as block:
        block.shared()
        done = await asyncio.gather(
            child("a", True), child("b", False), child("c", True), return_exceptions=True
        )
    assert isinstance(done[1], DetachedOperation)
    assert entries.stored == ["a1", "a2", "c1", "c2"]


async def test_many_levels_of_shared_blocks_do_not_deadlock(entries):
    async def level(depth, name):
        async with atomic() as block:
            block.shared()
            await entries.aadd(name)
            if depth:
                await asyncio.gather(*(level(depth - 1, f"{name}.{n}") for n in range(3)))
            if name.endswith(".1"):
                raise Oops

    async with asyncio.timeout(20), atomic() as block:
        block.shared()
        await asyncio.gather(level(2, "a"), level(2, "b"), return_exceptions=True)
    assert all(not name.endswith(".1") for name in entries.stored)


# detached


async def test_detached_task_has_a_connection_of_its_own(entries):
    async def child():
        with transaction.detached():
            assert not connections["default"].in_atomic_block
            if entries.vendor == "sqlite":
                return await entries.aread()
            async with atomic():
                await entries.aadd("kept")
        return None

    with pytest.raises(Oops):
        async with atomic():
            await entries.aadd("lost")
            assert await asyncio.create_task(child()) in (None, [])
            raise Oops
    assert entries.stored == ([] if entries.vendor == "sqlite" else ["kept"])


def test_detached_code_of_the_owner(face, entries):
    with pytest.raises(Oops), face.block(atomic("other")):
        entries.add("lost", using="other")
        with face.block(transaction.detached("default")):
            assert connections["other"].in_atomic_block
        with face.block(transaction.detached()):
            assert not connections["other"].in_atomic_block
            assert entries.read(using="other") == []
        assert entries.read(using="other") == ["lost"]
        raise Oops
    assert entries.stored_on("other") == []


# threads and the other face


def test_block_inherited_by_a_thread_is_refused(entries):
    failures = []

    def child():
        try:
            entries.add("refused")
        except DetachedOperation as error:
            failures.append(error)

    with atomic():
        entries.add("kept")
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(child,))
        thread.start()
        thread.join()
    assert "another thread" in str(failures[0])
    assert entries.stored == ["kept"]


def test_shared_block_serves_threads(entries):
    def child(name):
        with atomic():
            entries.add(name)

    with pytest.raises(Oops), atomic() as block:
        block.shared()
        contexts = [(contextvars.copy_context(), f"lost {n}") for n in range(4)]
        threads = [threading.Thread(target=context.run, args=(child, name)) for context, name in contexts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert sorted(entries.read()) == [name for _, name in contexts]
        raise Oops
    assert entries.stored == []


async def test_thread_of_an_async_block_is_refused_even_if_shared(entries):
    async with atomic() as block:
        with pytest.raises(DetachedOperation, match=WAYS_OUT):
            await asyncio.to_thread(entries.add, "refused")
        block.shared()
        with pytest.raises(DetachedOperation, match="not even by a shared block"):
            await asyncio.to_thread(entries.add, "refused")
    assert entries.stored == []


def test_event_loop_inside_a_sync_block_is_refused(entries):
    async def main():
        await entries.aadd("refused")

    with atomic() as block:
        with pytest.raises(DetachedOperation):
            asyncio.run(main())
        block.shared()
        with pytest.raises(DetachedOperation, match="not even by a shared block"):
            asyncio.run(main())
    assert entries.stored == []


async def test_sync_code_run_in_the_owners_task_takes_part(entries):
    def sync_code():
        entries.add("kept")
        with pytest.raises(Oops), atomic():
            entries.add("lost")
            raise Oops

    async with atomic():
        await bridge.run(sync_code)
        assert entries.stored == []
    assert entries.stored == ["kept"]
