"""Configuring databases, SQLite's rules, and joining what exists already."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from facade import bridge, transaction
from facade.configuration import configure
from facade.db.channels.channel import Statement
from facade.db.connection import connection, connections, using_connection
from facade.db.roads import sqlite
from facade.db.roads.sqlite import on_connect
from facade.db.settings import config
from facade.db.settings.words import for_driver
from facade.exceptions import (
    ConnectionDoesNotExist,
    ImproperlyConfigured,
    IntegrityError,
    OperationalError,
    SynchronousOnlyOperation,
    TransactionManagementError,
)
from facade.sql.tables.schema import create_all
from facade.transaction import atomic
from tests.entries import Entries
from tests.models import Author

ONE = Statement("SELECT 1", reads=True, returns=True)


def ask(alias="default", sql="SELECT 1"):
    """Return the first value of the first row."""
    return connections[alias].fetch(Statement(sql, reads=True, returns=True), ())[0][0]


def drivers(alias="default"):
    settings = connections[alias].settings
    return settings.url.drivername, settings.async_url.drivername


def parts(database):
    url = make_url(database.url)
    return url, {"USER": url.username, "HOST": url.host, "PORT": url.port, "NAME": url.database}


# -- the forms of DATABASES (S60) ---------------------------------------------------------------------------


def as_url(database):
    return database.url


def as_url_object(database):
    return make_url(database.url)


def as_dict_with_url(database):
    return {"URL": database.url, "POOL_SIZE": 2}


def as_django_dict(database):
    url, values = parts(database)
    if database.vendor == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database, "ATOMIC_REQUESTS": False}
    return {"ENGINE": f"django.db.backends.{database.vendor}", "CONN_MAX_AGE": 60, **values}


def as_short_dict(database):
    url, values = parts(database)
    if database.vendor == "sqlite":
        return {"ENGINE": "sqlite", "NAME": url.database}
    return {"ENGINE": database.vendor, **values, "PORT": str(url.port)}


def as_pair_of_urls(database):
    if database.vendor == "sqlite":
        return database.url, database.url.replace("sqlite:", "sqlite+aiosqlite:")
    if database.vendor == "mysql":
        return database.url.replace("mysql:", "mysql+pymysql:"), database.url.replace(
            "mysql:", "mysql+asyncmy:"
        )
    return database.url.replace("postgresql:", "postgresql+psycopg:"), database.url.replace(
        "postgresql:", "postgresql+asyncpg:"
    )


@pytest.mark.parametrize(
    "form", [as_url, as_url_object, as_dict_with_url, as_django_dict, as_short_dict, as_pair_of_urls]
)
def test_every_form_reaches_the_database_on_both_faces(face, database, form):
    database.observe("CREATE TABLE one (n integer)")
    database.observe("INSERT INTO one VALUES (7)")
    configure(DATABASES={"default": form(database)})
    assert ask(sql="SELECT n FROM one") == 7


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://h/d", ("postgresql+psycopg", "postgresql+asyncpg")),
        ("postgres://h/d", ("postgresql+psycopg", "postgresql+asyncpg")),
        ("postgresql+psycopg://h/d", ("postgresql+psycopg", "postgresql+psycopg")),
        ("postgresql+asyncpg://h/d", ("postgresql+psycopg", "postgresql+asyncpg")),
        ("sqlite:///file.db", ("sqlite+pysqlite", "sqlite+aiosqlite")),
        ("sqlite+aiosqlite:///file.db", ("sqlite+pysqlite", "sqlite+aiosqlite")),
        ("mysql://h/d", ("mysql+pymysql", "mysql+asyncmy")),
        ("mariadb://h/d", ("mariadb+pymysql", "mariadb+asyncmy")),
        ("mysql+asyncmy://h/d", ("mysql+pymysql", "mysql+asyncmy")),
        ({"ENGINE": "django.db.backends.mysql", "NAME": "d"}, ("mysql+pymysql", "mysql+asyncmy")),
        ({"ENGINE": "sqlite3", "NAME": "x.db"}, ("sqlite+pysqlite", "sqlite+aiosqlite")),
    ],
)
def test_the_missing_half_is_derived(given, expected):
    configure(DATABASES={"default": given})
    assert drivers() == expected


def test_passwords_survive_the_derivation():
    configure(DATABASES={"default": {"ENGINE": "postgresql", "NAME": "d", "USER": "u", "PASSWORD": "p@:/ß"}})
    settings = connections["default"].settings
    assert (settings.url.password, settings.async_url.password) == ("p@:/ß", "p@:/ß")
    assert "p@" not in repr(connections["default"])


def test_a_unix_socket_is_named_by_its_folder():
    configure(DATABASES={"default": {"ENGINE": "postgresql", "NAME": "d", "HOST": "/run/postgresql"}})
    assert connections["default"].settings.url.query["host"] == "/run/postgresql"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (42, "not int"),
        ("nonsense", "Could not parse"),
        ("oracel://h/d", "oracel"),
        ({"NAME": "x"}, "ENGINE is missing"),
        ({"ENGINE": "sqlite", "NAMEE": "x"}, "unknown keys 'NAMEE'"),
        (("sqlite://",), "two halves"),
        (("sqlite:///a", "sqlite:///b"), "the other for the async face"),
    ],
)
def test_a_wrong_entry_is_refused_with_alias_and_reason(given, message):
    with pytest.raises(ImproperlyConfigured, match=rf"DATABASES\['default'\].*{message}"):
        configure(DATABASES={"default": given})
        connections["default"]


def test_an_unknown_alias_is_refused():
    configure(DATABASES={"default": "sqlite://"})
    with pytest.raises(ConnectionDoesNotExist, match="The connection 'nope' doesn't exist"):
        connections["nope"]


def test_connections_is_a_mapping_of_the_setting():
    configure(DATABASES={"default": "sqlite://", "other": "sqlite://"})
    assert list(connections) == ["default", "other"]
    assert "other" in connections
    assert [one.alias for one in connections.all()] == ["default", "other"]
    assert connection == connections["default"]
    assert connection.alias == "default"


def test_configuring_anew_replaces_the_database():
    configure(DATABASES={"default": "sqlite://"})
    before = connections["default"]
    configure(USE_TZ=True)
    assert connections["default"] is before
    configure(DATABASES={"default": "sqlite://"})
    assert connections["default"] is not before


@pytest.mark.parametrize(
    ("driver", "given", "expected"),
    [
        ("asyncpg", {"sslmode": "require"}, {"ssl": "require"}),
        ("asyncpg", {"connect_timeout": "3"}, {"timeout": 3.0}),
        ("asyncpg", {"application_name": "web"}, {"server_settings": {"application_name": "web"}}),
        (
            "asyncpg",
            {"options": "-c search_path=a,b -c jit=off"},
            {"server_settings": {"options": "-c search_path=a,b -c jit=off"}},
        ),
        ("asyncpg", {"keepalives": 1, "client_encoding": "UTF8"}, {}),
        ("psycopg", {"server_settings": {"jit": "off"}}, {"options": "-c jit=off"}),
        ("psycopg", {"ssl": "require", "statement_cache_size": 0}, {"sslmode": "require"}),
        (
            "psycopg",
            {"timeout": 2.5, "search_path": "a"},
            {"connect_timeout": 2, "options": "-c search_path=a"},
        ),
    ],
)
def test_options_are_understood_in_the_words_of_either_driver(driver, given, expected):
    url = make_url(f"postgresql+{driver}://h/d")
    assert for_driver(url, given) == (url, expected)
    with_query = url.set(query={name: str(value) for name, value in given.items()})
    if "server_settings" not in given and "statement_cache_size" not in given:
        assert for_driver(with_query, {})[0].query == {}


@pytest.mark.vendors("postgres")
def test_options_reach_the_server_on_both_faces(face, database):
    url = database.url + "?application_name=from_the_url"
    configure(DATABASES={"default": {"URL": url, "OPTIONS": {"options": "-c statement_timeout=12345"}}})
    assert ask(sql="SHOW application_name") == "from_the_url"
    assert ask(sql="SHOW statement_timeout") == "12345ms"


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("level", ["SERIALIZABLE", "repeatable read"])
def test_the_isolation_level_of_the_settings_is_that_of_blocks(face, database, level):
    configure(DATABASES={"default": {"URL": database.url, "OPTIONS": {"isolation_level": level}}})
    with face.block(atomic()):
        assert ask(sql="SHOW transaction_isolation") == level.lower()
    with face.block(atomic(isolation_level="READ COMMITTED")):
        assert ask(sql="SHOW transaction_isolation") == "read committed"


def test_a_face_without_a_driver_says_what_to_install(monkeypatch):
    monkeypatch.setattr(config, "find_spec", lambda name: None)
    configure(DATABASES={"default": "mysql+pymysql://h/d"})
    with pytest.raises(ImproperlyConfigured, match="has no async face: install asyncmy or aiomysql"):
        connections["default"].async_engine  # noqa: B018
    configure(DATABASES={"default": "mysql+asyncmy://h/d"})
    with pytest.raises(ImproperlyConfigured, match="has no sync face: install pymysql or mysqlclient"):
        connections["default"].engine  # noqa: B018


DRIVERS = {
    ("sqlite", False): "sqlite+pysqlite", ("sqlite", True): "sqlite+aiosqlite",
    ("postgresql", False): "postgresql+psycopg", ("postgresql", True): "postgresql+asyncpg",
    ("mysql", False): "mysql+pymysql", ("mysql", True): "mysql+asyncmy",
}  # fmt: skip

# -- existing engines (S60) -------------------------------------------------------------------------------


@pytest.fixture
def engines(face, database):
    """The user's own engines, the async one only where it is used."""
    url = make_url(database.url)
    sync = create_engine(url.set(drivername=DRIVERS[database.vendor, False]))
    made = {"sync": sync}
    if face.is_async:
        made["async"] = create_async_engine(url.set(drivername=DRIVERS[database.vendor, True]))
    yield made
    sync.dispose()


