"""Deadlocks between requests: where that is asked for the endpoint is called again, else the client is told to come back."""

import asyncio
import itertools
import threading

import pytest
from fastapi import FastAPI
from litestar import Litestar, post
from litestar.params import FromQuery
from starlette.applications import Starlette
from starlette.responses import Response

import facade
from facade.contrib import fastapi, litestar, starlette
from facade.models import F
from tests.bookshop import Novelist, Paperback, asking, fill

pytestmark = pytest.mark.vendors("postgres", "mariadb")


@pytest.fixture
def shop(database):
    """The shop, on a server that looks for deadlocks at once."""
    name = database.url.rpartition("/")[2].partition("?")[0]
    if database.vendor == "postgres":
        database.observe(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '10ms'")
        facade.close_all()  # connections that are there already do not know it
    database.create(Novelist, Paperback)
    fill()
    yield database
    if database.vendor == "postgres":
        database.observe(f'ALTER DATABASE "{name}" RESET deadlock_timeout')


class Crossing:
    """Two requests that change two rows in opposite order, each of which holds one when it asks for the other."""

    def __init__(self):
        self.calls = itertools.count(1)
        self.called = 0
        self.threads, self.tasks = threading.Barrier(2, timeout=20), asyncio.Barrier(2)

    def is_first(self):
        self.called = next(self.calls)
        return self.called <= 2  # who is called again is alone

    def move(self, source, target):
        first = self.is_first()
        Paperback.objects.filter(title=source).update(stock=F("stock") - 1)
        if first:
            self.threads.wait()
        Paperback.objects.filter(title=target).update(stock=F("stock") + 1)

    async def amove(self, source, target):
        first = self.is_first()
        await Paperback.objects.filter(title=source).aupdate(stock=F("stock") - 1)
        if first:
            await self.tasks.wait()
        await Paperback.objects.filter(title=target).aupdate(stock=F("stock") + 1)


def fastapi_app(crossing, retries):
    app = FastAPI(exception_handlers=fastapi.exception_handlers())
    app.router.route_class = fastapi.atomic_route(retries=retries)
    app.post("/async")(crossing.amove)
    app.post("/def")(crossing.move)
    return app


def starlette_app(crossing, retries):
    route = starlette.atomic_route(retries=retries)

    async def amove(request):
        await crossing.amove(**request.query_params)
        return Response()

    def move(request):
        crossing.move(**request.query_params)
        return Response()

    routes = [route("/async", amove, methods=["POST"]), route("/def", move, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers=starlette.exception_handlers())


def litestar_app(crossing, retries):
    @post("/async")
    async def amove(source: FromQuery[str], target: FromQuery[str]) -> None:
        await crossing.amove(source, target)

    @post("/def", sync_to_thread=True)
    def move(source: FromQuery[str], target: FromQuery[str]) -> None:
        crossing.move(source, target)

    plugin = litestar.FacadePlugin(atomic={"retries": retries})
    return Litestar([amove, move], plugins=[plugin], openapi_config=None, logging_config=None)


@pytest.mark.parametrize("application", [fastapi_app, starlette_app, litestar_app])
async def test_a_deadlock_is_tried_again_or_told(application, shop):
    one, two = "Paperback 5", "Paperback 6"
    for way in ("def", "async"):
        for retries in (2, 0):
            before = {one: 5, two: 6}
            await Paperback.objects.filter(title=one).aupdate(stock=5)
            await Paperback.objects.filter(title=two).aupdate(stock=6)
            crossing = Crossing()
            async with asking(application(crossing, retries)) as client:
                found = await asyncio.gather(
                    client.post(f"/{way}", params={"source": one, "target": two}),
                    client.post(f"/{way}", params={"source": two, "target": one}),
                )
            refused = [answer for answer in found if answer.status_code == 503]
            assert all(answer.is_success for answer in found if answer not in refused)
            stocks = dict(await Paperback.objects.filter(title__in=before).avalues_list("title", "stock"))
            if retries:
                assert (refused, stocks, crossing.called) == ([], before, 3)
            else:
                assert [answer.headers["retry-after"] for answer in refused] == ["1"]
                moved = -1 if refused[0] is found[1] else 1
                assert (stocks, crossing.called) == ({one: 5 + moved, two: 6 - moved}, 2)
