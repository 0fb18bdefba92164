"""View sets: one class, the same answers in FastAPI, Starlette and Litestar."""

from contextlib import asynccontextmanager
from decimal import Decimal

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from litestar import Litestar
from pydantic import BaseModel
from starlette.applications import Starlette

from facade import connections, models
from facade.contrib import fastapi, litestar, starlette
from facade.contrib.fastapi import (
    CursorPagination,
    Filtering,
    ModelViewSet,
    PageNumberPagination,
    ReadOnlyViewSet,
    ViewSet,
    action,
)
from facade.contrib.pydantic import schema_for
from facade.exceptions import ImproperlyConfigured
from tests.bookshop import Novelist, Paperback, PaperbackIn, PaperbackWithNovelist, fill, in_use, stored

pytestmark = pytest.mark.vendors("sqlite", "postgres")

PaperbackOut = schema_for(Paperback, depth=1, fields=["id", "title", "price", "stock", "novelist"])
PaperbackPatch = schema_for(
    Paperback, fields=["title", "price", "stock"], optional=["title", "price", "stock"], name="PaperbackPatch"
)


class Changes(BaseModel):
    price: Decimal | None = None


class NameStruct(msgspec.Struct):
    name: str


class Paperbacks(ModelViewSet):
    queryset = Paperback.objects.select_related("novelist").order_by("id")
    schema = PaperbackOut
    create_schema = update_schema = PaperbackIn
    partial_update_schema = PaperbackPatch
    filtering = Filtering(Paperback, {"price": ["gte"]}, search=["title"], ordering=["price"])
    pagination = PageNumberPagination(size=2)
    etags = True

    @action("POST", detail=True)
    async def sell(self, pk: int) -> dict[str, int]:
        paperback = await self.get_object(pk)
        paperback.stock -= 1
        await paperback.asave()
        assert connections["default"].in_atomic_block
        return {"stock": paperback.stock}


class Novelists(ViewSet):
    """Written by hand, with a queryset of the class that each request may use as it is."""

    queryset = Novelist.objects.order_by("name")

    async def list(self) -> list[str]:
        return [novelist.name async for novelist in self.queryset]

    def retrieve(self, pk: int) -> str:
        return self.queryset.get(pk=pk).name

    async def destroy(self, pk: int) -> None:
        await (await self.get_object(pk)).adelete()


class Names(ReadOnlyViewSet):
    queryset = Novelist.objects

    def get_queryset(self):
        return self.queryset.exclude(name="Cid")

    schema = NameStruct
    lookup_field = "name"
    pagination = CursorPagination("name", size=1, key="k" * 16)


class Plain(ModelViewSet):
    """With models of pydantic that know nothing of facade."""

    queryset = Paperback.objects.select_related("novelist")
    schema = PaperbackWithNovelist
    create_schema = PaperbackIn
    partial_update_schema = Changes
    require_match = etags = True


class Written(ModelViewSet):
    """Writes what its queryset does not show, with a schema that shows relations to one and to many objects."""

    schema = schema_for(
        Paperback,
        fields=["id", "title", "novelist__name", "novelist__paperbacks__title"],
        name="PaperbackDeep",
    )
    create_schema = partial_update_schema = schema_for(
        Paperback, fields=["title", "novelist_id"], optional=True, name="PaperbackPlaced"
    )

    def get_queryset(self):
        shown = Paperback.objects.filter(title__startswith="Paperback")
        return self.schema.prefetched(shown)

    queryset = Paperback.objects


class PackingCase(models.Model):
    size = models.IntegerField()

    class Meta:
        app_label = "tests"


class Keyed(BaseModel):
    id: int
    title: str


class KeyedViews(ModelViewSet):
    queryset = Paperback.objects
    schema = partial_update_schema = Keyed


VIEWS = {
    "/paperbacks": Paperbacks,
    "/novelists": Novelists,
    "/names": Names,
    "/plain": Plain,
    "/keyed": KeyedViews,
    "/written": Written,
}


def fastapi_app():
    app = FastAPI(exception_handlers=fastapi.exception_handlers())
    for path, views in VIEWS.items():
        # msgspec's classes are none of FastAPI's
        if views is not Names:
            app.include_router(fastapi.viewset_router(views, path))
    return app


