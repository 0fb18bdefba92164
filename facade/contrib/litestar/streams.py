"""Answers that are streamed from querysets, and free their connection when the client leaves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import HTTPScope, Receive, Send

from facade.contrib.service.streaming import attachment, csv_lines, json_lines
from facade.models import QuerySet

T = TypeVar("T")


class RowsResponse(ASGIStreamingResponse):
    """An answer made by an async generator, which is closed when the answer ends, however that is."""

    def __init__(self, rows: AsyncGenerator[bytes, None], **options: Any) -> None:
        super().__init__(iterator=rows, **options)
        self._rows = rows

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._rows.aclose()


def json_stream(
    queryset: QuerySet[Any, T],
    row: Callable[[T], object] | None = None,
    chunk_size: int = 2000,
    **options: Any,
) -> RowsResponse:
    """Return the rows of a queryset as JSON, one a line, while they are read.

        @get("/books.ndjson")
        async def all_books() -> ASGIApp:
            return json_stream(Book.objects.values("title", "price"))

    ``row`` makes of an object what is told of it: a dict, a pydantic model, bytes of JSON.
    """
    return RowsResponse(json_lines(queryset, row, chunk_size), media_type="application/x-ndjson", **options)


def csv_stream(
    queryset: QuerySet[Any, Any],
    columns: Sequence[str] | Mapping[str, str],
    filename: str | None = None,
    chunk_size: int = 2000,
    *,
    spreadsheet: bool = False,
    **options: Any,
) -> RowsResponse:
    """Return the rows of a queryset as a CSV table, while they are read.

        @get("/books.csv")
        async def all_books() -> ASGIApp:
            return csv_stream(Book.objects.order_by("title"), {"title": "Title", "author__name": "By"}, "books.csv")

    ``columns``: paths, as for `values_list()`, or a mapping of paths to titles. ``filename``: browsers store it. ``spreadsheet``: texts
    that a spreadsheet would take for a formula get an apostrophe.
    """
    headers = dict(options.pop("headers", None) or {})
    if filename is not None:
        headers["Content-Disposition"] = attachment(filename)
    rows = csv_lines(queryset, columns, chunk_size, spreadsheet=spreadsheet)
    return RowsResponse(rows, media_type="text/csv", headers=headers, **options)
