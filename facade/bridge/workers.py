"""Workers: greenlets that run sync code for a coroutine, and the coroutine that awaits in their place."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet
from greenlet import error as GreenletError  # noqa: N812 - its own name says nothing here

from facade.exceptions import SynchronousOnlyOperation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

PARKED_MAX = 128  # finished workers kept per thread, each with a few kilobytes of stack
TWIN_OF = "__twin_of__"  # marks async methods that were made from a sync one

_NO_LOOP = (
    "Async methods of facade, and its drivers, need a running asyncio event loop, and there is none here. Under trio, run "
    "the sync ones in threads: await trio.to_thread.run_sync(...)."
)
_DONE: Any = object()  # what a worker reports in place of something to await

running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop
_current_task = asyncio.current_task


class Sheltering(Protocol):
    """What stands between a worker and what it waits for."""

    def around(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """Return what is awaited in the place of an awaitable."""


class _Worker(greenlet):  # type: ignore[misc]  # greenlet has no types
    """A greenlet that does one job after another; it switches to its parent to wait and to report the end.

    Nothing on its own stack holds it: the garbage collector does not look into the stacks of greenlets, so that a
    worker that held itself would never go. This one ends when the last reference to it goes: with its thread, too.
    """

    __sqlalchemy_greenlet_provider__ = True  # SQLAlchemy's own await_only() works in here, too
    failure: BaseException | None = None
    heard: list[BaseException] | None = None
    shelter: Sheltering | None = None  # where cancellations are not to reach what it waits for
    owner: object
    result: Any


def _work() -> object:
    switch = getcurrent().parent.switch
    while True:
        fn, args, kwargs = switch(_DONE)
        try:
            result = fn(*args, **kwargs)
        except GreenletExit as error:
            getcurrent().failure = error
            return _DONE  # somebody ends this greenlet: switching on would revive it
        except BaseException as error:
            worker = getcurrent()
            worker.failure = _without_first_frame(error)
        else:
            worker = getcurrent()
            worker.result = result
        switch = worker.parent.switch
        worker = result = fn = args = kwargs = None


class _Thread(threading.local):
    """What belongs to one thread: its parked workers, and the token that stands for it as an owner."""

    def __init__(self) -> None:
        self.parked: list[_Worker] = []
        self.token = object()


_thread = _Thread()


def _hire(parent: greenlet) -> _Worker:
    worker = _Worker(_work, parent)
    worker.switch()
    return worker


def _without_first_frame(error: BaseException) -> BaseException:
    traceback = error.__traceback__
    return error.with_traceback(traceback and traceback.tb_next)


async def _drive(owner: object, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run ``fn`` in a worker and await, in its place, whatever it waits for.

    Every call of every async method passes here: what looks inlined is.
    """
    current = getcurrent()
    parked = _thread.parked
    worker = parked.pop() if parked else _hire(current)
    if worker.parent is not current:
        worker.parent = current
    worker.gr_context = current.gr_context
    try:
        worker.owner = _current_task() if owner is None else owner
    except RuntimeError:
        raise RuntimeError(_NO_LOOP) from None
    wanted = worker.switch((fn, args, kwargs))
    while wanted is not _DONE:
        try:
            value = await wanted
        except GeneratorExit as closed:
            _abandon(worker, closed)
            raise
        except BaseException as error:
            if worker.heard is not None and isinstance(error, asyncio.CancelledError):
                worker.heard.append(error)
            worker.parent = getcurrent()
            wanted = worker.throw(type(error), error, error.__traceback__)
        else:
            # A task that was started eagerly, inside a worker, goes on in the event loop's greenlet.
            if worker.parent is not (current := getcurrent()):
                worker.parent = current
            wanted = worker.switch(value)
    worker.gr_context = worker.owner = None
    failure, worker.failure = worker.failure, None
    if len(parked) < PARKED_MAX and (failure is None or not worker.dead):
        parked.append(worker)
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame
    result, worker.result = worker.result, None
    return result


def _abandon(worker: _Worker, closed: GeneratorExit) -> None:
    """Unwind a worker whose coroutine is being closed: from now on nothing waits for it.

    To SQLAlchemy it is no provider any more, so that its clean-up code takes the roads that do not wait.
    """
    worker.__sqlalchemy_greenlet_provider__ = False
    try:
        worker.parent = getcurrent()
        wanted = worker.throw(type(closed), closed, closed.__traceback__)
    except (GreenletError, ValueError):
        return  # another thread collects the garbage of ours: greenlet ends the worker in its own thread
    failure, worker.failure = worker.failure, None
    if wanted is not _DONE:
        close(wanted)
    elif not isinstance(failure, (GeneratorExit, GreenletExit, type(None))):
        raise failure


