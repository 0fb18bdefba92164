"""Answers that are streamed from querysets, and free their connection when the client leaves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from facade.contrib.service.streaming import attachment, csv_lines, json_lines
from facade.models import QuerySet

T = TypeVar("T")


class RowsResponse(StreamingResponse):
    """An answer made by an async generator, which is closed when the answer ends, however that is."""

    def __init__(self, rows: AsyncGenerator[bytes, None], **options: Any) -> None:
        super().__init__(rows, **options)
        self._rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._rows.aclose()


class NDJSONResponse(RowsResponse):
    """The rows of a queryset as JSON, one a line, while they are read.

        @app.get("/books.ndjson")
        async def all_books():
            return NDJSONResponse(Book.objects.values("title", "price"))

    ``row`` makes of an object what is told of it: a dict, a model of pydantic, a Struct of msgspec, bytes of JSON; rows of
    `values()` need none. ``chunk_size``: how many rows are fetched at once. It reads on the async face, outside of the transaction of the
    request, from `def` endpoints as well.
    """

    media_type = "application/x-ndjson"

    def __init__(
        self,
        queryset: QuerySet[Any, T],
        row: Callable[[T], object] | None = None,
        chunk_size: int = 2000,
        **options: Any,
    ) -> None:
        super().__init__(json_lines(queryset, row, chunk_size), **options)


class CSVResponse(RowsResponse):
    """The rows of a queryset as a CSV table, while they are read.

        @app.get("/books.csv")
        async def all_books():
            return CSVResponse(Book.objects.order_by("title"), {"title": "Title", "author__name": "By"}, "books.csv")

    ``columns``: paths, as for `values_list()`, or a mapping of paths to titles. None is an empty cell, a document its JSON,
    bytes are base 64. ``filename``: browsers store it. ``chunk_size``: how many rows are fetched at once.
    ``spreadsheet``: texts that a spreadsheet would take for a formula get an apostrophe.
    """

    media_type = "text/csv"

    def __init__(
        self,
        queryset: QuerySet[Any, Any],
        columns: Sequence[str] | Mapping[str, str],
        filename: str | None = None,
        chunk_size: int = 2000,
        *,
        spreadsheet: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(csv_lines(queryset, columns, chunk_size, spreadsheet=spreadsheet), **options)
        if filename is not None:
            self.headers["Content-Disposition"] = attachment(filename)
