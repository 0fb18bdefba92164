"""What an engine of somebody else's has is honoured or refused (S82), beside what Core does on the same engine."""

from __future__ import annotations

import gc
import json
import os
import sqlite3
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

from facade import atomic, configure, connections, create_all, transaction, using_connection
from facade.db.connection import close_all
from facade.exceptions import DatabaseError, ImproperlyConfigured, PoolExhausted, TransactionManagementError
from facade.models import F, JSONField, Model, Value
from facade.models.functions import MD5, Concat
from tests.models import Author
from tests.test_sqlalchemy import run_core, url_for

pytestmark = pytest.mark.vendors("sqlite", "postgres", "mariadb")


@pytest.fixture
def given(face, database):
    """A function that makes an engine of somebody else's and hands it to facade as "default"."""
    made = []

    def make(**options):
        level = options.pop("execution_options", None)
        engine = (create_async_engine if face.is_async else sa.create_engine)(
            url_for(database, face), **options
        )
        made.append(engine)
        given = engine.execution_options(**level) if level else engine
        configure(DATABASES={"default": given})
        return given

    database.create(Author)
    yield make
    close_all()
    if not face.is_async:
        for engine in made:
            engine.dispose()


def sync_of(engine):
    return getattr(engine, "sync_engine", engine)


class Letter(Model):
    data = JSONField(null=True)

    class Meta:
        app_label = "tests_engines"


def names(face):
    return face.list(Author.objects.order_by("name").values_list("name", flat=True))


def work(face):
    """Reads, writes, blocks that are kept and blocks that are not; returns what is stored."""
    face(Author.objects.create, name="Ada", age=36)
    with face.block(atomic()):
        face(Author.objects.create, name="Bob", age=40)
        with pytest.raises(LookupError), face.block(atomic()):
            face(Author.objects.create, name="undone")
            raise LookupError
    with pytest.raises(LookupError), face.block(atomic()):
        face(Author.objects.create, name="rolled back")
        raise LookupError
    face(Author.objects.bulk_create, [Author(name="Cyd", age=1), Author(name="Dee", age=2)])
    face(Author.objects.filter(age__lt=3).update, age=F("age") + 1)
    assert face(Author.objects.count) == 4
    assert [a.name for a in face.iterate(Author.objects.order_by("name").iterator, 2)] == names(face)
    return names(face)


DONE = ["Ada", "Bob", "Cyd", "Dee"]


def road(face):
    lender = connections["default"].lender if not face.is_async else connections["default"].async_lender
    return "general" if lender.is_general() else "fast"


def stored(database):
    return [name for (name,) in database.observe("SELECT name FROM tests_author ORDER BY name")]


# -- what an engine is made with -------------------------------------------------------------------------

ENGINES = {
    "plain": {},
    "null pool": {"poolclass": NullPool},
    "pre-ping": {"pool_pre_ping": True},
    "recycle": {"pool_recycle": 0},
    "no reset": {"pool_reset_on_return": None},
    "isolation level": {"isolation_level": "SERIALIZABLE"},
    "autocommit": {"isolation_level": "AUTOCOMMIT"},
    "autocommit by option": {"execution_options": {"isolation_level": "AUTOCOMMIT"}},
    "option of one's own": {"execution_options": {"tenant": "a"}},
    "stream_results": {"execution_options": {"stream_results": True, "yield_per": 10}},
    "logging_token": {"execution_options": {"logging_token": "x"}},
}


@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
def test_blocks_are_kept_or_undone_on_any_engine(face, database, given, options):
    engine = given(**options)
    assert work(face) == DONE
    assert stored(database) == DONE
    if not face.is_async and not isinstance(sync_of(engine).pool, NullPool):
        assert sync_of(engine).pool.checkedout() == 0
    assert (
        run_core(face, engine, lambda c: c.scalar(sa.select(sa.func.count()).select_from(Author.__table__)))
        == 4
    )


