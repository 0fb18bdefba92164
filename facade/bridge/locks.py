"""A lock that serves sync code in threads and in workers."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from facade.bridge.blocking import check_blocking
from facade.bridge.workers import future, in_worker, wait

if TYPE_CHECKING:
    import asyncio


class Lock:
    """A fair lock for code of either face: workers wait for it without blocking their event loop, threads block.

    One lock serves one face: what it guards is a connection, which belongs to one event loop or to none.
    """

    __slots__ = ("_held", "_mutex", "_turns")

    def __init__(self) -> None:
        self._held = False  # by a worker
        self._turns: deque[asyncio.Future[None]] = deque()
        self._mutex = threading.Lock()

    def locked(self) -> bool:
        return self._held or self._mutex.locked()

    def acquire(self) -> None:
        if not in_worker():
            check_blocking()
            self._mutex.acquire()
        elif self._held:
            self._queue()
        else:
            self._held = True  # workers of a loop share a thread: nothing comes between the two lines

    def _queue(self) -> None:
        turn = future()
        self._turns.append(turn)
        try:
            wait(turn)
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release()  # the turn came together with the cancellation
            else:
                with suppress(ValueError):
                    self._turns.remove(turn)
            raise

    def release(self) -> None:
        if not self._held:
            self._mutex.release()
            return
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)  # the lock stays held: it changes hands
                return
        self._held = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()
