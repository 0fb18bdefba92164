"""Ends that must be reached: waiting in spite of cancellation, and async code called from sync code."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from facade.bridge.blocking import check_blocking
from facade.bridge.workers import in_worker, wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

T = TypeVar("T")

CancelledError = asyncio.CancelledError
gather = asyncio.gather

_unfinished: set[asyncio.Future[Any]] = set()  # the event loop itself keeps weak references only


def finish(awaitable: Awaitable[T], grace: float) -> T:
    """Wait for something that must run to its end: a rollback, a commit, a check-in.

    Cancellation does not reach it; it is raised when the end is reached. Such a CancelledError has the awaitable's
    failure, or the TimeoutError, as its ``__cause__``: None means that the awaitable succeeded.

    Without a cancellation it takes the time it needs. Raises TimeoutError when ``grace`` seconds have passed since a
    task that is being cancelled began to wait: the awaitable is cancelled then, and not waited for.
    """
    return wait(_finish(awaitable, grace, patient=True))


def finish_within(awaitable: Awaitable[T], limit: float) -> T:
    """Wait as `finish` does, but for ``limit`` seconds at most, cancelled or not."""
    return wait(_finish(awaitable, limit, patient=False))


@coroutine
def told_once(
    work: Coroutine[Any, Any, T], limit: float, first: Callable[[], object] | None = None
) -> Generator[Any, Any, T]:
    """Drive a coroutine that cleans up when it is cancelled: it hears of the first cancellation, and of no other.

    It has ``limit`` seconds to clean up; then it is given up, and the cancellation goes on. ``first`` is called before it
    hears.
    """
    error: BaseException | None = None
    told: BaseException | None = None
    deadline = 0.0
    while True:
        try:
            wanted = work.send(None) if error is None else work.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        error = None
        if told is not None:
            if not (yield from _unmoved(wanted, deadline)):
                work.close()
                raise told
            continue
        try:
            yield wanted
        except asyncio.CancelledError as cancelled:
            error = told = cancelled
            deadline = time.monotonic() + limit
            if first is not None:
                first()
        except BaseException as other:
            error = other


def _unmoved(wanted: asyncio.Future[Any] | None, deadline: float) -> Generator[Any, Any, bool]:
    """Wait for a future that a cancellation is not to reach, or for the loop's next turn (None); tell whether in time."""
    if wanted is None:
        with suppress(asyncio.CancelledError):
            yield None
        return True
    wanted._asyncio_future_blocking = False
    while not wanted.done():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        loop = wanted.get_loop()
        stand_in = loop.create_future()
        wanted.add_done_callback(partial(_pass_on, stand_in))
        timer = loop.call_later(left, _pass_on, stand_in, None)
        with suppress(asyncio.CancelledError):
            yield from stand_in
        timer.cancel()
    return True


def _pass_on(stand_in: asyncio.Future[None], done: object) -> None:
    if not stand_in.done():
        stand_in.set_result(None)


def detach(coroutine: Coroutine[Any, Any, object]) -> None:
    """Let a coroutine run by itself in the running event loop; nobody waits for it."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _unfinished.add(task)
    task.add_done_callback(_report)


async def _finish(awaitable: Awaitable[T], limit: float, patient: bool) -> T:
    task = _start(awaitable)
    cancelled = None if task.done() else await _end(task, limit, patient)
    failure = _failure(task, limit)
    if cancelled is not None:
        raise cancelled from failure
    if failure is not None:
        raise failure
    return task.result()


def _start(awaitable: Awaitable[T]) -> asyncio.Future[T]:
    """Give the awaitable a task of its own: cancelling ours does not reach it. Saves a turn of the loop if it can."""
    if sys.version_info >= (3, 12) and asyncio.iscoroutine(awaitable):
        return asyncio.Task(awaitable, loop=asyncio.get_running_loop(), eager_start=True)
    return asyncio.ensure_future(awaitable)


async def _end(task: asyncio.Future[Any], limit: float, patient: bool) -> CancelledError | None:
    """Sleep until the task is done or the limit is over; return the last cancellation that came in between."""
    loop = asyncio.get_running_loop()
    deadline = None if patient and not is_being_cancelled() else loop.time() + limit
    cancelled = None
    _unfinished.add(task)
    task.add_done_callback(_report)
    while not task.done() and (deadline is None or loop.time() < deadline):
        woken = loop.create_future()
        wake = partial(_wake, woken)
        timer = None if deadline is None else loop.call_at(deadline, wake)
        task.add_done_callback(wake)
        try:
            await woken
        except CancelledError as error:
            cancelled = error
            deadline = deadline or loop.time() + limit
        finally:
            if timer is not None:
                timer.cancel()
            task.remove_done_callback(wake)
    return cancelled


def is_being_cancelled() -> bool:
    """Tell whether the running task has been asked to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _wake(woken: asyncio.Future[None], _task: object = None) -> None:
    if not woken.done():
        woken.set_result(None)


def _report(task: asyncio.Future[Any]) -> None:
    _unfinished.discard(task)
    if not task.cancelled():
        task.exception()  # we report it: asyncio need not warn that nobody did


def _failure(task: asyncio.Future[Any], limit: float) -> BaseException | None:
    if not task.done():
        task.cancel()
        return TimeoutError(f"Not finished within {limit:g} seconds.")
    return CancelledError() if task.cancelled() else task.exception()


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from sync code: in the loop around this worker, or else in a loop of its own.

    Raises SynchronousOnlyOperation in a running event loop outside a worker.
    """
    if in_worker():
        return wait(coroutine)
    try:
        check_blocking()
        return asyncio.run(coroutine)
    finally:
        coroutine.close()


def sleep(seconds: float) -> None:
    """Pause: in a worker without blocking the event loop, else this thread."""
    if in_worker():
        wait(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)