def test_statements_leave_no_channels_behind(face, database, given):
    """What a lender remembers of the connections that it has lent is gone with them."""
    given()
    work(face)
    lender = connections["default"].lender
    for _ in range(20):
        names(face)
        with face.block(atomic()):
            names(face)
    gc.collect()
    assert len(lender._out) <= 1
    assert len(lender.general._out) <= 1


def test_connections_go_back_in_the_mode_they_came_in(face, database, given):
    engine = given(pool_size=1, max_overflow=0)

    def fails(connection):
        connection.execute(sa.insert(Author.__table__).values(name="Core", email=""))
        raise LookupError

    work(face)
    with pytest.raises(LookupError):
        run_core(face, engine, fails)
    assert stored(database) == DONE


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("option", ["postgresql_readonly", "postgresql_deferrable"])
def test_a_read_only_engine_writes_nothing(face, database, given, option):
    given(execution_options={"postgresql_readonly": True, option: True})
    with pytest.raises(DatabaseError, match="read-only"):
        face(Author.objects.create, name="Ada")
    with pytest.raises(DatabaseError, match="read-only"), face.block(atomic()):
        face(Author.objects.create, name="Ada")
    assert (names(face), stored(database)) == ([], [])


@pytest.mark.vendors("postgres")
def test_a_schema_translate_map_is_part_of_every_statement(face, database, given):
    database.observe("CREATE SCHEMA tenant")
    database.observe("CREATE TABLE tenant.tests_author (LIKE tests_author INCLUDING ALL)")
    engine = given(execution_options={"schema_translate_map": {None: "tenant"}})
    assert work(face) == DONE
    assert stored(database) == []
    assert database.observe("SELECT count(*) FROM tenant.tests_author") == [(4,)]
    assert (
        run_core(face, engine, lambda c: c.scalar(sa.select(sa.func.count()).select_from(Author.__table__)))
        == 4
    )


@pytest.mark.vendors("postgres")
def test_a_named_connection_brings_its_own_schema_translate_map(database):
    database.create(Author)
    database.observe("CREATE SCHEMA tenant")
    database.observe("CREATE TABLE tenant.tests_author (LIKE tests_author INCLUDING ALL)")
    engine = sa.create_engine(url_for(database, type("Sync", (), {"is_async": False})))
    with engine.connect().execution_options(schema_translate_map={None: "tenant"}) as connection:
        Author.objects.using(connection).create(name="Ada")
        connection.commit()
    engine.dispose()
    assert (stored(database), database.observe("SELECT name FROM tenant.tests_author")) == ([], [("Ada",)])


def test_an_engine_of_facades_takes_no_schema_translate_map(face, database):
    database.create(Author)
    one = connections["default"]
    engine = sync_of(one.async_engine) if face.is_async else one.engine
    engine.update_execution_options(schema_translate_map={None: "tenant"})
    with pytest.raises(ImproperlyConfigured, match="schema_translate_map"):
        face(Author.objects.count)


# -- listeners -------------------------------------------------------------------------------------------

SETTING = {"postgresql": "SELECT set_config('facade.tenant', 'a', {local})", "mysql": "SET @tenant = 'a'"}
ASKING = {"postgresql": "SELECT current_setting('facade.tenant', true)", "mysql": "SELECT @tenant"}


def setter(kind, vendor):
    """Return a listener that sets the tenant by SQL, the way its event lets it."""
    local = "true" if kind in ("begin", "before_cursor_execute", "engine_connect", "do_execute") else "false"
    sql = SETTING[vendor].format(local=local)

    def by_cursor(connection, *rest):
        cursor = connection.cursor()
        cursor.execute(sql)
        cursor.close()

    def by_connection(connection, *rest):
        connection.exec_driver_sql(sql)

    def before_statement(connection, cursor, *rest):
        cursor.execute(sql)

    def do_execute(cursor, *rest):
        cursor.execute(sql)

    return {
        "connect": by_cursor, "checkout": by_cursor, "begin": by_connection, "engine_connect": by_connection,
        "before_cursor_execute": before_statement, "do_execute": do_execute,
    }[kind]  # fmt: skip


