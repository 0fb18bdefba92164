"""Starlette and Litestar: a session of SQLAlchemy's for each request, which facade's statements join."""

import pytest
import sqlalchemy as sa
from litestar import Litestar, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from facade.contrib import litestar, starlette
from tests.bookshop import Novelist, Paperback, asking, fill, stored
from tests.test_fastapi import engines

__all__ = ["engines"]

pytestmark = pytest.mark.vendors("sqlite", "postgres")
CORE = sa.insert(Paperback.__table__)


@pytest.fixture
def shop(database):
    database.create(Novelist, Paperback)
    fill()
    return database


def store(session, how):
    session.execute(CORE.values(title=f"core def {how}", price=1, language="en", stock=0))
    assert Paperback.objects.filter(title=f"core def {how}").update(stock=1) == 1
    if how == "raise":
        raise KeyError(how)


async def astore(session, how):
    await session.execute(CORE.values(title=f"core async {how}", price=1, language="en", stock=0))
    assert await Paperback.objects.filter(title=f"core async {how}").aupdate(stock=1) == 1
    if how == "raise":
        raise KeyError(how)


def starlette_app(engines):
    @starlette.request_session(sessionmaker(engines[0]))
    def sync(request, session):
        store(session, request.path_params["how"])
        return Response()

    @starlette.request_session(async_sessionmaker(engines[1]))
    async def other(request, session):
        await astore(session, request.path_params["how"])
        return Response()

    return Starlette(
        routes=[Route("/def/{how}", sync, methods=["POST"]), Route("/async/{how}", other, methods=["POST"])]
    )


def litestar_app(engines):
    @post("/def/{how:str}", status_code=200)
    @litestar.request_session(sessionmaker(engines[0]))
    def sync(how: FromPath[str], session: Session) -> None:
        store(session, how)

    @post("/async/{how:str}", status_code=200)
    @litestar.request_session(async_sessionmaker(engines[1]))
    async def other(how: FromPath[str], session: AsyncSession) -> None:
        await astore(session, how)

    return Litestar(
        [sync, other], plugins=[litestar.FacadePlugin()], openapi_config=None, logging_config=None
    )


@pytest.mark.parametrize("application", [starlette_app, litestar_app])
async def test_statements_join_the_session_of_a_request(application, engines, shop):
    async with asking(application(engines)) as client:
        for way in ("def", "async"):
            assert (await client.post(f"/{way}/raise")).status_code == 500
            answer = await client.post(f"/{way}/keep")
            assert answer.status_code == 200, answer.text
    assert stored(shop) == {"core def keep", "core async keep"}
    assert [engine.pool.checkedout() for engine in engines] == [0, 0]
