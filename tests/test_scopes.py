"""Random cancellations, by asyncio and by anyio's scopes: nothing leaks, hangs, is half committed or runs on (R1-R4)."""

from __future__ import annotations

import asyncio
import random
import time

import anyio
import pytest

from facade import atomic, configure, connections
from facade.db.connection import close_all_async
from facade.models import F
from tests.fix_databases import DatabaseUnderTest
from tests.models import Author

TIMES = 500
DRIVERS = {
    "aiosqlite": ("sqlite", "sqlite"),
    "asyncpg": ("postgres", "postgresql+asyncpg"),
    "psycopg": ("postgres", "postgresql+psycopg"),
    "asyncmy": ("mariadb", "mysql+asyncmy"),
}
SUM, COUNT = 100, 10
OPEN = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND state <> 'idle'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
    " ON p.id = t.trx_mysql_thread_id WHERE p.db = database() AND p.id <> connection_id()",
}


@pytest.fixture(params=DRIVERS)
def accounts(request):
    """A database of ten authors, whose ages are an amount that is only ever moved; by one of the async drivers."""
    home, dialect = DRIVERS[request.param]
    made = request.getfixturevalue(f"{home}_home")
    made.empty()
    database, url = DatabaseUnderTest(made), made.urls["default"]
    configure(DATABASES={"default": {"URL": url, "POOL_SIZE": 3, "MAX_OVERFLOW": 3}})
    database.create(Author)
    Author.objects.bulk_create([Author(name=f"{n}", age=SUM // COUNT) for n in range(COUNT)])
    url = url if home == "sqlite" else f"{dialect}://{url.split('://', 1)[1]}"
    configure(DATABASES={"default": {"URL": url, "POOL_SIZE": 3, "MAX_OVERFLOW": 3}})
    yield database
    configure(DATABASES={})


async def only(tasks):
    """Wait until there are only so many tasks: SQLAlchemy closes connections in some of its own."""
    for _ in range(60):
        if len(asyncio.all_tasks()) <= tasks:
            return True
        await asyncio.sleep(0.05)
    return False


def none_left(database, asked):
    """Wait until the server has no more sessions at work: it needs a moment to notice."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if database.observe(asked)[0][0] == 0:
            return True
        time.sleep(0.05)
    return False


async def move(draw):
    """Move some of the amount between two accounts, by one of several ways."""
    low, high = sorted(draw.sample(range(COUNT), 2))
    kind = draw.randrange(4)
    if kind == 0:
        await Author.objects.acount()
        return
    async with atomic():
        await Author.objects.filter(name=f"{low}").aupdate(age=F("age") - 1)
        if kind == 1:
            async with atomic():
                await Author.objects.filter(name=f"{high}").aupdate(age=F("age") + 1)
        elif kind == 2:
            rows = [row async for row in Author.objects.order_by("name").aiterator(chunk_size=3)]
            await Author.objects.filter(name=rows[high].name).aupdate(age=F("age") + 1)
        else:
            author = await Author.objects.aget(name=f"{high}")
            author.age = F("age") + 1
            await author.asave()


async def by_asyncio(draw):
    task = asyncio.create_task(move(draw))
    await asyncio.sleep(draw.random() * 0.006)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def by_anyio(draw):
    with anyio.move_on_after(draw.random() * 0.006):
        await move(draw)


async def by_an_anyio_group(draw):
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(move, draw)
        await asyncio.sleep(draw.random() * 0.006)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("cancel", [by_asyncio, by_anyio, by_an_anyio_group])
async def test_random_cancellations_leave_nothing_behind(accounts, cancel):
    draw = random.Random(cancel.__name__)
    one = connections["default"]
    before = len(asyncio.all_tasks())

    async def one_after_the_other(times):
        for _ in range(times):
            await cancel(draw)

    async with asyncio.timeout(120):
        await asyncio.gather(*(one_after_the_other(TIMES // 4) for _ in range(4)))
        assert sum([age async for age in Author.objects.values_list("age", flat=True)]) == SUM
    assert one.async_engine.pool.checkedout() == 0
    assert await only(before)
    if (asked := OPEN.get(one.vendor)) is not None:
        assert await asyncio.to_thread(none_left, accounts, asked)
    assert accounts.observe("SELECT sum(age) FROM tests_author")[0][0] == SUM
    await close_all_async()
