"""Services on FastAPI; needs it: ``pip install 'sqlalchemy-facade[fastapi]'``."""

from __future__ import annotations

try:
    import fastapi as _  # noqa: F401 - is it there?
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "facade.contrib.fastapi needs FastAPI: pip install 'sqlalchemy-facade[fastapi]'", name=missing.name
    ) from missing

from facade.contrib.fastapi.conditions import Tagged, request_session
from facade.contrib.fastapi.errors import exception_handlers
from facade.contrib.fastapi.queries import CursorPage, NumberedPage, OffsetPage, query
from facade.contrib.fastapi.routes import AtomicRoute, QuerySetRoute, atomic_route
from facade.contrib.fastapi.viewsets import viewset_router
from facade.contrib.service.etags import etag
from facade.contrib.service.filtering import Filtering, Filters
from facade.contrib.service.lifespan import lifespan
from facade.contrib.service.pagination.cursors import CursorPagination, PageByCursor
from facade.contrib.service.pagination.numbered import (
    LimitOffsetPagination,
    PageByNumber,
    PageByOffset,
    PageNumberPagination,
)
from facade.contrib.service.viewsets import ModelViewSet, ReadOnlyViewSet, ViewSet, action
from facade.contrib.starlette import CSVResponse, NDJSONResponse, health

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
    "QuerySetRoute",
    "ReadOnlyViewSet",
    "Tagged",
    "ViewSet",
    "action",
    "atomic_route",
    "etag",
    "exception_handlers",
    "health",
    "lifespan",
    "query",
    "request_session",
    "viewset_router",
]
