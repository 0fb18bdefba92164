"""Execution options and limits of time, for a block or for one query (S88)."""

from __future__ import annotations

import copy
import pickle
import time
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from facade import atomic, configure, connections, models, transaction, using_connection
from facade.db.connection import close_all
from facade.exceptions import StatementTimeout, TransactionManagementError, UnsupportedFeature
from facade.models import Count, F, Func, Prefetch, Value
from tests.test_sqlalchemy import url_for

timed = pytest.mark.vendors("postgres", "mariadb")
SLEEP = {"postgresql": "pg_sleep", "mysql": "SLEEP"}


class Author(models.Model):
    name = models.CharField(max_length=100)
    age = models.IntegerField(null=True)
    email = models.CharField(max_length=100, default="")

    class Meta:
        app_label = "tests_options"


class Book(models.Model):
    title = models.CharField(max_length=100)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")

    class Meta:
        app_label = "tests_options"


def slow(database, seconds=3.0, queryset=None):
    """Return a query that takes so many seconds for each row."""
    sleep = Func(Value(seconds), function=SLEEP[database.vendor], output_field=models.TextField())
    return (Author.objects.all() if queryset is None else queryset).annotate(s=sleep)


@pytest.fixture
def authors(database):
    database.create(Author, Book)
    ada = Author.objects.create(name="Ada", age=36)
    Book.objects.create(title="Notes", author=ada)
    return ada


@contextmanager
def stopped():
    begun = time.monotonic()
    with pytest.raises(StatementTimeout):
        yield
    assert time.monotonic() - begun < 2.5


# -- limits of time ------------------------------------------------------------------------------------------


@timed
def test_each_statement_of_a_query_has_its_time(face, database, authors):
    rows = slow(database).timeout(0.2)
    with stopped():
        face.list(rows)
    with stopped():
        face(rows.filter(s__isnull=False).count)
    with stopped():
        face(rows.filter(s__isnull=False).exists)
    with stopped():
        face(rows.get, name="Ada")
    with stopped():
        list(face.iterate(rows.iterator, 10))
    with stopped():
        face(rows.filter(s__isnull=False).update, age=1)
    assert face.list(slow(database, 0.3)) == [authors]
    assert connections["default"].queries == []


@timed
def test_what_a_limited_query_writes_is_kept(face, database, authors):
    limited = Author.objects.timeout(20)
    bob = face(limited.create, name="Bob")
    assert bob._state.db == "default"
    assert face(limited.filter(name="Bob").update, age=40) == 1
    cyd, dee = face(limited.bulk_create, [Author(name="Cyd"), Author(name="Dee")])
    assert (cyd._state.db, dee._state.db) == ("default", "default")
    assert face(limited.get_or_create, name="Eve")[1] is True
    assert face(limited.filter(name="Cyd").delete)[0] == 1
    names = [name for (name,) in database.observe("SELECT name FROM tests_options_author ORDER BY name")]
    assert names == ["Ada", "Bob", "Dee", "Eve"]


@timed
def test_a_limit_inside_a_block_ends_with_its_query(face, database, authors):
    with face.block(atomic()):
        face(Author.objects.timeout(0.2).create, name="Bob")
        with stopped(), face.block(atomic()):
            face.list(slow(database).timeout(0.2))
        rows = face.iterate(Author.objects.timeout(0.2).order_by("name").iterator, 1)
        assert next(rows).name == "Ada"
        assert len(face.list(slow(database, 0.3, Author.objects.filter(name="Ada")))) == 1
        assert [row.name for row in rows] == ["Bob"]
    assert face(Author.objects.count) == 2


@timed
@pytest.mark.parametrize("ends", ["well", "badly"])
def test_a_block_has_a_limit_for_each_statement(face, database, authors, ends):
    with stopped(), face.block(atomic(timeout=0.2)):
        face.list(slow(database))
    with face.block(atomic()):
        try:
            with face.block(atomic(timeout=0.2)):
                face(Author.objects.create, name="Bob")
                face.list(slow(database, 0.05))
                face.list(slow(database, 0.05))
                if ends == "badly":
                    raise LookupError
        except LookupError:
            pass
        assert face.list(slow(database, 0.3, Author.objects.filter(name="Ada"))) == [authors]
        with stopped(), face.block(atomic(timeout=0.2)):
            face.list(slow(database))
        assert face.list(slow(database, 0.3, Author.objects.filter(name="Ada"))) == [authors]
        with face.block(atomic(timeout=20)), stopped(), face.block(atomic(timeout=0.2)):
            face.list(slow(database))
    assert face.list(slow(database, 0.3, Author.objects.filter(name="Ada"))) == [authors]
    assert face(Author.objects.count) == (2 if ends == "well" else 1)


