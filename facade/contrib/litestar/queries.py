"""Query parameters as dependencies."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from litestar import Request
from litestar.di import Provide
from litestar.params import QueryParameter

from facade.contrib.service.parameters import Parameter, Queried

B = TypeVar("B")


def query(queried: Queried[B]) -> Provide:
    """Return a dependency that reads the query parameters of a pagination, or of filters.

        @get("/books", dependencies={"page": query(PageNumberPagination(size=50))})
        async def list_books(page: NamedDependency[PageByNumber]) -> NumberedPage[BookOut]:
            return await page.apage(Book.objects.order_by("title"))

    Litestar knows the parameters by their types and limits: it converts and checks them, and OpenAPI has them.
    """
    parameters = {
        f"query_{one.name}": one for one in queried.parameters
    }  # Litestar has one space for all names

    async def read(request: Request[Any, Any, Any], **values: Any) -> B:
        queried.check_names(request.query_params)
        return queried.bind({parameters[name].name: value for name, value in values.items()})

    known = inspect.Parameter(
        "request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request[Any, Any, Any]
    )
    signature = [known, *(_declared(one, name) for name, one in parameters.items())]
    read.__signature__ = inspect.Signature(signature, return_annotation=Any)  # type: ignore[attr-defined] # functions may have one
    read.__annotations__ = {one.name: one.annotation for one in signature} | {"return": Any}
    return Provide(read)


def _declared(parameter: Parameter, name: str) -> inspect.Parameter:
    """Return a parameter of a function as Litestar declares one of a query."""
    about = QueryParameter(
        name=parameter.name,
        description=parameter.description or None,
        ge=parameter.minimum,
        le=parameter.maximum,
        required=False,
    )
    return parameter.declared(name, about)