def use(face, engines):
    """Configure the user's engines, and return the one of this face."""
    configure(
        DATABASES={"default": (engines["sync"], engines["async"]) if face.is_async else engines["sync"]}
    )
    return engines["async"].sync_engine if face.is_async else engines["sync"]


def close(face, engines):
    if face.is_async:
        face.wait(engines["async"].dispose())


def test_an_existing_engine_is_used_as_it_is(face, database, engines):
    engine = use(face, engines)
    assert ask() == 1
    assert engine.pool.checkedin() == 1
    assert engine.pool.checkedout() == 0
    assert connections["default"].lender.engine is engine
    close(face, engines)


def test_a_connection_goes_back_as_it_came(face, database, engines):
    entries = Entries(database)
    engine = use(face, engines)
    entries.add("lone")
    with face.block(atomic()):
        entries.add("in a block")
    list(connections["default"].stream(ONE, (), 10))
    with pytest.raises(IntegrityError):
        entries.add("lone")
    with engine.connect() as theirs:
        theirs.execute(text("INSERT INTO entry (name) VALUES ('not committed')"))
        assert getattr(theirs.connection.dbapi_connection, "isolation_level", None) != "autocommit"
    with engine.begin() as theirs:
        theirs.execute(text("INSERT INTO entry (name) VALUES ('committed')"))
    assert entries.stored == ["lone", "in a block", "committed"]
    assert engine.pool.checkedout() == 0
    close(face, engines)


