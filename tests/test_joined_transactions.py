"""Transactions of somebody else's: joined for the length of a block (S81), named explicitly (S80), their ends (S92)."""

from __future__ import annotations

import asyncio
import copy
import functools
import pickle
import threading
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, registry, scoped_session, sessionmaker

from facade import acreate_all, atomic, configure, connections, transaction, using_connection
from facade.db.channels.capture import CaptureQueriesContext
from facade.exceptions import DatabaseError, ImproperlyConfigured, TransactionManagementError
from tests.models import Author, Book, Publisher
from tests.test_sqlalchemy import url_for

mapper = registry()
KINDS = ["connection", "session", "scoped"]


@mapper.mapped
class MappedAuthor:
    __table__ = sa.Table(
        "tests_author", sa.MetaData(), sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("name", sa.String),
        sa.Column("email", sa.String),
    )  # fmt: skip


class Owner:
    """A connection or session of somebody else's, made inside the test, and how its owner ends its transaction."""

    def __init__(self, kind, face, database, **options):
        self.kind, self.face, self.options = kind, face, options
        self.url = url_for(database, face)

    def __enter__(self):
        if self.face.is_async:
            self.engine = create_async_engine(self.url, **self.options)
            sessions = async_sessionmaker(self.engine)
            scoped = lambda: async_scoped_session(sessions, asyncio.current_task)  # noqa: E731
        else:
            self.engine = sa.create_engine(self.url, **self.options)
            sessions = sessionmaker(self.engine)
            scoped = lambda: scoped_session(sessions)  # noqa: E731
        self.given = {"connection": self.engine.connect, "session": sessions, "scoped": scoped}[self.kind]()
        if self.face.is_async and self.kind == "connection":
            self.face.wait(self.given.start())
        return self

    def __exit__(self, *exc):
        self._call(self.given.close)
        self._call(self.engine.dispose)

    def _call(self, function):
        made = function()
        return self.face.wait(made) if self.face.is_async else made

    def commit(self):
        self._call(self.given.commit)

    def rollback(self):
        self._call(self.given.rollback)


@pytest.fixture(params=KINDS)
def owner(request, face, database):
    database.create(Author)
    return Owner(request.param, face, database)


def owned(test):
    """Have the owner's connection opened and closed inside the test, where its event loop runs."""

    @functools.wraps(test)
    def run(**fixtures):
        with fixtures["owner"]:
            test(**fixtures)

    return run


def stored(database):
    return [name for (name,) in database.observe("SELECT name FROM tests_author ORDER BY name")]


# -- explicitly ------------------------------------------------------------------------------------------


@owned
def test_what_is_named_runs_in_the_owners_transaction(face, database, owner):
    authors = Author.objects.using(owner.given)
    ada = face(authors.create, name="Ada")
    face(Author(name="Bob").save, using=owner.given)
    ada.name = "Ada L."
    face(ada.save)
    assert face.list(authors.order_by("name").values_list("name", flat=True)) == ["Ada L.", "Bob"]
    assert (face(Author.objects.count), stored(database)) == (0, [])
    owner.rollback()
    assert stored(database) == []
    face(authors.create, name="Cyd")
    owner.commit()
    assert stored(database) == ["Cyd"]


@owned
def test_blocks_that_name_it_are_savepoints(face, database, owner):
    authors = Author.objects.using(owner.given)
    with face.block(atomic(using=owner.given)):
        face(authors.create, name="kept")
        with pytest.raises(LookupError), face.block(atomic(using=owner.given)):
            face(authors.create, name="undone")
            raise LookupError
    with pytest.raises(LookupError), face.block(atomic(owner.given)):
        face(authors.create, name="undone, too")
        raise LookupError
    assert stored(database) == []
    owner.commit()
    assert stored(database) == ["kept"]


@owned
def test_rows_are_locked_until_the_owner_ends_its_transaction(face, database, owner):
    ada = face(Author.objects.using(owner.given).create, name="Ada")
    owner.commit()
    locked = Author.objects.using(owner.given).select_for_update()
    assert face(locked.get) == ada
    assert list(face.iterate(locked.iterator, 1)) == [ada]
    if database.vendor == "postgresql":
        with pytest.raises(DatabaseError), face.block(atomic()):
            face(Author.objects.select_for_update(nowait=True).get)
    owner.commit()
    with face.block(atomic()):
        assert face(Author.objects.select_for_update().get) == ada


@owned
def test_isolation_and_read_only_are_the_owners_to_choose(face, owner):
    for options in ({"isolation_level": "SERIALIZABLE"}, {"read_only": True}):
        with (
            pytest.raises(TransactionManagementError, match="begun already"),
            face.block(atomic(owner.given, **options)),
        ):
            pass


@owned
def test_managers_raw_queries_and_all_writes_take_it(face, database, owner):
    given = owner.given
    ada = face(Author.objects.db_manager(given).create, name="Ada")
    face(Author.objects.using(given).bulk_create, [Author(name="Bob"), Author(name="Cyd")])
    assert len(face.list(Author.objects.raw("SELECT * FROM tests_author").using(given))) == 3
    face(ada.refresh_from_db, using=given)
    assert face(Author.objects.using(given).filter(name="Cyd").update, name="Dee") == 1
    assert face(Author.objects.using(given).get_or_create, name="Dee")[1] is False
    owner.commit()
    assert stored(database) == ["Ada", "Bob", "Dee"]


