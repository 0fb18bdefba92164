"""Streamed answers over real sockets: what they send, and that a client which leaves frees the connection."""

import csv
import io
import json
import socket
import time
from contextlib import closing

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from litestar import Litestar, get
from litestar.types import ASGIApp
from starlette.applications import Starlette
from starlette.routing import Mount

from facade.contrib.fastapi import AtomicRoute, CSVResponse, NDJSONResponse, exception_handlers, lifespan
from facade.contrib.litestar import FacadePlugin, csv_stream, json_stream
from facade.models import Value
from tests.bookshop import Novelist, Paperback, PaperbackOut, in_use
from tests.serving import serving

pytestmark = [pytest.mark.vendors("sqlite", "postgres")]
ROWS = 8_000
TITLES = {"title": "Title", "novelist__name": "By", "published": "Published"}


def everything():
    return Paperback.objects.order_by("id")


def wide():
    """More than sockets keep for a client that does not read."""
    return everything().annotate(more=Value("x" * 2000)).values("title", "more")


fast = FastAPI(exception_handlers=exception_handlers())
fast.router.route_class = AtomicRoute


@fast.get("/values")
async def values():
    return NDJSONResponse(everything().values("id", "title", "price"), chunk_size=500)


@fast.get("/objects")
def objects():
    return NDJSONResponse(everything()[:3], row=PaperbackOut.model_validate)


class TitleStruct(msgspec.Struct):
    title: str


@fast.get("/structs")
async def structs():
    return NDJSONResponse(everything()[:1], row=lambda one: TitleStruct(one.title))


@fast.post("/csv")
def table():
    return CSVResponse(everything(), TITLES, filename="böoks.csv")


@fast.get("/wide")
async def wide_values():
    return NDJSONResponse(wide(), chunk_size=100)


@fast.get("/in-use")
async def connections_in_use():
    return in_use()


@fast.get("/undescribed")
async def undescribed():
    return NDJSONResponse(everything())


@get("/values")
async def litestar_values() -> ASGIApp:
    return json_stream(everything().values("id", "title", "price"), chunk_size=500)


@get("/wide")
async def litestar_wide() -> ASGIApp:
    return json_stream(wide(), chunk_size=100)


@get("/csv", sync_to_thread=True)
def litestar_table() -> ASGIApp:
    return csv_stream(everything(), TITLES, filename="böoks.csv")


lite = Litestar(
    [litestar_values, litestar_wide, litestar_table],
    plugins=[FacadePlugin()],
    openapi_config=None,
    logging_config=None,
)
application = Starlette(routes=[Mount("/fast", fast), Mount("/lite", lite)], lifespan=lifespan())


@pytest.fixture
def port(database):
    database.create(Novelist, Paperback)
    ann = Novelist.objects.create(name="Ann")
    database.observe(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < "
        f"{ROWS}) INSERT INTO tests_paperback (title, novelist_id, price, language, stock) "
        f"SELECT 'Paperback, ' || n, {ann.pk}, 10, 'en', 0 FROM numbers"
    )
    with serving(application, log_level="critical") as port:
        yield port


def soon(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.faces("sync")
def test_streams_send_every_row_and_end_when_the_client_leaves(face, database, port):
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        for path in ("/fast", "/lite"):
            answer = client.get(f"{path}/values")
            assert answer.headers["content-type"].startswith("application/x-ndjson")
            lines = [json.loads(line) for line in answer.text.splitlines()]
            assert len(lines) == ROWS
            assert lines[-1] == {"id": ROWS, "title": f"Paperback, {ROWS}", "price": "10.00"}
        assert client.get("/fast/objects").text.splitlines()[0] == (
            '{"id":1,"title":"Paperback, 1","price":"10.00","published":null,"stock":0}'
        )
        assert client.get("/fast/structs").text == '{"title":"Paperback, 1"}\n'
        for answer in (client.post("/fast/csv"), client.get("/lite/csv")):
            assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''b%C3%B6oks.csv"
            rows = [*csv.reader(io.StringIO(answer.text, newline=""))]
            assert (rows[0], rows[1], len(rows)) == (
                ["Title", "By", "Published"],
                ["Paperback, 1", "Ann", ""],
                ROWS + 1,
            )
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/fast/undescribed")
        for path in ("/fast", "/lite") * 3:
            with closing(socket.socket()) as leaving:
                leaving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                leaving.connect(("127.0.0.1", port))
                leaving.sendall(f"GET {path}/wide HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert leaving.recv(1000).startswith(b"HTTP/1.1 200")
                assert client.get("/fast/in-use").json() == 1  # it reads on when we do
            soon(lambda: client.get("/fast/in-use").json() == 0)
