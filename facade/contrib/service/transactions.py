"""A transaction around an endpoint: in the thread of a `def`, in the task of an `async def`."""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from facade.contrib.service.evaluation import aloaded, loaded
from facade.contrib.service.threads import in_own_thread
from facade.db.scopes.atomic import Atomic, atomic, is_async
from facade.db.scopes.binding import Using

P = ParamSpec("P")
R = TypeVar("R")

READING: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"})
"""The methods that promise to change nothing (they are "safe" by their RFCs): requests of all others have a transaction."""

REFUSED: Final = 400
"""An answer of this status or above is of a request that has failed, whose work is undone."""


class RequestAtomic:
    """What the transactions of requests are: options of `facade.atomic`, and the methods that have one.

    ``methods``: the names of those that have one; None are all but those that promise to change nothing, `READING`.
    ``retries``: call the endpoint again, up to so many times, when the database reports a deadlock or a serialization
    failure. Its transaction is committed when it returns then, before its answer is made.
    """

    def __init__(
        self,
        *,
        methods: Iterable[str] | None = None,
        using: Using | None = None,
        retries: int = 0,
        **options: Any,
    ) -> None:
        self._methods = None if methods is None else frozenset(method.upper() for method in methods)
        self.retries = retries
        self._options = {"using": using, **options}
        self.block()  # options that make no sense are refused where they are written

    @classmethod
    def of(cls, given: bool | Mapping[str, Any]) -> RequestAtomic | None:
        """Return what a switch, or a mapping of options, stands for: None for False."""
        return None if given is False else cls(**({} if given is True else given))

    def covers(self, *methods: str) -> bool:
        """Tell whether requests of one of these methods have a transaction.

        >>> RequestAtomic().covers("POST"), RequestAtomic().covers("MKCOL"), RequestAtomic().covers("GET", "HEAD")
        (True, True, False)
        >>> RequestAtomic(methods=["get"]).covers("GET")
        True
        """
        if self._methods is None:
            return not READING.issuperset(methods)
        return not self._methods.isdisjoint(methods)

    def block(self, retries: int = 0) -> Atomic:
        """Return a block with these options."""
        return atomic(**self._options, retries=retries)


class Undo(Exception):
    """Carries the answer of an endpoint that refuses the request out of its block, which is rolled back."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer


def is_generator(function: Callable[..., object]) -> bool:
    """Tell whether a callable streams its answer."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def refuses(answer: object) -> bool:
    """Tell whether an endpoint returned the answer of a request that has failed."""
    status = getattr(answer, "status_code", None)
    return isinstance(status, int) and status >= REFUSED


def whole(
    options: RequestAtomic,
    function: Callable[P, R],
    answers_in: Callable[[Iterable[object]], Iterable[object]] = lambda given: (),
) -> Callable[P, R]:
    """Make each call of an endpoint a transaction, which is rolled back where its answer refuses the request.

    Querysets that it returns are loaded inside. Works for `def` and `async def`. ``answers_in``: which of the arguments are
    answers, whose status the endpoint may have set.
    """
    block = options.block(options.retries)

    def refused(answer: object, given: Iterable[object]) -> bool:
        return refuses(answer) or any(map(refuses, answers_in(given)))

    def work(*args: P.args, **kwargs: P.kwargs) -> R:
        answer = loaded(function(*args, **kwargs))
        if refused(answer, kwargs.values()):
            raise Undo(answer)
        return answer

    async def awork(*args: P.args, **kwargs: P.kwargs) -> Any:
        answer = await aloaded(await function(*args, **kwargs))  # type: ignore[misc] # it is async
        if refused(answer, kwargs.values()):
            raise Undo(answer)
        return answer

    inside: Callable[..., Any] = block(awork if is_async(function) else work)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return inside(*args, **kwargs)
        except Undo as undone:
            return undone.answer

    @functools.wraps(function)
    async def acall(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return await inside(*args, **kwargs)
        except Undo as undone:
            return undone.answer

    return acall if is_async(function) else call  # type: ignore[return-value] # it returns what the function does


class Pending:
    """The transaction of one request: begun by its endpoint, and ended when the answer is made.

    A `def` endpoint begins it in its own thread, so that a request which holds a connection never waits for a thread
    that another one, waiting for a connection, has. The end runs in a thread again, in the same context.
    """

    def __init__(self, options: RequestAtomic) -> None:
        self._atomic = options.block()
        self._context: contextvars.Context
        self._lock = threading.Lock()
        self._is_async = False
        self._open = False
        self._given_up: BaseException | None = None

    async def call_async(self, function: Callable[[], Awaitable[R]]) -> R:
        """Begin, and run an `async def` endpoint."""
        await self._atomic.__aenter__()
        self._open = self._is_async = True
        return await aloaded(await function())

    def call(self, function: Callable[[], R]) -> R:
        """Begin, and run a `def` endpoint; called in a thread, with what the dependencies have set in the context."""
        self._context = contextvars.copy_context()
        return self._context.run(self._call, function)

    def _call(self, function: Callable[[], R]) -> R:
        self._atomic.__enter__()
        self._open = True
        try:
            answer = loaded(function())
        except BaseException as error:
            self._leave(error)
            raise
        with self._lock:
            given_up, self._given_up = self._given_up, _KEPT
        if given_up is not None:  # the request was cancelled: nobody waits for this thread any more
            self._leave(given_up)
        return answer

    async def end(self, error: BaseException | None) -> None:
        """Keep the work, or undo it, even if the request is cancelled."""
        with anyio.CancelScope(shield=True):
            await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        if self._is_async:
            if self._open:
                self._open = False
                await self._atomic.__aexit__(type(error) if error else None, error, None)
            return
        with self._lock:
            in_hand, self._given_up = self._given_up is _KEPT, error
        if in_hand:
            try:
                await in_own_thread(functools.partial(self._context.run, self._leave, error))
            except BaseException as interrupt:
                if self._open:  # cancelled before a thread had begun
                    await in_own_thread(functools.partial(self._context.run, self._leave, interrupt))
                raise

    def _leave(self, error: BaseException | None) -> None:
        self._open = False
        self._atomic.__exit__(type(error) if error else None, error, None)


_KEPT = BaseException("the endpoint has returned")


async def called(endpoint: Callable[[], Any], pending: Pending | None, *, in_thread: bool) -> Any:
    """Call an endpoint, in the transaction that its request has, if it has one, and load what it returns.

    A `def` endpoint runs in a thread, an `async def` one in the event loop.
    """
    if in_thread:
        call = _loaded if pending is None else pending.call
        return await anyio.to_thread.run_sync(functools.partial(call, endpoint))
    return await aloaded(await endpoint()) if pending is None else await pending.call_async(endpoint)


def _loaded(call: Callable[[], R]) -> R:
    return loaded(call())
