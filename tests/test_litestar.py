"""facade.contrib.litestar: the plugin's transactions, statuses and returned querysets, query parameters, OpenAPI."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from litestar import Litestar, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromQuery, JSONBody

from facade import connections
from facade.contrib.litestar import (
    CursorPage,
    CursorPagination,
    FacadePlugin,
    Filtering,
    Filters,
    NumberedPage,
    PageByCursor,
    PageByNumber,
    PageNumberPagination,
    query,
)
from facade.exceptions import DeadlockDetected, PoolExhausted
from tests.bookshop import Novelist, Paperback, PaperbackOut, PaperbackWithNovelist, fill, in_use, stored

pytestmark = pytest.mark.vendors("sqlite", "postgres")


class PaperbackStruct(msgspec.Struct):
    id: int
    title: str


@pytest.fixture
def shop(database):
    database.create(Novelist, Paperback)
    fill()
    return database


@asynccontextmanager
async def asking(*handlers, **options):
    app = Litestar(handlers, plugins=[FacadePlugin(**options)], openapi_config=None, logging_config=None)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client
    assert in_use() == 0


def answer(how):
    if how == "raise":
        raise KeyError(how)
    if how == "refuse":
        raise HTTPException(status_code=409)
    if how == "unserializable":
        return object()
    return Response("", status_code=int(how))


@post("/async")
async def astore(how: FromQuery[str]) -> object:
    await Paperback.objects.acreate(title=f"async {how}")
    assert connections["default"].in_atomic_block
    return answer(how)


@post("/def", sync_to_thread=True)
def store(how: FromQuery[str]) -> object:
    Paperback.objects.create(title=f"def {how}")
    assert connections["default"].in_atomic_block
    return answer(how)


@get("/async")
async def look() -> bool:
    return connections["default"].in_atomic_block


@post("/commit")
async def dangle() -> None:
    with connections["default"].cursor() as cursor:
        await cursor.aexecute("INSERT INTO tests_referring VALUES (7)")


WAYS = {"201": 201, "raise": 500, "refuse": 409, "400": 400, "503": 503, "unserializable": 500}


async def test_a_request_is_kept_or_undone_as_a_whole(shop):
    shop.observe("CREATE TABLE tests_strict (id INTEGER PRIMARY KEY)")
    shop.observe(
        "CREATE TABLE tests_referring (id INTEGER REFERENCES tests_strict (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    async with asking(astore, store, look, dangle, atomic=True) as client:
        for path in ("async", "def"):
            for how, status in WAYS.items():
                assert (await client.post(f"/{path}?how={how}")).status_code == status, how
        assert (await client.get("/async")).json() is False
        assert (await client.post("/commit")).status_code == 409
        answers = await asyncio.gather(
            *(client.post(f"/{('async', 'def')[n % 2]}?how=40{n % 2}") for n in range(40))
        )
        assert {one.status_code for one in answers} == {400, 401}
    assert stored(shop) == {"async 201", "def 201"}
    assert shop.count("tests_referring") == 0


async def test_an_endpoint_is_called_again_where_that_is_asked_for(shop):
    tried = []

    @post("/often", sync_to_thread=True)
    def often(data: JSONBody[dict[str, int]]) -> str:
        tried.append(data)
        Paperback.objects.create(title="again")
        if len(tried) < 3:
            raise DeadlockDetected("UPDATE", None, Exception("40P01"))
        return "done"

    async with asking(often, atomic={"retries": 2}) as client:
        assert (await client.post("/often", json={"n": 1})).status_code == 201
    assert tried == [{"n": 1}] * 3
    assert stored(shop) == {"again"}


@get("/structs")
async def structs() -> list[PaperbackStruct]:
    return Paperback.objects.order_by("id")


@get("/threads", sync_to_thread=True)
def threads() -> list[PaperbackWithNovelist]:
    return Paperback.objects.select_related("novelist").order_by("id")


@get("/one")
async def one() -> PaperbackOut:
    return await Paperback.objects.aget(title="Paperback 1")


@get("/values")
async def values() -> list[dict[str, str]]:
    return Paperback.objects.order_by("id").values("title")


@get("/missing")
async def missing() -> list[PaperbackWithNovelist]:
    return Paperback.objects.order_by("id")


@get("/undescribed")
async def undescribed() -> object:
    return Paperback.objects.all()


async def test_querysets_become_what_the_annotation_says(shop, assert_queries):
    async with asking(structs, threads, one, values, missing, undescribed) as client:
        for path in ("structs", "threads", "values"):
            with assert_queries(1):
                found = await client.get(f"/{path}")
            assert found.json()[1]["title"] == "Paperback 1"
        assert (await client.get("/one")).json()["price"] == "11.00"
        for path in ("missing", "undescribed"):
            with assert_queries(1):
                assert (await client.get(f"/{path}")).status_code == 500


books = Filtering(
    Paperback,
    {"price": ["gte"], "language": ["exact", "in"], "published": ["isnull"]},
    search=["title"],
    ordering=["title"],
)


@get("/numbered", dependencies={"page": query(PageNumberPagination(size=2)), "filters": query(books)})
async def numbered(
    page: NamedDependency[PageByNumber], filters: NamedDependency[Filters]
) -> NumberedPage[PaperbackOut]:
    return await page.apage(filters.apply(Paperback.objects.all()))


@get("/cursor", dependencies={"page": query(CursorPagination("-title", size=2, key="k" * 16))})
async def cursor(page: NamedDependency[PageByCursor]) -> CursorPage[PaperbackStruct]:
    return await page.apage(Paperback.objects)


async def test_lists_are_filtered_and_cut(shop):
    async with asking(numbered, cursor) as client:
        found = (await client.get("/numbered?price__gte=11&ordering=-title&page=2")).json()
        assert ([one["title"] for one in found["items"]], found["total"]) == (["Paperback 1"], 3)
        found = (await client.get("/numbered?language=de&published__isnull=true&search=paperback")).json()
        assert [one["title"] for one in found["items"]] == ["Paperback 0"]
        found = (await client.get("/numbered?language__in=de&language__in=en")).json()
        assert found["total"] == 7
        found = (await client.get("/cursor")).json()
        found = (await client.get("/cursor", params={"cursor": found["next"]})).json()
        assert [one["title"] for one in found["items"]] == ["Paperback 4", "Paperback 3"]
        for wrong in ("page=x", "size=0", "price__gte=much", "price__lt=3", "ordering=price", "language=fr"):
            refused = await client.get(f"/numbered?{wrong}")
            assert refused.status_code in (400, 422), wrong
        assert (await client.get("/cursor?cursor=x")).status_code == 422


def test_openapi_has_the_parameters_and_the_pages():
    app = Litestar([numbered], plugins=[FacadePlugin()])
    described = app.openapi_schema.to_schema()
    parameters = {one["name"]: one["schema"] for one in described["paths"]["/numbered"]["get"]["parameters"]}
    assert (parameters["size"]["minimum"], parameters["size"]["maximum"], parameters["size"]["default"]) == (
        1,
        100,
        2,
    )
    assert {"page", "price__gte", "language__in", "search", "ordering"} <= parameters.keys()
    assert any("NumberedPage" in name for name in described["components"]["schemas"])


@get("/gone")
async def gone() -> PaperbackOut:
    return await Paperback.objects.aget(pk=99)


@get("/full")
async def full() -> None:
    raise PoolExhausted("…")


@post("/invalid", sync_to_thread=True)
def invalid() -> None:
    Paperback(title="").full_clean()


async def test_errors_have_their_statuses_and_health_is_a_page(shop):
    async with asking(gone, full, invalid, health="/healthz") as client:
        assert (await client.get("/gone")).status_code == 404
        refused = await client.get("/full")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        refused = await client.post("/invalid")
        assert refused.status_code == 422
        assert refused.json()["extra"][0]["key"] == "title"
        assert (await client.get("/healthz")).json() == {
            "status": "ok",
            "databases": {"default": "ok", "other": "ok"},
        }


async def test_what_litestar_reads_itself_is_refused_by_it_and_the_rest_by_facade(shop):
    @get(
        "/",
        dependencies={
            "page": query(PageNumberPagination()),
            "filters": query(Filtering(Paperback, {"price": ["gte"]})),
        },
    )
    async def papers(
        page: NamedDependency[PageByNumber], filters: NamedDependency[Filters]
    ) -> dict[str, int]:
        return {"total": (await page.apage(filters.apply(Paperback.objects.order_by("id")))).total or 0}

    async with asking(papers) as client:
        found = [
            (await client.get(one)).status_code for one in ("/?page=first", "/?price__lt=1", "/?price__gte=1")
        ]
    assert found == [400, 422, 200]
