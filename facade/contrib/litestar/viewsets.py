"""View sets as routers."""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Request, Response, Router
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody

from facade.contrib.litestar.queries import query
from facade.contrib.service.pagination.cursors import CursorPage, CursorPagination
from facade.contrib.service.pagination.numbered import (
    LimitOffsetPagination,
    NumberedPage,
    OffsetPage,
    PageNumberPagination,
)
from facade.contrib.service.signatures import (
    KEYWORD,
    Taken,
    refusals,
    returned,
    signed,
    taken,
    told_headers,
    without_headers,
)
from facade.contrib.service.viewsets import Route, ViewSet
from facade.db.scopes.atomic import is_async

_IN_PATHS: Final[Mapping[type, str]] = {
    int: "int", str: "str", float: "float", uuid.UUID: "uuid", decimal.Decimal: "decimal", dt.date: "date",
}  # fmt: skip
_PAGES: Final = {
    PageNumberPagination: NumberedPage,
    LimitOffsetPagination: OffsetPage,
    CursorPagination: CursorPage,
}
_MARKS: Final[Mapping[str, Any]] = {
    "pk": FromPath,
    "data": JSONBody,
    "filters": NamedDependency,
    "page": NamedDependency,
}


@dataclass(frozen=True)
class Refusal:
    """What a client is told of a request that is refused."""

    status_code: int
    detail: str


@dataclass(frozen=True)
class RefusedValue:
    """What is wrong with one value of a request: where it stands, and a code that programs read."""

    message: str
    key: str
    source: str
    code: str


@dataclass(frozen=True)
class RefusedValues(Refusal):
    """What a client is told of values that are refused."""

    extra: list[RefusedValue]


def _responses(views: type[ViewSet], route: Route) -> dict[int, ResponseSpec]:
    found = {
        status: ResponseSpec(Refusal, description=text, generate_examples=False)
        for status, text in refusals(views, route).items()
    }
    if any(one.kind for one in taken(views, route)):
        found[422] = ResponseSpec(RefusedValues, description="Values are refused.", generate_examples=False)
    return found


def viewset_router(views: type[ViewSet], path: str, **options: Any) -> Router:
    """Return a router with the routes of a view set: filters and schemas in OpenAPI.

        Litestar([viewset_router(BookViews, "/books")], plugins=[FacadePlugin(atomic=True)])

    ``options`` are those of Router. Methods may declare whatever handlers do. The plugin gives requests their
    transactions and errors their statuses.

    Raises ImproperlyConfigured where a filter and the pagination read the same parameter.
    """
    return Router(path=path, route_handlers=[_handler(views, route) for route in views.routes()], **options)


def _handler(views: type[ViewSet], route: Route) -> HTTPRouteHandler:
    method = getattr(views, route.name)

    def answered(view: ViewSet, found: object) -> object:
        return Response(found, headers=view.headers, status_code=route.status) if view.headers else found

    async def acall(**values: Any) -> Any:
        view = views(values.pop("request"), route.name)
        return answered(view, await method(view, **without_headers(values)))

    def call(**values: Any) -> Any:
        view = views(values.pop("request"), route.name)
        return answered(view, method(view, **without_headers(values)))

    function: Any = acall if is_async(method) else call
    answer = returned(views, route, _PAGES)
    handler = HTTPRouteHandler(
        _path(views, route),
        http_method=[*route.methods],  # type: ignore[list-item] # names of methods
        status_code=route.status,
        name=f"{views.__name__}.{route.name}",
        dependencies={one.kind: query(one.what) for one in taken(views, route) if one.is_queried},
        responses=_responses(views, route),
        sync_to_thread=None if is_async(method) else True,
    )
    return handler(signed(function, views, route, _parameters(views, route), answer))


def _path(views: type[ViewSet], route: Route) -> str:
    kind = _IN_PATHS.get(views.lookup_type(), "str") if route.detail else ""
    return route.path.replace("{pk}", f"{{pk:{kind}}}") or "/"


def _parameters(views: type[ViewSet], route: Route) -> Iterator[inspect.Parameter]:
    yield inspect.Parameter("request", KEYWORD, annotation=Request[Any, Any, Any])
    yield from told_headers(views, route, _header)
    for one in taken(views, route):
        yield one.declared(_annotation(one))


def _header(name: str) -> Any:
    return Annotated[str | None, HeaderParameter(name=name, required=False)]


def _annotation(one: Taken) -> Any:
    return _MARKS[one.kind][Any if one.is_queried else one.what] if one.kind else one.what
