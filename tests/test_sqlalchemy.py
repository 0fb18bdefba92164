"""Living beside SQLAlchemy: any engine will do, connections and sessions are joined, listeners see every statement."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, event, insert, make_url, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from facade import acreate_all, atomic, bridge, configure, connections, transaction, using_connection
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.connection import close_all, close_all_async
from facade.exceptions import ImproperlyConfigured, TransactionManagementError
from facade.models import Count, F
from tests.models import Author, Book, Category, Place, Profile, Publisher, Restaurant, Review

ASYNC = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}
SYNC = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}


def url_for(database, face):
    """Return the URL of the database for SQLAlchemy's own engines."""
    names = ASYNC if face.is_async else SYNC
    return make_url(database.url).set(drivername=names[database.vendor])


def both_urls(database):
    url = make_url(database.url)
    return url.set(drivername=SYNC[database.vendor]), url.set(drivername=ASYNC[database.vendor])


# -- every form of configuration (S60) -------------------------------------------------------------------


def as_django_dict(database):
    url = make_url(database.url)
    engines = {
        "sqlite": "django.db.backends.sqlite3",
        "postgresql": "django.db.backends.postgresql",
        "mysql": "django.db.backends.mysql",
    }
    parts = {
        "NAME": url.database,
        "USER": url.username,
        "PASSWORD": url.password,
        "HOST": url.host,
        "PORT": url.port,
    }
    return {"ENGINE": engines[database.vendor], **{key: str(value) for key, value in parts.items() if value}}


FORMS = {
    "text": lambda database: database.url,
    "url": lambda database: make_url(database.url),
    "sync url": lambda database: both_urls(database)[0],
    "async url": lambda database: both_urls(database)[1],
    "pair of urls": both_urls,
    "pair of texts": lambda database: tuple(url.render_as_string(False) for url in both_urls(database)),
    "pair turned round": lambda database: both_urls(database)[::-1],
    "django": as_django_dict,
    "dict with a url": lambda database: {"URL": database.url, "POOL_SIZE": 3},
    "engine": lambda database: create_engine(both_urls(database)[0]),
    "async engine": lambda database: create_async_engine(both_urls(database)[1]),
    "pair of engines": lambda database: (
        create_engine(both_urls(database)[0]),
        create_async_engine(both_urls(database)[1]),
    ),
    "engine and url": lambda database: (create_engine(both_urls(database)[0]), both_urls(database)[1]),
}


@pytest.fixture(params=FORMS)
def form(request, database):
    made = FORMS[request.param](database)
    configure(DATABASES={"default": made})
    yield made
    close_all()
    for part in made if type(made) is tuple else (made,):
        if hasattr(part, "sync_engine"):
            part = part.sync_engine
            part.dispose(close=False)
        elif hasattr(part, "dispose"):
            part.dispose()


def test_every_form_serves_both_faces(form, database):
    def work():
        author = Author.objects.create(name="Ada")
        with atomic():
            Author.objects.update(age=F("id"))
        return Author.objects.get(pk=author.pk).age == author.pk

    async def other():
        try:
            return await bridge.run(work)
        finally:
            await close_all_async()

    database.create(Author)
    assert work()
    assert asyncio.run(other())
    assert database.count("tests_author") == 2


def test_what_is_no_database_is_refused_with_its_alias():
    for wrong in (
        7,
        object(),
        ("sqlite://",),
        ("sqlite://", "sqlite://", "sqlite://"),
        {"NAME": "x"},
        "nonsense://",
    ):
        configure(DATABASES={"default": "sqlite://", "shelf": wrong})
        with pytest.raises(ImproperlyConfigured, match=r"DATABASES\['shelf'\]"):
            connections["shelf"].vendor  # noqa: B018
    configure(DATABASES={})


# -- engines that exist already ---------------------------------------------------------------------------