@pytest.mark.vendors("postgres")
def test_blocks_have_the_isolation_level_of_an_existing_engine(face, database):
    if face.is_async:
        url = database.url.replace("postgresql:", "postgresql+asyncpg:")
        engine = create_async_engine(url, isolation_level="SERIALIZABLE")
    else:
        engine = create_engine(
            database.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="SERIALIZABLE"
        )
    configure(DATABASES={"default": engine})
    with face.block(atomic()):
        assert ask(sql="SHOW transaction_isolation") == "serializable"
    if face.is_async:
        face.wait(engine.dispose())
    else:
        engine.dispose()


def test_an_engine_derives_its_missing_half(database):
    sync = create_engine(make_url(database.url).set(drivername=DRIVERS[database.vendor, False]))
    configure(DATABASES={"default": sync})

    async def main():
        return await bridge.run(ask)

    assert (ask(), asyncio.run(main())) == (1, 1)
    assert connections["default"].engine is sync
    sync.dispose()


def test_an_engine_whose_url_names_an_async_dialect_leaves_the_sync_face_to_a_sync_one():
    configure(DATABASES={"default": create_async_engine("postgresql+psycopg_async://h/d")})
    assert connections["default"].settings.url.drivername == "postgresql+psycopg"


def test_an_engine_on_private_memory_has_one_face():
    engine = create_engine("sqlite://")
    configure(DATABASES={"default": engine})
    assert ask() == 1
    with pytest.raises(ImproperlyConfigured, match="private in-memory database"):
        connections["default"].async_engine  # noqa: B018
    engine.dispose()


