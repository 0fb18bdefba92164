"""Rows that are stored as they come: `bulk_insert()` holds no more than it sends at once."""

from __future__ import annotations

import weakref

import pytest

from facade import acreate_all, models, transaction
from facade.exceptions import IntegrityError
from facade.models import F, Value
from facade.models.functions import Lower
from tests.models import Author, Book, Category, Country, Publisher, Restaurant


class Poem(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "tests"


class Verse(models.Model):
    """A row that has its place among those of a poem."""

    poem = models.ForeignKey(Poem, on_delete=models.CASCADE)
    text = models.CharField(max_length=20)

    class Meta:
        app_label = "tests"
        order_with_respect_to = "poem"


class Living:
    """Makes rows, one when it is asked for, and counts how many of them live at once."""

    def __init__(self):
        self.now = self.most = 0

    def __call__(self, count, **values):
        for i in range(count):
            yield self.make(i, **values)

    async def asynchronously(self, count, **values):
        for row in self(count, **values):
            yield row

    def make(self, i, **values):
        row = Author(name=f"{i}", **values)
        weakref.finalize(row, self.gone)
        self.now += 1
        self.most = max(self.most, self.now)
        return row

    def gone(self):
        self.now -= 1


@pytest.fixture
def authors(database):
    database.create(Author, Publisher, Book)
    return database


def store(face, rows, **options):
    return face(Author.objects.bulk_insert, rows, **options)


# -- what is held ------------------------------------------------------------------------------------


def test_a_stream_is_stored_batch_by_batch(face, authors):
    living = Living()
    assert store(face, living(1000), batch_size=50) == 1000
    assert living.most <= 150
    assert living.now == 0
    assert [name for (name,) in authors.observe("SELECT name FROM tests_author ORDER BY id")] == [
        f"{i}" for i in range(1000)
    ]


@pytest.mark.faces("async")
def test_an_asynchronous_stream_is_stored_batch_by_batch(face, authors):
    living = Living()
    assert store(face, living.asynchronously(1000), batch_size=50) == 1000
    assert living.most <= 150
    assert living.now == 0
    assert authors.count("tests_author") == 1000


def test_rows_that_make_expressions_are_let_go_as_well(face, authors):
    living = Living()
    assert store(face, living(200, age=Value(3) + 4), batch_size=20) == 200
    assert living.most <= 60
    assert authors.observe("SELECT DISTINCT age FROM tests_author") == [(7,)]


def test_without_a_size_a_batch_is_what_a_statement_takes(face, authors):
    living = Living()
    assert store(face, living(70_000)) == 70_000
    assert living.most <= 65_000
    assert authors.count("tests_author") == 70_000


def test_a_stream_that_is_to_be_returned_is_held(face, authors):
    living = Living()
    rows = face(Author.objects.bulk_create, living(10), batch_size=2)
    assert [row.name for row in rows] == [f"{i}" for i in range(10)]
    assert all(row.pk for row in rows)


@pytest.mark.faces("async")
def test_an_asynchronous_stream_can_be_returned(face, authors):
    rows = face(Author.objects.bulk_create, Living().asynchronously(3), batch_size=2)
    assert [(row.name, row.pk) for row in rows] == [("0", 1), ("1", 2), ("2", 3)]


# -- what is sent ------------------------------------------------------------------------------------


def test_batches_of_a_stream_are_one_transaction(face, authors, assert_queries):
    with assert_queries(5):  # BEGIN and COMMIT are statements, too
        store(face, Living()(5), batch_size=2)


def test_nothing_is_asked_for_in_return(face, authors, assert_queries):
    row = Author(name="a")
    with assert_queries(3) as queries:
        store(face, [row])
    assert not any("RETURNING" in query["sql"] for query in queries)
    assert row.pk is None
    assert row._state.adding


def test_no_rows_are_none(face, authors, assert_queries):
    with assert_queries(0):
        assert store(face, []) == 0
    assert store(face, iter(())) == 0


def test_an_error_in_the_stream_stores_nothing(face, authors):
    def rows():
        yield from Living()(5)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        store(face, rows(), batch_size=2)
    assert authors.count("tests_author") == 0


@pytest.mark.faces("async")
def test_an_error_in_an_asynchronous_stream_stores_nothing(face, authors):
    async def rows():
        async for row in Living().asynchronously(5):
            yield row
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        store(face, rows(), batch_size=2)
    assert authors.count("tests_author") == 0


def test_an_error_of_the_database_stores_nothing(face, authors):
    first = face(Author.objects.create, name="first")
    with pytest.raises(IntegrityError):
        store(face, (Author(pk=first.pk + 5 - i, name="x") for i in range(10)), batch_size=2)
    assert authors.count("tests_author") == 1


def test_in_a_block_a_stream_is_part_of_it(face, authors):
    with pytest.raises(LookupError), face.block(transaction.atomic()):
        store(face, Living()(5), batch_size=2)
        assert face(Author.objects.count) == 5
        raise LookupError
    assert authors.count("tests_author") == 0


def test_rows_with_and_without_keys_come_in_any_order(face, authors):
    rows = (Author(name=f"{i}", pk=1000 - i if i % 3 == 0 else None) for i in range(10))
    assert store(face, rows, batch_size=4) == 10
    keys = dict(authors.observe("SELECT name, id FROM tests_author"))
    assert {name: key for name, key in keys.items() if int(name) % 3 == 0} == {
        "0": 1000,
        "3": 997,
        "6": 994,
        "9": 991,
    }
    assert len(set(keys.values())) == 10


def test_expressions_are_stored(face, authors):
    store(face, (Author(name=Lower(Value(name))) for name in ("ADA", "BOB", "CYD")), batch_size=2)
    assert authors.observe("SELECT name FROM tests_author ORDER BY id") == [("ada",), ("bob",), ("cyd",)]


def test_rows_are_numbered_on_behind_those_that_are_there(face, authors):
    authors.create(Poem, Verse)
    ada, bob = (face(Poem.objects.create, name=name) for name in ("Ada", "Bob"))
    face(Verse.objects.create, poem=ada, text="first")
    rows = (Verse(poem=(ada, bob)[i % 2], text=f"{i}") for i in range(6))
    assert face(Verse.objects.bulk_insert, rows, batch_size=3) == 6
    assert authors.observe("SELECT text, _order FROM tests_verse ORDER BY poem_id, _order") == [
        ("first", 0),
        ("0", 1),
        ("2", 2),
        ("4", 3),
        ("1", 0),
        ("3", 1),
        ("5", 2),
    ]


# -- streams that read ---------------------------------------------------------------------------------


def test_what_is_read_in_chunks_can_be_stored_again(face, authors):
    store(face, Living()(50))
    names = (Publisher(name=author.name) for author in Author.objects.order_by("pk").iterator(chunk_size=7))
    assert face(Publisher.objects.bulk_insert, names, batch_size=10) == 50
    assert authors.count("tests_publisher") == 50


@pytest.mark.faces("async")
@pytest.mark.parametrize("last", [49, 20])
def test_what_is_read_asynchronously_can_be_stored_again(face, authors, last):
    async def names():
        async for author in Author.objects.order_by("pk").aiterator(chunk_size=7):
            if author.name == f"{last + 1}":
                raise LookupError
            await Author.objects.filter(pk=author.pk).aupdate(age=F("age") + 1)
            yield Publisher(name=author.name)

    store(face, Living()(50, age=0))
    if last == 49:
        assert face(Publisher.objects.bulk_insert, names(), batch_size=10) == 50
    else:
        with pytest.raises(LookupError):
            face(Publisher.objects.bulk_insert, names(), batch_size=10)
    stored = 50 if last == 49 else 0
    assert authors.count("tests_publisher") == stored
    assert authors.observe("SELECT SUM(age) FROM tests_author") == [(stored,)]


# -- conflicts -----------------------------------------------------------------------------------------


def test_rows_that_are_there_are_passed_over_and_not_counted(face, database):
    database.create(Country)
    face(Country(code="AT", name="Austria").save)
    rows = (Country(code=code, name=f"new {code}") for code in ("AT", "CH", "DE", "AT"))
    assert face(Country.objects.bulk_insert, rows, 2, ignore_conflicts=True) == 2
    assert database.observe("SELECT code, name FROM tests_country ORDER BY code") == [
        ("AT", "Austria"),
        ("CH", "new CH"),
        ("DE", "new DE"),
    ]


def test_rows_that_are_there_are_updated(face, database):
    database.create(Country)
    face(Country(code="AT", name="Austria").save)
    unique = {} if database.vendor == "mysql" else {"unique_fields": ["code"]}
    rows = (Country(code=code, name=f"new {code}") for code in ("AT", "CH", "DE"))
    options = {"update_conflicts": True, "update_fields": ["name"], **unique}
    assert face(Country.objects.bulk_insert, rows, 2, **options) == 3
    assert database.observe("SELECT code, name FROM tests_country ORDER BY code") == [
        ("AT", "new AT"),
        ("CH", "new CH"),
        ("DE", "new DE"),
    ]


# -- refusals ------------------------------------------------------------------------------------------


def unasked():
    pytest.fail("a row was asked for")
    yield


def test_what_cannot_be_stored_is_refused_before_a_row_is_asked_for(face, authors, assert_queries):
    with assert_queries(0):
        with pytest.raises(ValueError, match="Batch size must be a positive integer"):
            store(face, unasked(), batch_size=0)
        with pytest.raises(ValueError, match="multi-table"):
            face(Restaurant.objects.bulk_insert, unasked())
        with pytest.raises(ValueError, match="mutually exclusive"):
            store(face, unasked(), ignore_conflicts=True, update_conflicts=True)


def test_an_unsaved_related_object_stores_nothing(face, authors):
    ada = face(Author.objects.create, name="Ada")
    rows = (Book(title=f"{i}", author=ada if i < 5 else Author(name="unsaved")) for i in range(10))
    with pytest.raises(ValueError, match="unsaved related object 'author'"):
        face(Book.objects.bulk_insert, rows, batch_size=2)
    assert authors.count("tests_book") == 0


@pytest.mark.parametrize("name", ["bulk_create", "bulk_insert"])
def test_sync_code_takes_no_asynchronous_stream(database, assert_queries, name):
    with assert_queries(0), pytest.raises(TypeError, match=rf"await a{name}\(\)"):
        getattr(Author.objects, name)(Living().asynchronously(3))


# -- other ways to it ----------------------------------------------------------------------------------


def test_related_managers_store_streams(face, authors):
    ada = face(Author.objects.create, name="Ada")
    rows = (Book(title=f"{i}", author=ada) for i in range(5))
    assert face(ada.books.bulk_insert, rows, batch_size=2) == 5
    assert face(ada.books.count) == 5


@pytest.mark.vendors("sqlite")
async def test_managers_of_both_faces_store_streams(database):
    await acreate_all([Category])
    rows = (Category(name=f"{i}") for i in range(3))
    assert await Category.objects.abulk_insert(rows) == 3
    assert await Category.objects.using("default").acount() == 3
