"""A Litestar service: lists, pages, filters, a view set, and a transaction for each request."""

from __future__ import annotations

import msgspec
from litestar import Litestar, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ASGIApp

from facade import models
from facade.contrib.litestar import (
    FacadePlugin,
    Filtering,
    Filters,
    ModelViewSet,
    NumberedPage,
    PageByNumber,
    PageNumberPagination,
    json_stream,
    query,
    viewset_router,
)


class Shelf(models.Model):
    room = models.CharField(max_length=50, unique=True)
    metres = models.IntegerField(default=1)

    class Meta:
        app_label = "reading_room"


class ShelfOut(msgspec.Struct):
    id: int
    room: str
    metres: int


class ShelfIn(msgspec.Struct):
    room: str
    metres: int = 1


class Refused(msgspec.Struct):
    status_code: int
    detail: str


REFUSALS = {
    404: ResponseSpec(Refused, description="There is no such shelf.", generate_examples=False),
    409: ResponseSpec(Refused, description="This conflicts with what is stored.", generate_examples=False),
    503: ResponseSpec(Refused, description="The service is busy.", generate_examples=False),
}

pages = query(PageNumberPagination(size=2))
filters = query(Filtering(Shelf, {"metres": ["gte"]}, search=["room"], ordering=["room"]))


@get("/shelves", dependencies={"page": pages, "asked": filters})
async def list_shelves(
    page: NamedDependency[PageByNumber], asked: NamedDependency[Filters]
) -> NumberedPage[ShelfOut]:
    return await page.apage(asked.apply(Shelf.objects.all()))


@post("/shelves")
async def add_shelf(data: JSONBody[ShelfIn]) -> ShelfOut:
    return await Shelf.objects.acreate(**msgspec.structs.asdict(data))


@get("/long-shelves", sync_to_thread=True)
def list_long_shelves() -> list[ShelfOut]:
    return Shelf.objects.filter(metres__gte=3).order_by("room")


@post("/shelves/{pk:int}/widen", sync_to_thread=True, responses=REFUSALS)
def widen(pk: FromPath[int], by: FromQuery[int]) -> ShelfOut:
    shelf = Shelf.objects.select_for_update().get(pk=pk)
    shelf.metres += by
    shelf.full_clean()
    shelf.save()
    return shelf


@get("/shelves.ndjson")
async def every_shelf() -> ASGIApp:
    return json_stream(Shelf.objects.order_by("id").values("room", "metres"))


class ShelfViews(ModelViewSet):
    queryset = Shelf.objects.order_by("room")
    schema = ShelfOut
    create_schema = update_schema = ShelfIn


app = Litestar(
    [
        list_shelves,
        add_shelf,
        list_long_shelves,
        widen,
        every_shelf,
        viewset_router(ShelfViews, "/v2/shelves"),
    ],
    plugins=[
        FacadePlugin({"DATABASES": {"default": "sqlite:///rooms.sqlite3"}}, atomic=True, health="/healthz")
    ],
    logging_config=None,
)
