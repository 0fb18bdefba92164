"""Query parameters as dependencies."""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from litestar import Request
from litestar.di import Provide
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import QueryParameter

from facade.contrib.service.parameters import Parameter, Queried

B = TypeVar("B")
_FORMATS: Final[Mapping[type, str]] = {decimal.Decimal: "decimal", dt.time: "time"}


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


def _told(parameter: Parameter) -> dict[str, Any] | None:
    """Return what OpenAPI is to say of values of which Litestar says that they are any texts, or durations."""
    form = _FORMATS.get(parameter.kind)
    if form is None:
        return None
    value = Schema(type=OpenAPIType.STRING, format=form)  # type: ignore[arg-type] # a format may be any text
    told = Schema(type=OpenAPIType.ARRAY, items=value) if parameter.many else value
    return {"one_of": [told, Schema(type=OpenAPIType.NULL)]}


def _declared(parameter: Parameter, name: str) -> inspect.Parameter:
    """Return a parameter of a function as Litestar declares one of a query."""
    about = QueryParameter(
        name=parameter.name,
        description=parameter.description or None,
        ge=parameter.minimum,
        le=parameter.maximum,
        required=False,
        schema_extra=None if parameter.choices else _told(parameter),
    )
    return parameter.declared(name, about)
