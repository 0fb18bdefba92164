"""Many rows at once, and rows that are found or made."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import threading
import uuid

import pytest

from facade import acreate_all, models, transaction
from facade.exceptions import (
    FieldDoesNotExist,
    FieldError,
    IntegrityError,
    NotSupportedError,
    TransactionManagementError,
)
from facade.models import F, JSONField, JSONNull, Q, Value
from facade.models.functions import Concat, Lower
from tests.models import Author, Book, Category, Country, Everything, Place, Publisher, Restaurant, Token

returning_databases = pytest.mark.without(
    "mariadb",
    reason="no UPDATE … RETURNING, no conflict targets; its BEGIN and COMMIT are no statements that are counted",
)


class Stamp(models.Model):
    """A row with a column that sets itself."""

    name = models.CharField(max_length=20, unique=True)
    uses = models.IntegerField(default=0)
    changed = models.DateTimeField(auto_now=True)


class Empty(models.Model):
    """Nothing but a key."""


@pytest.fixture
def authors(database):
    database.create(Author, Publisher, Book)
    return database


@pytest.fixture
def countries(database):
    database.create(Country)
    return database


# -- bulk_create -------------------------------------------------------------------------------------


def test_rows_get_keys_in_order_by_one_statement(face, authors, assert_queries):
    rows = [Author(name=f"author {i}", age=i) for i in range(1000)]
    with assert_queries(1):
        made = face(Author.objects.bulk_create, rows)
    assert made == rows
    assert authors.observe("SELECT id, name FROM tests_author ORDER BY id") == [
        (row.pk, row.name) for row in rows
    ]
    assert {(row._state.adding, row._state.db) for row in rows} == {(False, "default")}


@returning_databases
def test_batches_are_one_transaction(face, authors, assert_queries):
    rows = [Author(name=f"author {i}") for i in range(5)]
    with assert_queries(5):  # BEGIN and COMMIT are statements, too
        face(Author.objects.bulk_create, rows, batch_size=2)
    with pytest.raises(IntegrityError):
        face(Author.objects.bulk_create, [Author(name="new"), Author(pk=rows[0].pk)], batch_size=1)
    assert authors.count("tests_author") == 5


def test_more_parameters_than_a_statement_takes(face, authors):
    face(Author.objects.bulk_create, [Author(name="x") for _ in range(40_000)])
    assert authors.count("tests_author") == 40_000


def test_portable_bulk_create(face, authors):
    face(Author.objects.bulk_create, [Author(name="a"), Author(name="b", age=3)])
    assert authors.observe("SELECT name, age FROM tests_author ORDER BY id") == [("a", None), ("b", 3)]


def test_no_rows_no_statement(face, authors, assert_queries):
    with assert_queries(0):
        assert face(Author.objects.bulk_create, []) == []


def test_rows_with_and_without_keys(face, authors):
    rows = face(Author.objects.bulk_create, [Author(pk=100, name="a"), Author(name="b")])
    assert rows[0].pk == 100
    assert rows[1].pk not in (None, 100)


def test_rows_of_keys_alone(face, database):
    database.create(Empty)
    rows = face(Empty.objects.bulk_create, [Empty(), Empty()])
    assert [row.pk for row in rows] == [1, 2]


def test_every_type_survives(face, database):
    database.create(Everything)
    values = {
        "big": 2**40,
        "binary": b"\x00\xff",
        "boolean": True,
        "char": "ä%?$1",
        "decimal": decimal.Decimal("1.500"),
        "float": 0.1,
        "integer": -5,
        "ip": "10.0.0.1",
        "json": {"a": [1, None, "x"]},
        "positive": 3,
        "small": 4,
        "text": "long",
        "email": "a@b.c",
        "slug": "s",
        "url": "http://x",
    }
    rows = face(Everything.objects.bulk_create, [Everything(**values), Everything()])
    first, second = face(Everything.objects.get, pk=rows[0].pk), face(Everything.objects.get, pk=rows[1].pk)
    assert {name: getattr(first, name) for name in values} == values
    assert {getattr(second, name) for name in values} == {None}


def test_bulk_defaults_of_the_database_come_back(face, database, assert_queries):
    database.create(Token)
    with assert_queries(1):
        rows = face(Token.objects.bulk_create, [Token(), Token()])
    assert [(row.uses, row.note) for row in rows] == [(0, "none"), (0, "none")]
    with assert_queries(1):
        rows = face(Token.objects.bulk_create, [Token(uses=5), Token(note="mine")])
    assert [(row.uses, row.note) for row in rows] == [(5, "none"), (0, "mine")]


def test_rows_may_hold_expressions(face, authors):
    face(Author.objects.bulk_create, [Author(name=Lower(models.Value("ADA"))), Author(name="Grace")])
    assert authors.observe("SELECT name FROM tests_author ORDER BY id") == [("ada",), ("Grace",)]


def test_unsaved_related_object_is_refused(face, authors):
    message = r"bulk_create\(\) prohibited to prevent data loss due to unsaved related object 'author'."
    with pytest.raises(ValueError, match=message):
        face(Book.objects.bulk_create, [Book(title="x", author=Author(name="a"))])


def test_model_with_a_parent_table_is_refused(face, authors):
    with pytest.raises(ValueError, match=r"Can't bulk create a multi-table inherited model"):
        face(Restaurant.objects.bulk_create, [Restaurant(name="x")])


@pytest.mark.parametrize("size", [0, -1])
def test_batch_size_is_positive(face, authors, size):
    with pytest.raises(ValueError, match=r"Batch size must be a positive integer."):
        face(Author.objects.bulk_create, [], batch_size=size)
    with pytest.raises(ValueError, match=r"Batch size must be a positive integer."):
        face(Author.objects.bulk_update, [], fields=["name"], batch_size=size)


# -- conflicts ---------------------------------------------------------------------------------------


def test_conflicting_rows_are_ignored(face, countries):
    face(Country(code="AT", name="Austria").save)
    rows = [Country(code="AT", name="other"), Country(code="CH", name="Switzerland")]
    face(Country.objects.bulk_create, rows, ignore_conflicts=True)
    assert countries.observe("SELECT code, name FROM tests_country ORDER BY code") == [
        ("AT", "Austria"),
        ("CH", "Switzerland"),
    ]
    with pytest.raises(IntegrityError):
        face(Country.objects.bulk_create, rows)


@pytest.mark.vendors("sqlite", "mariadb")
def test_rows_that_break_any_constraint_are_ignored(face, database):
    database.create(Stamp)
    rows = [Stamp(name=None), Stamp(name="a"), Stamp(name="a"), Stamp(name=Lower(Value("B")))]
    face(Stamp.objects.bulk_create, rows[:3], ignore_conflicts=True)
    face(Stamp.objects.bulk_create, rows[1:], ignore_conflicts=True)
    names = [name for (name,) in database.observe("SELECT name FROM tests_stamp ORDER BY name")]
    assert [name for name in names if name] == ["a", "b"]
    assert (len(names) == 2) is (database.vendor == "sqlite")  # MariaDB stores '' for NULL, and warns


def test_ignored_rows_get_no_keys(face, database):
    database.create(Category)
    rows = face(Category.objects.bulk_create, [Category(name="a"), Category(name="a")], ignore_conflicts=True)
    assert [row.pk for row in rows] == [None, None]


@returning_databases
def test_conflicting_rows_are_updated(face, database, assert_queries):
    database.create(Stamp)
    old = face(Stamp.objects.create, name="a", uses=1)
    rows = [Stamp(name="a", uses=5), Stamp(name="b", uses=6)]
    with assert_queries(1):
        face(
            Stamp.objects.bulk_create,
            rows,
            update_conflicts=True,
            update_fields=["uses"],
            unique_fields=["name"],
        )
    assert database.observe("SELECT name, uses FROM tests_stamp ORDER BY name") == [("a", 5), ("b", 6)]
    assert rows[0].pk == old.pk
    assert rows[1].pk not in (None, old.pk)


@returning_databases
def test_primary_key_may_be_the_conflict(face, countries):
    face(Country(code="AT", name="Austria").save)
    face(
        Country.objects.bulk_create,
        [Country(code="AT", name="Österreich")],
        update_conflicts=True,
        update_fields=["name"],
        unique_fields=["pk"],
    )
    assert countries.observe("SELECT name FROM tests_country") == [("Österreich",)]


@returning_databases
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ignore_conflicts": True, "update_conflicts": True}, ValueError, "mutually exclusive"),
        ({"update_conflicts": True}, ValueError, "Fields that will be updated when a row insertion fails"),
        (
            {"update_fields": ["uses"]},
            ValueError,
            "Unique fields that can trigger the upsert must be provided.",
        ),
        ({"update_fields": ["uses"], "unique_fields": ["nmae"]}, FieldDoesNotExist, "no field named 'nmae'"),
        (
            {"update_fields": ["id"], "unique_fields": ["name"]},
            ValueError,
            "with primary keys in update_fields.",
        ),
    ],
)
def test_arguments_that_make_no_sense(face, database, options, error, message):
    database.create(Stamp)
    with pytest.raises(error, match=message):
        face(Stamp.objects.bulk_create, [Stamp(name="a")], **{"update_conflicts": True, **options})


@pytest.mark.vendors("mariadb")
def test_mariadb_takes_any_constraint(face, database):
    database.create(Stamp)
    face(Stamp.objects.create, name="a", uses=1)
    face(Stamp.objects.bulk_create, [Stamp(name="a", uses=5)], update_conflicts=True, update_fields=["uses"])
    assert database.observe("SELECT uses FROM tests_stamp") == [(5,)]
    with pytest.raises(NotSupportedError):
        face(
            Stamp.objects.bulk_create,
            [Stamp(name="a")],
            update_conflicts=True,
            update_fields=["uses"],
            unique_fields=["name"],
        )


# -- bulk_update -------------------------------------------------------------------------------------


def test_portable_bulk_update(face, authors):
    rows = [face(Author.objects.create, name=name, age=1) for name in "abc"]
    for row in rows:
        row.name, row.age = row.name.upper(), None
    assert face(Author.objects.bulk_update, rows, ["name", "age"]) == 3
    assert authors.observe("SELECT name, age FROM tests_author ORDER BY id") == [
        ("A", None),
        ("B", None),
        ("C", None),
    ]


@returning_databases
def test_each_row_gets_its_own_values_by_one_statement(face, authors, assert_queries):
    rows = face(Author.objects.bulk_create, [Author(name=str(i), age=1) for i in range(1000)])
    for i, row in enumerate(rows):
        row.age = i
    with assert_queries(1):  # one statement needs no transaction of its own
        assert face(Author.objects.bulk_update, rows, ["age"]) == 1000
    assert authors.observe("SELECT age FROM tests_author ORDER BY id") == [(i,) for i in range(1000)]
    with assert_queries(6):  # BEGIN and COMMIT are statements, too
        assert face(Author.objects.bulk_update, rows, ["age"], batch_size=300) == 1000


@pytest.mark.parametrize("method", ["bulk_create", "bulk_update"])
def test_the_block_around_one_that_failed_is_rolled_back(method, face, authors):
    row = face(Author.objects.create, name="a")
    row.name = None
    arguments = ([Author(name=None)],) if method == "bulk_create" else ([row], ["name"])
    with pytest.raises(TransactionManagementError), face.block(transaction.atomic()):
        face(Author.objects.create, name="b")
        with pytest.raises(IntegrityError):
            face(getattr(Author.objects, method), *arguments)
        face(Author.objects.create, name="c")
    assert authors.observe("SELECT name FROM tests_author") == [("a",)]


def test_same_row_twice_counts_once(face, authors):
    row = face(Author.objects.create, name="a")
    assert face(Author.objects.bulk_update, [row, row], ["name"]) == 1


def test_rows_that_are_gone_are_not_counted(face, authors):
    rows = face(Author.objects.bulk_create, [Author(name="a"), Author(name="b")])
    authors.observe("DELETE FROM tests_author WHERE name = 'a'")
    assert face(Author.objects.bulk_update, rows, ["name"]) == 1


def test_relations_are_updated_by_either_name(face, authors):
    ada, grace = face(Author.objects.create, name="Ada"), face(Author.objects.create, name="Grace")
    book = face(Book.objects.create, title="x", author=ada)
    book.author = grace
    assert face(Book.objects.bulk_update, [book], ["author"]) == 1
    assert authors.observe("SELECT author_id FROM tests_book") == [(grace.pk,)]


def test_values_may_be_expressions(face, authors):
    rows = face(Author.objects.bulk_create, [Author(name="a", age=1), Author(name="b", age=2)])
    rows[0].age, rows[1].age = F("age") + 10, 7
    assert face(Author.objects.bulk_update, rows, ["age"]) == 2
    assert authors.observe("SELECT age FROM tests_author ORDER BY id") == [(11,), (7,)]


@returning_databases
def test_an_expression_in_a_later_batch_leaves_every_batch_one_statement(face, authors, assert_queries):
    rows = face(Author.objects.bulk_create, [Author(name=name, age=1) for name in "abcd"])
    for row in rows:
        row.age = 5
    rows[2].age = F("age") + 1
    with assert_queries(4):  # BEGIN and COMMIT, too
        assert face(Author.objects.bulk_update, rows, ["age"], batch_size=2) == 4
    assert authors.observe("SELECT age FROM tests_author ORDER BY id") == [(5,), (5,), (2,), (5,)]


@returning_databases
def test_an_expression_for_one_of_two_tables_writes_each_once(face, database, assert_queries):
    database.create(Author, Place, Restaurant)
    row = face(Restaurant.objects.create, name="a")
    row.serves_pizza, row.name = True, Concat(F("name"), Value("b"))
    with assert_queries(5):  # BEGIN, the keys, each table, COMMIT
        assert face(Restaurant.objects.bulk_update, [row], ["serves_pizza", "name"]) == 1
    assert database.observe("SELECT name FROM tests_place") == [("ab",)]


def test_queryset_leaves_rows_out(face, authors):
    rows = face(Author.objects.bulk_create, [Author(name="a", age=1), Author(name="b", age=2)])
    for row in rows:
        row.age = 50
    assert face(Author.objects.filter(name="b").bulk_update, rows, ["age"]) == 1
    assert authors.observe("SELECT age FROM tests_author ORDER BY id") == [(1,), (50,)]


def test_every_type_is_updated(face, database):
    database.create(Everything)
    values = {
        "big": 2**40,
        "binary": b"\x00\xff",
        "boolean": True,
        "char": "ä%?",
        "decimal": decimal.Decimal("1.500"),
        "float": 0.1,
        "ip": "10.0.0.1",
        "json": {"a": [1, None, "x"]},
        "text": "long",
    }
    rows = face(Everything.objects.bulk_create, [Everything(), Everything()])
    for name, value in values.items():
        setattr(rows[0], name, value)
    assert face(Everything.objects.bulk_update, rows, list(values)) == 2
    stored = face(Everything.objects.get, pk=rows[0].pk)
    assert {name: getattr(stored, name) for name in values} == values


def test_columns_of_parent_and_child(face, database):
    database.create(Author, Place, Restaurant)
    rows = [face(Restaurant.objects.create, name=name) for name in "ab"]
    for row in rows:
        row.name, row.serves_pizza = row.name.upper(), True
    assert face(Restaurant.objects.bulk_update, rows, ["name", "serves_pizza"]) == 2
    assert database.observe("SELECT name FROM tests_place ORDER BY id") == [("A",), ("B",)]
    assert face(Restaurant.objects.filter(serves_pizza=True).count) == 2


@pytest.mark.parametrize(
    ("objs", "fields", "error", "message"),
    [
        ([Author(pk=1)], [], ValueError, r"Field names must be given to bulk_update\(\)."),
        ([Author()], ["name"], ValueError, r"All bulk_update\(\) objects must have a primary key set."),
        ([Author(pk=1)], ["id"], ValueError, r"bulk_update\(\) cannot be used with primary key fields."),
        ([Author(pk=1)], ["nmae"], FieldDoesNotExist, "Author has no field named 'nmae'"),
        ([Author(pk=1)], ["books"], ValueError, r"bulk_update\(\) can only be used with concrete fields."),
    ],
)
def test_bulk_update_arguments(face, authors, objs, fields, error, message):
    with pytest.raises(error, match=message):
        face(Author.objects.bulk_update, objs, fields)


def test_no_objects_no_statement(face, authors, assert_queries):
    with assert_queries(0):
        assert face(Author.objects.bulk_update, [], ["name"]) == 0


# -- found or made -----------------------------------------------------------------------------------


def test_get_or_create_finds_then_makes(face, countries):
    made, created = face(Country.objects.get_or_create, code="AT", defaults={"name": "Austria"})
    assert created
    found, created = face(Country.objects.get_or_create, code="AT", defaults={"name": "other"})
    assert (found, found.name, created) == (made, "Austria", False)


def test_get_or_create_is_a_look_and_an_insert(face, countries, assert_queries):
    with assert_queries(2):
        face(Country.objects.get_or_create, code="AT", defaults={"name": "Austria"})
    with assert_queries(1):
        face(Country.objects.get_or_create, code="AT", defaults={"name": "Austria"})


def test_callable_defaults_are_called(face, countries):
    country, _ = face(Country.objects.get_or_create, code="AT", defaults={"name": lambda: "Austria"})
    assert country.name == "Austria"


def test_lookups_are_no_values(face, authors):
    author, created = face(Author.objects.get_or_create, name__iexact="ada", defaults={"name": "Ada"})
    assert (author.name, created) == ("Ada", True)
    assert face(Author.objects.get_or_create, name__iexact="ADA")[1] is False


def test_unknown_defaults_are_named(face, authors):
    with pytest.raises(FieldError, match=r"Invalid field name\(s\) for model Author: 'nmae'."):
        face(Author.objects.get_or_create, name="a", defaults={"nmae": "x"})
    assert authors.count("tests_author") == 0


def test_error_of_the_insert_is_raised(face, countries):
    face(Country.objects.create, code="AT", name="Austria")
    with pytest.raises(IntegrityError):
        face(Country.objects.get_or_create, code="CH", defaults={"name": "Austria"})


def test_update_or_create(face, countries):
    assert face(Country.objects.update_or_create, code="AT", defaults={"name": "a"})[1] is True
    country, created = face(Country.objects.update_or_create, code="AT", defaults={"name": "b"})
    assert (country.name, created) == ("b", False)
    country, created = face(
        Country.objects.update_or_create, code="CH", defaults={"name": "x"}, create_defaults={"name": "new"}
    )
    assert (country.name, created) == ("new", True)


@returning_databases
def test_update_or_create_writes_what_is_named_and_what_sets_itself(face, database, assert_queries):
    database.create(Stamp)
    stamp = face(Stamp.objects.create, name="a", uses=1)
    with assert_queries(4) as captured:  # BEGIN, SELECT … FOR UPDATE, UPDATE, COMMIT
        changed, _ = face(Stamp.objects.update_or_create, name="a", defaults={"uses": 2})
    update = next(query["sql"] for query in captured.captured_queries if query["sql"].startswith("UPDATE"))
    assert "uses" in update
    assert "changed" in update
    assert '"name" =' not in update
    assert " name = " not in update.partition(" WHERE ")[0]
    assert changed.changed > stamp.changed


def test_loser_of_the_race_gets_the_winners_row(face, countries, monkeypatch):
    lose_the_race(monkeypatch, countries)
    country, created = face(Country.objects.get_or_create, code="AT", defaults={"name": "mine"})
    assert (country.name, created) == ("theirs", False)


@pytest.mark.vendors("postgres")
def test_loser_of_the_race_inside_a_transaction(face, countries, monkeypatch):
    with face.block(transaction.atomic()):
        face(Country.objects.create, code="CH", name="Switzerland")
        lose_the_race(monkeypatch, countries)
        country, created = face(Country.objects.get_or_create, code="AT", defaults={"name": "mine"})
        assert (country.name, created) == ("theirs", False)
    assert countries.observe("SELECT code FROM tests_country ORDER BY code") == [("AT",), ("CH",)]


@returning_databases
def test_loser_of_the_race_updates_the_winners_row(face, countries, monkeypatch):
    if countries.vendor == "sqlite":
        pytest.skip("a block on SQLite lets nobody else write")
    lose_the_race(monkeypatch, countries)
    country, created = face(Country.objects.update_or_create, code="AT", defaults={"name": "mine"})
    assert (country.name, created) == ("mine", False)
    assert countries.observe("SELECT name FROM tests_country WHERE code = 'AT'") == [("mine",)]


def lose_the_race(monkeypatch, database):
    """Let somebody else insert the row between the look and the INSERT."""
    create = models.QuerySet.create

    def late(self, **values):
        monkeypatch.setattr(models.QuerySet, "create", create)
        database.observe("INSERT INTO tests_country (code, name) VALUES ('AT', 'theirs')")
        return self.create(**values)

    monkeypatch.setattr(models.QuerySet, "create", late)


def test_many_threads_make_one_row(database):
    database.create(Country)
    made, start = [], threading.Barrier(4)

    def work():
        start.wait()
        made.append(Country.objects.get_or_create(code="AT", defaults={"name": "Austria"})[1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]


async def test_many_tasks_make_one_row(database):
    await acreate_all(models=[Country])
    rows = await asyncio.gather(
        *(Country.objects.aget_or_create(code="AT", defaults={"name": "Austria"}) for _ in range(8))
    )
    assert sorted(created for _, created in rows) == [False] * 7 + [True]
    assert {country.pk for country, _ in rows} == {"AT"}


@pytest.mark.parametrize("name", ["json", "integer", "date", "decimal", "uuid", "duration"])
def test_bulk_update_with_nothing_but_the_expression_null(face, database, name):
    database.create(Everything)
    row = Everything.objects.create(
        json={}, integer=1, date="2001-02-03", decimal="1.5", uuid="0" * 32, duration=dt.timedelta(1)
    )
    setattr(row, name, models.Value(None))
    assert face(Everything.objects.bulk_update, [row], [name]) == 1
    assert face(Everything.objects.filter(**{f"{name}__isnull": True}).count) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("json", {"a": 1}),
        ("decimal", decimal.Decimal("2.125")),
        ("datetime", dt.datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=dt.UTC)),
        ("time", dt.time(4, 5, 6, 7)),
        ("duration", dt.timedelta(days=1, microseconds=5)),
        ("boolean", True),
        ("binary", b"\x00\x01"),
        ("char", "text"),
        ("ip", "::1"),
        ("date", dt.date(2001, 2, 3)),
        ("uuid", uuid.UUID(int=7)),
    ],
)
def test_bulk_update_through_expressions_keeps_values(face, database, name, value):
    database.create(Everything)
    rows = [Everything.objects.create(**{name: value}) for _ in range(2)]
    setattr(rows[0], name, F(name))
    assert face(Everything.objects.bulk_update, rows, [name]) == 2
    for row in face.list(Everything.objects.all()):
        assert getattr(row, name) == value


@pytest.mark.parametrize(
    ("name", "constant", "value"),
    [
        ("json", Value('"text"'), "text"),
        ("json", Value("[1]"), [1]),
        ("json", Value(1.5), 1.5),
        ("json", Value(True), True),
        ("json", Value({"a": "b"}), {"a": "b"}),
        ("ip", Value("10.0.0.1"), "10.0.0.1"),
        ("uuid", Value(uuid.UUID(int=7).hex), uuid.UUID(int=7)),
        ("date", Value("2001-02-03"), dt.date(2001, 2, 3)),
        ("time", Value("04:05:06"), dt.time(4, 5, 6)),
        ("boolean", Q(integer__gt=0), True),
        ("boolean", Q(pk__in=[]), False),
    ],
)
def test_bulk_update_stores_a_constant_as_update_and_save_do(face, database, name, constant, value):
    database.create(Everything)
    rows = [Everything.objects.create(integer=1) for _ in range(2)]
    setattr(rows[0], name, constant)
    assert face(Everything.objects.bulk_update, rows, [name]) == 2
    assert getattr(face(Everything.objects.get, pk=rows[0].pk), name) == value
    assert getattr(face(Everything.objects.get, pk=rows[1].pk), name) is None
    face(Everything.objects.filter(pk=rows[1].pk).update, **{name: constant})
    assert getattr(face(Everything.objects.get, pk=rows[1].pk), name) == value
    setattr(rows[1], name, constant)
    face(rows[1].save)
    assert getattr(face(Everything.objects.get, pk=rows[1].pk), name) == value


def test_none_beside_expressions_is_null_in_a_column_of_documents(face, database):
    database.create(Everything)
    rows = [Everything.objects.create(json={"n": n}) for n in range(3)]
    rows[0].json, rows[1].json, rows[2].json = None, F("json"), Value(None, JSONField())
    assert face(Everything.objects.bulk_update, rows, ["json"]) == 3
    assert face(Everything.objects.filter(json__isnull=True).count) == 2
    assert face(Everything.objects.get, json__isnull=False).json == {"n": 1}
    rows[1].json = JSONNull()
    face(Everything.objects.bulk_update, rows[:2], ["json"])
    assert face.list(Everything.objects.filter(json=JSONNull())) == [rows[1]]


def test_rows_that_were_perhaps_ignored_are_not_known_to_be_stored(face, database):
    database.create(Category)
    made = face(Category.objects.bulk_create, [Category(name="x")], ignore_conflicts=True)
    assert made[0].pk is None
    assert made[0]._state.adding
    with_key = face(Category.objects.bulk_create, [Category(pk=7, name="y")], ignore_conflicts=True)
    assert not with_key[0]._state.adding