def named(name: str, qualname: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Copy `_drive` under another name, the one that "was never awaited" will tell."""
    drive = FunctionType(_drive.__code__, globals(), name)
    drive.__qualname__ = qualname
    return drive


def creator() -> object:
    """Return the task that runs, or the owner of the operation that runs; None outside an event loop."""
    current = getcurrent()
    if type(current) is _Worker:
        return current.owner
    loop = running_loop()
    return None if loop is None else _current_task(loop)


def owner() -> object:
    """Return who created the running operation: an `asyncio.Task`, or a token that stands for the thread.

    An operation belongs to the task that called the async method, even where another task awaits the coroutine:
    in ``gather(a.asave(), b.asave())`` both belong to the task that wrote the line.
    """
    current = getcurrent()  # as `creator` does: every statement of a block asks
    if type(current) is _Worker:
        task = current.owner
    else:
        loop = running_loop()
        task = None if loop is None else _current_task(loop)
    return _thread.token if task is None else task


_drive_spawn = named("spawn", "spawn")
_drive_run = named("run", "run")


def spawn(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
    """Return a coroutine that runs ``fn`` in a worker; the operation belongs to the caller's task."""
    return _drive_spawn(creator(), fn, args, kwargs)


def run(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
    """Run synchronous code under asyncio: ``await run(fn, *args, **kwargs)``, without a thread.

    Whatever ``fn`` does through facade, or through SQLAlchemy's asyncio drivers, waits without blocking the event
    loop. Context variables, cancellation and exceptions pass through. Code that blocks in another way (``time.sleep``)
    blocks the loop, as it does in any coroutine.

    Raises TypeError for a coroutine function: that one can simply be awaited.

    >>> import asyncio
    >>> asyncio.run(run(divmod, 7, 2))
    (3, 1)
    """
    if inspect.iscoroutinefunction(fn) or hasattr(fn, TWIN_OF):
        raise TypeError(
            f"run() takes a synchronous function, but {_name_of(fn)}() is async: await it directly."
        )
    return _drive_run(creator(), fn, args, kwargs)


def _name_of(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", None) or repr(fn)


def in_worker() -> bool:
    """Tell whether the running code may `wait`: in one of our workers, or in SQLAlchemy's ``run_sync``."""
    kind = type(getcurrent())
    return kind is _Worker or (
        kind is not greenlet and getattr(kind, "__sqlalchemy_greenlet_provider__", False)
    )


def wait(awaitable: Awaitable[T]) -> T:
    """Let the coroutine around this worker await something, and return its result or raise its error.

    Raises SynchronousOnlyOperation outside a worker, and GreenletExit where the coroutine around it is closed.
    """
    current = getcurrent()
    if getattr(current, "__sqlalchemy_greenlet_provider__", False):
        if type(current) is _Worker and current.shelter is not None:
            awaitable = current.shelter.around(awaitable)
        return current.parent.switch(awaitable)  # type: ignore[no-any-return]
    close(awaitable)
    if type(current) is _Worker:
        raise GreenletExit("The coroutine around this operation was closed: nothing waits for it any more.")
    raise SynchronousOnlyOperation(
        "An operation that began under asyncio has to wait, but runs outside of it. "
        "Await its async form, or run the code around it with facade.run()."
    )


def this_worker() -> _Worker:
    """Return the worker that runs; raises SynchronousOnlyOperation in any other greenlet."""
    worker = getcurrent()
    if type(worker) is not _Worker:
        raise SynchronousOnlyOperation("There is no worker here that could wait.")
    return worker


@contextmanager
def hearing_cancellations() -> Iterator[list[BaseException]]:
    """Collect the cancellations that reach this worker in the block: the error of a failing clean-up may hide them."""
    worker = getcurrent()
    heard: list[BaseException] = []
    if type(worker) is not _Worker:
        yield heard
        return
    before, worker.heard = worker.heard, heard
    try:
        yield heard
    finally:
        worker.heard = before


def future() -> asyncio.Future[Any]:
    """Return a future of the running event loop."""
    return asyncio.get_running_loop().create_future()


def close(awaitable: object) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()