def test_the_engine_that_facade_made_is_an_ordinary_one(face, database):
    entries = Entries(database)
    entries.add("ours")
    engine = connections["default"].lender.engine
    with engine.connect() as theirs:
        theirs.execute(text("INSERT INTO entry (name) VALUES ('rolled back')"))
    with engine.begin() as theirs:
        theirs.execute(text("INSERT INTO entry (name) VALUES ('committed')"))
    raw = engine.raw_connection()
    raw.cursor().execute("INSERT INTO entry (name) VALUES ('reset on return')")
    raw.close()
    entries.add("autocommits again")
    assert entries.stored == ["ours", "committed", "autocommits again"]
    assert engine.pool.checkedout() == 0


async def test_no_connection_outlives_a_new_configuration(database):
    """Not even in an event loop, where nothing can wait for it to be closed: who forgets it warns of it."""
    for _ in range(3):
        before = connections["default"]
        async with asyncio.TaskGroup() as group:  # two connections at the same time
            for _ in range(2):
                group.create_task(before.aensure_connection())
        async with atomic():
            configure(DATABASES=database.urls)
            assert connections["default"] is not before
        lent = before.async_lender.pool.here()
        assert lent is None or not (lent.idle or lent.entries)
        del before, lent
        gc.collect()


def test_both_faces_share_the_compiled_statements_where_the_sql_is_the_same(database):
    async def main():
        return await bridge.run(lambda: connections["default"].plan_key)

    shared = connections["default"].plan_key is asyncio.run(main())
    assert shared == (database.vendor == "sqlite")


# -- sync code and event loops (S46) -----------------------------------------------------------------------


async def test_a_sync_statement_in_an_event_loop_is_refused(database):
    with pytest.raises(
        SynchronousOnlyOperation, match="ALLOW_BLOCKING: True in the settings of database 'default'"
    ):
        ask()


async def test_blocking_can_be_allowed_per_alias(database):
    configure(DATABASES={"default": {"URL": database.url, "ALLOW_BLOCKING": True}})
    assert ask() == 1


async def test_allowed_blocking_holds_from_the_first_use(database):
    """In a notebook nothing has been asked, and no SQL written, before the event loop runs."""
    configure(DATABASES={"default": {"URL": database.url, "ALLOW_BLOCKING": True}})
    create_all(models=[Author])
    with atomic():
        Author.objects.create(name="Ada")
    assert [author.name for author in Author.objects.all()] == ["Ada"]
    assert "SELECT" in str(Author.objects.all().query)
    connections["default"].close()
    assert Author.objects.count() == 1


@pytest.mark.parametrize(
    ("call", "way_out"),
    [
        (lambda: Author.objects.count(), r"QuerySet\.count\(\).*await acount\(\)"),
        (lambda: Author(name="Ada").save(), r"Author\.save\(\).*await asave\(\)"),
        (lambda: list(Author.objects.all()), "`async for`"),
        (lambda: atomic().__enter__(), "`async with atomic"),
    ],
)
async def test_in_a_block_it_is_told_what_to_await(database, call, way_out):
    await bridge.run(database.create, Author)
    async with atomic():
        with pytest.raises(SynchronousOnlyOperation, match=way_out) as refused:
            call()
        transaction.set_rollback(True)
    assert "Lock" not in str(refused.value)


