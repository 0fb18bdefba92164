"""Run synchronous database code under asyncio, without threads.

``spawn(fn)`` runs ``fn`` in a *worker*, a greenlet. Where that code has to wait for an async driver, ``wait()``
hands the awaitable to the coroutine around the worker and sleeps until its result comes back. So the library is
written once, as plain functions, and ``aget = twin(get)`` is a whole async method. This package is the only part
of the library that knows greenlet and asyncio.
"""

from __future__ import annotations

from facade.bridge.blocking import check_blocking
from facade.bridge.finishing import (
    CancelledError,
    complete,
    detach,
    finish,
    finish_within,
    gather,
    sleep,
    told_once,
)
from facade.bridge.locks import Lock
from facade.bridge.shelter import see_through
from facade.bridge.streams import closings, iterate, iterate_chunks, wait_for_chunks
from facade.bridge.twins import add_with_twin, check_twins, function_twin, twin
from facade.bridge.workers import (
    future,
    hearing_cancellations,
    in_worker,
    owner,
    run,
    running_loop,
    spawn,
    wait,
)

__all__ = [
    "CancelledError",
    "Lock",
    "add_with_twin",
    "check_blocking",
    "check_twins",
    "closings",
    "complete",
    "detach",
    "finish",
    "finish_within",
    "function_twin",
    "future",
    "gather",
    "hearing_cancellations",
    "in_worker",
    "iterate",
    "iterate_chunks",
    "owner",
    "run",
    "running_loop",
    "see_through",
    "sleep",
    "spawn",
    "told_once",
    "twin",
    "wait",
    "wait_for_chunks",
]
