"""Routes that load the querysets of their endpoints, and give each request a transaction."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, ClassVar, get_type_hints

from fastapi import Request, Response
from fastapi.routing import APIRoute

from facade.contrib.service.evaluation import check_described
from facade.contrib.service.transactions import (
    Pending,
    RequestAtomic,
    Undo,
    called,
    is_generator,
    refuses,
    whole,
)
from facade.db.scopes.atomic import is_async
from facade.exceptions import ImproperlyConfigured

_STREAMS = (
    "{path} streams its answer: its body runs when the transaction of its request has ended. Give it a route of another "
    "class, and open the transaction inside."
)
_REMEDY = "say response_model=… in its decorator"

_whole: ContextVar[Pending | bool] = ContextVar("facade_whole_request", default=False)
"""The transaction that the endpoint of this request is to begin, or whether it begins one that may be repeated."""


class QuerySetRoute(APIRoute):
    """A route whose endpoint may return a queryset, which is loaded, with its prefetches, and then serialized.

        router = APIRouter(route_class=QuerySetRoute)

        @router.get("/books", response_model=list[BookOut])
        async def books():
            return Book.objects.select_related("author")

    Rows and their relations that were not loaded raise an error that says what to write, instead of a query for each
    object. Objects of models that are returned without a response_model raise ImproperlyConfigured.
    """

    atomic: ClassVar[RequestAtomic | None] = None

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        loading = _loading(endpoint, self.atomic)
        super().__init__(path, loading, **options)
        setattr(loading, _IS_DESCRIBED, self.response_model is not None)
        if self.atomic is not None and is_generator(endpoint) and self.atomic.covers(*(self.methods or ())):
            raise ImproperlyConfigured(_STREAMS.format(path=path))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, in a transaction where the method has one."""
        handle = super().get_route_handler()
        options = self.atomic
        if options is None:
            return handle

        async def handle_whole(request: Request) -> Response:
            if not options.covers(request.method):
                return await handle(request)
            if options.retries:
                return await _within(True, handle, request)
            pending = Pending(options)
            try:
                response = await _within(pending, handle, request)
            except BaseException as error:
                await pending.end(error)
                raise
            await pending.end(Undo(response) if refuses(response) else None)
            return response

        return handle_whole


class AtomicRoute(QuerySetRoute):
    """A route whose requests are transactions, for `def` and `async def` endpoints alike.

        router = APIRouter(route_class=AtomicRoute)

    It begins when the endpoint is called, and is committed when the answer is made, before it is sent: what a client
    was told is stored. It is rolled back when the endpoint or the making of its answer raises anything, HTTPException
    included, and when the status of the answer is 400 or above. Methods that promise to change nothing have none: GET, HEAD,
    OPTIONS, TRACE, PROPFIND, REPORT, SEARCH and QUERY; all others have one. `atomic_route` changes this and other options.
    Dependencies run before it.
    """

    atomic = RequestAtomic()


def atomic_route(**options: Any) -> type[AtomicRoute]:
    """Return an `AtomicRoute` with other options: those of `facade.atomic`, and ``methods``.

        APIRouter(route_class=atomic_route(using="orders", isolation_level="SERIALIZABLE", retries=3))

    ``retries``: call the endpoint again, up to so many times and with the same arguments, when the database reports a
    deadlock or a serialization failure. It must not change its arguments, nor do anything else that cannot be repeated. Its transaction is
    committed when it returns then, before its answer is made.
    """

    class Atomic(AtomicRoute):
        atomic = RequestAtomic(**options)

    return Atomic


async def _within(
    how: Pending | bool, handle: Callable[[Request], Awaitable[Response]], request: Request
) -> Response:
    token = _whole.set(how)
    try:
        return await handle(request)
    finally:
        _whole.reset(token)


_IS_LOADING = "__facade_loads__"
_IS_DESCRIBED = "__facade_described__"


def _loading(endpoint: Callable[..., Any], options: RequestAtomic | None) -> Callable[..., Any]:
    """Return an endpoint that returns lists in the place of querysets, in the transaction of its request."""
    if is_generator(endpoint) or hasattr(endpoint, _IS_LOADING):
        return endpoint
    repeated = endpoint
    if options is not None and options.retries:
        repeated = whole(options, endpoint, lambda given: (one for one in given if isinstance(one, Response)))

    @functools.wraps(endpoint)
    async def call(*args: Any, **kwargs: Any) -> Any:
        how = _whole.get()
        work = functools.partial(repeated if how is True else endpoint, *args, **kwargs)
        pending = how if isinstance(how, Pending) else None
        found = await called(work, pending, in_thread=not is_async(endpoint))
        if not getattr(call, _IS_DESCRIBED, True):
            check_described(found, f"The endpoint {getattr(endpoint, '__qualname__', endpoint)}()", _REMEDY)
        return found

    setattr(call, _IS_LOADING, True)
    with suppress(NameError, TypeError):  # what FastAPI has to resolve itself, and objects that are called
        hints = get_type_hints(endpoint, include_extras=True)
        call.__signature__ = _resolved(inspect.signature(endpoint), hints)  # type: ignore[attr-defined] # functions may have one
    return call


def _resolved(signature: inspect.Signature, hints: Mapping[str, Any]) -> inspect.Signature:
    """Return a signature with types in the place of their names: older FastAPI looks for them in the wrapper's module."""
    parameters = [
        one.replace(annotation=hints.get(name, one.annotation)) for name, one in signature.parameters.items()
    ]
    return signature.replace(
        parameters=parameters, return_annotation=hints.get("return", signature.return_annotation)
    )
