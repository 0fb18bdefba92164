"""Query parameters of a request."""

from __future__ import annotations

from typing import TypeVar

from starlette.requests import Request

from facade.contrib.service.parameters import Queried, parsed

B = TypeVar("B")


def query(queried: Queried[B], request: Request) -> B:
    """Bind a pagination, or filters, to the query parameters of a request.

        books = Filtering(Book, {"title": ["icontains"]})
        pages = PageNumberPagination(size=50)

        async def list_books(request):
            found = query(books, request).apply(Book.objects.order_by("title"))
            return QuerySetResponse(await query(pages, request).apage(found), schema=BookOut)

    Raises ParameterError, which is a 422, for a wrong one.
    """
    return parsed(queried, request.query_params)
