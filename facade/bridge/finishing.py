"""Ends that must be reached: waiting in spite of cancellation, and async code called from sync code."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from facade.bridge.blocking import check_blocking
from facade.bridge.workers import in_worker, wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

T = TypeVar("T")

CancelledError = asyncio.CancelledError
gather = asyncio.gather


def finish(awaitable: Awaitable[T], timeout: float) -> T:
    """Wait for something that must run to its end: a rollback, a commit, a check-in.

    Cancellation does not reach it; it is raised when the end is reached. Such a CancelledError has the awaitable's
    failure, or the TimeoutError, as its ``__cause__``: None means that the awaitable succeeded.

    Raises TimeoutError past ``timeout`` (seconds): the awaitable is cancelled then, and not waited for.
    """
    return wait(_finish(awaitable, timeout))


_unfinished: set[asyncio.Future[Any]] = set()  # the event loop itself keeps weak references only


async def _finish(awaitable: Awaitable[T], limit: float) -> T:
    task = asyncio.ensure_future(awaitable)
    _unfinished.add(task)
    task.add_done_callback(_finished)
    deadline = time.monotonic() + limit
    cancelled: CancelledError | None = None
    while not task.done() and (left := deadline - time.monotonic()) > 0:
        try:
            await asyncio.wait((task,), timeout=left)
        except CancelledError as error:
            cancelled = error
    failure = _failure(task, limit)
    if cancelled is not None:
        raise cancelled from failure
    if failure is not None:
        raise failure
    return task.result()


def _failure(task: asyncio.Future[Any], limit: float) -> BaseException | None:
    if not task.done():
        task.cancel()
        return TimeoutError(f"Not finished within {limit:g} seconds.")
    return CancelledError() if task.cancelled() else task.exception()


def _finished(task: asyncio.Future[Any]) -> None:
    _unfinished.discard(task)
    if not task.cancelled():
        task.exception()  # reported already: asyncio need not warn


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
