"""A cancelled statement ends at the server, too, however often the cancellation is repeated."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from facade import atomic, bridge, configure, connections
from facade.db.channels.channel import Statement
from facade.db.connection import close_all_async
from tests.fix_databases import DatabaseUnderTest

SLEEP = {"postgresql": "SELECT pg_sleep(30)", "mysql": "SELECT SLEEP(30)"}
RUNNING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(30)%'"
    " AND pid <> pg_backend_pid() AND datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(30)%'"
    " AND db = database() AND id <> connection_id()",
}
DRIVERS = [("asyncpg", "postgres"), ("psycopg", "postgres"), ("asyncmy", "mariadb")]


@pytest.fixture(params=DRIVERS, ids=lambda pair: pair[0])
def running(request):
    """A function that counts the sleeping statements at the server."""
    driver, home = request.param
    made = request.getfixturevalue(f"{home}_home")
    made.empty()
    database, url = DatabaseUnderTest(made), made.urls["default"]
    configure(DATABASES={"default": url.replace("://", f"+{driver}://") if driver == "psycopg" else url})
    vendor = "mysql" if home == "mariadb" else "postgresql"
    yield vendor, lambda: database.observe(RUNNING[vendor])[0][0]
    configure(DATABASES={})


async def soon(count, wanted):
    for _ in range(60):
        if await asyncio.to_thread(count) == wanted:
            return True
        await asyncio.sleep(0.05)
    return False


async def insistently(task):
    """Cancel as anyio's scopes do: again and again, until the task has ended."""
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("inside", ["alone", "block"])
@pytest.mark.parametrize("given", [False, True], ids=["url", "engine"])
async def test_no_statement_runs_on_after_repeated_cancellation(running, inside, given):
    vendor, count = running
    if given:
        configure(DATABASES={"default": create_async_engine(connections["default"].settings.async_url)})
    one = connections["default"]
    engine = one.async_engine

    async def work():
        if inside == "alone":
            await bridge.spawn(one.fetch, Statement(SLEEP[vendor]), ())
            return
        async with atomic():
            await bridge.spawn(one.fetch, Statement(SLEEP[vendor]), ())

    for _ in range(3):
        task = asyncio.create_task(work())
        assert await soon(count, 1)
        await insistently(task)
        assert await soon(count, 0)
    assert engine.pool.checkedout() == 0
    await close_all_async()
    await engine.dispose()
