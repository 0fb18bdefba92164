"""The plugin: lifespan, statuses of errors, transactions of requests, and querysets returned from handlers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from litestar import Request, Response, get
from litestar.config.app import AppConfig
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.plugins import InitPlugin, ReceiveRoutePlugin
from litestar.response.base import ASGIResponse
from litestar.routes import BaseRoute, HTTPRoute
from litestar.serialization import encode_json
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from facade.contrib.service import lifespan
from facade.contrib.service.errors import HANDLED, Answer, Problem, answer_to, log
from facade.contrib.service.evaluation import check_described
from facade.contrib.service.serialization import Read, reader_of, represented, schema_in
from facade.contrib.service.transactions import (
    REFUSED,
    Pending,
    RequestAtomic,
    Undo,
    called,
    is_generator,
    whole,
)

_REMEDY = "annotate what it returns with a schema, as in `-> list[BookOut]`"

_IS_LOADING = "__facade_loads__"

_pending: ContextVar[Pending | None] = ContextVar("facade_litestar_pending", default=None)


class FacadePlugin(InitPlugin, ReceiveRoutePlugin):
    """facade in a Litestar application.

        app = Litestar(
            [list_books, add_book],
            plugins=[FacadePlugin({"DATABASES": {"default": "postgresql://…"}}, atomic=True, health="/healthz")],
        )

    ``settings``: those of `facade.configure`, which each worker calls when it starts; connections are closed when it stops.
    ``check``: ask each database at the start. ``health``: the path of a health page. Errors of facade's have their
    statuses: 404 for `DoesNotExist`, 422, 409, 403, 503, 504.

    Handlers may return querysets, objects and pages: they are loaded, and become what the return annotation says:
    ``-> list[BookOut]``, ``-> BookOut``, ``-> NumberedPage[BookOut]``.

    ``atomic``: requests of writing methods are transactions, for `async def` handlers and for `def` ones with
    ``sync_to_thread=True``: committed when the answer is made, before it is sent, rolled back for any error and any
    status from 400 on. ``atomic={"isolation_level": …}`` has options, those of `facade.contrib.fastapi.atomic_route`.
    Dependencies run before it.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        atomic: bool | Mapping[str, Any] = False,
        check: bool = False,
        health: str | None = None,
    ) -> None:
        self._lifespan = lifespan.lifespan(check=check, **(settings or {}))
        self._health = health
        self._atomic = RequestAtomic.of(atomic)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Take part in the making of the application."""
        app_config.lifespan = [self._lifespan, *app_config.lifespan]
        handlers: Any = dict.fromkeys(HANDLED, _answer)
        app_config.exception_handlers = {**handlers, **app_config.exception_handlers}
        if self._atomic is not None and not self._atomic.retries:
            app_config.middleware.append(functools.partial(_Ending, self._atomic))
        if self._health is not None:
            app_config.route_handlers.append(_health_page(self._health))
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Have the handlers of a route load what they return, in the transaction of their request."""
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                known = hasattr(handler.fn, _IS_LOADING)  # a path is told anew with each of its handlers
                if not known and not handler.has_sync_callable and not is_generator(handler.fn):
                    handler._fn = _loading(handler, self._atomic)


def _health_page(path: str) -> HTTPRouteHandler:
    @get(path, name="facade_health")
    async def show_health() -> Response[dict[str, Any]]:
        status, body = await lifespan.health()
        return Response(body, status_code=status)

    return show_health


class _Ending:
    """Middleware that ends the transaction of a request when its answer begins."""

    def __init__(self, options: RequestAtomic, app: ASGIApp) -> None:
        self._options, self._app = options, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not self._options.covers(scope["method"]):
            await self._app(scope, receive, send)
            return
        pending = Pending(self._options)
        failed = False

        async def end_and_send(message: Message) -> None:
            nonlocal failed
            if message["type"] == "http.response.start":
                try:
                    await pending.end(Undo(None) if message["status"] >= REFUSED else None)
                except Exception as error:
                    failed = True  # what is told of a success is not sent
                    await _send_failure(error, scope, receive, send)
            if not failed:
                await send(message)

        token = _pending.set(pending)
        error: BaseException = Undo(None)
        try:
            await self._app(scope, receive, end_and_send)
        except BaseException as raised:
            error = raised
            raise
        finally:
            _pending.reset(token)
            await pending.end(error)


async def _send_failure(error: Exception, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Send the answer for a transaction that could not be committed."""
    answer = answer_to(error) or Answer(500, "Internal Server Error")
    log(error, answer.status, f"{scope['method']} {scope['path']}")
    response = ASGIResponse(
        body=encode_json(_body(answer)), status_code=answer.status, headers=dict(answer.headers)
    )
    await response(scope, receive, send)


def _loading(handler: HTTPRouteHandler, options: RequestAtomic | None) -> Callable[..., Any]:
    """Return the function of a handler, which returns what its annotation says in the place of querysets."""
    wrapped: Any = handler.fn
    function = getattr(wrapped, "func", wrapped)  # what Litestar runs in a thread
    in_thread = function is not wrapped
    schema = schema_in(handler.parsed_fn_signature.return_type.annotation)
    read: Read | None = None if schema is None else reader_of(schema)
    writes = options is not None and options.covers(*handler.http_methods)
    repeated = whole(options, function) if writes and options is not None and options.retries else function

    def told(answer: object) -> object:
        if read is not None:
            answer = represented(answer, read)
        check_described(answer, f"The handler {handler}", _REMEDY)
        return answer

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        pending = _pending.get() if writes else None
        work = functools.partial(repeated, *args, **kwargs)
        return told(await called(work, pending, in_thread=in_thread))

    setattr(call, _IS_LOADING, True)
    return call


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    answer = answer_to(error)
    if answer is None:
        raise error
    log(error, answer.status, f"{request.method} {request.url.path}")
    if answer.status == 304:
        return Response(None, status_code=304, headers=dict(answer.headers))
    return Response(_body(answer), status_code=answer.status, headers=dict(answer.headers))


def _body(answer: Answer) -> dict[str, Any]:
    """Return an answer in the form of Litestar's own."""
    if isinstance(answer.detail, str):
        return {"status_code": answer.status, "detail": answer.detail}
    return {
        "status_code": answer.status,
        "detail": "Validation failed",
        "extra": [_shown(problem) for problem in answer.detail],
    }


def _shown(problem: Problem) -> dict[str, Any]:
    source, *path = problem.where
    return {
        "message": problem.message,
        "key": ".".join(map(str, path)),
        "source": source,
        "code": problem.code,
    }