@owned
def test_related_objects_are_looked_for_where_the_object_is_from(face, database, owner):
    database.create(Publisher, Book)
    ada = face(Author.objects.using(owner.given).create, name="Ada")
    face(ada.books.create, title="Notes", price=1)
    assert face(ada.books.count) == 1
    assert database.observe("SELECT count(*) FROM tests_book") == [(0,)]
    owner.rollback()


@owned
def test_objects_of_the_database_and_of_a_session_on_it_may_be_related(face, database, owner):
    database.create(Publisher, Book)
    with_alias = face(Author.objects.create, name="Ada")
    book = Book(title="Notes", price=1, author=with_alias)
    face(book.save, using=owner.given)
    book.author = face(Author.objects.using(owner.given).get)
    owner.rollback()


@owned
def test_copies_and_pickles_know_the_alias_only(face, owner):
    ada = face(Author.objects.using(owner.given).create, name="Ada")
    assert pickle.loads(pickle.dumps(ada))._state.db == "default"
    assert copy.copy(ada)._state.db == ada._state.db
    assert Author.objects.using(owner.given).db == ada._state.db


@owned
def test_queries_are_seen_under_the_alias(face, owner):
    with CaptureQueriesContext(connections["default"]) as captured:
        face(Author.objects.using(owner.given).count)
    assert len(captured) == 1


def test_what_is_no_connection_is_refused(face, database):
    for wrong in (7, object(), sa.create_engine("sqlite://")):
        with pytest.raises(TypeError, match="is wanted here, not"):
            Author.objects.using(wrong)
        with pytest.raises(TypeError, match="is wanted here, not"):
            Author(name="Ada").save(using=wrong)


@pytest.mark.without("mariadb", reason="its SQL depends on the version of the server, which is asked first")
async def test_sql_is_printed_where_nothing_can_wait(database):
    engine = create_async_engine(url_for(database, type("Async", (), {"is_async": True})))
    configure(DATABASES={"default": engine})
    async with AsyncSession(engine) as session:
        assert "tests_author" in str(Author.objects.using(session).query)
    await engine.dispose()


def test_it_crosses_threads(database):
    database.create(Author)
    engine = sa.create_engine(url_for(database, face=type("Sync", (), {"is_async": False})))
    found = []

    def endpoint(session):
        Author.objects.using(session).create(name="Ada")
        found.append(Author.objects.using(session).count())

    with Session(engine) as session:
        thread = threading.Thread(target=endpoint, args=(session,))
        thread.start()
        thread.join()
        session.rollback()
    engine.dispose()
    assert (found, stored(database)) == ([1], [])


# -- for the length of a block ---------------------------------------------------------------------------


@owned
def test_the_connection_is_asked_for_at_the_first_statement(face, owner):
    if isinstance(owner.given, (sa.engine.Connection,)) or hasattr(owner.given, "start"):
        pytest.skip("a connection is one already")
    pool = getattr(owner.engine, "sync_engine", owner.engine).pool
    with face.block(using_connection(owner.given)):
        assert pool.checkedout() == 0
        face(Author.objects.count)
        assert pool.checkedout() == 1


async def test_tasks_take_part_in_a_shared_one(database):
    face = type("Async", (), {"is_async": True})
    await acreate_all(models=[Author])
    engine = create_async_engine(url_for(database, face))
    async with AsyncSession(engine) as session:
        async with using_connection(session, shared=True):
            tasks = [asyncio.create_task(Author.objects.acreate(name=str(n))) for n in range(5)]
            await asyncio.gather(*tasks)
            assert await Author.objects.acount() == 5
        await session.rollback()
    await engine.dispose()
    assert stored(database) == []


