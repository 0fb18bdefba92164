"""facade.contrib.starlette: transactions of requests, answers made of querysets, statuses, query parameters."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from facade import connections
from facade.contrib.fastapi import AtomicRoute as AtomicRouteOfFastAPI
from facade.contrib.starlette import (
    AtomicRoute,
    CursorPagination,
    Filtering,
    LimitOffsetPagination,
    PageNumberPagination,
    QuerySetResponse,
    atomic_route,
    exception_handlers,
    health,
    query,
)
from facade.exceptions import DeadlockDetected
from tests.bookshop import Novelist, Paperback, PaperbackOut, PaperbackWithNovelist, asking, fill, stored

pytestmark = pytest.mark.vendors("sqlite", "postgres")


@pytest.fixture
def shop(database):
    database.create(Novelist, Paperback)
    fill()
    return database


def application(*routes):
    return Starlette(routes=routes, exception_handlers=exception_handlers())


def answer(how):
    if how == "raise":
        raise KeyError(how)
    if how == "refuse":
        raise HTTPException(409)
    return Response(status_code=int(how))


def store(request):
    how = request.query_params["how"]
    Paperback.objects.create(title=f"def {how}")
    assert connections["default"].in_atomic_block
    return answer(how)


async def astore(request):
    how = request.query_params["how"]
    await Paperback.objects.acreate(title=f"async {how}")
    assert connections["default"].in_atomic_block
    return answer(how)


class Both(HTTPEndpoint):
    async def post(self, request):
        await Paperback.objects.acreate(title=f"class {request.query_params['how']}")
        return answer(request.query_params["how"])

    def put(self, request):
        Paperback.objects.create(title=f"class def {request.query_params['how']}")
        return answer(request.query_params["how"])

    async def get(self, request):
        return JSONResponse(connections["default"].in_atomic_block)


async def test_a_request_is_kept_or_undone_as_a_whole(shop):
    app = application(
        AtomicRoute("/def", store, methods=["POST", "GET"]),
        AtomicRoute("/async", astore, methods=["POST"]),
        AtomicRoute("/class", Both),
    )
    async with asking(app) as client:
        for path, method in (("def", "POST"), ("async", "POST"), ("class", "POST"), ("class", "PUT")):
            for how, status in (("201", 201), ("raise", 500), ("refuse", 409), ("400", 400), ("503", 503)):
                assert (await client.request(method, f"/{path}?how={how}")).status_code == status
        assert (await client.get("/class")).json() is False
        assert (
            await client.get("/def?how=202")
        ).status_code == 500  # the assertion: reading has no transaction
    assert stored(shop) == {"def 201", "def 202", "async 201", "class 201", "class def 201"}


async def test_an_endpoint_is_called_again_where_that_is_asked_for(shop):
    bodies = []

    async def often(request):
        bodies.append(await request.json())
        await Paperback.objects.acreate(title="again")
        if len(bodies) < 3:
            raise DeadlockDetected("UPDATE", None, Exception("40P01"))
        return Response()

    app = application(atomic_route(retries=2)("/often", often, methods=["POST"]))
    async with asking(app) as client:
        assert (await client.post("/often", json={"n": 1})).status_code == 200
    assert bodies == [{"n": 1}] * 3
    assert stored(shop) == {"again"}


filtering = Filtering(
    Paperback, {"price": ["exact", "gte"], "novelist__name": ["exact"]}, search=["title"], ordering=["title"]
)
paginations = {
    "numbered": PageNumberPagination(size=2),
    "offset": LimitOffsetPagination(size=2),
    "cursor": CursorPagination("-title", size=2, key="k" * 16),
}  # fmt: skip


async def page(request):
    found = query(filtering, request).apply(Paperback.objects.all())
    cut = query(paginations[request.path_params["kind"]], request)
    return QuerySetResponse(await cut.apage(found), schema=PaperbackOut)


async def plain(request):
    return QuerySetResponse(Paperback.objects.order_by("id"), schema=PaperbackOut)


def joined(request):
    return QuerySetResponse(
        Paperback.objects.select_related("novelist").order_by("id"), schema=PaperbackWithNovelist
    )


async def missing(request):
    return QuerySetResponse(Paperback.objects.order_by("id"), schema=PaperbackWithNovelist)


async def values(request):
    return QuerySetResponse(Paperback.objects.order_by("id").values("title", "published", "price"))


async def undescribed(request):
    return QuerySetResponse(Paperback.objects.all())


async def gone(request):
    return QuerySetResponse(await Paperback.objects.aget(pk=99), schema=PaperbackOut)


async def with_cookie(request):
    answer = QuerySetResponse(Paperback.objects.order_by("id"), schema=PaperbackOut, headers={"X-One": "1"})
    answer.set_cookie("seen", "yes")
    answer.headers["X-Two"] = "2"
    return answer


ANSWERS = (plain, joined, missing, values, undescribed, gone, with_cookie)


async def test_answers_are_made_of_querysets(shop, assert_queries):
    app = application(*(Route(f"/{answer.__name__}", answer) for answer in ANSWERS))
    async with asking(app) as client:
        for path in ("plain", "joined", "values"):
            with assert_queries(1):
                found = await client.get(f"/{path}")
            assert found.status_code == 200
            assert found.json()[1]["title"] == "Paperback 1"
            assert found.headers["content-length"] == str(len(found.content))
        assert found.json()[1] == {"title": "Paperback 1", "published": "2021-01-01", "price": "11.00"}
        for path in ("missing", "undescribed"):
            with assert_queries(1):
                assert (await client.get(f"/{path}")).status_code == 500
        assert (await client.get("/gone")).status_code == 404
        found = await client.get("/with_cookie")
        assert (found.cookies["seen"], found.headers["x-one"], found.headers["x-two"]) == ("yes", "1", "2")
        assert found.headers.get_list("content-length") == [str(len(found.content))]


async def test_lists_are_filtered_and_cut(shop):
    app = application(Route("/{kind}", page), Route("/healthz", health()))
    async with asking(app) as client:
        found = (await client.get("/numbered?price=11&ordering=-title&page=2")).json()
        assert ([one["title"] for one in found["items"]], found["total"]) == (["Paperback 1"], 3)
        found = (await client.get("/offset?novelist__name=Ann&offset=1")).json()
        assert ([one["title"] for one in found["items"]], found["total"]) == (
            ["Paperback 3", "Paperback 6"],
            3,
        )
        found = (await client.get("/cursor?search=paperback")).json()
        found = (await client.get("/cursor", params={"cursor": found["next"]})).json()
        assert [one["title"] for one in found["items"]] == ["Paperback 4", "Paperback 3"]
        for wrong in (
            "page=x", "page=1_0", "page=%EF%BC%91", "size=0", "price__gte=much", "price__gte=1_0", "price__gte=NaN", "price__lt=3", "ordering=price",
        ):  # fmt: skip
            refused = await client.get(f"/numbered?{wrong}")
            assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (
                422,
                ["query", wrong.partition("=")[0]],
            )


@pytest.mark.parametrize(
    ("method", "has_one"), [("MKCOL", True), ("POST", True), ("PROPFIND", False), ("OPTIONS", False)]
)
async def test_methods_have_a_transaction_unless_they_promise_to_change_nothing(shop, method, has_one):
    async def aask(request):
        return JSONResponse(connections["default"].in_atomic_block)

    def ask(request):
        return JSONResponse(connections["default"].in_atomic_block)

    async def fask():
        return connections["default"].in_atomic_block

    routes = [AtomicRoute(path, endpoint, methods=[method]) for path, endpoint in (("/a", aask), ("/d", ask))]
    other = FastAPI()
    other.router.route_class = AtomicRouteOfFastAPI
    other.add_api_route("/a", fask, methods=[method])
    for app, paths in ((Starlette(routes=routes), ("/a", "/d")), (other, ("/a",))):
        async with asking(app) as client:
            for path in paths:
                assert (await client.request(method, path)).json() is has_one
