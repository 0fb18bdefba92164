"""Ends that are reached where they began: a worker waits in spite of cancellation, without a task of its own for it."""

from __future__ import annotations

import asyncio
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from greenlet import GreenletExit

from facade.bridge.finishing import is_being_cancelled
from facade.bridge.workers import this_worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from contextvars import Context

T = TypeVar("T")


class _Expired(BaseException):
    """The grace is over: thrown into the work, which cannot catch it as an error of the driver's."""


class Shelter:
    """What a task waits for in place of a driver's future: it wakes with that one, and its `cancel` does not reach it.

    Asked to cancel, a future may answer that it will not: the task then hears of its cancellation when it wakes.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_context",
        "_grace",
        "_timer",
        "_told",
        "_wake",
        "_wanted",
        "cancelled",
        "expired",
    )

    def __init__(self, grace: float) -> None:
        self.cancelled: asyncio.CancelledError | None = None
        self.expired = False
        self._grace = grace
        self._told = False
        self._timer: asyncio.TimerHandle | None = None
        self._wanted: Any = None
        self._wake: Any = None
        self._context: Context | None = None
        if is_being_cancelled():
            self._count_down()

    # a future, as far as tasks ask

    def get_loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self._wanted.get_loop()
        return loop

    def add_done_callback(self, wake: Callable[[object], object], *, context: Context | None = None) -> None:
        self._wake, self._context = wake, context
        self._wanted.add_done_callback(wake, context=context)

    def cancel(self, msg: object = None) -> bool:
        self._told = True
        self._count_down()
        return False

    # the work's side

    @coroutine
    def around(self, awaitable: Awaitable[T]) -> Generator[Any, Any, T]:
        """Drive an awaitable to its end; a cancellation that comes meanwhile is kept."""
        begin = getattr(awaitable, "__await__", None)
        steps: Any = awaitable if begin is None else begin()
        try:
            while not self.expired:
                wanted = steps.send(None)
                if wanted is None:  # it lets others run
                    yield from self._breath()
                    continue
                self._wanted = wanted
                self._asyncio_future_blocking = True
                try:
                    yield self
                except asyncio.CancelledError as error:
                    if self._told:  # else it is the future's own
                        self.cancelled = error
                except Exception:  # noqa: S110 - the future raises it again, in the work
                    pass
                if not wanted.done():
                    break
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            steps.close()
        raise _Expired

    def _breath(self) -> Generator[None, None, None]:
        try:
            yield
        except asyncio.CancelledError as error:
            self.cancelled = error
            self._count_down()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _count_down(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._grace, self._expire)

    def _expire(self) -> None:
        self.expired = True
        if self._wake is not None and not self._wanted.done():
            self._wanted.remove_done_callback(self._wake)
            now = self.get_loop().create_future()
            now.set_result(None)
            now.add_done_callback(self._wake, context=self._context)


def see_through(work: Callable[[], T], grace: float) -> T:
    """Run ``work`` in this worker as `finish` waits for an awaitable: to its end, and with the same errors.

    What it waits for must not cancel the running task to measure time, as ``asyncio.timeout()`` does.
    """
    worker = this_worker()
    if worker.shelter is not None:
        return work()  # it is a part of what has to reach its end
    outcome: list[T] = []
    failure: BaseException | None = None
    shelter = worker.shelter = Shelter(grace)
    try:
        outcome.append(work())
    except (GeneratorExit, GreenletExit):
        raise  # nothing waits here any more
    except _Expired:
        failure = TimeoutError(f"Not finished within {grace:g} seconds.")
    except BaseException as error:
        failure = error
    finally:
        worker.shelter = None
        shelter.close()
    if shelter.cancelled is not None:
        raise shelter.cancelled from failure
    if failure is not None:
        raise failure
    return outcome[0]