@timed
def test_a_limit_in_a_block_without_a_savepoint_that_fails(face, database, authors):
    with pytest.raises(TransactionManagementError), face.block(atomic()):
        with stopped(), face.block(atomic(savepoint=False, timeout=0.2)):
            face.list(slow(database))
        face(Author.objects.count)
    assert face.list(slow(database, 0.3)) == [authors]


@timed
def test_a_connection_goes_back_without_the_limit_of_its_block(face, database, authors):
    one = connections["default"]
    asked = {"postgresql": "SHOW statement_timeout", "mysql": "SELECT @@SESSION.max_statement_time"}

    def setting():
        with one.cursor() as cursor:
            face(cursor.execute, asked[database.vendor])
            return cursor.fetchone()[0]

    before = setting()
    with face.block(atomic(timeout=5)):
        assert str(setting()).startswith("5")
    with pytest.raises(LookupError), face.block(atomic(timeout=5)):
        raise LookupError
    assert setting() == before


@timed
def test_a_decorated_function_has_the_limit_in_each_try(face, database, authors):
    @transaction.atomic(timeout=0.2, retries=1)
    def work():
        return list(slow(database))

    if not face.is_async:
        with stopped():
            work()


@timed
def test_a_limit_in_a_joined_transaction(face, database, authors):
    engine = (create_async_engine if face.is_async else sa.create_engine)(url_for(database, face))
    configure(DATABASES={"default": engine})
    with face.block(engine.begin()) as connection:
        with face.block(using_connection(connection)):
            with stopped(), face.block(atomic(timeout=0.2)):
                face.list(slow(database))
            assert face.list(slow(database, 0.3)) == [authors]
        with stopped(), face.block(atomic(using=connection)):
            face.list(slow(database).using(connection).timeout(0.2))
        face(Author.objects.using(connection).timeout(5).create, name="Bob")
    close_all()
    face.wait(engine.dispose()) if face.is_async else engine.dispose()
    assert database.count("tests_options_author") == 2


@timed
def test_what_is_prefetched_has_the_limit_too(face, database, authors):
    books = slow(database, queryset=Book.objects.all())
    with stopped():
        face.list(Author.objects.timeout(0.2).prefetch_related(Prefetch("books", books)))
    got = face.list(Author.objects.timeout(5).prefetch_related("books"))
    assert [book.title for book in got[0].books.all()] == ["Notes"]


@pytest.mark.vendors("sqlite")
def test_a_database_that_cannot_limit_time_says_so(face, authors, assert_queries):
    words = r"'default' \(sqlite\) cannot limit the time of a statement"
    with assert_queries(0):
        with pytest.raises(UnsupportedFeature, match=words):
            face.list(Author.objects.timeout(1))
        with pytest.raises(UnsupportedFeature, match=words), face.block(atomic(timeout=1)):
            face(Author.objects.count)
        with pytest.raises(UnsupportedFeature, match=words):
            face(Author.objects.timeout(1).create, name="Bob")


@pytest.mark.parametrize(
    ("given", "error"),
    [(0, ValueError), (-1, ValueError), (float("nan"), ValueError), ("1", TypeError), (True, TypeError)],
)
def test_a_limit_is_a_number_of_seconds(given, error):
    with pytest.raises(error, match="timeout is the number of seconds"):
        Author.objects.timeout(given)
    with pytest.raises(error, match="timeout is the number of seconds"):
        atomic(timeout=given)


# -- options --------------------------------------------------------------------------------------------------


@pytest.fixture
def heard(face, database, authors):
    """What a listener on an engine of somebody else's is told of the execution options of statements."""
    engine = (create_async_engine if face.is_async else sa.create_engine)(url_for(database, face))
    configure(DATABASES={"default": engine})
    told = []

    @event.listens_for(getattr(engine, "sync_engine", engine), "before_cursor_execute")
    def tell(conn, cursor, statement, parameters, context, executemany):
        told.append(context.execution_options.get("tag"))

    yield told
    close_all()
    if not face.is_async:
        engine.dispose()


def test_listeners_see_the_options_of_a_query(face, heard):
    tagged = Author.objects.execution_options(tag="report")
    face.list(tagged)
    face(tagged.count)
    face(tagged.filter(name="Ada").update, age=1)
    face.list(tagged.prefetch_related("books"))
    assert set(heard) == {"report"}
    heard.clear()
    face.list(Author.objects.all())
    face.list(tagged.execution_options(tag="other"))
    assert heard == [None, "other"]


