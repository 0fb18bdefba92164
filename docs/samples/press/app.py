"""The service: every endpoint in SQLAlchemy's way and in facade's, as `def` and as `async def`.

    PRESS_URL=postgresql://… uvicorn --factory press.app:create_app

A request has one session. It commits when the endpoint has returned, before the answer is sent, and rolls back when the
endpoint raises.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import facade
from press import querysets, querysets_async, statements, statements_async
from press.errors import NotThere
from press.schemas import Filters, NewOrder, NewTitle, Receipt, Statistics, Title, TitleChanges, TitlePage
from press.ways import AsyncWay, Way

# -- a session for each request -------------------------------------------------------------------------------------


def open_session(request: Request) -> Iterator[Session]:
    """Lend a `def` endpoint the session of its request."""
    with Session(request.app.state.engine) as session, session.begin():
        yield session


async def open_async_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Lend an `async def` endpoint the session of its request."""
    async with AsyncSession(request.app.state.async_engine) as session, session.begin():
        yield session


# Of the function's scope: what is committed is there for whoever has read the answer.
OneSession = Annotated[Session, Depends(open_session, scope="function")]
OneAsyncSession = Annotated[AsyncSession, Depends(open_async_session, scope="function")]
Wanted = Annotated[Filters, Query()]


# -- the endpoints ----------------------------------------------------------------------------------------------------


def routes(way: Way) -> APIRouter:
    """Return the endpoints as `def` functions, which run in threads."""
    found = APIRouter()

    @found.get("/titles")
    def list_titles(session: OneSession, filters: Wanted) -> TitlePage:
        return way.list_titles(session, filters)

    @found.get("/titles/{key}")
    def get_title(session: OneSession, key: uuid.UUID) -> Title:
        return way.get_title(session, key)

    @found.post("/titles", status_code=201)
    def create_title(session: OneSession, new: NewTitle) -> Title:
        return way.create_title(session, new)

    @found.patch("/titles/{key}")
    def change_title(session: OneSession, key: uuid.UUID, changes: TitleChanges) -> Title:
        return way.change_title(session, key, changes)

    @found.delete("/titles/{key}", status_code=204)
    def delete_title(session: OneSession, key: uuid.UUID) -> None:
        way.delete_title(session, key)

    @found.post("/orders", status_code=201)
    def place_order(session: OneSession, new: NewOrder) -> Receipt:
        return way.place_order(session, new)

    @found.get("/statistics")
    def statistics(session: OneSession) -> Statistics:
        return way.statistics(session)

    return found


def async_routes(way: AsyncWay) -> APIRouter:
    """Return the endpoints as `async def` functions, which run in the event loop."""
    found = APIRouter()

    @found.get("/titles")
    async def list_titles(session: OneAsyncSession, filters: Wanted) -> TitlePage:
        return await way.list_titles(session, filters)

    @found.get("/titles/{key}")
    async def get_title(session: OneAsyncSession, key: uuid.UUID) -> Title:
        return await way.get_title(session, key)

    @found.post("/titles", status_code=201)
    async def create_title(session: OneAsyncSession, new: NewTitle) -> Title:
        return await way.create_title(session, new)

    @found.patch("/titles/{key}")
    async def change_title(session: OneAsyncSession, key: uuid.UUID, changes: TitleChanges) -> Title:
        return await way.change_title(session, key, changes)

    @found.delete("/titles/{key}", status_code=204)
    async def delete_title(session: OneAsyncSession, key: uuid.UUID) -> None:
        await way.delete_title(session, key)

    @found.post("/orders", status_code=201)
    async def place_order(session: OneAsyncSession, new: NewOrder) -> Receipt:
        return await way.place_order(session, new)

    @found.get("/statistics")
    async def statistics(session: OneAsyncSession) -> Statistics:
        return await way.statistics(session)

    return found


# -- the application ----------------------------------------------------------------------------------------------------


def create_app(url: str | None = None) -> FastAPI:
    """Return the service on the PostgreSQL database of `url`, or of the variable PRESS_URL."""
    address = sa.make_url(url or os.environ["PRESS_URL"])

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        app.state.engine = sa.create_engine(address.set(drivername="postgresql+psycopg"))
        app.state.async_engine = create_async_engine(address.set(drivername="postgresql+asyncpg"))
        facade.configure(DATABASES={"default": (app.state.engine, app.state.async_engine)})
        yield
        app.state.engine.dispose()
        await app.state.async_engine.dispose()

    app = FastAPI(title="Press", lifespan=lifespan)
    app.include_router(routes(statements), prefix="/sqlalchemy/sync")
    app.include_router(async_routes(statements_async), prefix="/sqlalchemy/async")
    app.include_router(routes(querysets), prefix="/facade/sync")
    app.include_router(async_routes(querysets_async), prefix="/facade/async")

    @app.exception_handler(NotThere)
    async def tell_what_is_missing(request: Request, error: NotThere) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.exception_handler(IntegrityError)
    async def tell_of_conflict(request: Request, error: IntegrityError) -> JSONResponse:
        return JSONResponse({"detail": "The database refuses this."}, status_code=409)

    return app