@pytest.mark.without("mariadb", reason="its SQL depends on the version of the server, which is asked first")
async def test_sql_can_be_printed_in_an_event_loop(database):
    configure(DATABASES={"default": database.url})
    assert "SELECT" in str(Author.objects.filter(name="Ada").query)
    with pytest.raises(SynchronousOnlyOperation, match=r"QuerySet\.get\(\).*await aget\(\)"):
        Author.objects.get(name="Ada")


@pytest.mark.vendors("postgres")
async def test_sql_can_be_printed_without_a_driver_for_sync_code(database):
    configure(
        DATABASES={"default": create_async_engine(database.url.replace("postgresql:", "postgresql+asyncpg:"))}
    )
    one = connections["default"]
    assert "SELECT" in str(Author.objects.filter(name="Ada").query)
    await one.async_engine.dispose()


# -- SQLite (R11) ------------------------------------------------------------------------------------------


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize(
    ("pragma", "expected"), [("journal_mode", "wal"), ("busy_timeout", 30000), ("foreign_keys", 1)]
)
def test_sqlite_connections_are_set_up(face, database, pragma, expected):
    assert ask(sql=f"PRAGMA {pragma}") == expected


@pytest.mark.vendors("sqlite")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 cannot switch it before Python 3.12")
def test_sqlite_takes_a_double_quoted_word_for_a_column(face, database):
    with pytest.raises(OperationalError, match="no such column"):
        ask(sql='SELECT "misspelled"')


@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
def test_sqlite_lets_the_file_go_whatever_cursor_was_left_open(face, database):
    one = connections["default"]
    one.perform(Statement("CREATE TABLE t AS SELECT 1 AS n UNION SELECT 2"), ())
    borrowed = one.engine.raw_connection()
    cursor = borrowed.cursor()
    cursor.execute("SELECT n FROM t")
    assert cursor.fetchone() == (1,)
    borrowed.close()
    connections.close_all()
    folder = Path(make_url(database.url).database).parent
    assert not list(folder.glob("*-wal"))


@pytest.mark.vendors("sqlite")
def test_sqlite_regexp_and_registered_functions(face, database, monkeypatch):
    monkeypatch.setattr(sqlite, "_setups", [*sqlite._setups])

    @on_connect
    def add_shout(connection):
        connection.create_function("shout", 1, lambda word: word.upper() + "!")

    configure(DATABASES={"default": database.url})
    assert ask(sql="SELECT 'Ada' REGEXP '^A.a$'") == 1
    assert ask(sql="SELECT shout('hey')") == "HEY!"


@pytest.mark.vendors("sqlite")
def test_sqlite_options_of_django(face, database):
    options = {
        "timeout": 7,
        "init_command": "PRAGMA synchronous=1; PRAGMA cache_size=123",
        "transaction_mode": "IMMEDIATE",
    }
    configure(
        DATABASES={
            "default": {"ENGINE": "sqlite", "NAME": make_url(database.url).database, "OPTIONS": options}
        }
    )
    assert ask(sql="PRAGMA busy_timeout") == 7000
    assert ask(sql="PRAGMA cache_size") == 123


@pytest.mark.vendors("sqlite")
def test_a_lone_write_takes_no_transaction(face, database):
    """Nothing stays open after it: another connection can write at once."""
    entries = Entries(database)
    entries.add("lone")
    database.observe("INSERT INTO entry (name) VALUES ('other')")
    assert entries.stored == ["lone", "other"]


@pytest.mark.vendors("sqlite")
def test_read_modify_write_loses_nothing(database):
    """Blocks begin with the write lock: 4 threads × 25 increments are 100."""
    entries = Entries(database)
    entries.add("counter")

    def increment():
        for _ in range(25):
            with atomic():
                value = entries.read("SELECT n FROM entry")[0]
                entries.run(f"UPDATE entry SET n = {value + 1}")

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.observe("SELECT n FROM entry") == [(100,)]