def starlette_app():
    routes = [route for path, views in VIEWS.items() for route in starlette.viewset_routes(views, path)]
    return Starlette(routes=routes, exception_handlers=starlette.exception_handlers())


def litestar_app():
    routers = [litestar.viewset_router(views, path) for path, views in VIEWS.items()]
    return Litestar(routers, plugins=[litestar.FacadePlugin(atomic=True)], logging_config=None)


APPS = {"fastapi": fastapi_app, "starlette": starlette_app, "litestar": litestar_app}


@pytest.fixture
def shop(database):
    database.create(Novelist, Paperback)
    fill()
    return database


@asynccontextmanager
async def asking(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client
    assert in_use() == 0


@pytest.mark.parametrize("name", APPS)
async def test_a_view_set_lists_reads_makes_changes_and_deletes(shop, name, assert_queries):
    async with asking(APPS[name]()) as client:
        with assert_queries(2):
            found = (await client.get("/paperbacks?price__gte=11&search=paperback&ordering=-price")).json()
        assert [one["title"] for one in found["items"]] == ["Paperback 1", "Paperback 3"]
        assert (found["total"], found["items"][1]["novelist"]["name"]) == (3, "Ann")
        with assert_queries(1):
            found = await client.get("/paperbacks/2")
        assert (found.status_code, found.json()["price"]) == (200, "11.00")
        seen = found.headers["etag"]
        assert (await client.get("/paperbacks/2", headers={"If-None-Match": seen})).status_code == 304
        assert [(await client.get(f"/paperbacks/{key}")).status_code for key in (99, "x")] == [
            404,
            404 if name == "litestar" else 422,
        ]
        made = await client.post("/paperbacks", json={"title": "New", "price": "3"})
        assert (made.status_code, made.json()["price"], made.json()["novelist"]) == (201, "3.00", None)
        whole = {"title": "Changed", "price": "4.5", "stock": 7}
        changed = await client.put("/paperbacks/2", json=whole, headers={"If-Match": seen})
        assert (changed.status_code, changed.json()["stock"], changed.json()["novelist"]["name"]) == (
            200,
            7,
            "Bea",
        )
        assert (await client.put("/paperbacks/2", json=whole, headers={"If-Match": seen})).status_code == 412
        seen = changed.headers["etag"]
        assert (await client.get("/paperbacks/2")).headers["etag"] == seen
        await Novelist.objects.filter(name="Bea").aupdate(name="Bee")  # whose name is told, too
        again = await client.get("/paperbacks/2", headers={"If-None-Match": seen})
        assert (again.status_code, again.json()["novelist"]["name"]) == (200, "Bee")
        changed = await client.patch("/paperbacks/2", json={"price": "9"})
        assert (changed.json()["price"], changed.json()["title"]) == ("9.00", "Changed")
        assert (await client.post("/paperbacks/2/sell")).json() == {"stock": 6}
        for wrong in ({"title": "Paperback 3"}, {"title": "x", "price": "much"}, {"title": "x" * 99}, {}):
            refused = await client.post("/paperbacks", json=wrong)
            assert refused.status_code in (422, 400), wrong
            assert "title" in refused.text or "price" in refused.text
        assert (await client.delete("/paperbacks/3")).status_code == 204
    assert stored(shop) == {"New", "Changed"}
    assert shop.count("tests_paperback") == 7


@pytest.mark.parametrize("name", APPS)
async def test_methods_of_ones_own_and_classes_that_know_nothing_of_facade(shop, name):
    async with asking(APPS[name]()) as client:
        for _ in range(2):
            assert (await client.get("/novelists")).json() == ["Ann", "Bea"]
        assert "Bea" in (await client.get("/novelists/2")).text
        refused = await client.delete("/novelists/2")
        assert (refused.status_code, "protected" in refused.text) == (409, True)
        await Novelist.objects.acreate(name="Cid")
        assert (await client.get("/novelists")).json() == ["Ann", "Bea", "Cid"]
        assert (await client.delete("/novelists/3")).status_code == 204
        if name != "fastapi":
            page = (await client.get("/names")).json()
            page = (await client.get("/names", params={"cursor": page["next"]})).json()
            assert (page["items"], page["next"]) == ([{"name": "Bea"}], None)
            assert (await client.get("/names/Ann")).json() == {"name": "Ann"}
        found = await client.post("/plain", json={"title": "Plain"})
        assert (found.status_code, found.json()["novelist"]) == (201, None)
        place = f"/plain/{found.json()['id']}"
        assert (await client.patch(place, json={"price": 2})).status_code == 428
        changed = await client.patch(place, json={"price": 2}, headers={"If-Match": found.headers["etag"]})
        assert changed.json()["price"] == "2.00"
        assert (await client.patch(place, json={"price": -1}, headers={"If-Match": "*"})).status_code == 200
        assert (await client.put(place, json={})).status_code == 405
        for key, status in ((1, 422), (found.json()["id"], 200)):
            answer = await client.patch(f"/keyed/{found.json()['id']}", json={"id": key, "title": "Keyed"})
            assert answer.status_code in (status, 400 if status == 422 else status), answer.text


@pytest.mark.parametrize("name", APPS)
async def test_what_is_written_outside_of_the_queryset_is_told_with_its_relations(shop, name):
    async with asking(APPS[name]()) as client:
        made = await client.post("/written", json={"title": "Aside", "novelist_id": 1})
        assert made.status_code == 201, made.text
        assert made.json()["novelist"]["name"] == "Ann"
        assert {"title": "Aside"} in made.json()["novelist"]["paperbacks"]
        changed = await client.patch("/written/1", json={"title": "Away", "novelist_id": 2})
        assert changed.status_code == 200, changed.text
        assert changed.json()["novelist"]["name"] == "Bea"
        assert {"title": "Away"} in changed.json()["novelist"]["paperbacks"]


def test_openapi_has_what_a_view_set_takes_and_returns():
    for described in (fastapi_app().openapi(), litestar_app().openapi_schema.to_schema()):
        path = "/paperbacks/{pk}"
        found = described["paths"]["/paperbacks"]["get"]
        names = {one["name"] for one in found["parameters"]}
        assert names == {"price__gte", "search", "ordering", "page", "size"}
        assert described["paths"][path]["put"]["requestBody"]["required"]
        conditions = [one for one in described["paths"][path]["patch"]["parameters"] if one["in"] == "header"]
        assert {one["name"] for one in conditions} == {"If-Match", "If-None-Match"}
        assert not any(one.get("required") for one in conditions)
        assert not any(one["in"] == "header" for one in found["parameters"])
        (key,) = [one for one in described["paths"][path]["get"]["parameters"] if one["in"] == "path"]
        assert key["schema"]["type"] == "integer"
        assert any("NumberedPage" in name for name in described["components"]["schemas"])


def test_openapi_has_the_statuses_by_which_a_request_may_be_refused():
    for described in (fastapi_app().openapi(), litestar_app().openapi_schema.to_schema()):
        paths = described["paths"]

        def told(path, method, paths=paths):
            return {status for status in paths[path][method]["responses"] if status >= "402"} - {"422"}

        assert told("/paperbacks", "get") == {"503"}
        assert told("/paperbacks", "post") == {"409", "503"}
        assert told("/paperbacks/{pk}", "get") == {"404", "412", "503"}
        assert told("/paperbacks/{pk}", "delete") == {"404", "409", "412", "503"}
        assert told("/plain/{pk}", "patch") == {"404", "409", "412", "428", "503"}
        assert told("/paperbacks/{pk}/sell", "post") == {"404", "409", "503"}
        assert "422" in paths["/paperbacks"]["post"]["responses"]


def test_what_a_view_set_lacks_is_told():
    class Nothing(ViewSet):
        async def list(self, loud: bool):
            return await self.get_queryset()

    with pytest.raises(ImproperlyConfigured, match="Nothing has no queryset"):
        Nothing.model_of()

    class Twice(ReadOnlyViewSet):
        queryset = PackingCase.objects
        schema = NameStruct
        filtering = Filtering(PackingCase, ["size"])
        pagination = PageNumberPagination()

    with pytest.raises(ImproperlyConfigured, match=r"both read \?size="):
        starlette.viewset_routes(Twice, "/crates")
    with pytest.raises(ImproperlyConfigured, match=r"list\(\) takes 'loud'"):
        starlette.viewset_routes(Nothing, "/nothing")