@contextmanager
def elsewhere():
    """Run functions in another thread, one context for each, as a framework's thread pool does."""

    def run(function, *args):
        result = []

        def work():
            try:
                result.append((function(*args), None))
            except BaseException as error:
                result.append((None, error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        value, error = result[0]
        if error is not None:
            raise error
        return value

    yield run


@pytest.mark.parametrize("block", ["atomic", "using_connection"])
def test_a_block_that_is_left_in_another_context_says_so(database, block):
    """A dependency with `yield` in a sync FastAPI application: what was in between was not in the block."""
    database.create(Author)
    engine = sa.create_engine(url_for(database, type("Sync", (), {"is_async": False})))
    session = Session(engine)
    made = atomic() if block == "atomic" else using_connection(session)
    with elsewhere() as run:
        run(made.__enter__)
        if database.vendor != "sqlite":  # its only writer would wait for the block
            run(lambda: Author.objects.create(name="outside"))
        with pytest.raises(TransactionManagementError, match="left in another context"):
            run(made.__exit__, None, None, None)
        run(made.__enter__)
        error = LookupError()
        run(made.__exit__, LookupError, error, None)  # the user's own error is not hidden
    session.close()
    engine.dispose()
    connections["default"].close()


async def test_a_block_that_is_left_in_another_task_says_so(database):
    await acreate_all(models=[Author])
    block = atomic()
    await asyncio.create_task(block.__aenter__())
    with pytest.raises(TransactionManagementError, match="left in another context"):
        await asyncio.create_task(block.__aexit__(None, None, None))
    assert connections["default"].async_engine.pool.checkedout() == 0


def test_a_connection_in_autocommit_mode_has_no_blocks(face, database):
    database.create(Author)
    with Owner("connection", face, database, isolation_level="AUTOCOMMIT") as owner:
        with face.block(using_connection(owner.given)):
            face(Author.objects.create, name="Ada")
            with pytest.raises(TransactionManagementError, match="AUTOCOMMIT"), face.block(atomic()):
                face(Author.objects.create, name="Bob")
        if database.vendor != "sqlite":  # which has no locks of rows
            with pytest.raises(TransactionManagementError, match="outside of a transaction"):
                face(Author.objects.using(owner.given).select_for_update().get)
        assert stored(database) == ["Ada"]


@owned
def test_a_block_as_the_first_statement_is_not_committed_by_its_end(face, database, owner):
    with face.block(using_connection(owner.given)), face.block(atomic()):
        face(Author.objects.create, name="Ada")
    assert stored(database) == []
    owner.rollback()
    assert stored(database) == []


# -- sessions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("autoflush", [True, False])
def test_what_is_pending_is_flushed_as_the_session_would(face, database, autoflush):
    database.create(Author)
    with Owner("session", face, database) as owner:
        sync = getattr(owner.given, "sync_session", owner.given)
        sync.autoflush = autoflush
        sync.add(MappedAuthor(id=1, name="pending", email=""))
        with face.block(using_connection(owner.given)):
            assert face(Author.objects.count) == autoflush
        assert face(Author.objects.using(owner.given).filter(name="pending").exists) is autoflush
        sync.expunge_all()


def test_a_session_with_several_binds_uses_the_one_that_is_meant(face, database):
    database.create(Author)
    with Owner("session", face, database) as owner:
        sync = getattr(owner.given, "sync_session", owner.given)
        engine, sync.bind = sync.bind, None
        sync.bind_mapper(MappedAuthor, getattr(engine, "sync_engine", engine))
        assert face(Author.objects.using(owner.given).count) == 0
        other = sa.create_engine("sqlite://")
        sync.bind_table(sa.Table("other", sa.MetaData()), other)
        owner.rollback()
        with pytest.raises(ImproperlyConfigured, match="several binds"):
            face(Author.objects.using(owner.given).count)
        other.dispose()


# -- the end ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["joined", "named"])
def inside(request, face, owner):
    """A block in the owner's transaction, and the alias to say for it."""

    def enter():
        joined = request.param == "joined"
        return face.block(using_connection(owner.given) if joined else atomic(using=owner.given))

    return enter, lambda: None if request.param == "joined" else owner.given


@owned
def test_callbacks_wait_for_the_owners_commit(face, database, owner, inside):
    enter, named = inside
    using = named()
    heard = []
    with enter():
        face(Author.objects.using(using or "default").create, name="Ada")
        face(transaction.on_commit, lambda: heard.append(stored(database)), using=using)
    assert heard == []
    owner.commit()
    assert heard == [["Ada"]]
    owner.commit()
    assert len(heard) == 1


@owned
def test_callbacks_go_with_a_rollback(face, owner, inside):
    enter, named = inside
    using = named()
    heard = []
    with enter():
        face(Author.objects.using(using or "default").create, name="Ada")
        face(transaction.on_commit, lambda: heard.append("outer"), using=using)
        with pytest.raises(LookupError), face.block(atomic(using=using)):
            face(transaction.on_commit, lambda: heard.append("inner"), using=using)
            raise LookupError
    owner.rollback()
    with enter():
        face(Author.objects.using(using or "default").create, name="Bob")
        face(transaction.on_commit, lambda: heard.append("again"), using=using)
        with pytest.raises(LookupError), face.block(atomic(using=using)):
            face(transaction.on_commit, lambda: heard.append("inner"), using=using)
            raise LookupError
    owner.commit()
    assert heard == ["again"]


@owned
def test_without_a_block_a_callback_waits_for_the_owner_who_is_named(face, database, owner):
    heard = []
    face(Author.objects.using(owner.given).create, name="Ada")
    face(transaction.on_commit, lambda: heard.append(stored(database)), using=owner.given)
    assert heard == []
    owner.commit()
    assert heard == [["Ada"]]


@pytest.mark.faces("async")
@owned
def test_coroutines_are_awaited_after_the_owners_commit(face, database, owner):
    heard = []

    async def callback():
        await asyncio.sleep(0)
        heard.append(await Author.objects.acount())

    with face.block(using_connection(owner.given)):
        face(Author.objects.create, name="Ada")
        face(transaction.on_commit, callback)
    owner.commit()
    assert heard == [1]
