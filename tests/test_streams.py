"""Streams: iterator() and aiterator() read as they go, keep what the queryset asks for, and give everything back."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
import tracemalloc

import pytest

from facade import acreate_all, atomic, configure, connections, models, settings
from facade.db.channels.channel import Statement
from facade.exceptions import OperationalError, ProgrammingError
from facade.models import FETCH_PEERS, Count, F, Prefetch
from facade.orm.querysets.reading import EMBEDDED_CHUNK
from tests.models import Author, Book, Publisher

FILL = {
    "sqlite": "INSERT INTO tests_author (name, email, age) "
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT 'Author ' || i, '', i FROM n",
    "postgresql": "INSERT INTO tests_author (name, email, age) SELECT 'Author ' || i, '', i FROM generate_series(1, {count}) i",
    "mysql": "INSERT INTO tests_author (name, email, age) SELECT concat('Author ', seq), '', seq FROM seq_1_to_{count}",
}


@pytest.fixture
def many(database):
    """Fill the table of authors with a number of rows."""
    database.create(Publisher, Author, Book)
    return lambda count: database.observe(FILL[database.vendor].format(count=count))


def checked_out(face):
    one = connections["default"]
    return (one.async_engine if face.is_async else one.engine).pool.checkedout()


def use_psycopg(database):
    """Let the async face of PostgreSQL use psycopg."""
    configure(DATABASES={"default": database.url.replace("postgresql:", "postgresql+psycopg:")})


# -- memory (S17) --------------------------------------------------------------------------------------

CHUNK = 500


def peak_of(face, queryset):
    """Return how many bytes more than before were in use at the worst moment of a stream, and its length."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        count = sum(1 for _ in face.iterate(queryset.iterator, CHUNK))
        return tracemalloc.get_traced_memory()[1] - before, count
    finally:
        tracemalloc.stop()


def test_a_long_stream_needs_no_more_memory_than_a_short_one(face, database, many):
    rows = Author.objects.order_by("pk")
    many(40_000)
    list(face.iterate(rows.filter(pk__lte=1000).iterator, CHUNK))  # connections and plans are made once
    chunk, _ = peak_of(face, rows.filter(pk__lte=CHUNK))
    short, count = peak_of(face, rows.filter(pk__lte=13_000))
    assert count == 13_000
    long, count = peak_of(face, rows)
    assert count == 40_000
    ahead = 2_500_000  # asyncmy reads some two megabytes ahead, as fast as the server sends; the rows are three times that
    assert long < chunk + ahead
    assert long < max(short * 1.5, ahead)


# -- cursors (S18) ----------------------------------------------------------------------------------------

CURSORS = Statement("SELECT statement FROM pg_cursors WHERE name <> ''", reads=True, returns=True)


@pytest.fixture(params=["own", "psycopg"])
def driver(request, face, database):
    if request.param == "psycopg":
        if database.vendor != "postgresql" or not face.is_async:
            pytest.skip("the same as without")
        use_psycopg(database)
    elif face.is_async and not settings.FACADE_FAST_ROADS:
        pytest.skip("SQLAlchemy's adapter of asyncpg keeps its portals to the end of the transaction")


@pytest.mark.vendors("postgres")
def test_a_stream_in_a_block_reads_from_a_server_side_cursor(face, database, many, driver):
    many(10)
    with face.block(atomic()):
        stream = face.iterate(Author.objects.order_by("pk").iterator, 2)
        next(stream)
        ((declared,),) = connections["default"].fetch(CURSORS, ())
        assert "tests_author" in declared
        stream.close()
        assert connections["default"].fetch(CURSORS, ()) == []


@pytest.mark.vendors("postgres")
def test_a_stream_outside_of_a_block_reads_from_a_server_side_cursor(face, database, many, driver):
    many(10)
    activity = (
        "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND (query ILIKE '%cursor%' OR query ILIKE 'fetch%')"
    )
    stream = face.iterate(Author.objects.order_by("pk").iterator, 2)
    next(stream)
    ((state, query),) = database.observe(activity)
    assert state == "idle in transaction"
    assert "fetch" in query.lower()
    stream.close()
    assert [state for state, _ in database.observe(activity)] in ([], ["idle"])


class Counted(Author):
    """Notes each row that becomes an object."""

    loaded = []

    class Meta:
        proxy = True

    @classmethod
    def from_db(cls, db, field_names, values):
        cls.loaded.append(values[0])
        return super().from_db(db, field_names, values)


