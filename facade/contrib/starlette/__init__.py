"""Services on Starlette; needs it: ``pip install 'sqlalchemy-facade[starlette]'``."""

from __future__ import annotations

try:
    import starlette as _  # noqa: F401 - is it there?
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "facade.contrib.starlette needs Starlette: pip install 'sqlalchemy-facade[starlette]'",
        name=missing.name,
    ) from missing

from facade.contrib.service.etags import Preconditions, etag
from facade.contrib.service.filtering import Filtering, Filters
from facade.contrib.service.lifespan import lifespan
from facade.contrib.service.pagination.cursors import CursorPage, CursorPagination, PageByCursor
from facade.contrib.service.pagination.numbered import (
    LimitOffsetPagination,
    NumberedPage,
    OffsetPage,
    PageByNumber,
    PageByOffset,
    PageNumberPagination,
)
from facade.contrib.service.viewsets import ModelViewSet, ReadOnlyViewSet, ViewSet, action
from facade.contrib.starlette.errors import exception_handlers
from facade.contrib.starlette.health_page import health
from facade.contrib.starlette.queries import query
from facade.contrib.starlette.responses import QuerySetResponse
from facade.contrib.starlette.routes import AtomicRoute, atomic_route
from facade.contrib.starlette.sessions import request_session
from facade.contrib.starlette.streams import CSVResponse, NDJSONResponse
from facade.contrib.starlette.viewsets import viewset_routes

__all__ = [
    "AtomicRoute",
    "CSVResponse",
    "CursorPage",
    "CursorPagination",
    "Filtering",
    "Filters",
    "LimitOffsetPagination",
    "ModelViewSet",
    "NDJSONResponse",
    "NumberedPage",
    "OffsetPage",
    "PageByCursor",
    "PageByNumber",
    "PageByOffset",
    "PageNumberPagination",
    "Preconditions",
    "QuerySetResponse",
    "ReadOnlyViewSet",
    "ViewSet",
    "action",
    "atomic_route",
    "etag",
    "exception_handlers",
    "health",
    "lifespan",
    "query",
    "request_session",
    "viewset_routes",
]