# -- SQLite in memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", ["sqlite://", "sqlite:///:memory:", {"ENGINE": "sqlite3", "NAME": ":memory:"}]
)
def test_memory_is_one_database_for_both_faces_and_all_threads(given):
    configure(DATABASES={"default": given})
    one = connections["default"]
    one.execute(Statement("CREATE TABLE t (n integer)"), ())
    seen = []

    def work():
        one.execute(Statement("INSERT INTO t VALUES (2)"), ())
        seen.append(ask(sql="SELECT count(*) FROM t"))

    async def main():
        await bridge.run(one.execute, Statement("INSERT INTO t VALUES (1)"), ())
        return await bridge.run(ask, sql="SELECT count(*) FROM t")

    assert asyncio.run(main()) == 1
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [2]
    assert ask(sql="SELECT sum(n) FROM t") == 3
    assert one.settings.memory


def test_memory_survives_closing_and_is_private_to_its_alias():
    configure(DATABASES={"default": "sqlite://", "other": "sqlite://"})
    connections["default"].execute(Statement("CREATE TABLE t (n integer)"), ())
    connections.close_all()
    assert ask(sql="SELECT count(*) FROM t") == 0
    with pytest.raises(OperationalError, match="no such table"):
        ask("other", "SELECT count(*) FROM t")


def test_a_stream_in_memory_leaves_room_for_writers():
    configure(DATABASES={"default": {"URL": "sqlite://", "OPTIONS": {"timeout": 0.1}}})
    one = connections["default"]
    one.execute(Statement("CREATE TABLE t (n integer)"), ())
    one.execute_many(Statement("INSERT INTO t VALUES (?)"), [(n,) for n in range(5)])
    for _ in one.stream(Statement("SELECT n FROM t", reads=True, returns=True), (), 2):
        one.execute(Statement("UPDATE t SET n = n + 1"), ())
    assert ask(sql="SELECT sum(n) FROM t") == 10 + 3 * 5


# -- SQL by hand ---------------------------------------------------------------------------------------------


def test_cursor_takes_percent_placeholders_on_every_driver(face, database):
    Entries(database)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO entry (name, n) VALUES (%s, %s)", ["100%", 1])
        assert cursor.rowcount == 1
        cursor.execute("SELECT name, n FROM entry WHERE name LIKE '%%!%%' ESCAPE '!' AND n = %s", [1])
        assert [column[0] for column in cursor.description] == ["name", "n"]
        assert tuple(cursor.fetchone()) == ("100%", 1)
        assert cursor.fetchone() is None
        cursor.execute("SELECT n FROM entry WHERE name = %(name)s OR name = %(name)s", {"name": "100%"})
        assert [tuple(row) for row in cursor] == [(1,)]
        cursor.execute("SELECT count(*) FROM entry WHERE name LIKE '%0%'")
        assert tuple(cursor.fetchall()[0]) == (1,)


async def test_cursor_has_twins(database):
    Entries(database)
    async with connection.cursor() as cursor:
        await cursor.aexecutemany("INSERT INTO entry (name) VALUES (%s)", [["a"], ["b"]])
        await cursor.aexecute("SELECT count(*) FROM entry")
        assert tuple(cursor.fetchone()) == (2,)


def test_cursor_belongs_to_the_block(face, database):
    entries = Entries(database)
    with pytest.raises(ZeroDivisionError), face.block(atomic()):
        connection.cursor().execute("INSERT INTO entry (name) VALUES ('gone')")
        raise ZeroDivisionError
    assert entries.stored == []


@pytest.mark.parametrize(
    ("sql", "params"), [("SELECT %s", []), ("SELECT %s", [1, 2]), ("SELECT %(a)s", {"b": 1})]
)
def test_cursor_refuses_what_does_not_match(sql, params):
    configure(DATABASES={"default": "sqlite://"})
    with pytest.raises(ValueError):
        connection.cursor().execute(sql, params)