@pytest.fixture
def engine(face, database):
    """An engine of the user's, as the alias "default"."""
    if face.is_async:
        made = create_async_engine(url_for(database, face))
        configure(DATABASES={"default": made})
        yield made
        return  # its event loop has ended, and the pool was closed with it
    made = create_engine(url_for(database, face))
    configure(DATABASES={"default": made})
    yield made
    close_all()
    made.dispose()


def run_core(face, engine, work):
    """Call ``work(connection)`` in a transaction of the engine's own."""
    if not face.is_async:
        with engine.begin() as connection:
            return work(connection)

    async def begin():
        async with engine.begin() as connection:
            return await connection.run_sync(work)

    return face.wait(begin())


def test_an_existing_engine_is_used_and_gets_no_second_pool(face, database, engine):
    database.create(Author)
    face(Author.objects.create, name="Ada")
    one = connections["default"]
    assert (one.async_engine if face.is_async else one.engine).pool is engine.pool
    assert engine.pool.checkedout() == 0
    assert engine.pool.checkedin() >= 1
    with face.block(atomic()):
        face(Author.objects.count)
        assert engine.pool.checkedout() == 1
    assert engine.pool.checkedout() == 0


def test_a_connection_goes_back_as_it_came(face, database, engine):
    database.create(Author)
    level = run_core(face, engine, lambda connection: connection.get_isolation_level())
    face(Author.objects.create, name="Ada")
    with face.block(atomic()):
        face(Author.objects.create, name="Bob")
    list(face.iterate(Author.objects.iterator, 1))
    assert run_core(face, engine, lambda connection: connection.get_isolation_level()) == level

    def fails(connection):
        connection.execute(insert(Author.__table__).values(name="Cyd", email=""))
        raise LookupError

    with pytest.raises(LookupError):
        run_core(face, engine, fails)
    assert database.count("tests_author") == 2, "the engine's own transactions still roll back"


# -- joining connections and sessions (S61) ------------------------------------------------------------------


def add_by_core(connection, name):
    connection.execute(insert(Author.__table__).values(name=name, email=""))


def names_by_core(connection):
    return sorted(connection.scalars(select(Author.__table__.c.name)))


@pytest.fixture(params=["connection", "session"])
def joining(request, face, database):
    """A function that runs ``work(connection, joined)`` in a transaction that commits, or rolls back on an error."""
    database.create(Author)
    url = url_for(database, face)
    session = request.param == "session"

    def sync(work):
        engine = create_engine(url)
        try:
            if session:
                with Session(engine) as given, given.begin(), using_connection(given):
                    work(given.connection())
            else:
                with engine.begin() as given, using_connection(given):
                    work(given)
        finally:
            engine.dispose()

    async def other(work):
        engine = create_async_engine(url)
        try:
            if session:
                async with AsyncSession(engine) as given, given.begin():
                    connection = (await given.connection()).sync_connection
                    async with using_connection(given):
                        await bridge.run(work, connection)
            else:
                async with engine.begin() as given, using_connection(given):
                    await bridge.run(work, given.sync_connection)
        finally:
            await engine.dispose()

    return (lambda work: face.wait(other(work))) if face.is_async else sync


def test_a_joined_connection_is_one_transaction(joining, database):
    def work(connection):
        add_by_core(connection, "Core")
        Author.objects.create(name="Facade")
        assert names_by_core(connection) == ["Core", "Facade"]
        assert Author.objects.count() == 2
        assert database.count("tests_author") == 0, "nothing is committed yet"

    joining(work)
    assert database.observe("SELECT name FROM tests_author ORDER BY name") == [("Core",), ("Facade",)]


def test_a_joined_connection_is_one_rollback(joining, database):
    def work(connection):
        add_by_core(connection, "Core")
        Author.objects.create(name="Facade")
        raise LookupError

    with pytest.raises(LookupError):
        joining(work)
    assert database.count("tests_author") == 0


def test_blocks_on_a_joined_connection_are_savepoints(joining, database):
    def work(connection):
        Author.objects.create(name="Outer")
        with pytest.raises(LookupError), atomic():
            Author.objects.create(name="Inner")
            add_by_core(connection, "Core")
            raise LookupError
        with atomic():
            Author.objects.create(name="Other")
        assert names_by_core(connection) == ["Other", "Outer"]

    joining(work)
    assert database.observe("SELECT name FROM tests_author ORDER BY name") == [("Other",), ("Outer",)]


