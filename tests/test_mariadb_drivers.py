"""MariaDB's other drivers, mysqlclient and aiomysql, do what PyMySQL and asyncmy do."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib.util
import uuid
from decimal import Decimal

import pytest
from pymysql.converters import escape_bytes_prefixed
from sqlalchemy import make_url

from facade import bridge
from facade.configuration import configure
from facade.db.channels.channel import Statement
from facade.db.connection import connections
from facade.exceptions import DataError, IntegrityError, OperationalError, ProgrammingError
from facade.transaction import atomic
from tests.entries import Entries
from tests.models import Everything
from tests.test_scopes import OPEN, none_left

MODULES = {"pymysql": "pymysql", "mysqldb": "MySQLdb", "asyncmy": "asyncmy", "aiomysql": "aiomysql"}

pytestmark = pytest.mark.vendors("mariadb")


@pytest.fixture(params=["sync-pymysql", "sync-mysqldb", "async-asyncmy", "async-aiomysql"])
def driver(request, database):
    """One driver after the other, with the face that it serves."""
    face, name = request.param.split("-")
    if importlib.util.find_spec(MODULES[name]) is None:
        pytest.skip(f"{name} is not installed")
    url = make_url(database.url).set(drivername=f"mysql+{name}")
    configure(DATABASES={"default": {"URL": url, "POOL_SIZE": 2, "MAX_OVERFLOW": 0}})
    return bridge.spawn if face == "async" else None


def on(driver, fn):
    """Run a function on the face of the driver."""
    return asyncio.run(closing(driver, fn)) if driver else fn()


async def closing(driver, fn):
    try:
        return await driver(fn)
    finally:
        await connections["default"].aclose()


VALUES = {
    "char": "ß🎈'\\%s",
    "integer": -7,
    "big": 2**62,
    "positive_big": 2**63,
    "float": 0.1,
    "decimal": Decimal("12.50"),
    "boolean": True,
    "date": dt.date(2020, 2, 29),
    "time": dt.time(23, 59, 59, 999_999),
    "datetime": dt.datetime(2020, 2, 29, 12, 30, 0, 5, tzinfo=dt.UTC),
    "duration": dt.timedelta(days=-1, microseconds=1),
    "uuid": uuid.UUID(int=5),
    "binary": b"\x00\xff'\\",
    "json": {"a": [1, None, "ß"]},
}


def test_values_come_back_with_every_driver(request, database, driver):
    database.create(Everything)
    # aiomysql 0.3.2 sends bytes by a function that PyMySQL 1.2 has no more.
    sends_bytes = "aiomysql" not in request.node.name or callable(escape_bytes_prefixed)
    values = VALUES if sends_bytes else {name: VALUES[name] for name in VALUES if name != "binary"}

    def work():
        Everything.objects.create(**values)
        Everything.objects.bulk_create([Everything(), Everything(char="%(x)s")])
        found = Everything.objects.filter(**{name: values[name] for name in values if name != "float"}).get()
        return (
            {name: getattr(found, name) for name in values},
            sorted(row.char for row in Everything.objects.iterator(chunk_size=2) if row.char),
        )

    found, texts = on(driver, work)
    assert {name: bytes(value) if name == "binary" else value for name, value in found.items()} == values
    assert [type(found[name]) for name in values if name != "binary"] == [
        type(value) for name, value in values.items() if name != "binary"
    ]
    assert texts == ["%(x)s", values["char"]]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO entry (name) VALUES ('twice')", IntegrityError),
        ("INSERT INTO entry (name, n) VALUES ('big', 99999999999)", DataError),
        ("SELECT nope FROM entry", OperationalError),
        ("SELEC 1", ProgrammingError),
        ("INSERT INTO nowhere VALUES (1)", ProgrammingError),
    ],
)
def test_errors_have_their_classes_with_every_driver(database, driver, sql, expected):
    entries = Entries(database)

    def work():
        entries.add("twice")
        with pytest.raises(expected) as caught, atomic():
            entries.add("rolled back")
            entries.run(sql)
        return caught.value

    error = on(driver, work)
    assert type(error) is expected
    assert error.orig is error.__cause__
    assert entries.stored == ["twice"]


def test_a_lost_connection_is_replaced_with_every_driver(database, driver):
    entries = Entries(database)

    def work():
        (session,) = entries.read("SELECT connection_id()")
        with pytest.raises(OperationalError) as caught, atomic():
            entries.add("gone")
            database.observe(f"KILL {session}")
            entries.add("gone, too")
        assert caught.value.connection_invalidated
        entries.add("kept")
        assert connections["default"].lender.pool.checkedout() == 0

    on(driver, work)
    assert entries.stored == ["kept"]


@pytest.mark.parametrize("name", ["asyncmy", "aiomysql"])
async def test_cancelling_stores_nothing_and_frees_the_connection(database, name):
    if importlib.util.find_spec(MODULES[name]) is None:
        pytest.skip(f"{name} is not installed")
    configure(DATABASES={"default": make_url(database.url).set(drivername=f"mysql+{name}")})
    entries = Entries(database)
    one = connections["default"]

    def work():
        with atomic():
            entries.add("gone")
            one.fetch(Statement("SELECT sleep(20)", reads=True, returns=True), ())

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bridge.spawn(work), 0.3)
    assert one.async_engine.pool.checkedout() == 0
    assert entries.stored == []
    assert await asyncio.to_thread(none_left, database, OPEN[database.vendor])
    await entries.aadd("kept")
    assert entries.stored == ["kept"]
