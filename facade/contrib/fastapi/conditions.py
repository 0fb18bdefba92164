"""ETags and their conditions, and a session for each request, as dependencies.

Annotations are types here, not their names: FastAPI cannot look up those of a class.
"""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import Header, Request, Response

from facade.contrib.service.etags import Preconditions, etag
from facade.contrib.service.sessions import joined_session
from facade.models import Model

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

S = TypeVar("S", bound="Session | AsyncSession")


class Tagged:
    """A dependency: checks what the client says of the state that it has seen, and tells it the state of the answer.

        @app.get("/books/{pk}", response_model=BookOut)
        async def get_book(pk: int, seen: Annotated[Tagged, Depends()]):
            book = await Book.objects.aget(pk=pk)
            seen.check(book)  # 304, if that is what the client has
            return book

        @app.put("/books/{pk}", response_model=BookOut)
        async def change_book(pk: int, data: BookIn, seen: Annotated[Tagged, Depends()]):
            book = await Book.objects.select_for_update().aget(pk=pk)
            seen.check(book, required=True)  # 412, if somebody else has changed it; 428 without If-Match
            ...
            seen.tag(book)
            return book

    A condition on a row that is going to be changed needs the row's lock (`select_for_update()` in a transaction), or two clients pass it.
    """

    def __init__(
        self,
        request: Request,
        response: Response,
        if_match: Annotated[str | None, Header()] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> None:
        self._conditions = Preconditions(request.method, if_match, if_none_match)
        self._response = response

    def check(self, instance: Model, *also: object, required: bool = False) -> None:
        """Check the conditions, and tag the answer. Raises what the handlers of `exception_handlers` make 304, 412 and 428 of."""
        self._conditions.check(etag(instance, *also), required=required)
        self.tag(instance, *also)

    def tag(self, instance: Model, *also: object) -> None:
        """Tag the answer with the state of an object."""
        self._response.headers["ETag"] = etag(instance, *also)


def request_session(make: Callable[[], S], alias: str = "default") -> Callable[[], AsyncIterator[S]]:
    """Return a dependency: a session of yours for each request, whose transaction facade's statements join.

        OneSession = Annotated[Session, Depends(request_session(sessionmaker(engine)), scope="function")]

        @app.post("/orders")
        def place_order(order: OrderIn, session: OneSession):
            session.add(OrderORM(...))
            Stock.objects.filter(pk=order.item).update(left=F("left") - 1)

    ``make``: a sessionmaker, for `def` endpoints, or an async_sessionmaker, for `async def` ones. The transaction is committed
    when the endpoint has returned, before the answer is sent, as long as the dependency has the scope "function", and rolled back
    when anything is raised. A status from 400 on that is returned, and not raised, does not undo it.
    """

    async def open_session() -> AsyncIterator[S]:
        async with joined_session(make, alias) as session:
            yield session

    return open_session
