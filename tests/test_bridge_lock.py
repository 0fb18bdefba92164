"""The lock that serves threads and workers."""

from __future__ import annotations

import asyncio
import threading

import pytest

from facade import bridge
from facade.exceptions import SynchronousOnlyOperation


def inside(lock, log, name):
    with lock:
        log.append(f"{name} in")
        bridge.sleep(0.001)
        log.append(f"{name} out")


def pairs(log):
    return [(entered.split()[0], left.split()[0]) for entered, left in zip(log[::2], log[1::2], strict=True)]


async def test_workers_take_turns_in_order():
    lock, log = bridge.Lock(), []
    await asyncio.gather(*(bridge.spawn(inside, lock, log, number) for number in range(20)))
    assert pairs(log) == [(str(number), str(number)) for number in range(20)]
    assert not lock.locked()


def test_threads_take_turns():
    lock, log = bridge.Lock(), []
    threads = [threading.Thread(target=inside, args=(lock, log, number)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(entered == left for entered, left in pairs(log))
    assert not lock.locked()


async def test_a_cancelled_worker_leaves_the_queue():
    lock, log = bridge.Lock(), []
    first, second, third = (asyncio.create_task(bridge.spawn(inside, lock, log, name)) for name in "abc")
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([first, second, third])
    assert second.cancelled()
    assert pairs(log) == [("a", "a"), ("c", "c")]
    assert not lock.locked()


async def test_a_turn_that_comes_together_with_a_cancellation_goes_on_to_the_next():
    lock, log = bridge.Lock(), []

    def release_and_cancel():
        with lock:
            bridge.sleep(0)
        second.cancel()

    first = asyncio.create_task(bridge.spawn(release_and_cancel))
    second = asyncio.create_task(bridge.spawn(inside, lock, log, "b"))
    third = asyncio.create_task(bridge.spawn(inside, lock, log, "c"))
    await asyncio.wait([first, second, third])
    assert second.cancelled()
    assert pairs(log) == [("c", "c")]
    assert not lock.locked()


async def test_three_hundred_cancellations_leave_it_free():
    lock, log = bridge.Lock(), []

    async def one(number):
        task = asyncio.create_task(bridge.spawn(inside, lock, log, number))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        if number % 3:
            task.cancel()
        await asyncio.wait([task])

    await asyncio.gather(*(one(number) for number in range(300)))
    assert not lock.locked()
    assert not lock._turns


async def test_blocking_an_event_loop_is_refused():
    with pytest.raises(SynchronousOnlyOperation):
        bridge.Lock().acquire()


def test_an_error_inside_frees_it():
    lock = bridge.Lock()
    with pytest.raises(ZeroDivisionError), lock:
        divmod(1, 0)
    assert not lock.locked()


def test_releasing_a_free_lock_is_an_error():
    with pytest.raises(RuntimeError):
        bridge.Lock().release()
