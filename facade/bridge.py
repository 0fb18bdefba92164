"""Run synchronous database code under asyncio, without threads.

``spawn(fn)`` runs ``fn`` in a *worker*, a greenlet. Where that code has to wait for an async driver, ``wait()``
hands the awaitable to the coroutine around the worker and sleeps until its result comes back. So the library is
written once, as plain functions, and ``aget = twin(get)`` is a whole async method.

Creating a greenlet costs several times what a call costs (CPython maps a fresh frame stack for each), so finished
workers are parked, per thread, and used again.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from greenlet import GreenletExit, getcurrent, greenlet
from greenlet import error as GreenletError  # noqa: N812 - its own name says nothing here

from facade.exceptions import SynchronousOnlyOperation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
    from types import FrameType, TracebackType

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")

PARKED_MAX = 64  # finished workers kept per thread, each with a few kilobytes of stack

CancelledError = asyncio.CancelledError
gather = asyncio.gather
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop
_current_task = asyncio.current_task


# Workers


class _Worker(greenlet):  # type: ignore[misc]  # greenlet has no types
    """A greenlet that does one job after another; it switches to its parent to wait and to report the end."""

    __slots__ = ("failure", "owner", "result")
    __sqlalchemy_greenlet_provider__ = True  # SQLAlchemy's own await_only() works in here, too
    failure: BaseException | None
    owner: object
    result: Any

    def run(self) -> _Worker:
        self.failure = None
        fn, args, kwargs = self.parent.switch(self)
        while True:
            try:
                self.result = fn(*args, **kwargs)
            except GreenletExit as error:
                self.failure = error
                return self  # somebody ends this greenlet: switching on would revive it
            except BaseException as error:
                self.failure = _without_first_frame(error)
            del fn, args, kwargs
            fn, args, kwargs = self.parent.switch(self)


class _Thread(threading.local):
    """What belongs to one thread: its parked workers, and the token that stands for it as an owner."""

    def __init__(self) -> None:
        self.parked: list[_Worker] = []
        self.token = object()


_thread = _Thread()


def _hire(parent: greenlet) -> _Worker:
    worker = _Worker(parent=parent)
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
    worker.owner = _current_task() if owner is None else owner
    wanted = worker.switch((fn, args, kwargs))
    while wanted is not worker:
        try:
            value = await wanted
        except GeneratorExit as closed:
            _abandon(worker, closed)
            raise
        except BaseException as error:
            worker.parent = getcurrent()
            wanted = worker.throw(type(error), error, error.__traceback__)
        else:
            # A task that was started eagerly, inside a worker, goes on in the event loop's greenlet.
            if worker.parent is not (current := getcurrent()):
                worker.parent = current
            wanted = worker.switch(value)
    worker.gr_context = worker.owner = None
    failure, worker.failure = worker.failure, None
    if len(parked) < PARKED_MAX and not (failure and worker.dead):
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

    It counts as no worker any more, so that SQLAlchemy's clean-up code takes its roads without waiting.
    """
    worker.__sqlalchemy_greenlet_provider__ = False
    try:
        worker.parent = getcurrent()
        wanted = worker.throw(type(closed), closed, closed.__traceback__)
    except (GreenletError, ValueError):
        return  # another thread collects the garbage of ours: greenlet ends the worker in its own thread
    if wanted is not worker:
        _close(wanted)
    elif not isinstance(worker.failure, (GeneratorExit, GreenletExit, type(None))):
        raise worker.failure


