"""View sets as routes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facade.contrib.service.evaluation import is_lazy
from facade.contrib.service.parameters import parsed, read_path
from facade.contrib.service.serialization import as_json, is_schema, read_body
from facade.contrib.service.signatures import Taken, taken
from facade.contrib.service.transactions import RequestAtomic, whole
from facade.contrib.service.viewsets import ModelViewSet, ViewSet
from facade.contrib.service.viewsets import Route as ViewRoute
from facade.contrib.starlette.responses import QuerySetResponse
from facade.db.scopes.atomic import is_async
from facade.exceptions import ImproperlyConfigured

_UNKNOWN = (
    "{view}.{method}() takes {name!r}, and Starlette knows no such parameter: methods get pk, data, filters and page, and read the "
    "rest from self.request."
)


def viewset_routes(
    views: type[ViewSet], path: str, *, atomic: bool | Mapping[str, Any] = True, name: str | None = None
) -> list[Route]:
    """Return the routes of a view set.

        Starlette(routes=viewset_routes(BookViews, "/books"))

    Methods get, by these names, ``pk``, ``data`` (the body: JSON, or the schema for it), ``filters`` and ``page``; the rest of a request is
    `self.request`. What they return is sent as JSON, unless it is a response. ``atomic``: requests of writing methods are
    transactions; a mapping has the options of `atomic_route`.

    Raises ImproperlyConfigured for a method with a parameter that nothing fills.
    """
    options = RequestAtomic.of(atomic)
    return [
        Route(
            path + route.path,
            _endpoint(views, route, options),
            methods=[*route.methods],
            name=f"{name or views.__name__}.{route.name}",
        )
        for route in views.routes()
    ]


def _endpoint(views: type[ViewSet], route: ViewRoute, options: RequestAtomic | None) -> Callable[..., Any]:
    method = getattr(views, route.name)
    parameters = {one.parameter.name: one for one in taken(views, route)}
    for name, one in parameters.items():
        if not one.kind and name != "data" and one.parameter.default is inspect.Parameter.empty:
            raise ImproperlyConfigured(_UNKNOWN.format(view=views.__name__, method=route.name, name=name))

    def answered(view: ViewSet, **values: Any) -> Response:
        return _response(view, method(view, **values), route)

    async def aanswered(view: ViewSet, **values: Any) -> Response:
        return _response(view, await method(view, **values), route)

    answer: Callable[..., Any] = aanswered if is_async(method) else answered
    if options is not None and options.covers(*route.methods):
        answer = whole(options, answer)

    async def endpoint(request: Request) -> Response:
        values = {
            name: await _value(one, request) for name, one in parameters.items() if one.kind or name == "data"
        }
        call = functools.partial(answer, views(request, route.name), **values)
        if is_async(answer):
            return await call()  # type: ignore[no-any-return] # it is a response
        return await run_in_threadpool(call)

    return endpoint


async def _value(one: Taken, request: Request) -> object:
    """Return what a method gets for a parameter."""
    name = one.parameter.name
    if name == "pk":
        return read_path(name, one.what, request.path_params[name])
    if name == "data":
        return read_body(one.what if is_schema(one.what) else None, await request.body())
    return parsed(one.what, request.query_params)


def _response(view: ViewSet, found: object, route: ViewRoute) -> Response:
    if isinstance(found, Response):
        found.headers.update(view.headers)
        return found
    if route.status == 204:
        return Response(status_code=204, headers=view.headers)
    if is_lazy(found):
        schema = view.schema if isinstance(view, ModelViewSet) else None
        return QuerySetResponse(found, schema, route.status, view.headers)
    return Response(as_json(found), route.status, view.headers, "application/json")
