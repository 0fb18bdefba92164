"""Querysets under asyncio: what is awaited and looped over, what is kept, and that the event loop is never blocked."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import inspect
import threading
import uuid
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from facade import atomic, bridge, configure, models
from facade.db.channels.channel import Statement
from facade.db.connection import connections
from facade.exceptions import SynchronousOnlyOperation
from facade.models import Avg, Count, F, Max, Min, Q, Sum
from facade.sql.tables.schema import acreate_all
from tests.models import Author, Book, Everything, Profile, Publisher

NAMES = ["Ada", "Bob", "Cyd"]


@pytest.fixture
async def authors(database):
    await acreate_all(models=[Publisher, Author, Book, Profile])
    return await Author.objects.abulk_create([Author(name=name, age=20 + i) for i, name in enumerate(NAMES)])


# -- awaiting and looping (S5, S6, S24, S28) ---------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
async def test_one_queryset_awaited_by_several_tasks_is_prefetched_for_all(database, authors, raw):
    for author in authors:
        await Book.objects.acreate(author=author, title="A book")

    async def titles(queryset, pause):
        if pause:
            await asyncio.sleep(0)
        found = [author async for author in queryset] if raw else await queryset
        return [len(author._prefetched_objects_cache["books"]) for author in found]

    for turn in range(50):
        queryset = (
            Author.objects.raw(f"SELECT * FROM {Author._meta.db_table}") if raw else Author.objects.all()
        )
        queryset = queryset.prefetch_related("books")
        read = await asyncio.gather(*(titles(queryset, (turn + n) % 3 == 0) for n in range(5)))
        assert read == [[1, 1, 1]] * 5


async def test_await_the_loop_and_list_give_the_same(database, authors):
    queryset = Author.objects.order_by("pk")
    awaited = await queryset.all()
    looped = [author async for author in queryset.all()]
    listed = await bridge.run(lambda: list(queryset.all()))
    assert awaited == looped == listed == authors
    assert [type(item) for item in awaited] == [type(item) for item in listed] == [Author] * 3
    assert [vars(item).keys() for item in awaited] == [vars(item).keys() for item in listed]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Author.objects.order_by("pk"),
        lambda: Author.objects.order_by("pk").values("name", "age"),
        lambda: Author.objects.order_by("pk").values_list("name", "age"),
        lambda: Author.objects.order_by("pk").values_list("name", flat=True),
        lambda: Author.objects.order_by("pk").values_list("name", "age", named=True),
        lambda: Author.objects.order_by("-pk")[1:3],
        Author.objects.none,
        lambda: Author.objects.filter(name="A").union(Author.objects.filter(age=21)),
        lambda: Author.objects.annotate(older=F("age") + 1).order_by("older").only("name"),
    ],
)
async def test_every_shape_of_row_is_the_same_on_both_faces(make, database, authors):
    def plain(rows):
        return [(type(row), row) for row in rows]

    assert plain(await make()) == plain([row async for row in make()])
    assert plain(await make()) == plain(await bridge.run(lambda: list(make())))


async def test_await_is_one_round_trip_to_a_plain_list(database, authors, assert_queries):
    with assert_queries(1):
        found = await Author.objects.filter(age__gt=1)
    assert type(found) is list
    with assert_queries(0):
        assert [author.name for author in found]
        assert found[1:]


async def test_a_loop_fills_the_result_cache(database, authors, assert_queries):
    queryset = Author.objects.order_by("pk")
    with assert_queries(1):
        first = [author async for author in queryset]
        second = [author async for author in queryset]
    assert all(one is other for one, other in zip(first, second, strict=True))


async def test_what_was_fetched_may_be_used_as_in_sync_code(database, authors, assert_queries):
    queryset = Author.objects.order_by("pk")
    await queryset
    with assert_queries(0):
        assert [author.name for author in queryset] == NAMES
        assert len(queryset) == 3
        assert queryset
        assert queryset[1].name == "Bob"
        assert authors[0] in queryset
        assert await queryset.acount() == 3
        assert await queryset.aexists()
        assert [author.name for author in queryset[1:]] == NAMES[1:]


async def test_a_queryset_may_be_awaited_twice(database, authors, assert_queries):
    queryset = Author.objects.order_by("pk")
    with assert_queries(1):
        first, second = await queryset, await queryset
    assert first == second
    assert first is not second
    first.clear()
    assert len(await queryset) == 3


async def test_a_coroutine_that_returns_a_queryset_returns_a_queryset(database, authors, assert_queries):
    async def adults():
        return Author.objects.filter(age__gte=21)

    with assert_queries(0):
        queryset = await adults()
    assert isinstance(queryset, models.QuerySet)
    with assert_queries(1):
        assert len(await queryset.filter(name="Bob")) == 1


SHARED = Author.objects.order_by("pk")


async def test_a_class_level_queryset_is_safe_to_share(database, authors):
    async def request(number):
        mine = SHARED.filter(age__gte=20 + number % 3)
        return [author.name async for author in mine.all()] if number % 2 else [a.name for a in await mine]

    answers = await asyncio.gather(*(request(number) for number in range(30)))
    assert answers == [NAMES[number % 3 :] for number in range(30)]
    assert SHARED._result_cache is None
    assert SHARED._args == ()


async def test_tasks_that_share_one_queryset_get_all_rows(database, authors):
    queryset = Author.objects.order_by("pk")
    answers = await asyncio.gather(*(asyncio.ensure_future(as_list(queryset)) for _ in range(10)))
    assert answers == [authors] * 10


async def as_list(queryset):
    return await queryset


# -- the methods (S7 to S12, S16) -------------------------------------------------------------------------


async def test_avalues_is_a_list_of_dicts(database, authors, assert_queries):
    with assert_queries(1):
        found = await Author.objects.order_by("pk").avalues("name")
    assert found == [{"name": name} for name in NAMES]
    assert type(found) is list
    assert found == await Author.objects.order_by("pk").values("name")
    assert await Author.objects.order_by("pk").avalues("pk", older=F("age") + 1) == [
        {"pk": author.pk, "older": author.age + 1} for author in authors
    ]


async def test_avalues_list_is_a_list_of_tuples_or_values(database, authors, assert_queries):
    queryset = Author.objects.order_by("pk")
    with assert_queries(1):
        assert await queryset.avalues_list("name", "age") == [("Ada", 20), ("Bob", 21), ("Cyd", 22)]
    with assert_queries(1):
        assert await queryset.avalues_list("name", flat=True) == NAMES
    assert (await queryset.avalues_list("name", named=True))[0].name == "Ada"
    assert await queryset.avalues_list("name") == await queryset.values_list("name")
    with assert_queries(0), pytest.raises(TypeError, match="'flat' is not valid"):
        await queryset.avalues_list("name", "age", flat=True)


def test_first_and_last_go_by_the_primary_key_by_default(face, database, assert_queries):
    database.create(Author)
    Author.objects.bulk_create([Author(name=name) for name in ("Cyd", "Ada", "Bob")])
    for method, name, order in (("first", "Cyd", "ASC"), ("last", "Bob", "DESC")):
        with assert_queries(1) as captured:
            assert face(getattr(Author.objects, method)).name == name
        sql = captured[0]["statement"]
        assert sql.index("ORDER BY") < sql.index("LIMIT")
        assert order in sql
    with assert_queries(2):
        assert face(Author.objects.filter(name="x").first) is None
        assert face(Author.objects.filter(name="x").last) is None
    with assert_queries(0):
        assert face(Author.objects.none().first) is None


def test_exists_selects_a_constant_with_a_limit(face, database, assert_queries):
    database.create(Author)
    with assert_queries(1) as captured:
        assert face(Author.objects.order_by("name").select_related().exists) is False
    sql = captured[0]["statement"]
    selected = sql[sql.index("SELECT") + 6 : sql.index("FROM")]
    assert selected.split()[0] == "1"
    assert "name" not in sql
    assert "ORDER BY" not in sql
    assert "LIMIT" in sql


@pytest.mark.parametrize(
    "make",
    [
        Author.objects.all,
        lambda: Author.objects.all()[1:],
        lambda: Author.objects.all()[:2],
        lambda: Author.objects.all()[5:9],
        lambda: Author.objects.values("age").distinct(),
        lambda: Author.objects.filter(name__in=["Ada", "Bob"]).exclude(age=20),
        lambda: Author.objects.filter(Q(name="Ada") | Q(age=22))[:1],
    ],
)
async def test_acount_is_the_length_of_the_list(make, database, authors, assert_queries):
    await Author.objects.acreate(name="Dee", age=20)
    expected = len(await make())
    with assert_queries(1):
        assert await make().acount() == expected


def test_in_bulk_takes_more_keys_than_the_driver_takes_parameters(face, database, assert_queries):
    database.create(Author)
    ada = Author.objects.create(name="Ada")
    with assert_queries(1):
        assert face(Author.objects.in_bulk, range(100_000)) == {ada.pk: ada}


def test_update_counts_rows_and_leaves_f_to_the_database(face, database, assert_queries):
    database.create(Author)
    Author.objects.bulk_create([Author(name="Ada", age=20), Author(name="Bob", age=None)])
    with assert_queries(1) as captured:
        assert face(Author.objects.update, age=F("age") + 1) == 2
    assert "age +" in captured[0]["statement"]
    assert database.observe("SELECT age FROM tests_author ORDER BY id") == [(21,), (None,)]
    assert face(Author.objects.filter(name="x").update, age=1) == 0


# -- types (S25, invariant 4) ---------------------------------------------------------------------------------

VALUES = {
    "boolean": True,
    "decimal": Decimal("12.340"),
    "datetime": dt.datetime(2024, 2, 29, 23, 59, 58, 123456, tzinfo=dt.UTC),
    "date": dt.date(2024, 2, 29),
    "time": dt.time(1, 2, 3, 4),
    "uuid": uuid.UUID(int=7),
    "json": {"a": [1, None, "ü"]},
    "duration": dt.timedelta(days=-1, microseconds=5),
    "binary": b"\0\xff",
    "float": 0.1,
    "big": 2**62,
    "char": "ü",
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_has_one_type_on_every_path(name, face, database):
    database.create(Everything)
    wanted = VALUES[name]
    made = face(Everything.objects.create, **{name: wanted})
    rows = Everything.objects.filter(pk=made.pk)

    def checked(value):
        if isinstance(value, memoryview):
            value = bytes(value)
        if isinstance(value, uuid.UUID):  # asyncpg has a faster class of its own
            value = uuid.UUID(int=value.int)
        assert (type(value), value) == (type(wanted), wanted)

    checked(getattr(face(rows.get), name))
    checked(getattr(face(rows.only(name).get), name))
    checked(getattr(face(rows.defer(name).get), name))
    checked(face(rows.values(name).get)[name])
    checked(face(rows.values_list(name).get)[0])
    checked(face(rows.values_list(name, flat=True).get))
    checked(getattr(face(rows.values_list(name, named=True).get), name))
    checked(face(rows.annotate(other=F(name)).get).other)
    checked(face(rows.values(other=F(name)).get)["other"])
    checked(getattr(next(iter(face.iterate(rows.iterator))), name))
    checked(getattr(face.list(Everything.objects.raw("SELECT * FROM tests_everything"))[0], name))
    checked(getattr(face(rows.union(rows).get), name))
    made.refresh_from_db()
    checked(getattr(made, name))
    if name not in ("boolean", "json", "binary", "uuid"):
        found = face(rows.aggregate, low=Min(name), top=Max(name))
        checked(found["low"])
        checked(found["top"])


def test_aggregates_have_the_types_of_python(face, database):
    database.create(Everything)
    Everything.objects.bulk_create(
        [
            Everything(integer=1, decimal=Decimal("1.250"), duration=dt.timedelta(seconds=1), float=1.5),
            Everything(integer=2, decimal=Decimal("2.250"), duration=dt.timedelta(seconds=3), float=2.5),
        ]
    )
    found = face(
        Everything.objects.aggregate,
        n=Count("id"),
        some=Count("id", filter=Q(integer=1)),
        total=Sum("integer"),
        mean=Avg("integer"),
        money=Sum("decimal"),
        fair=Avg("decimal"),
        span=Sum("duration"),
        wave=Avg("float"),
    )
    assert found == {
        "n": 2,
        "some": 1,
        "total": 3,
        "mean": 1.5,
        "money": Decimal("3.500"),
        "fair": Decimal("1.75"),
        "span": dt.timedelta(seconds=4),
        "wave": 2.0,
    }
    types = [int, int, int, float, Decimal, Decimal, dt.timedelta, float]
    assert [type(value) for value in found.values()] == types


# -- sync calls in a running loop (S46, S47) ----------------------------------------------------------------

REFUSED = [
    (lambda author: Author.objects.get(pk=1), "aget"),
    (lambda author: Author.objects.filter(pk=1).count(), "acount"),
    (lambda author: Author.objects.create(name="x"), "acreate"),
    (lambda author: Author.objects.bulk_create([Author(name="x")]), "abulk_create"),
    (lambda author: Author.objects.update(age=1), "aupdate"),
    (lambda author: Author.objects.all().delete(), "adelete"),
    (lambda author: Author.objects.first(), "afirst"),
    (lambda author: Author.objects.exists(), "aexists"),
    (lambda author: Author.objects.aggregate(Count("id")), "aaggregate"),
    (lambda author: Author.objects.get_or_create(name="x"), "aget_or_create"),
    (lambda author: author.save(), "asave"),
    (lambda author: author.delete(), "adelete"),
    (lambda author: author.refresh_from_db(), "arefresh_from_db"),
    (lambda author: author.books.create(title="x"), "acreate"),
    (lambda author: author.books.count(), "acount"),
    (lambda author: list(Author.objects.all()), "async for"),
    (lambda author: list(author.books.all()), "async for"),
    (lambda author: len(Author.objects.all()), "await"),
    (lambda author: bool(Author.objects.all()), "aexists"),
    (lambda author: Author.objects.all()[0], "await"),
    (lambda author: list(Author.objects.iterator()), "aiterator"),
    (lambda author: list(Author.objects.raw("SELECT * FROM tests_author")), "async for"),
]


@pytest.mark.parametrize(("call", "way_out"), REFUSED)
async def test_a_sync_call_in_a_running_loop_is_refused_and_names_its_twin(
    call, way_out, database, authors, assert_queries
):
    with assert_queries(0), pytest.raises(SynchronousOnlyOperation) as caught:
        call(authors[0])
    assert way_out in str(caught.value)
    assert "facade.run" in str(caught.value)


async def test_a_sync_block_in_a_running_loop_is_refused(database, authors):
    with pytest.raises(SynchronousOnlyOperation, match="async with"), atomic():
        pass


async def test_the_same_calls_work_inside_run(database, authors):
    def work():
        author = Author.objects.get(name="Ada")
        author.books.create(title="One")
        with atomic():
            author.age = 99
            author.save()
        return [book.author.age for book in Book.objects.filter(author__name="Ada")], len(
            Author.objects.all()
        )

    assert await bridge.run(work) == ([99], 3)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: Author.objects.aget(pk=1), "aget"),
        (lambda: Author.objects.filter(pk=1).aupdate(age=1), "aupdate"),
        (lambda: Author(name="x").asave(), "asave"),
        (lambda: Author.objects.acreate(name="x"), "acreate"),
    ],
)
async def test_an_operation_that_is_never_awaited_warns_and_does_nothing(
    call, name, database, authors, assert_queries
):
    with assert_queries(0), pytest.warns(RuntimeWarning, match=rf"coroutine '.*{name}' was never awaited"):
        call()
        gc.collect()


# -- the event loop keeps running (S48) ----------------------------------------------------------------------

SLEEP = Statement("SELECT pg_sleep(0.6)", reads=True, returns=True)
apause = bridge.function_twin(lambda: connections["default"].fetch(SLEEP, ()))


@asynccontextmanager
async def ticking(interval=0.01):
    """Yield the list of pauses between the ticks of the event loop."""
    pauses, loop = [], asyncio.get_running_loop()

    async def tick():
        last = loop.time()
        while True:
            await asyncio.sleep(interval)
            pauses.append(loop.time() - last)
            last = loop.time()

    task = asyncio.create_task(tick())
    try:
        yield pauses
    finally:
        task.cancel()


def slow():
    connections["default"].fetch(SLEEP, ())


DRIVERS = ["asyncpg", "psycopg"]


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("how", ["query", "block", "stream", "run", "lock"])
async def test_the_loop_keeps_its_beat_while_a_statement_runs(how, driver, database):
    configure(DATABASES={"default": database.url.replace("postgresql:", f"postgresql+{driver}:")})
    await acreate_all(models=[Author])
    await Author.objects.acreate(name="Ada")
    asleep = models.Func(0.6, function="pg_sleep", output_field=models.TextField())
    waiting = Author.objects.annotate(pause=asleep).values_list("pk", "pause")
    async with ticking() as pauses:
        if how == "query":
            await waiting
        elif how == "block":
            async with atomic():
                await waiting
        elif how == "stream":
            assert [row async for row in waiting.aiterator()]
        elif how == "run":
            await bridge.run(slow)
        else:
            async with atomic(), asyncio.timeout(5):
                await Author.objects.select_for_update().aget()
                asyncio.get_running_loop().call_later(0.5, lambda: None)
                await asyncio.sleep(0)
                await waiting
    assert len(pauses) >= 15, "the loop stood still"
    assert max(pauses) < 0.4


@pytest.mark.vendors("sqlite")
async def test_a_query_on_sqlite_does_not_block_the_loop(database):
    busy = Statement(
        "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM t WHERE x < 4000000) SELECT max(x) FROM t",
        reads=True,
        returns=True,
    )
    async with ticking() as pauses:
        await bridge.run(connections["default"].fetch, busy, ())
    assert len(pauses) >= 5


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
async def test_fifty_queries_run_at_the_same_time_on_fifty_connections(driver, database):
    url = database.url.replace("postgresql:", f"postgresql+{driver}:")
    configure(DATABASES={"default": {"URL": url, "POOL_SIZE": 50, "MAX_OVERFLOW": 0}})
    name = "facade_fifty"
    wait = Statement(f"SELECT pg_sleep(30), '{name}'", reads=True, returns=True)
    threads = threading.active_count()
    tasks = [asyncio.ensure_future(bridge.run(connections["default"].fetch, wait, ())) for _ in range(50)]
    running = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%''{name}''%' AND pid <> pg_backend_pid()"
    seen = 0
    for _ in range(400):
        await asyncio.sleep(0.05)
        seen = max(seen, database.observe(running)[0][0])
        if seen == 50:
            break
    assert threading.active_count() == threads
    cancel = f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%''{name}''%' AND pid <> pg_backend_pid()"
    while any(not task.done() for task in tasks):  # one that was only being prepared still begins to sleep
        database.observe(cancel)
        await asyncio.wait(tasks, timeout=0.1)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert seen == 50


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("driver", DRIVERS)
async def test_no_thread_hides_behind_the_async_face(driver, database, monkeypatch):
    configure(DATABASES={"default": database.url.replace("postgresql:", f"postgresql+{driver}:")})
    await acreate_all(models=[Author])
    before = set(threading.enumerate())

    def refuse(*args, **kwargs):
        raise AssertionError("a thread was started")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    await Author.objects.acreate(name="Ada")
    async with atomic():
        await Author.objects.aupdate(age=1)
    await bridge.run(lambda: Author.objects.get().save())
    assert [author.age async for author in Author.objects.aiterator()] == [1]
    assert set(threading.enumerate()) == before


@pytest.mark.vendors("sqlite")
async def test_sqlite_uses_the_threads_of_aiosqlite_only(database):
    await acreate_all(models=[Author])
    await Author.objects.acreate(name="Ada")
    others = {thread for thread in threading.enumerate() if thread is not threading.main_thread()}
    assert all(
        "aiosqlite" in inspect.getmodule(target(thread)).__name__ for thread in others if target(thread)
    )
    assert not asyncio.get_running_loop().__dict__.get("_default_executor")


def target(thread):
    return getattr(thread, "_target", None)


# -- invariant 7 ----------------------------------------------------------------------------------------------


def test_each_face_has_connections_of_its_own(database):
    database.create(Author)
    Author.objects.create(name="Ada")
    one = connections["default"]
    sync_pool = one.engine.pool
    before = sync_pool.checkedin()

    async def work():
        await Author.objects.acreate(name="Bob")
        async with atomic():
            assert sync_pool.checkedout() == 0
            assert one.async_engine.pool.checkedout() == 1
            await Author.objects.acreate(name="Cyd")
        assert one.async_engine.pool.checkedout() == 0
        assert sync_pool.checkedin() == before
        await one.aclose()

    asyncio.run(work())
    with atomic():
        assert one.async_engine.pool.checkedout() == 0
        assert Author.objects.count() == 3


async def test_slices_of_results_that_were_read_can_be_awaited(authors):
    queryset = Author.objects.order_by("name")
    for _ in range(2):
        part = queryset[1:3]
        assert await part == [row async for row in part] == list(await part)
        await queryset
    assert queryset[0:2:2] == [queryset[0]]
    assert isinstance(queryset[1:3], list)