def test_listeners_see_the_options_of_a_block(face, heard):
    with face.block(atomic(execution_options={"tag": "outer"})):
        heard.clear()
        face(Author.objects.count)
        with face.block(atomic(execution_options={"tag": "inner"}, savepoint=False)):
            face(Author.objects.count)
            face(Author.objects.execution_options(tag="query").count)
            face(Author.objects.count)
        face(Author.objects.count)
        assert heard == ["outer", "inner", "query", "inner", "outer"]
    heard.clear()
    face(Author.objects.count)
    assert heard == [None]


def test_options_cost_no_statement(face, authors, assert_queries):
    with assert_queries(1):
        assert face.list(Author.objects.execution_options(tag="x", stream_results=True, yield_per=7)) == [
            authors
        ]
    with assert_queries(3), face.block(atomic(execution_options={"tag": "x"})):
        assert face(Author.objects.count) == 1


def test_yield_per_is_the_size_of_what_an_iterator_reads(face, authors):
    for number in range(5):
        face(Author.objects.create, name=f"{number}")
    for options in ({"yield_per": 2}, {"stream_results": False}, {"yield_per": 2, "stream_results": False}):
        rows = Author.objects.execution_options(**options).order_by("pk")
        assert len(list(face.iterate(rows.iterator))) == 6
        with face.block(atomic()):
            assert len(list(face.iterate(rows.iterator, 3))) == 6
    assert Author.objects.execution_options(yield_per=2)._check_chunk_size(None) == 2


def test_options_of_a_connection_are_for_blocks(face, authors):
    for name in ("isolation_level", "postgresql_readonly", "postgresql_deferrable", "logging_token"):
        with pytest.raises(UnsupportedFeature, match=f"'{name}' belongs to a connection, not to a query"):
            Author.objects.execution_options(**{name: "x"})
    with pytest.raises(UnsupportedFeature, match="no_parameters"):
        Author.objects.execution_options(no_parameters=True)
    with pytest.raises(ValueError, match="'AUTOCOMMIT' is no isolation level"):
        atomic(execution_options={"isolation_level": "AUTOCOMMIT"})
    with face.block(atomic()):
        for options in ({"isolation_level": "SERIALIZABLE"}, {"logging_token": "x"}):
            with pytest.raises(TransactionManagementError, match="belong to its outermost block"):
                face.block(atomic(execution_options=options)).__enter__()


@pytest.mark.vendors("postgres")
def test_options_of_a_transaction(face, database, authors):
    options = {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True, "postgresql_deferrable": True}
    with face.block(atomic(execution_options=options)):
        with connections["default"].cursor() as cursor:
            for name, value in (("isolation", "serializable"), ("read_only", "on"), ("deferrable", "on")):
                face(cursor.execute, f"SHOW transaction_{name}")
                assert cursor.fetchone()[0] == value
    with face.block(atomic()), connections["default"].cursor() as cursor:
        face(cursor.execute, "SHOW transaction_deferrable")
        assert cursor.fetchone()[0] == "off"


@pytest.mark.vendors("sqlite", "mariadb")
def test_options_of_another_dialect_are_refused(face, authors, assert_queries):
    for name in ("postgresql_readonly", "postgresql_deferrable"):
        words = f"'{name}' is not for database 'default'"
        with assert_queries(0), pytest.raises(UnsupportedFeature, match=words):
            face.block(atomic(execution_options={name: True})).__enter__()


# -- schemas --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tenants(database, authors):
    """Two schemas with the same tables, one of them with an author of its own."""
    for name in ("north", "south"):
        database.observe(f"CREATE SCHEMA {name}")
        for table in ("author", "book"):
            database.observe(
                f"CREATE TABLE {name}.tests_options_{table} (LIKE tests_options_{table} INCLUDING ALL)"
            )
        database.observe(
            f"INSERT INTO {name}.tests_options_author (id, name, email) VALUES (1, '{name}', '')"
        )
        database.observe(
            f"INSERT INTO {name}.tests_options_book (id, title, author_id) VALUES (1, '{name} book', 1)"
        )


def at(schema):
    return {"schema_translate_map": {None: schema}}


in_schemas = pytest.mark.vendors("postgres")


@in_schemas
def test_a_query_reads_and_writes_in_its_schema(face, database, tenants):
    north = Author.objects.execution_options(**at("north"))
    south = Author.objects.execution_options(**at("south"))
    assert face.list(north.values_list("name", flat=True)) == ["north"]
    assert face.list(south.values_list("name", flat=True)) == ["south"]
    assert face.list(Author.objects.values_list("name", flat=True)) == ["Ada"]
    assert face(north.filter(books__title="north book").count) == 1
    assert face.list(north.annotate(n=Count("books")).values_list("n", flat=True)) == [1]
    face(south.filter(pk=1).update, age=5)
    face(south.create, name="two", pk=2)
    face(south.bulk_create, [Author(name="three", pk=3)])
    assert database.observe("SELECT name, age FROM south.tests_options_author ORDER BY id") == [
        ("south", 5),
        ("two", None),
        ("three", None),
    ]
    assert database.count("tests_options_author") == 1
    with face.block(atomic()):
        assert face(north.get).name == "north"
        assert face(Author.objects.get).name == "Ada"


