"""Answers that are made of querysets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from facade.contrib.service.evaluation import aloaded, check_described
from facade.contrib.service.serialization import as_json, reader_of, represented


class QuerySetResponse(JSONResponse):
    """The answer with what a schema tells of a queryset, an object, or a page of them.

        async def list_books(request):
            return QuerySetResponse(Book.objects.select_related("author"), schema=BookOut)

    A queryset is loaded, with its prefetches, when the answer is sent. ``schema``: one of `facade.contrib.pydantic` or `.msgspec`, or any
    model of pydantic or Struct of msgspec; rows of `values()` need none. What the schema needs and the queryset has not loaded
    raises an error that says what to write.
    """

    def __init__(
        self,
        content: object,
        schema: type[Any] | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self._read = None if schema is None else reader_of(schema)
        self._content = content
        super().__init__(None, status_code, headers, background=background)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Load the rows, and send them."""
        found = await aloaded(self._content)
        if self._read is not None:
            found = represented(found, self._read)
        check_described(found, "A QuerySetResponse", "say schema=…")
        self.body = as_json(found)
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)
