"""Guards for the speed of blocks: how many functions of facade's an operation calls, and which statements it sends.

Only facade's own functions are counted: what a driver or asyncio does is their affair. The bounds lie a little above what
was counted when they were set. When one is passed, somebody put work on a road that every block takes: take it off again,
or raise the bound and say why.
"""

from __future__ import annotations

import asyncio

import pytest

from facade import configure
from facade.db.connection import connections
from facade.testing import CaptureQueriesContext
from facade.transaction import atomic
from tests.fix_calls import Counter
from tests.fix_databases import DatabaseUnderTest
from tests.models import Author

pytestmark = pytest.mark.usefixtures("fast")

SYNC = {"sqlite": "sqlite", "psycopg": "postgres"}
ASYNC = {"aiosqlite": "sqlite", "asyncpg": "postgres", "psycopg": "postgres"}

BOUNDS = {  # what was counted on Python 3.13 is in the comments; 3.11 calls comprehensions, too
    ("sync_nothing", "sqlite"): 41,  # 37
    ("sync_nothing", "psycopg"): 46,  # 41
    ("sync_savepoints", "sqlite"): 151,  # 137
    ("sync_savepoints", "psycopg"): 156,  # 141
    ("sync_inserts", "sqlite"): 305,  # 277
    ("sync_inserts", "psycopg"): 310,  # 281
    ("async_nothing", "aiosqlite"): 80,  # 72
    ("async_nothing", "asyncpg"): 77,  # 70
    ("async_nothing", "psycopg"): 83,  # 75
    ("async_savepoints", "aiosqlite"): 330,  # 300
    ("async_savepoints", "asyncpg"): 314,  # 285
    ("async_savepoints", "psycopg"): 336,  # 305
    ("async_inserts", "aiosqlite"): 465,  # 422
    ("async_inserts", "asyncpg"): 430,  # 390
    ("async_inserts", "psycopg"): 490,  # 445
    ("async_get", "aiosqlite"): 38,  # 34
    ("async_get", "asyncpg"): 37,  # 33
    ("async_get", "psycopg"): 41,  # 37
    ("async_together", "aiosqlite"): 2195,  # 1995
    ("async_together", "asyncpg"): 2140,  # 1945
    ("async_together", "psycopg"): 2360,  # 2145
}


def prepared(request, driver, vendor):
    """Configure the default database for a driver, with an empty table."""
    home = request.getfixturevalue(f"{vendor}_home")
    home.empty()
    url = home.urls["default"]
    configure(DATABASES={"default": url.replace("postgresql://", f"postgresql+{driver}://")})
    DatabaseUnderTest(home).create(Author)
    return driver


@pytest.fixture(params=SYNC)
def sync_driver(request):
    yield prepared(request, request.param, SYNC[request.param])
    configure(DATABASES={})


@pytest.fixture(params=ASYNC)
def async_driver(request):
    yield prepared(request, request.param, ASYNC[request.param])
    configure(DATABASES={})


def sync_nothing():
    with atomic():
        pass


def sync_savepoints():
    with atomic():
        with atomic():
            Author.objects.create(name="Ada", age=36)
        with atomic():
            Author.objects.filter(pk=1).update(age=37)


def sync_inserts():
    with atomic():
        for _ in range(10):
            Author.objects.create(name="Ada", age=36)


async def async_nothing():
    async with atomic():
        pass


async def async_savepoints():
    async with atomic():
        async with atomic():
            await Author.objects.acreate(name="Ada", age=36)
        async with atomic():
            await Author.objects.filter(pk=1).aupdate(age=37)


async def async_inserts():
    async with atomic():
        for _ in range(10):
            await Author.objects.acreate(name="Ada", age=36)


async def async_get():
    await Author.objects.aget(pk=1)


async def async_together():
    """More at once than there are connections: those who wait for one are to call little, too."""
    await asyncio.gather(*(Author.objects.aget(pk=1) for _ in range(50)))


STATEMENTS = {
    "nothing": ["BEGIN", "COMMIT"],
    "savepoints": ["BEGIN", "SAVEPOINT", "INSERT", "RELEASE", "SAVEPOINT", "UPDATE", "RELEASE", "COMMIT"],
    "inserts": ["BEGIN", *["INSERT"] * 10, "COMMIT"],
    "get": ["SELECT"],
    "together": ["SELECT"] * 50,
}


def commands(captured):
    return [query["statement"].split()[0] for query in captured]


@pytest.mark.parametrize("operation", [sync_nothing, sync_savepoints, sync_inserts])
def test_of_a_sync_block(sync_driver, operation):
    counts = []
    Author.objects.create(name="Ada", age=36)
    for _ in range(5):
        operation()
    for _ in range(3):
        with Counter() as calls:
            operation()
        counts.append(calls.count)
    with CaptureQueriesContext(connections["default"]) as captured:
        operation()
    assert commands(captured) == STATEMENTS[operation.__name__.partition("_")[2]]
    assert min(counts) <= BOUNDS[operation.__name__, sync_driver]


@pytest.mark.parametrize(
    "operation", [async_nothing, async_savepoints, async_inserts, async_get, async_together]
)
async def test_of_an_async_block(async_driver, operation):
    counts = []
    await Author.objects.acreate(name="Ada", age=36)
    for _ in range(5):
        await operation()
    for _ in range(3):
        with Counter() as calls:
            await operation()
        counts.append(calls.count)
    with CaptureQueriesContext(connections["default"]) as captured:
        await operation()
    assert commands(captured) == STATEMENTS[operation.__name__.partition("_")[2]]
    assert min(counts) <= BOUNDS[operation.__name__, async_driver]