@in_schemas
def test_an_object_stays_with_its_schema(face, database, tenants):
    north = face(Author.objects.execution_options(**at("north"), tag="x").timeout(5).get)
    assert [book.title for book in face.list(north.books.all())] == ["north book"]
    north.age = 7
    face(north.save)
    face(north.refresh_from_db)
    assert north.age == 7
    assert database.observe("SELECT age FROM north.tests_options_author") == [(7,)]
    assert database.observe("SELECT age FROM tests_options_author") == [(36,)]
    book = face(Book.objects.execution_options(**at("north")).get)
    assert face(Book.objects.execution_options(**at("north")).select_related("author").get).author == north
    if not face.is_async:
        assert book.author.name == "north"
        assert Author.objects.execution_options(**at("north")).defer("email").get().email == ""
    assert copy.copy(north)._state.db == north._state.db
    assert pickle.loads(pickle.dumps(north))._state.db == north._state.db
    face(north.books.create, title="another", pk=9)
    assert database.observe("SELECT count(*) FROM north.tests_options_book") == [(2,)]
    face(north.delete)
    assert database.observe("SELECT count(*) FROM north.tests_options_author") == [(0,)]
    assert (database.count("tests_options_author"), database.count("tests_options_book")) == (1, 1)


@in_schemas
def test_what_is_prefetched_is_from_the_same_schema(face, tenants):
    rows = Author.objects.execution_options(**at("south")).prefetch_related("books__author")
    (author,) = face.list(rows)
    assert [(book.title, book.author.name) for book in author.books.all()] == [("south book", "south")]
    streamed = list(face.iterate(rows.iterator, 10))
    assert [book.title for book in streamed[0].books.all()] == ["south book"]


@in_schemas
def test_a_block_has_its_schema(face, database, tenants):
    with face.block(atomic(execution_options=at("north"))):
        assert face(Author.objects.get).name == "north"
        with face.block(atomic(execution_options=at("south"))):
            assert face(Author.objects.get).name == "south"
            face(Author.objects.create, name="new", pk=5)
        with pytest.raises(LookupError), face.block(atomic(execution_options=at("south"))):
            raise LookupError
        assert face(Author.objects.get).name == "north"
        assert face(Author.objects.execution_options(**at("south")).count) == 2
    assert face(Author.objects.get).name == "Ada"
    assert connections["default"].schema_maps == 0
    assert database.observe("SELECT count(*) FROM south.tests_options_author") == [(2,)]


@in_schemas
def test_schemas_share_their_plans(face, tenants):
    for name in ("north", "south", "north"):
        assert face(Author.objects.execution_options(**at(name)).filter(name=name).count) == 1
    assert len(connections["default"]._marking) == 1


# -- queries inside others ------------------------------------------------------------------------------------------


def test_a_query_inside_another_one_has_the_same_options(face, authors):
    inner = Author.objects.execution_options(tag="x")
    with pytest.raises(
        ValueError, match=r"under the outer query's options, and not under its own \(tag='x'\)"
    ):
        face.list(Book.objects.filter(author__in=inner))
    with pytest.raises(ValueError, match="options"):
        face.list(Book.objects.annotate(n=models.Subquery(inner.values("name")[:1])))
    with pytest.raises(ValueError, match="options"):
        face.list(Book.objects.filter(models.Exists(inner)).execution_options(tag="y"))
    with pytest.raises(ValueError, match="options"):
        face.list(Author.objects.union(inner))
    with pytest.raises(TypeError, match="different execution options"):
        inner | Author.objects.all()
    same = Book.objects.execution_options(tag="x")
    assert len(face.list(same.filter(author__in=inner))) == 1
    assert face.list(inner.union(Author.objects.execution_options(tag="x"))) == [authors]
    assert face.list(inner | Author.objects.execution_options(tag="x")) == [authors]
    assert face(inner.order_by("pk")[:1].annotate(n=F("age")).aggregate, n=Count("pk")) == {"n": 1}


def test_querysets_with_options_are_copied_and_pickled(face, authors):
    rows = Author.objects.execution_options(tag="x").filter(name="Ada")
    for copied in (copy.copy(rows), copy.deepcopy(rows), rows.all()):
        assert face.list(copied) == [authors]
        assert copied._execution.key == "tag='x'"
    query = pickle.loads(pickle.dumps(Author.objects.execution_options(tag="x")))
    assert query._execution.key == "tag='x'"
    assert query._execution.timeout is None
