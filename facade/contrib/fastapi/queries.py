"""Query parameters as dependencies, and the models of pages."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter

from facade.contrib.service.parameters import Parameter, Queried

T = TypeVar("T")
B = TypeVar("B")


def query(queried: Queried[B]) -> Callable[..., Awaitable[B]]:
    """Return a dependency that reads the query parameters of a pagination, or of filters.

        Books = Annotated[PageByNumber, Depends(query(PageNumberPagination(size=50)))]

        @app.get("/books", response_model=NumberedPage[BookOut])
        async def list_books(books: Books):
            return await books.apage(Book.objects.order_by("title"))

    FastAPI knows the parameters by their types and limits: it converts and checks them, and OpenAPI has them.
    """
    parameters = {f"parameter_{number}": one for number, one in enumerate(queried.parameters)}

    async def read(request: Request, **values: Any) -> B:  # no thread is needed for it
        queried.check_names(request.query_params)
        return queried.bind({parameters[name].name: value for name, value in values.items()})

    known = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
    signature = [known, *(_declared(one, name) for name, one in parameters.items())]
    read.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined] # functions may have one
    return read


def _declared(parameter: Parameter, name: str) -> inspect.Parameter:
    """Return a parameter of a function as FastAPI declares one of a query."""
    limits = {"ge": parameter.minimum, "le": parameter.maximum}
    about = Query(alias=parameter.name, description=parameter.description or None, **limits)  # type: ignore[arg-type]
    return parameter.declared(name, about, _choice(parameter))


def _choice(parameter: Parameter) -> object:
    """Return the type of a choice that is no text: what a query says is one, and a literal alone would not take it."""
    if parameter.kind is str or not parameter.choices:
        return None
    one_of: Any = Literal[parameter.choices]
    adapter: TypeAdapter[Any] = TypeAdapter(parameter.kind)

    def read(value: object) -> object:
        try:
            return adapter.validate_python(value)
        except ValueError:
            return value  # the literals say that it is none of them

    return Annotated[one_of, BeforeValidator(read)]


class _Page(BaseModel, Generic[T]):
    model_config = ConfigDict(from_attributes=True)

    items: list[T]


class NumberedPage(_Page[T]):
    """What `PageNumberPagination` gives, as a response_model: ``NumberedPage[BookOut]``."""

    page: int
    size: int
    total: int | None
    pages: int | None
    has_next: bool


class OffsetPage(_Page[T]):
    """What `LimitOffsetPagination` gives, as a response_model."""

    limit: int
    offset: int
    total: int | None
    has_next: bool


class CursorPage(_Page[T]):
    """What `CursorPagination` gives, as a response_model."""

    next: str | None
    previous: str | None
    total: int | None