@pytest.mark.vendors("postgres", "mariadb")
@pytest.mark.parametrize(
    "kind", ["connect", "checkout", "begin", "engine_connect", "before_cursor_execute", "do_execute"]
)
def test_what_a_listener_sets_holds_for_every_statement(face, database, given, kind):
    engine = given(pool_size=1, max_overflow=0)
    event.listen(sync_of(engine), kind, setter(kind, database.vendor))
    one = connections["default"]

    def tenant():
        with one.cursor() as cursor:
            face(cursor.execute, ASKING[database.vendor])
            return cursor.fetchone()[0]

    for _ in range(3):
        assert tenant() == "a"
    with face.block(atomic()):
        assert tenant() == "a"
        with face.block(atomic()):
            assert tenant() == "a"
    assert work(face) == DONE
    assert stored(database) == DONE


def test_a_listener_to_before_execute_hears_of_statements_and_may_not_replace_them(face, given):
    engine, heard = given(), []
    hear = event.listens_for(sync_of(engine), "before_execute")(
        lambda c, element, *rest: heard.append(str(element))
    )
    face(Author.objects.create, name="Ada")
    assert any("INSERT INTO tests_author" in text for text in heard)
    event.remove(sync_of(engine), "before_execute", hear)
    replace = lambda c, element, many, one, options: (sa.text("SELECT 1"), many, one)  # noqa: E731
    event.listen(sync_of(engine), "before_execute", replace, retval=True)
    with pytest.raises(TransactionManagementError, match="before_execute has replaced"):
        face(Author.objects.count)


def test_a_listener_may_change_statements(face, given):
    engine, seen = given(), []
    event.listen(
        sync_of(engine),
        "before_cursor_execute",
        lambda c, cur, sql, p, ctx, m: (f"{sql} -- seen", p),
        retval=True,
    )
    event.listen(sync_of(engine), "after_cursor_execute", lambda c, cur, sql, p, ctx, m: seen.append(sql))
    assert work(face) == DONE
    assert seen
    assert all(sql.endswith("-- seen") for sql in seen)


# -- SQLite ----------------------------------------------------------------------------------------------


@pytest.mark.vendors("sqlite")
def test_functions_are_there_on_any_connection(face, database, given):
    given()
    face(Author.objects.create, name="Ada", age=36)
    found = face.list(
        Author.objects.annotate(n=Concat("name", Value("!")))
        .filter(name__regex="^A")
        .values_list("n", flat=True)
    )
    assert found == ["Ada!"]


@pytest.mark.vendors("sqlite")
def test_rows_that_a_common_table_expression_selects_are_counted(face, database, given):
    event.listen(sync_of(given()), "before_cursor_execute", lambda *_: None)
    assert work(face) == DONE
    assert road(face) == "general"
    chosen = sa.select(Author.__table__.c.id).cte("chosen")
    assert face(Author.objects.filter(pk__in=sa.select(chosen.c.id)).update, age=1) == 4


@pytest.mark.vendors("sqlite")
def test_sqlalchemys_recipe_for_sqlite_works(face, database, given):
    engine = sync_of(given())

    @event.listens_for(engine, "connect")
    def connect(connection, record):
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")

    assert work(face) == DONE
    assert stored(database) == DONE
    assert road(face) == "general"


@pytest.mark.vendors("sqlite")
def test_a_connection_is_met_while_its_owner_reads(face, database, given):
    """SQLite replaces no function while a statement of the connection is open."""
    face(Author.objects.create, name="Ada")
    engine = given()
    with face.block(engine.connect()) as connection:
        if face.is_async:
            raw = face.wait(connection.get_raw_connection()).driver_connection
            reading = face.wait(raw.execute("SELECT 1 UNION SELECT 2"))
        else:
            reading = connection.connection.driver_connection.execute("SELECT 1 UNION SELECT 2")
        with face.block(using_connection(connection)):
            assert face(Author.objects.filter(name__regex="^A").count) == 1
            assert face(Author.objects.annotate(n=MD5("name")).filter(n="").count) == 0
        if face.is_async:
            face.wait(reading.close())
        else:
            reading.close()


