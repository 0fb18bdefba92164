"""View sets as routers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from facade.contrib.fastapi.queries import CursorPage, NumberedPage, OffsetPage, query
from facade.contrib.fastapi.routes import AtomicRoute, QuerySetRoute
from facade.contrib.service.pagination.cursors import CursorPagination
from facade.contrib.service.pagination.numbered import LimitOffsetPagination, PageNumberPagination
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

_PAGES: Final = {
    PageNumberPagination: NumberedPage,
    LimitOffsetPagination: OffsetPage,
    CursorPagination: CursorPage,
}


class Refusal(BaseModel):
    """What a client is told of a request that is refused."""

    detail: str


def viewset_router(
    views: type[ViewSet], prefix: str = "", *, route_class: type[QuerySetRoute] = AtomicRoute, **options: Any
) -> APIRouter:
    """Return a router with the routes of a view set: filters and schemas in OpenAPI, a transaction for writing methods.

        app.include_router(viewset_router(BookViews, "/books", tags=["books"]))

    ``options`` are those of APIRouter. Methods may declare whatever endpoints do: parameters of the query, headers, dependencies.

    Raises ImproperlyConfigured where a filter and the pagination read the same parameter.
    """
    router = APIRouter(prefix=prefix, route_class=route_class, **options)
    for route in views.routes():
        answer = returned(views, route, _PAGES)
        router.add_api_route(
            route.path,
            _endpoint(views, route),
            methods=[*route.methods],
            status_code=route.status,
            name=f"{views.__name__}.{route.name}",
            response_model=None if answer is Any else answer,
            responses={
                status: {"model": Refusal, "description": text}
                for status, text in refusals(views, route).items()
            },
        )
    return router


def _endpoint(views: type[ViewSet], route: Route) -> Callable[..., Any]:
    method = getattr(views, route.name)

    def begun(values: dict[str, Any]) -> tuple[ViewSet, Response]:
        return views(values.pop("facade_request"), route.name), values.pop("facade_response")

    async def acall(**values: Any) -> Any:
        view, response = begun(values)
        answer = await method(view, **without_headers(values))
        response.headers.update(view.headers)
        return answer

    def call(**values: Any) -> Any:
        view, response = begun(values)
        answer = method(view, **without_headers(values))
        response.headers.update(view.headers)
        return answer

    function: Callable[..., Any] = acall if is_async(method) else call
    return signed(function, views, route, _parameters(views, route), Any)  # type: ignore[no-any-return] # it is the function


def _parameters(views: type[ViewSet], route: Route) -> Iterator[inspect.Parameter]:
    yield inspect.Parameter("facade_request", KEYWORD, annotation=Request)
    yield inspect.Parameter("facade_response", KEYWORD, annotation=Response)
    yield from told_headers(views, route, _header)
    for one in taken(views, route):
        yield one.declared(_annotation(one))


def _header(name: str) -> Any:
    return Annotated[str | None, Header(alias=name)]


def _annotation(one: Taken) -> Any:
    return Annotated[Any, Depends(query(one.what))] if one.is_queried else one.what