def test_a_closed_cursor_and_a_missing_result_are_errors():
    configure(DATABASES={"default": "sqlite://"})
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (n integer)")
    with pytest.raises(Exception, match="returned no rows"):
        cursor.fetchone()
    cursor.close()
    with pytest.raises(Exception, match="cursor is closed"):
        cursor.execute("SELECT 1")


# -- joining (S61) ---------------------------------------------------------------------------------------------


class Theirs:
    """A connection of the user's own engine, with both faces under the same names."""

    def __init__(self, face, database, kind):
        self.face = face
        url = make_url(database.url)
        url = url.set(drivername=DRIVERS[database.vendor, face.is_async])
        self.engine = create_async_engine(url) if face.is_async else create_engine(url)
        self.given = self._open(kind)

    def _open(self, kind):
        if kind == "session":
            return AsyncSession(self.engine) if self.face.is_async else Session(self.engine)
        return self.face.wait(self.engine.connect().start()) if self.face.is_async else self.engine.connect()

    def _do(self, result):
        return self.face.wait(result) if self.face.is_async else result

    def execute(self, sql):
        return self._do(self.given.execute(text(sql)))

    def commit(self):
        self._do(self.given.commit())

    def rollback(self):
        self._do(self.given.rollback())

    def close(self):
        self._do(self.given.close())
        self._do(self.engine.dispose())


@pytest.fixture
def entries(database):
    return Entries(database)


@pytest.mark.parametrize("kind", ["connection", "session"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_joining_makes_one_transaction(face, database, entries, kind, end):
    theirs = Theirs(face, database, kind)
    theirs.execute("INSERT INTO entry (name) VALUES ('theirs')")
    with face.block(using_connection(theirs.given)):
        assert entries.read() == ["theirs"]
        entries.add("ours")
        with face.block(atomic()):
            entries.add("ours in a savepoint")
        with pytest.raises(ZeroDivisionError), face.block(atomic()):
            entries.add("undone")
            raise ZeroDivisionError
        assert list(entries.stream()) == ["theirs", "ours", "ours in a savepoint"]
    assert entries.stored == []
    assert [row[0] for row in theirs.execute("SELECT name FROM entry ORDER BY id")] == [
        "theirs", "ours", "ours in a savepoint",
    ]  # fmt: skip
    getattr(theirs, end)()
    assert entries.stored == (["theirs", "ours", "ours in a savepoint"] if end == "commit" else [])
    theirs.close()


def test_a_joined_session_may_go_on_after_a_commit(face, database, entries):
    theirs = Theirs(face, database, "session")
    with face.block(using_connection(theirs.given)):
        entries.add("first")
        theirs.commit()
        assert entries.stored == ["first"]
        entries.add("second")
        theirs.rollback()
    assert entries.stored == ["first"]
    theirs.close()


def test_the_transaction_of_a_joined_connection_is_not_ours_to_end(face, database, entries):
    theirs = Theirs(face, database, "connection")
    with face.block(using_connection(theirs.given)) as block:
        with pytest.raises(TransactionManagementError):
            connections["default"].commit()
        with pytest.raises(TransactionManagementError, match="committed by its owner"):
            block.transaction.channel.commit()
    theirs.close()


def test_after_joining_statements_go_their_own_way_again(face, database, entries):
    theirs = Theirs(face, database, "connection")
    with face.block(using_connection(theirs.given)):
        entries.add("joined")
    theirs.rollback()
    entries.add("lone")
    assert entries.stored == ["lone"]
    theirs.close()


def test_joining_something_else_is_refused():
    configure(DATABASES={"default": "sqlite://"})
    with sqlite3.connect(":memory:") as raw, pytest.raises(TypeError, match="not Connection"):
        using_connection(raw).__enter__()
    raw.close()
    configure(DATABASES={"default": "postgresql+psycopg://h/d"})
    mine = create_engine("sqlite://")
    with (
        mine.connect() as theirs,
        pytest.raises(ImproperlyConfigured, match="was given a connection of sqlite"),
    ):
        using_connection(theirs).__enter__()
    mine.dispose()
