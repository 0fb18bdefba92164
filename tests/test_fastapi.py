"""facade.contrib.fastapi: transactions of requests, querysets returned, pages, errors; `def` and `async def` alike."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import threading
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from starlette.routing import Route

from facade import aclose_all, configure, connections, models, pool_stats, transaction
from facade.contrib import starlette
from facade.contrib.fastapi import (
    AtomicRoute,
    CursorPage,
    CursorPagination,
    Filtering,
    Filters,
    LimitOffsetPagination,
    NumberedPage,
    OffsetPage,
    PageByCursor,
    PageByNumber,
    PageByOffset,
    PageNumberPagination,
    QuerySetRoute,
    Tagged,
    atomic_route,
    exception_handlers,
    health,
    lifespan,
    query,
    request_session,
)
from facade.exceptions import (
    DeadlockDetected,
    ImproperlyConfigured,
    PoolExhausted,
    SerializationFailure,
    ValidationError,
)
from tests.bookshop import (
    Novelist,
    Paperback,
    PaperbackIn,
    PaperbackOut,
    PaperbackWithNovelist,
    asking,
    fill,
    in_use,
    stored,
)

pytestmark = pytest.mark.vendors("sqlite", "postgres")
KEY = "a key of more than sixteen characters"
WAYS = ["def", "async"]
T = TypeVar("T")


@pytest.fixture
def shop(database):
    database.create(Novelist, Paperback)
    fill()
    return database


def titles(database):
    return {
        title
        for (title,) in database.observe(
            "SELECT title FROM tests_paperback WHERE title NOT LIKE 'Paperback%'"
        )
    }


# -- a transaction for each request ----------------------------------------------------------------------------------

told = []


def fails(how):
    """Fail in the way that a request asks for; return what it is to answer otherwise."""
    if how == "raise":
        raise KeyError(how)
    if how == "refuse":
        raise HTTPException(409, "no")
    if how == "answer 404":
        return JSONResponse({}, 404)
    if how == "answer 503":
        return Response(status_code=503)
    if how == "unserializable":
        return {"id": "no number"}
    return None


def atomic_app(route=AtomicRoute):
    app = FastAPI(exception_handlers=exception_handlers())
    app.router.route_class = route

    @app.post("/def", response_model=PaperbackOut)
    def store(data: PaperbackIn, response: Response, how: str = ""):
        paperback = Paperback.objects.create(**data.model_dump())
        assert connections["default"].in_atomic_block
        transaction.on_commit(lambda: told.append(data.title))
        if how == "set 418":
            response.status_code = 418
        return fails(how) or paperback

    @app.post("/async", response_model=PaperbackOut)
    async def astore(data: PaperbackIn, response: Response, how: str = ""):
        paperback = await Paperback.objects.acreate(**data.model_dump())
        assert connections["default"].in_atomic_block
        transaction.on_commit(lambda: told.append(data.title))
        if how == "set 418":
            response.status_code = 418
        return fails(how) or paperback

    @app.get("/def")
    def look():
        return connections["default"].in_atomic_block

    @app.get("/async")
    async def alook():
        return connections["default"].in_atomic_block

    return app


STATUSES = {
    "": 200, "raise": 500, "refuse": 409, "answer 404": 404, "answer 503": 503, "unserializable": 500, "set 418": 418,
}  # fmt: skip


async def test_a_request_is_kept_or_undone_as_a_whole(shop):
    told.clear()
    async with asking(atomic_app()) as client:
        for way in WAYS:
            for how, status in STATUSES.items():
                answer = await client.post(f"/{way}?how={how}", json={"title": f"{way} {how}"})
                assert answer.status_code == status, how
                assert stored(shop) == {f"{one} " for one in WAYS[: WAYS.index(way) + 1]}, how
            assert (await client.get(f"/{way}")).json() is False  # reading needs none
    assert told == ["def ", "async "]


async def test_endpoints_see_what_their_dependencies_have_set(shop):
    """A tenant, say, or a language: those of `def` run in a context that begins with the call, and ends with its transaction."""
    app = FastAPI()
    app.router.route_class = AtomicRoute
    reader = ContextVar("reader", default="nobody")
    committed = []

    async def known(name: str):
        token = reader.set(name)
        yield
        reader.reset(token)

    def note(title):
        transaction.on_commit(lambda: committed.append((title, reader.get())))
        return title, reader.get()

    @app.post("/def", dependencies=[Depends(known)])
    def store(name: str) -> tuple[str, str]:
        return note(Paperback.objects.create(title=f"def {name}").title)

    @app.post("/async", dependencies=[Depends(known)])
    async def astore(name: str) -> tuple[str, str]:
        return note((await Paperback.objects.acreate(title=f"async {name}")).title)

    async with asking(app) as client:
        asked = [client.post(f"/{way}?name={name}") for way in WAYS for name in ("ann", "bea")]
        found = [tuple(answer.json()) for answer in await asyncio.gather(*asked)]
    wanted = [(f"{way} {name}", name) for way in WAYS for name in ("ann", "bea")]
    assert found == wanted
    assert sorted(committed) == sorted(wanted)


async def test_what_a_client_was_told_is_stored(shop):
    """The commit comes before the answer: whoever has read it finds the row on another connection."""
    app = atomic_app()
    seen = []

    @app.middleware("http")
    async def look(request, call_next):
        response = await call_next(request)
        seen.append(len(stored(shop)))
        return response

    async with asking(app) as client:
        for way in WAYS:
            await client.post(f"/{way}", json={"title": way})
    assert seen == [1, 2]


async def test_a_commit_that_fails_is_no_success(shop):
    app = FastAPI(exception_handlers=exception_handlers())
    app.router.route_class = AtomicRoute
    shop.observe("CREATE TABLE tests_strict (id INTEGER PRIMARY KEY)")
    shop.observe(
        "CREATE TABLE tests_referring (id INTEGER REFERENCES tests_strict (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    dangling = "INSERT INTO tests_referring VALUES (7)"

    @app.post("/def")
    def store():
        with connections["default"].cursor() as cursor:
            cursor.execute(dangling)

    @app.post("/async")
    async def astore():
        with connections["default"].cursor() as cursor:
            await cursor.aexecute(dangling)

    async with asking(app) as client:
        for way in WAYS:
            assert (await client.post(f"/{way}")).status_code == 409
    assert shop.count("tests_referring") == 0


async def test_many_requests_share_few_connections_and_threads(shop):
    """A request that holds a connection never waits for a thread that one waiting for a connection has."""
    app = atomic_app()

    options = {} if shop.vendor == "sqlite" else {"POOL_SIZE": 2, "MAX_OVERFLOW": 0, "POOL_TIMEOUT": 20}
    configure(DATABASES={**shop.urls, "default": {"URL": shop.url, **options}})
    async with asking(app) as client:

        async def ask(number):
            how = "refuse" if number % 3 == 0 else ""
            return await client.post(f"/{WAYS[number % 2]}?how={how}", json={"title": f"many {number}"})

        answers = await asyncio.gather(*(ask(number) for number in range(90)))
    assert {answer.status_code for answer in answers} == {200, 409}
    assert len(stored(shop)) == 60


async def test_a_cancelled_request_leaves_nothing_behind(shop):
    app = FastAPI()
    app.router.route_class = AtomicRoute
    began, go_on = asyncio.Event(), asyncio.Event()

    @app.post("/async")
    async def astore():
        await Paperback.objects.acreate(title="async")
        began.set()
        await asyncio.sleep(60)

    @app.post("/def")
    def store():
        Paperback.objects.create(title="def")
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    loop = asyncio.get_running_loop()
    async with asking(app) as client:
        for way in WAYS:
            began.clear()
            request = asyncio.create_task(client.post(f"/{way}"))
            await began.wait()
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            go_on.set()
        for _ in range(200):
            if not in_use():
                break
            await asyncio.sleep(0.02)
    assert stored(shop) == set()


async def test_an_endpoint_is_called_again_where_that_is_asked_for(shop):
    tried = []

    def give_up(way, times):
        tried.append(way)
        if tried.count(way) <= times:
            raise SerializationFailure("COMMIT", None, Exception("40001"))

    app = FastAPI(exception_handlers=exception_handlers())
    app.router.route_class = atomic_route(retries=2, durable=True)

    @app.post("/def", response_model=PaperbackOut)
    def store(data: PaperbackIn, times: int, response: Response, status: int | None = None):
        paperback = Paperback.objects.create(title=data.title)
        give_up("def", times)
        response.status_code = status
        return paperback

    @app.post("/async", response_model=PaperbackOut)
    async def astore(data: PaperbackIn, times: int, response: Response, status: int | None = None):
        paperback = await Paperback.objects.acreate(title=data.title)
        give_up("async", times)
        response.status_code = status
        return paperback

    async with asking(app) as client:
        for way in WAYS:
            assert (await client.post(f"/{way}?times=2", json={"title": way})).status_code == 200
            tried.clear()
            answer = await client.post(f"/{way}?times=1&status=409", json={"title": "refused"})
            assert (answer.status_code, len(tried)) == (409, 2)
            tried.clear()
            answer = await client.post(f"/{way}?times=3", json={"title": "never"})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert len(tried) == 3
            tried.clear()
    assert stored(shop) == set(WAYS)


@pytest.mark.vendors("postgres")
async def test_conflicts_of_real_transactions(shop):
    """Two read, and both write what they have read: one has to begin again, or the client has to."""

    def conflicting_app(**options):
        app = FastAPI(exception_handlers=exception_handlers())
        app.router.route_class = atomic_route(isolation_level="SERIALIZABLE", **options)
        together = threading.Barrier(2)

        @app.post("/sell/{title}")
        def sell(title: str):
            paperback = Paperback.objects.get(title=title)
            with suppress(threading.BrokenBarrierError):
                together.wait(timeout=0.2)
            paperback.stock -= 1
            paperback.save()

        return app

    for options, statuses in (({"retries": 3}, [200, 200]), ({}, [200, 503])):
        before = (await Paperback.objects.aget(title="Paperback 5")).stock
        async with asking(conflicting_app(**options)) as client:
            answers = await asyncio.gather(*(client.post("/sell/Paperback 5") for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == statuses
        sold = before - (await Paperback.objects.aget(title="Paperback 5")).stock
        assert sold == statuses.count(200)


@pytest.mark.vendors("postgres")
async def test_what_a_busy_database_refuses(shop):
    await aclose_all()
    configure(
        DATABASES={"default": {"URL": shop.url, "POOL_SIZE": 1, "MAX_OVERFLOW": 0, "POOL_TIMEOUT": 0.2}}
    )
    app = FastAPI(exception_handlers=exception_handlers())
    app.router.route_class = atomic_route(timeout=0.2)
    got, go_on = asyncio.Event(), asyncio.Event()

    @app.post("/hold")
    async def hold():
        await Paperback.objects.select_for_update().aget(title="Paperback 1")
        got.set()
        await go_on.wait()

    @app.post("/slow")
    def slow():
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")

    @app.post("/lock")
    def lock():
        Paperback.objects.select_for_update(nowait=True).get(title="Paperback 1")

    async with asking(app) as client:
        holding = asyncio.create_task(client.post("/hold"))
        await got.wait()
        full = await client.post("/hold")  # the only connection of the event loop is in use
        locked = await client.post("/lock")  # threads have another one
        assert (await client.post("/slow")).status_code == 504
        go_on.set()
        assert (await holding).status_code == 200
    for refused in (full, locked):
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


def test_a_stream_has_no_transaction():
    router = APIRouter(route_class=AtomicRoute)
    with pytest.raises(ImproperlyConfigured, match="streams its answer"):

        @router.post("/rows")
        async def rows():
            yield {}


# -- querysets that are returned ---------------------------------------------------------------------------------------


def returning_app():
    app = FastAPI()
    app.router.route_class = QuerySetRoute

    def both(path, answer, **options):
        async def alist_paperbacks():
            return answer()

        def list_paperbacks():
            return answer()

        app.get(f"/async{path}", **options)(alist_paperbacks)
        app.get(f"/def{path}", **options)(list_paperbacks)

    both("/plain", lambda: Paperback.objects.order_by("title")[:2], response_model=list[PaperbackOut])
    both("/manager", lambda: Paperback.objects, response_model=list[PaperbackOut])
    both(
        "/joined",
        lambda: Paperback.objects.select_related("novelist").order_by("id"),
        response_model=list[PaperbackWithNovelist],
    )
    both(
        "/prefetched",
        lambda: Paperback.objects.prefetch_related("novelist").order_by("id"),
        response_model=list[PaperbackWithNovelist],
    )
    both("/missing", lambda: Paperback.objects.order_by("id"), response_model=list[PaperbackWithNovelist])
    both("/deferred", lambda: Paperback.objects.defer("price"), response_model=list[PaperbackOut])
    both(
        "/raw",
        lambda: Paperback.objects.raw("SELECT * FROM tests_paperback ORDER BY id"),
        response_model=list[PaperbackOut],
    )
    both("/values", lambda: Paperback.objects.order_by("id").values("title")[:1])
    both("/undescribed", lambda: Paperback.objects.all())
    return app  # fmt: skip


async def test_a_queryset_is_loaded_once_and_serialized(shop, assert_queries, caplog):
    counts = {"plain": 1, "manager": 1, "joined": 1, "prefetched": 2, "raw": 1, "values": 1}
    async with asking(returning_app()) as client:
        for way in WAYS:
            for path, count in counts.items():
                with assert_queries(count):
                    answer = await client.get(f"/{way}/{path}")
                assert answer.status_code == 200, answer.text
                assert answer.json()[0]["title"] == "Paperback 0"
            assert (await client.get(f"/{way}/joined")).json()[0]["novelist"] == {"name": "Ann"}


async def test_what_was_not_loaded_is_an_error_with_the_reason_and_no_query(shop, assert_queries):
    app = returning_app()
    raised = []

    @app.middleware("http")
    async def collect(request, call_next):
        try:
            return await call_next(request)
        except Exception as error:
            raised.append(str(error))
            raise

    async with asking(app) as client:
        for way in WAYS:
            for path, word in (
                ("missing", "Paperback.novelist"),
                ("deferred", "price"),
                ("undescribed", "response_model"),
            ):
                with assert_queries(1):
                    assert (await client.get(f"/{way}/{path}")).status_code == 500
                assert word in raised[-1], raised[-1]


class Shelf(BaseModel, Generic[T]):
    model_config = ConfigDict(from_attributes=True)
    items: list[T]
    first: T | None = None
    counted: int


async def test_querysets_in_an_envelope_are_loaded(shop, assert_queries):
    app = FastAPI()
    app.router.route_class = QuerySetRoute

    def shelf():
        rows = Paperback.objects.order_by("id")
        return {"items": rows[:2], "first": None, "counted": 7}

    @app.get("/async", response_model=Shelf[PaperbackOut])
    async def ashow():
        return shelf()

    @app.get("/def", response_model=Shelf[PaperbackOut])
    def show():
        return shelf()

    @app.get("/values")
    async def values():
        return {"some": Paperback.objects.order_by("id").values("title")[:1], "other": [1]}

    async with asking(app) as client:
        for way in WAYS:
            with assert_queries(1):
                found = (await client.get(f"/{way}")).json()
            assert [one["title"] for one in found["items"]] == ["Paperback 0", "Paperback 1"]
        assert (await client.get("/values")).json() == {"some": [{"title": "Paperback 0"}], "other": [1]}


async def test_objects_that_nobody_describes_are_told_nowhere(shop):
    """However deep they are in an answer: FastAPI would send all that they hold, passwords included."""
    app = FastAPI(exception_handlers=exception_handlers())
    app.router.route_class = QuerySetRoute
    pages = PageNumberPagination(size=2).bind({})

    @dataclass
    class Answer:
        found: object

    ways = {
        "object": lambda: Paperback.objects.get(id=1),
        "dict": lambda: {"paperback": Paperback.objects.get(id=1)},
        "tuple": lambda: (1, Paperback.objects.get(id=1)),
        "deep": lambda: {"found": [{"it": {1: Paperback.objects.get(id=1)}}]},
        "page": lambda: pages.page(Paperback.objects.all()),
        "dataclass": lambda: Answer([Paperback.objects.get(id=1)]),
        "query": lambda: {"found": Paperback.objects.all()},
        "deep query": lambda: [[Paperback.objects.all()]],
    }

    @app.get("/{way}")
    def show(way: str):
        return ways[way]()

    raised = []

    @app.middleware("http")
    async def collect(request, call_next):
        try:
            return await call_next(request)
        except ImproperlyConfigured as error:
            raised.append(str(error))
            raise

    async with asking(app) as client:
        for way in ways:
            answer = await client.get(f"/{way}")
            assert (answer.status_code, "Paperback 0" in answer.text) == (500, False), way
        ways["object"] = lambda: pages.page(Paperback.objects.values("title").order_by("id"))
        assert (await client.get("/object")).json()["items"][1] == {"title": "Paperback 1"}
    assert len(raised) == len(ways)
    assert all("response_model" in words and "show()" in words for words in raised)


# -- pages -------------------------------------------------------------------------------------------------------------

Numbered = Annotated[PageByNumber, Depends(query(PageNumberPagination(size=3, max_size=5)))]
Uncounted = Annotated[PageByNumber, Depends(query(PageNumberPagination(size=3, total=False)))]
Offset = Annotated[PageByOffset, Depends(query(LimitOffsetPagination(size=3)))]
Cursor = Annotated[PageByCursor, Depends(query(CursorPagination(["-published", "price"], size=2, key=KEY)))]


def paging_app():
    app = FastAPI(exception_handlers=exception_handlers())

    @app.get("/async/numbered", response_model=NumberedPage[PaperbackOut])
    async def anumbered(page: Numbered):
        return await page.apage(Paperback.objects.order_by("-price").prefetch_related("novelist"))

    @app.get("/def/numbered", response_model=NumberedPage[PaperbackOut])
    def numbered(page: Numbered):
        return page.page(Paperback.objects.order_by("-price").prefetch_related("novelist"))

    @app.get("/async/uncounted", response_model=NumberedPage[PaperbackOut])
    async def uncounted(page: Uncounted):
        return await page.apage(Paperback.objects.order_by("-price"))

    @app.get("/async/offset", response_model=OffsetPage[PaperbackOut])
    async def aoffset(page: Offset):
        return await page.apage(Paperback.objects.order_by("id")[1:])

    @app.get("/async/cursor", response_model=CursorPage[PaperbackOut])
    async def acursor(page: Cursor):
        return await page.apage(Paperback.objects)

    @app.get("/def/cursor", response_model=CursorPage[PaperbackOut])
    def cursor(page: Cursor):
        return page.page(Paperback.objects)

    return app


def stocks(answer):
    return [paperback["stock"] for paperback in answer.json()["items"]]


async def test_pages_by_number_and_by_offset(shop, assert_queries):
    async with asking(paging_app()) as client:
        for way in WAYS:
            with assert_queries(3):
                answer = await client.get(f"/{way}/numbered?page=2")
            assert stocks(answer) == [0, 2, 4]  # the key decides where the price does not
            assert {**answer.json(), "items": 0} == {
                "items": 0, "page": 2, "size": 3, "total": 7, "pages": 3, "has_next": True,
            }  # fmt: skip
        with assert_queries(1):
            answer = await client.get("/async/uncounted?page=3")
        assert (stocks(answer), answer.json()["total"], answer.json()["has_next"]) == ([6], None, False)
        answer = await client.get("/async/offset?limit=2&offset=4")
        assert (stocks(answer), answer.json()["total"], answer.json()["has_next"]) == ([5, 6], 6, False)
        for wrong in ("page=0", "size=6", "page=x", "page=99999999999999999999"):
            answer = await client.get(f"/async/numbered?{wrong}")
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["loc"] == ["query", wrong.partition("=")[0]]


async def test_cursors_go_through_a_list_and_back(shop, assert_queries):
    async with asking(paging_app()) as client:
        for way in WAYS:
            found, cursors = [], [""]
            while cursors[-1] is not None:
                with assert_queries(1):
                    answer = await client.get(f"/{way}/cursor?cursor={cursors[-1]}")
                found += stocks(answer)
                cursors.append(answer.json()["next"])
            assert sorted(found) == [*range(7)]
            answer = await client.get(f"/{way}/cursor?cursor={answer.json()['previous']}")
            assert stocks(answer) == found[-3:-1]
            changed = cursors[1][:-1] + ("A" if cursors[1][-1] != "A" else "B")
            for wrong in (changed, "x", "é", cursors[1] + "AAAA", "A" * 9000):
                refused = await client.get("/async/cursor", params={"cursor": wrong})
                assert refused.status_code == 422
                assert refused.json()["detail"][0]["loc"] == ["query", "cursor"]


def test_openapi_has_the_parameters_and_the_pages():
    described = paging_app().openapi()
    parameters = {one["name"]: one for one in described["paths"]["/async/numbered"]["get"]["parameters"]}
    assert parameters["size"]["schema"] == {
        "type": "integer", "minimum": 1, "maximum": 5, "default": 3, "title": "Size", "description": "How many items a page has.",
    }  # fmt: skip
    assert "NumberedPage_PaperbackOut_" in described["components"]["schemas"]


books = Filtering(
    Paperback,
    {"price": ["gte", "range"], "language": ["exact", "in"], "published": ["isnull"], "published__year": ["exact"],
     "novelist__name": ["exact"], "novelist": ["exact"]},
    search=["title", "novelist__name"],
    ordering=["price", "title"],
)  # fmt: skip


def filtering_app():
    app = FastAPI(exception_handlers=exception_handlers())

    @app.get("/async")
    async def list_paperbacks(asked: Annotated[Filters, Depends(query(books))], page: Numbered):
        found = asked.apply(Paperback.objects.order_by("id"))
        return [paperback.stock for paperback in (await page.apage(found)).items]

    return app


FOUND = {
    "": [0, 1, 2],
    "price__gte=11": [1, 3, 5],
    "price__range=10&price__range=10.50&page=2": [6],
    "language=de": [0, 1],
    "language__in=de&language__in=en&size=1": [0],
    "published__isnull=true": [0, 4],
    "published__year=2021": [1],
    "novelist__name=Ann": [0, 3, 6],
    "novelist=1": [0, 3, 6],
    "search=paperback+ann&ordering=-title": [6, 3, 0],
    "ordering=-price&ordering=-title": [5, 3, 1],
    "unrelated=1": [0, 1, 2],
}
REFUSED = (
    "price__gte=much", "price__lt=3", "price__range=1", "language=fr", "ordering=stock", "published__isnull=maybe",
    "novelist__id=1", "published__year=x", "price__gte=NaN", "search=%00", "novelist__name=%00",
    "&".join(["language__in=de"] * 300),
)  # fmt: skip


async def test_lists_are_filtered_searched_and_ordered_by_what_is_allowed(shop):
    async with asking(filtering_app()) as client:
        for asked, stocks_ in FOUND.items():
            answer = await client.get(f"/async?{asked}")
            assert answer.json() == stocks_, asked
        for asked in REFUSED:
            answer = await client.get(f"/async?{asked}")
            assert answer.status_code == 422, asked
            assert answer.json()["detail"][0]["loc"][:2] == ["query", asked.partition("=")[0]]
    parameters = {
        one["name"]: one["schema"]
        for one in filtering_app().openapi()["paths"]["/async"]["get"]["parameters"]
    }
    assert parameters["language__in"]["anyOf"][0]["items"]["enum"] == ["de", "en"]
    assert parameters["published__isnull"]["anyOf"][0] == {"type": "boolean"}


class Consignment(models.Model):
    size = models.IntegerField(choices=[(1, "small"), (2, "large")])
    weight = models.DecimalField(max_digits=8, decimal_places=3, null=True)
    sent = models.DateTimeField(null=True)
    notes = models.JSONField(default=dict)

    class Meta:
        app_label = "tests"


parcels = Filtering(
    Consignment,
    {
        "size": ["exact", "in"],
        "weight": ["exact", "lte"],
        "sent": ["gte"],
        "sent__year": ["exact"],
        "notes__kind": ["iexact"],
    },
)
ASKED = {
    "size=2": [2], "size__in=1&size__in=2": [1, 2], "sent__gte=2024-03-01T12:00:00": [2], "sent__year=2023": [1],
    "weight__lte=1e3": [1], "notes__kind__iexact=BOOK": [1], "weight=1e999999999": None, "weight=-1e999999999": None, "weight=1e-999999999": None, "weight=sNaN": None,
    "weight=0e-999999999": None, "size=3": None, "size=1&size=2": None, "sent__year=0": [], "sent__year=10000": [], "sent__year=99999999999999999999": [],
    "sent__gte=0001-01-01T00:00:00%2B14:00": [], "sent__gte=9999-12-31T23:59:59-14:00": [], "sent__gte=24:00": None,
}  # fmt: skip


@pytest.fixture
def consignments(database):
    database.create(Consignment)


async def test_values_of_all_kinds_are_read_or_refused(consignments):
    """In FastAPI and in Starlette, which reads them itself: a number, a moment, a choice that no column has is a 422, and no 500."""
    await Consignment.objects.acreate(
        size=1, weight="2.5", sent=dt.datetime(2023, 5, 1, tzinfo=dt.UTC), notes={"kind": "book"}
    )
    await Consignment.objects.acreate(size=2, sent=dt.datetime(2024, 5, 1, tzinfo=dt.UTC))
    app = FastAPI(exception_handlers=exception_handlers())

    @app.get("/fastapi")
    async def list_parcels(asked: Annotated[Filters, Depends(query(parcels))]) -> list[int]:
        return [parcel.pk async for parcel in asked.apply(Consignment.objects.order_by("id"))]

    async def list_in_starlette(request):
        found = starlette.query(parcels, request).apply(Consignment.objects.order_by("id"))
        return JSONResponse([parcel.pk async for parcel in found])

    app.router.routes.append(Route("/starlette", list_in_starlette))
    async with asking(app) as client:
        for path in ("/fastapi", "/starlette"):
            for asked, wanted in ASKED.items():
                answer = await client.get(f"{path}?{asked}")
                if wanted:
                    assert answer.json() == wanted, (path, asked)
                else:  # what lies beyond all moments is refused, or found nowhere
                    assert answer.status_code in ((422,) if wanted is None else (422, 200)), (path, asked)
    described = app.openapi()["paths"]["/fastapi"]["get"]["parameters"]
    assert described[0]["schema"]["anyOf"][0] == {"type": "integer", "enum": [1, 2]}
    with pytest.raises(ImproperlyConfigured, match="nothing is known of the values of 'notes'"):
        Filtering(Consignment, ["notes"])
    for options in ({"search": ["title"]}, {"ordering": ["title"]}):
        with pytest.raises(ImproperlyConfigured, match="itself, and no filter"):
            Filtering(Inquiry, ["search", "ordering"], **options)


class Inquiry(models.Model):
    title = models.CharField(max_length=9)
    search = models.CharField(max_length=9)
    ordering = models.CharField(max_length=9)

    class Meta:
        app_label = "tests"


# -- states that clients have seen -------------------------------------------------------------------------------------


def tagging_app():
    app = FastAPI(exception_handlers=exception_handlers())
    app.router.route_class = AtomicRoute

    @app.get("/{title}", response_model=PaperbackOut)
    async def look(title: str, seen: Annotated[Tagged, Depends()]):
        paperback = await Paperback.objects.aget(title=title)
        seen.check(paperback)
        return paperback

    @app.put("/{title}", response_model=PaperbackOut)
    def change(title: str, data: PaperbackIn, seen: Annotated[Tagged, Depends()]):
        paperback = Paperback.objects.select_for_update().get(title=title)
        seen.check(paperback, required=True)
        paperback.price = data.price
        paperback.save()
        seen.tag(paperback)
        return paperback

    return app


async def test_a_client_says_which_state_it_has_seen(shop):
    async with asking(tagging_app()) as client:
        answer = await client.get("/Paperback 1")
        seen = answer.headers["etag"]
        answer = await client.get("/Paperback 1", headers={"If-None-Match": f'"other", W/{seen}'})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", seen)
        change = {"title": "", "price": "12.5"}
        assert (await client.put("/Paperback 1", json=change)).status_code == 428
        answer = await client.put("/Paperback 1", json=change, headers={"If-Match": seen})
        assert answer.status_code == 200
        assert (await client.get("/Paperback 1")).headers["etag"] == answer.headers["etag"] != seen
        assert (await client.put("/Paperback 1", json=change, headers={"If-Match": seen})).status_code == 412
        both = [client.put("/Paperback 1", json={**change, "price": price}, headers={"If-Match": answer.headers["etag"]})
                for price in (1, 2, 3)]  # fmt: skip
        assert sorted(one.status_code for one in await asyncio.gather(*both)) == [200, 412, 412]


# -- a session of the team's own ---------------------------------------------------------------------------------------


@pytest.fixture
async def engines(shop):
    url = sa.make_url(shop.url)
    kinds = (
        ("postgresql+psycopg", "postgresql+asyncpg")
        if shop.vendor == "postgresql"
        else ("sqlite", "sqlite+aiosqlite")
    )
    engine, async_engine = (
        sa.create_engine(url.set(drivername=kinds[0])),
        create_async_engine(url.set(drivername=kinds[1])),
    )
    configure(DATABASES={"default": (engine, async_engine)})
    yield engine, async_engine
    engine.dispose()
    await async_engine.dispose()


async def test_statements_join_the_session_of_a_request(engines, shop):
    app = FastAPI(exception_handlers=exception_handlers())
    told.clear()
    sessions = request_session(sessionmaker(engines[0])), request_session(async_sessionmaker(engines[1]))
    one, other = (Depends(session, scope="function") for session in sessions)
    insert = sa.insert(Paperback.__table__)

    @app.post("/def")
    def store(session: Session = one, how: str = ""):
        session.execute(insert.values(title=f"core def {how}", price=1, language="en", stock=0))
        Paperback.objects.filter(title=f"core def {how}").update(stock=1)
        with transaction.atomic():
            Paperback.objects.create(title=f"def {how}")
        transaction.on_commit(lambda: told.append("def"))
        return fails(how)

    @app.post("/async")
    async def astore(session: AsyncSession = other, how: str = ""):
        await session.execute(insert.values(title=f"core async {how}", price=1, language="en", stock=0))
        await Paperback.objects.filter(title=f"core async {how}").aupdate(stock=1)
        async with transaction.atomic():
            await Paperback.objects.acreate(title=f"async {how}")
        transaction.on_commit(lambda: told.append("async"))
        return fails(how)

    async with asking(app) as client:
        for way in WAYS:
            for how in ("", "raise", "refuse"):
                assert (await client.post(f"/{way}?how={how}")).status_code == STATUSES[how]
        answers = await asyncio.gather(*(client.post(f"/{WAYS[n % 2]}?how=raise") for n in range(30)))
        assert {one.status_code for one in answers} == {500}
    assert stored(shop) == {"def ", "core def ", "async ", "core async "}
    assert told == ["def", "async"]
    assert [engine.pool.checkedout() for engine in engines] == [0, 0]


# -- errors and health -------------------------------------------------------------------------------------------------


def failing_app():
    app = FastAPI(exception_handlers=exception_handlers())

    @app.get("/missing")
    async def missing():
        await Paperback.objects.aget(pk=99)

    @app.get("/invalid")
    def invalid():
        Paperback(title="", language="fr").full_clean()

    @app.get("/twice")
    async def twice():
        await Paperback.objects.acreate(title="Paperback 1")

    @app.get("/protected")
    def protected():
        Novelist.objects.filter(name="Ann").delete()

    @app.get("/conflict")
    async def conflict():
        await Paperback.objects.filter(title="Paperback 1").aupdate(stock=2000)

    @app.get("/pool")
    async def pool():
        raise PoolExhausted("The pool of 'default' …")

    @app.get("/deadlock")
    async def deadlock():
        raise DeadlockDetected("UPDATE", None, Exception("40P01"))

    @app.get("/whole")
    async def whole():
        raise ValidationError("Not like this.")

    @app.get("/own")
    async def own():
        raise KeyError("own")

    app.add_api_route("/healthz", health())
    app.add_api_route("/health", health(deep=True, details=True))
    return app


async def test_errors_have_their_statuses(shop, caplog):
    caplog.set_level(logging.WARNING, logger="facade.service")
    async with asking(failing_app()) as client:
        expected = {
            "missing": 404, "twice": 409, "protected": 409, "conflict": 409, "pool": 503, "deadlock": 503, "own": 500,
        }  # fmt: skip
        for path, status in expected.items():
            answer = await client.get(f"/{path}")
            assert answer.status_code == status, (path, answer.text)
            assert "tests_paperback" not in answer.text
            assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
        answer = await client.get("/invalid")
        assert answer.status_code == 422
        problems = {problem["loc"][1]: problem["type"] for problem in answer.json()["detail"]}
        assert problems == {"title": "blank", "language": "invalid_choice"}
        answer = await client.get("/whole")
        assert answer.json() == {"detail": [{"type": "invalid", "loc": ["body"], "msg": "Not like this."}]}
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


async def test_health_is_a_page(shop):
    async with asking(failing_app()) as client:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["databases"]["default"]) == (200, "ok")
        assert (await client.get("/health")).json()["databases"]["default"]["version"]
        await aclose_all()
        configure(DATABASES={"default": "postgresql://postgres@127.0.0.1:1/none"})
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (
            503,
            {"status": "failed", "databases": {"default": "failed"}},
        )


async def test_a_lifespan_configures_and_closes(shop):
    async with lifespan(DATABASES={"default": shop.url}, check=True)(None):
        assert await Paperback.objects.acount() == 7
    assert not any(figures["idle"] for faces in pool_stats().values() for figures in faces.values())
    with pytest.raises(ImproperlyConfigured, match="'default' does not answer"):
        async with lifespan(DATABASES={"default": "postgresql://postgres@127.0.0.1:1/none"}, check=True)(
            None
        ):
            pass