def test_a_joined_transaction_is_ended_by_its_owner(joining, database):
    def work(connection):
        for end in (transaction.commit, transaction.rollback):
            with pytest.raises(TransactionManagementError):
                end()

    joining(work)


def test_after_the_block_the_alias_has_its_own_connections_again(joining, database):
    joining(lambda connection: Author.objects.create(name="Ada"))
    with pytest.raises(LookupError):
        joining(lambda connection: (_ for _ in ()).throw(LookupError))
    assert Author.objects.count() == 1


def test_a_connection_of_another_driver_is_refused(face, database):
    other = create_engine("sqlite://") if database.vendor != "sqlite" else None
    if other is None:
        pytest.skip("there is one driver only")
    refused = pytest.raises(ImproperlyConfigured, match="configured for")
    with other.connect() as connection, refused, face.block(using_connection(connection)):
        pass
    other.dispose()


# -- sync code under asyncio (S62) -----------------------------------------------------------------------------


async def test_run_uses_the_async_engine_and_the_thread_of_the_loop(database):
    await acreate_all(models=[Author])

    def work():
        seen.append(threading.current_thread())
        with atomic():
            Author.objects.create(name="Ada")
            checked.append(connections["default"].async_engine.pool.checkedout())
        return Author.objects.count()

    seen, checked = [], []
    assert await bridge.run(work) == 1
    assert seen == [threading.current_thread()]
    assert checked == [1]
    assert connections["default"].sync_lender is None


@pytest.mark.vendors("postgres")
async def test_run_can_be_cancelled(database):
    await acreate_all(models=[Author])
    entered = asyncio.Event()
    left = []

    def work():
        try:
            with atomic():
                Author.objects.create(name="Ada")
                entered.set()
                with connections["default"].cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(30)")
        finally:
            left.append(True)

    task = asyncio.create_task(bridge.run(work))
    await entered.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == [True]
    assert connections["default"].async_engine.pool.checkedout() == 0
    assert await Author.objects.acount() == 0


async def test_runs_of_several_tasks_go_side_by_side(database):
    await acreate_all(models=[Author])

    def work(number):
        Author.objects.create(name=f"{number}")
        return Author.objects.get(name=f"{number}").name

    found = await asyncio.gather(*(bridge.run(work, number) for number in range(20)))
    assert found == [f"{number}" for number in range(20)]


# -- listeners (S66) ----------------------------------------------------------------------------------------------


class Tracer:
    """What instrumentation of SQLAlchemy does: a span around each statement, errors noted, a comment added."""

    def __init__(self, engine):
        self.engine, self.open, self.spans, self.errors = engine, [], [], []

    def before(self, conn, cursor, statement, parameters, context, executemany):
        context._span = statement
        self.open.append(statement)
        return f"{statement} /* traced */", parameters

    def after(self, conn, cursor, statement, parameters, context, executemany):
        self.open.remove(context._span)
        self.spans.append((context._span, statement))

    def error(self, context):
        self.errors.append(context.original_exception)

    def __enter__(self):
        event.listen(self.engine, "before_cursor_execute", self.before, retval=True)
        event.listen(self.engine, "after_cursor_execute", self.after)
        event.listen(self.engine, "handle_error", self.error)
        return self

    def __exit__(self, *exc):
        event.remove(self.engine, "before_cursor_execute", self.before)
        event.remove(self.engine, "after_cursor_execute", self.after)
        event.remove(self.engine, "handle_error", self.error)


@pytest.fixture
def own_engine(face, database):
    one = connections["default"]
    return one.async_engine.sync_engine if face.is_async else one.engine