@pytest.mark.parametrize("inside", [False, True])
def test_rows_are_read_chunk_by_chunk(face, database, many, inside):
    loaded = Counted.loaded
    loaded.clear()
    many(100)

    def work():
        stream = face.iterate(Counted.objects.order_by("pk").iterator, 10)
        assert loaded == []
        for number in range(1, 25):
            next(stream)
            assert len(loaded) == -(-number // 10) * 10
        stream.close()

    if inside:
        with face.block(atomic()):
            work()
    else:
        work()
    assert checked_out(face) == 0


# -- what the queryset asks for (S19) -----------------------------------------------------------------------


@pytest.fixture
def books(many):
    many(5)
    north = Publisher.objects.create(name="North")
    authors = list(Author.objects.order_by("pk"))
    Book.objects.bulk_create(
        [
            Book(title=f"{author.pk}-{i}", author=author, publisher=north, pages=i)
            for author in authors
            for i in (1, 2)
        ]
    )
    return authors


def test_related_objects_come_with_the_stream(face, books, assert_queries):
    with assert_queries(1):
        stream = Book.objects.select_related("author", "publisher").order_by("pk")
        found = [(b.author.name, b.publisher.name) for b in face.iterate(stream.iterator, 3)]
    assert found == [(author.name, "North") for author in books for _ in (1, 2)]


def test_prefetching_goes_chunk_by_chunk(face, books, assert_queries):
    stream = Author.objects.order_by("pk").prefetch_related("books__publisher")
    seen = []
    with assert_queries(1 + 3 * 2) as captured:
        for author in face.iterate(stream.iterator, 2):
            seen.append([book.title for book in author.books.all()])
            assert {book.publisher.name for book in author.books.all()} == {"North"}
            assert len(captured) == 1 + -(-len(seen) // 2) * 2
    assert seen == [[f"{author.pk}-1", f"{author.pk}-2"] for author in books]


def test_prefetching_goes_by_chunks_of_any_size(face, many, assert_queries):
    many(1200)
    stream = Author.objects.order_by("pk").prefetch_related("books")
    with assert_queries(1 + 2):
        assert len([*face.iterate(stream.iterator, 1000)]) == 1200


def test_a_stream_of_an_embedded_database_reads_few_rows_at_a_time(face, database, many):
    many(1200)
    Counted.loaded.clear()
    stream = face.iterate(Counted.objects.order_by("pk").iterator, 1000)
    next(stream)
    assert len(Counted.loaded) == (EMBEDDED_CHUNK if database.vendor == "sqlite" else 1000)
    assert 1 + len([*stream]) == len(Counted.loaded) == 1200


def test_peers_are_those_of_the_chunk_that_was_asked_for(database, many, assert_queries):
    many(1200)
    stream = Author.objects.fetch_mode(FETCH_PEERS).defer("age").order_by("pk").iterator(1000)
    with assert_queries(1 + 2):
        assert [author.age for author in stream] == [*range(1, 1201)]


def test_prefetch_objects_go_with_the_stream(face, books, assert_queries):
    second = Prefetch("books", Book.objects.filter(pages=2), to_attr="second")
    with assert_queries(2):
        found = [
            author.second[0].title
            for author in face.iterate(Author.objects.order_by("pk").prefetch_related(second).iterator, 10)
        ]
    assert found == [f"{author.pk}-2" for author in books]


def test_prefetching_needs_a_chunk_size(books):
    with pytest.raises(ValueError, match="chunk_size must be provided"):
        Author.objects.prefetch_related("books").iterator()


@pytest.mark.parametrize(
    "shape",
    [
        lambda rows: rows.annotate(n=Count("books"), older=F("age") + 1),
        lambda rows: rows.only("name"),
        lambda rows: rows.values("name", "age"),
        lambda rows: rows.values("name").annotate(n=Count("books")),
        lambda rows: rows.values_list("name", "age"),
        lambda rows: rows.values_list("name", flat=True),
        lambda rows: rows.values_list("name", "age", named=True),
        lambda rows: rows[1:4],
        lambda rows: rows.none(),
        lambda rows: rows.filter(pk=-1),
    ],
)
@pytest.mark.parametrize("chunk_size", [2, 5, 100])
def test_the_rows_of_a_stream_are_those_of_the_queryset(shape, chunk_size, face, books):
    rows = shape(Author.objects.order_by("pk"))
    listed, streamed = face.list(rows), list(face.iterate(rows.iterator, chunk_size))
    assert streamed == listed
    assert [type(row) for row in streamed] == [type(row) for row in listed]
    for one, other in zip(streamed, listed, strict=True):
        if isinstance(one, models.Model):
            assert {k: v for k, v in vars(one).items() if k != "_state"} == {
                k: v for k, v in vars(other).items() if k != "_state"
            }


def test_a_stream_keeps_nothing(face, books, assert_queries):
    rows = Author.objects.order_by("pk")
    with assert_queries(2):
        first = list(face.iterate(rows.iterator, 2))
        second = list(face.iterate(rows.iterator, 2))
    assert first == second
    assert rows._result_cache is None
    assert not any(one is other for one, other in zip(first, second, strict=True))


# -- the loop's body, and leaving it (S20, R10) ---------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
def test_the_body_may_read_and_write(face, database, inside):
    database.create(Author)
    Author.objects.bulk_create([Author(name=f"{i}", age=i) for i in range(7)])

    def work():
        for author in face.iterate(Author.objects.order_by("pk").iterator, 2):
            assert face(Author.objects.count) == 7
            assert face(Author.objects.filter(pk=author.pk).update, age=F("age") + 100) == 1
            assert next(face.iterate(Author.objects.order_by("pk").iterator, 1)).age >= 100

    if inside:
        with face.block(atomic()):
            work()
    else:
        work()
    assert sorted(face.list(Author.objects.values_list("age", flat=True))) == list(range(100, 107))
    assert checked_out(face) == 0


@pytest.mark.parametrize("how", ["break", "error", "exhausted"])
def test_a_stream_that_is_left_gives_its_connection_back(how, face, database):
    database.create(Author)
    Author.objects.bulk_create([Author(name=f"{i}", age=i) for i in range(20)])
    stream = face.iterate(Author.objects.order_by("pk").iterator, 2)
    try:
        for number, _ in enumerate(stream):
            assert (
                (how == "exhausted" and number >= 18) or checked_out(face) == 1 or database.vendor == "mysql"
            )
            if number == 3 and how == "break":
                break
            if number == 3 and how == "error":
                raise LookupError
    except LookupError:
        pass
    stream.close()
    assert checked_out(face) == 0
    assert face(Author.objects.update, age=1) == 20  # nothing is locked


async def test_an_async_loop_that_is_left_by_break_gives_its_connection_back(database):
    await fill()
    pool = connections["default"].async_engine.pool
    async for author in Author.objects.aiterator(2):
        assert pool.checkedout() == 1
        if author.pk:
            break
    gc.collect()
    for _ in range(100):
        if not pool.checkedout():
            break
        await asyncio.sleep(0.01)
    assert pool.checkedout() == 0
    assert await Author.objects.aupdate(age=1) == 10


async def test_a_cancelled_stream_gives_its_connection_back(database):
    await fill()
    pool = connections["default"].async_engine.pool
    started = asyncio.Event()

    async def read():
        async for _ in Author.objects.aiterator(2):
            started.set()
            await asyncio.sleep(10)

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if not pool.checkedout():
            break
        gc.collect()
        await asyncio.sleep(0.01)
    assert pool.checkedout() == 0


async def fill():
    await acreate_all(models=[Author])
    await Author.objects.abulk_create([Author(name=f"{i}") for i in range(10)])


def test_a_stream_holds_no_lock_that_others_wait_for(face, database):
    database.create(Author)
    Author.objects.bulk_create([Author(name=f"{i}") for i in range(10)])
    stream = face.iterate(Author.objects.order_by("pk").iterator, 2)
    next(stream)
    begin = time.perf_counter()
    database.observe("INSERT INTO tests_author (name, email) VALUES ('other', '')")
    assert time.perf_counter() - begin < 5
    assert len(list(stream)) >= 9


def test_a_failing_statement_frees_the_connection(face, database):
    with pytest.raises((OperationalError, ProgrammingError), match="tests_author"):
        list(face.iterate(Author.objects.iterator, 2))
    assert checked_out(face) == 0


def test_streams_of_several_tasks_go_side_by_side(face, database, many):
    many(30)
    streams = [face.iterate(Author.objects.order_by("pk").iterator, 4) for _ in range(3)]
    rows = list(zip(*streams, strict=True))
    assert len(rows) == 30
    assert all(len({author.pk for author in row}) == 1 for row in rows)
    assert checked_out(face) == 0


# -- the end of the event loop (T10) -----------------------------------------------------------------------


async def _kept(kept):
    rows = Author.objects.order_by("pk").aiterator(chunk_size=2)
    assert (await anext(rows)).age == 1
    kept.append(rows)


async def _in_a_task(kept):
    async def read():
        async for _ in Author.objects.aiterator(chunk_size=2):
            await asyncio.sleep(60)

    kept.append(asyncio.create_task(read()))
    await asyncio.sleep(0.1)


async def _left_by_an_error(kept):
    with contextlib.suppress(LookupError):
        async for _ in Author.objects.aiterator(chunk_size=2):
            raise LookupError


@pytest.mark.faces("sync")
@pytest.mark.parametrize("leave", [_kept, _in_a_task, _left_by_an_error])
def test_an_event_loop_that_ends_amid_a_stream_has_nothing_to_say(face, database, leave):
    database.create(Author)
    Author.objects.bulk_create([Author(name="x", age=number) for number in range(1, 50)])
    told, kept = [], []
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: told.append(context))
        runner.run(leave(kept))
    kept.clear()
    gc.collect()
    assert told == []
    assert Author.objects.count() == 49
