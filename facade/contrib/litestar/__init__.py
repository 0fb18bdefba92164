"""Services on Litestar; needs it: ``pip install 'sqlalchemy-facade[litestar]'``."""

from __future__ import annotations

try:
    import litestar as _  # noqa: F401 - is it there?
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "facade.contrib.litestar needs Litestar: pip install 'sqlalchemy-facade[litestar]'", name=missing.name
    ) from missing

from facade.contrib.litestar.plugin import FacadePlugin
from facade.contrib.litestar.queries import query
from facade.contrib.litestar.sessions import request_session
from facade.contrib.litestar.streams import csv_stream, json_stream
from facade.contrib.litestar.viewsets import viewset_router
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

__all__ = [
    "CursorPage",
    "CursorPagination",
    "FacadePlugin",
    "Filtering",
    "Filters",
    "LimitOffsetPagination",
    "ModelViewSet",
    "NumberedPage",
    "OffsetPage",
    "PageByCursor",
    "PageByNumber",
    "PageByOffset",
    "PageNumberPagination",
    "Preconditions",
    "ReadOnlyViewSet",
    "ViewSet",
    "action",
    "csv_stream",
    "etag",
    "json_stream",
    "lifespan",
    "query",
    "request_session",
    "viewset_router",
]