@pytest.mark.vendors("sqlite")
def test_connections_that_are_always_in_a_transaction(face, database, given):
    if not hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL"):
        pytest.skip("Python 3.12 brought this mode")
    given(connect_args={"autocommit": False})
    assert work(face) == DONE
    assert stored(database) == DONE


# -- values ----------------------------------------------------------------------------------------------


def wrapping(value):
    return json.dumps({"wrapped": value}, default=str)


def test_documents_are_written_and_read_by_the_engines_functions(face, database, given):
    database.create(Letter)
    read = lambda text: json.loads(text)["wrapped"]  # noqa: E731
    given(json_serializer=wrapping, json_deserializer=read)
    face(Letter.objects.create, data={"price": Decimal("1.50")})
    assert face(Letter.objects.get).data == {"price": "1.50"}
    ((raw,),) = database.observe(f"SELECT data FROM {Letter._meta.db_table}")
    assert (json.loads(raw) if isinstance(raw, str) else raw) == {"wrapped": {"price": "1.50"}}


def test_an_expression_of_sqlalchemys_is_never_stored_as_text(face, database, given):
    given()
    for expression in (sa.func.upper("ada"), sa.literal("bob")):
        face(Author.objects.create, name=expression)
        assert face(Author.objects.filter(name=expression).count) == 1
        assert face(Author.objects.update, name=expression) > 0
    with pytest.raises(ValueError, match="can only be used to update"):
        face(Author.objects.create, name=Author.__table__.c.email)
    assert stored(database) == ["bob", "bob"]


# -- pools -----------------------------------------------------------------------------------------------


@pytest.mark.vendors("sqlite")
def test_a_connection_that_all_share_is_not_used_inside_somebodys_transaction(database):
    engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    configure(DATABASES={"default": engine})
    create_all(models=[Author])
    Author.objects.create(name="Ada")
    with atomic():
        Author.objects.create(name="Bob")
        assert Author.objects.count() == 2
    with Session(engine) as session:
        session.execute(sa.insert(Author.__table__).values(name="Core", email=""))
        for work in (Author.objects.count, Author(name="Cyd").save):
            with pytest.raises(TransactionManagementError, match="StaticPool"):
                work()
        with using_connection(session):
            assert Author.objects.count() == 3
        session.rollback()
    assert Author.objects.count() == 2
    close_all()
    engine.dispose()


def test_a_pool_that_is_exhausted_names_the_alias(face, given):
    given(pool_size=1, max_overflow=0, pool_timeout=0.1)
    with face.block(atomic()), transaction.detached(), pytest.raises(PoolExhausted, match="'default'"):
        face(Author.objects.count)
    assert face(Author.objects.count) == 0


def test_instrumentation_that_replaces_create_engine_sees_facades_engines(database, monkeypatch):
    made = []
    create = sa.create_engine

    def create_engine(*args, **options):
        made.append(args[0])
        return create(*args, **options)

    monkeypatch.setattr(sa, "create_engine", create_engine)
    configure(DATABASES={"default": database.url})
    assert connections["default"].engine is not None
    assert len(made) == 1
    close_all()


@pytest.mark.parametrize("listens", [False, True])
def test_a_fork_inside_a_block_leaves_the_block_to_the_parent(database, given_sync, listens):
    """On every road: the child must not speak on the parent's socket."""
    if listens:
        event.listen(given_sync, "after_cursor_execute", lambda *args: None)
    reading, writing = os.pipe()
    with atomic():
        Author.objects.create(name="parent")
        child = os.fork()
        if child == 0:
            try:
                Author.objects.count()
                told = b"read"
            except TransactionManagementError:
                told = b"refused"
            except BaseException as error:
                told = type(error).__name__.encode()
            os.write(writing, told)
            os._exit(0)
        os.waitpid(child, 0)
        assert Author.objects.count() == 1
    assert os.read(reading, 100) != b"read"
    assert stored(database) == ["parent"]


@pytest.fixture
def given_sync(database):
    database.create(Author)
    engine = sa.create_engine(url_for(database, type("Sync", (), {"is_async": False})))
    configure(DATABASES={"default": engine})
    yield engine
    close_all()
    engine.dispose()