def _named(name: str, qualname: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Copy `_drive` under another name, the one that "was never awaited" will tell."""
    drive = FunctionType(_drive.__code__, globals(), name)
    drive.__qualname__ = qualname
    return drive


# Calling: sync code from coroutines


def _creator() -> object:
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
    creator = _creator()
    return _thread.token if creator is None else creator


_drive_spawn = _named("spawn", "spawn")
_drive_run = _named("run", "run")


def spawn(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
    """Return a coroutine that runs ``fn`` in a worker; the operation belongs to the caller's task."""
    return _drive_spawn(_creator(), fn, args, kwargs)


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
    if inspect.iscoroutinefunction(fn) or hasattr(fn, _TWIN_OF):
        raise TypeError(f"run() takes a synchronous function, but {_name_of(fn)}() is async: await it directly.")
    return _drive_run(_creator(), fn, args, kwargs)


def _name_of(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", None) or repr(fn)


# Waiting: coroutines from sync code


def in_worker() -> bool:
    """Tell whether the running code may `wait`: in one of our workers, or in SQLAlchemy's ``run_sync``."""
    return getattr(getcurrent(), "__sqlalchemy_greenlet_provider__", False)


def wait(awaitable: Awaitable[T]) -> T:
    """Let the coroutine around this worker await something, and return its result or raise its error.

    Raises SynchronousOnlyOperation outside a worker, and GreenletExit where the coroutine around it is closed.
    """
    current = getcurrent()
    if getattr(current, "__sqlalchemy_greenlet_provider__", False):
        return current.parent.switch(awaitable)  # type: ignore[no-any-return]
    _close(awaitable)
    if type(current) is _Worker:
        raise GreenletExit("The coroutine around this operation was closed: nothing waits for it any more.")
    raise SynchronousOnlyOperation(
        "An operation that began under asyncio has to wait, but runs outside of it. "
        "Await its async form, or run the code around it with facade.run()."
    )


def _close(awaitable: Any) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def finish(awaitable: Awaitable[T], timeout: float) -> T:
    """Wait for something that must run to its end: a rollback, a commit, a check-in.

    Cancellation does not reach it; it is raised when the end is reached. Such a CancelledError has the awaitable's
    failure, or the TimeoutError, as its ``__cause__``: None means that the awaitable succeeded.

    Raises TimeoutError past ``timeout`` (seconds): the awaitable is cancelled then, and not waited for.
    """
    return wait(_finish(awaitable, timeout))


_unfinished: set[asyncio.Future[Any]] = set()  # the event loop itself keeps weak references only


async def _finish(awaitable: Awaitable[T], timeout: float) -> T:
    task = asyncio.ensure_future(awaitable)
    _unfinished.add(task)
    task.add_done_callback(_finished)
    deadline = time.monotonic() + timeout
    cancelled: CancelledError | None = None
    while not task.done() and (left := deadline - time.monotonic()) > 0:
        try:
            await asyncio.wait((task,), timeout=left)
        except CancelledError as error:
            cancelled = error
    failure = _failure(task, timeout)
    if cancelled is not None:
        raise cancelled from failure
    if failure is not None:
        raise failure
    return task.result()


def _failure(task: asyncio.Future[Any], timeout: float) -> BaseException | None:
    if not task.done():
        task.cancel()
        return TimeoutError(f"Not finished within {timeout:g} seconds.")
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


# Twins: the async face of sync methods

_TWIN_OF = "__twin_of__"

if TYPE_CHECKING:

    class twin(Generic[S, P, R]):  # noqa: N801 - reads as the function that it is at run time
        """``aget = twin(get)``: the awaitable twin of a method, with its signature."""

        def __init__(self, method: Callable[Concatenate[S, P], R]) -> None: ...
        @overload
        def __get__(self, obj: None, owner: type) -> Self: ...
        @overload
        def __get__(self, obj: S, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...
        def __call__(self, obj: S, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]: ...

else:

    def twin(method):
        """Make the awaitable twin of a method: ``aget = twin(get)``.

        It runs whatever ``get`` is on the object, so overriding ``get`` is enough. It is a plain function: calling
        it notes the running task as the operation's owner, awaiting its result may happen elsewhere.
        """
        name = method.__name__
        drive = _twin_drive(method)

        def awaitable(self, /, *args, **kwargs):
            return drive(_creator(), getattr(self, name), args, kwargs)

        return _as_twin(awaitable, method)


def function_twin(fn: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make the awaitable twin of a module's function: ``ahealth_check = function_twin(health_check)``."""
    drive = _twin_drive(fn)

    def awaitable(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        return drive(_creator(), fn, args, kwargs)

    return _as_twin(awaitable, fn)  # type: ignore[no-any-return]


def _twin_drive(fn: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    return _named(f"a{fn.__name__}", _twin_qualname(fn))


def _twin_qualname(fn: Callable[..., Any]) -> str:
    return f"{fn.__qualname__.removesuffix(fn.__name__)}a{fn.__name__}"


def _as_twin(awaitable: Any, fn: Callable[..., Any]) -> Any:
    functools.update_wrapper(awaitable, fn)
    awaitable.__name__, awaitable.__qualname__ = f"a{fn.__name__}", _twin_qualname(fn)
    setattr(awaitable, _TWIN_OF, fn.__name__)
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(awaitable)
    awaitable._is_coroutine = asyncio.coroutines._is_coroutine
    return awaitable


def check_twins(cls: type, base: type) -> None:
    """Refuse a subclass of ``base`` that overrides ``asave`` but not ``save``: only half the callers would notice.

    Raises TypeError naming both methods.
    """
    for owner in cls.__mro__:
        if issubclass(base, owner):
            continue
        for name, value in vars(owner).items():
            sync = _overridden(base, name)
            if sync and sync not in vars(owner) and not hasattr(value, _TWIN_OF):
                raise TypeError(
                    f"{owner.__name__} overrides {name}() but not {sync}(). {name}() runs {sync}() without blocking "
                    f"the event loop, and sync code calls {sync}() alone: override {sync}(), which serves both."
                )


def _overridden(base: type, name: str) -> str | None:
    return getattr(getattr(base, name, None), _TWIN_OF, None) if name.startswith("a") else None


# Streams: async iteration over sync generators


def iterate(generator: Generator[T, Any, Any]) -> AsyncGenerator[T, None]:
    """Iterate with ``async for`` over a sync generator that waits; the operation belongs to the caller's task.

    The generator is closed, in a worker, when the iteration ends, fails or is left (through ``aclose()``, which the
    event loop calls for an iterator that was dropped).
    """
    return _iterate(_creator(), generator)


_drive_next = _named("iterate", "iterate")


async def _iterate(owner: object, generator: Generator[T, Any, Any]) -> AsyncGenerator[T, None]:
    end: Any = object()
    try:
        while (item := await _drive_next(owner, next, (generator, end), {})) is not end:
            yield item
    finally:
        await _drive_next(owner, generator.close, (), {})


def iterate_chunks(generator: Generator[Iterable[T], Any, Any]) -> AsyncGenerator[T, None]:
    """Iterate over the items of a generator of chunks: the bridge is crossed once per chunk."""
    return _flatten(iterate(generator))


async def _flatten(chunks: AsyncGenerator[Iterable[T], None]) -> AsyncGenerator[T, None]:
    try:
        async for chunk in chunks:
            for item in chunk:
                yield item
    finally:
        await chunks.aclose()


# Refusing to block an event loop

_ASYNC_FORMS = {
    "__iter__": "use `async for`, or `await` it",
    "__len__": "`await` it first",
    "__bool__": "`await` it first, or use aexists()",
    "__contains__": "`await` it first, or use acontains()",
    "__getitem__": "`await` it first",
    "__enter__": "use `async with`",
    "__exit__": "use `async with`",
}


def check_blocking(what: str = "", instead: str = "") -> None:
    """Raise SynchronousOnlyOperation where waiting would block the event loop that runs in this thread.

    ``what`` names the operation and ``instead`` the way out; both are found from the call stack where they are empty.
    """
    if running_loop() is not None and not in_worker():
        found, way_out = _blamed(sys._getframe(1))
        raise SynchronousOnlyOperation(
            f"{what or found} would block the running event loop: {instead or way_out}, "
            "or run the code around it with facade.run()."
        )


def _blamed(frame: FrameType | None) -> tuple[str, str]:
    """Name the outermost call into the library, and its async form."""
    package = __name__.partition(".")[0]
    found = "This operation", "await its async form"
    while frame is not None:
        module = str(frame.f_globals.get("__name__")).partition(".")[0]
        if module == "asyncio":
            break  # what is outside started the event loop
        if module == package:
            found = _async_form(frame) or found
        frame = frame.f_back
    return found


def _async_form(frame: FrameType) -> tuple[str, str] | None:
    code = frame.f_code
    name, qualname = code.co_name, code.co_qualname
    if name in _ASYNC_FORMS:
        return qualname, _ASYNC_FORMS[name]
    target = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    if inspect.getattr_static(target, f"a{name}", None) is None and f"a{name}" not in frame.f_globals:
        return None
    return f"{qualname}()", f"await a{name}() instead"


# A lock for both faces


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
            check_blocking("Lock.acquire()")
            self._mutex.acquire()
        elif self._held:
            self._queue()
        else:
            self._held = True  # workers of a loop share a thread: nothing comes between the two lines

    def _queue(self) -> None:
        turn = asyncio.get_running_loop().create_future()
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