def session(face):
    """One of each kind of operation; returns what they gave."""
    ada = face(Author.objects.create, name="Ada", age=36)
    made = face(Author.objects.bulk_create, [Author(name=f"{i}", age=i) for i in range(5)])
    found = [
        face(Author.objects.get, pk=ada.pk),
        face(Author.objects.filter(age__gt=1).count),
        face(Author.objects.filter(age=1).exists),
        face(Author.objects.aggregate, n=Count("id")),
        list(face(Author.objects.in_bulk, [ada.pk]).values()),
        face.list(Author.objects.order_by("pk").values_list("name", flat=True)),
        [author.name for author in face.iterate(Author.objects.order_by("pk").iterator, 2)],
        [
            author.name
            for author in face.list(Author.objects.raw("SELECT * FROM tests_author WHERE age > %s", [2]))
        ],
        face(Author.objects.filter(age__lt=3).update, age=F("age") + 1),
    ]
    ada.name = "Ada L."
    face(ada.save)
    face(ada.refresh_from_db)
    with face.block(atomic()):
        face(Category.objects.get_or_create, name="x")
        with pytest.raises(LookupError), face.block(atomic()):
            face(Category.objects.create, name="y")
            raise LookupError
    face(made[0].delete)
    found.append(face(Author.objects.filter(age=3).delete)[0])
    found.append(face.list(Author.objects.prefetch_related("books").order_by("pk"))[0].name)
    return [str(item) for item in found]


@contextmanager
def captured_statements():
    with CaptureQueriesContext(connections["default"]) as captured:
        yield captured.captured_queries


BOUNDARIES = ("BEGIN", "COMMIT", "ROLLBACK")


def test_listeners_see_every_statement(face, database, own_engine):
    database.create(Publisher, Author, Book, Category, Profile, Review, Place, Restaurant)
    with captured_statements() as fast:
        plain = session(face)
    database.observe("DELETE FROM tests_author")
    database.observe("DELETE FROM tests_category")
    with Tracer(own_engine) as tracer, captured_statements() as general:
        traced = session(face)
    assert traced == plain

    def sent(queries):
        return [q["statement"] for q in queries if q["statement"].split()[0] not in BOUNDARIES]

    assert sent(general) == sent(fast), "the same statements on both roads"
    seen = [before for before, _ in tracer.spans if before.split()[0] not in BOUNDARIES]
    assert [named(text) for text in seen] == [named(text) for text in sent(fast)]
    assert tracer.open == []
    assert all(after.endswith("/* traced */") for _, after in tracer.spans)


def named(sql):
    """Return a statement without the numbers of savepoints."""
    return sql.split('"facade')[0] if "SAVEPOINT" in sql else sql


def test_listeners_see_errors_and_results_are_the_documented_ones(face, database, own_engine):
    database.create(Category)
    face(Category.objects.create, name="x")
    with Tracer(own_engine) as tracer, pytest.raises(IntegrityError):
        face(Category.objects.create, name="x")
    assert len(tracer.errors) == 1


def test_without_listeners_the_driver_is_called_directly_again(face, database, own_engine):
    database.create(Category)
    lender = connections["default"].lender
    before = lender.is_general()
    with Tracer(own_engine):
        assert lender.is_general()
    assert lender.is_general() == before


def test_echo_shows_every_statement(face, database, caplog):
    configure(DATABASES={"default": {"URL": database.url, "ECHO": True}})
    database.create(Publisher, Author, Book, Category)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="sqlalchemy.engine"), captured_statements() as captured:
        face(Author.objects.create, name="Ada")
        assert face(Author.objects.count) == 1
        face(Author.objects.update, age=1)
    shown = "\n".join(caplog.messages)
    for query in captured:
        assert query["statement"] in shown
    logging.getLogger("sqlalchemy.engine.Engine").setLevel(logging.NOTSET)


def test_logging_that_is_turned_on_later_shows_statements(face, database, own_engine, caplog):
    database.create(Category)
    face(Category.objects.count)
    with caplog.at_level(logging.INFO, logger="sqlalchemy.engine"):
        face(Category.objects.count)
    assert any("tests_category" in message for message in caplog.messages)
