"""Expressions of SQLAlchemy Core as values that rows are given: `create(name=sa.func.upper("ada"))`."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import pytest
import sqlalchemy as sa

from facade.exceptions import FieldError
from facade.models import F
from tests.models import Author, Book, Everything, Place, Publisher, Restaurant

author, book = Author.__table__, Book.__table__


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book)


def names(database):
    return [name for (name,) in database.observe("SELECT name FROM tests_author ORDER BY id")]


def test_an_object_is_created_with_what_core_computes(face, database, library):
    made = face(Author.objects.create, name=sa.func.upper("ada"), age=sa.literal(35) + 1)
    assert (made.name, made.age) == ("ADA", 36)
    other = Author(name=sa.func.lower("BOB"), age=sa.select(sa.func.max(author.c.age)).scalar_subquery())
    face(other.save)
    assert (other.name, other.age) == ("bob", 36)
    assert names(database) == ["ADA", "bob"]
    assert face(Author.objects.get, name="ADA").email == ""


def test_values_come_back_without_a_further_statement_where_the_database_returns_them(
    face, database, library, assert_queries
):
    with assert_queries(1):
        made = face(Author.objects.create, name=sa.func.upper("ada"))
        assert made.name == "ADA"
    made.name = sa.func.lower(author.c.name) + "?"
    with assert_queries(1):
        face(made.save)
    returns = (
        database.vendor != "mysql"
    )  # as with F(): MariaDB's UPDATE returns nothing, the value is deferred
    with assert_queries(0 if returns else 1):
        assert ("name" in made.get_deferred_fields()) is not returns
        face(made.refresh_from_db, fields=["name"]) if not returns else None
    assert made.name == "ada?"
    made.age = sa.func.coalesce(author.c.age, 0) + 5
    face(made.save, update_fields=["age"])
    assert face(Author.objects.get, pk=made.pk).age == 5


def test_many_objects_are_created_with_what_core_computes(face, database, library):
    objs = [Author(name=sa.func.upper(name)) for name in ("a", "b")] + [
        Author(name="c", age=sa.literal(3) * 2)
    ]
    face(Author.objects.bulk_create, objs)
    assert names(database) == ["A", "B", "c"]
    assert [obj.pk for obj in objs] == [1, 2, 3]
    assert face(Author.objects.bulk_insert, iter([Author(name=sa.func.upper("d"))])) == 1
    assert names(database)[-1] == "D"
    assert face(Author.objects.get, name="c").age == 6


def test_updates(face, database, library):
    people = [face(Author.objects.create, name=name, age=age) for name, age in (("a", 1), ("b", 2))]
    assert (
        face(Author.objects.filter(author.c.age > 1).update, age=author.c.age * 10, name=sa.func.upper("x"))
        == 1
    )
    people[0].name = sa.func.upper(author.c.name) + "!"
    people[1].name, people[1].age = "plain", author.c.age + 1
    assert face(Author.objects.bulk_update, people, ["name", "age"]) == 2
    rows = Author.objects.order_by("id").values_list("name", "age")
    assert face.list(rows.all()) == [("A!", 1), ("plain", 21)]
    face(Author.objects.update, age=sa.select(sa.func.count(book.c.id)).scalar_subquery())
    assert face.list(rows.all()) == [("A!", 0), ("plain", 0)]


def test_objects_are_found_or_made(face, database, library):
    made, created = face(
        Author.objects.get_or_create, name=sa.func.upper("ada"), defaults={"age": sa.literal(6) * 6}
    )
    assert (made.name, made.age, created) == ("ADA", 36, True)
    found, created = face(Author.objects.get_or_create, name=sa.func.upper("ada"), defaults={"age": 1})
    assert (found.pk, found.age, created) == (made.pk, 36, False)
    changed, created = face(
        Author.objects.update_or_create,
        name="ADA",
        defaults={"age": author.c.age + 1, "email": sa.func.lower("A@B.c")},
    )
    assert created is False
    stored = face(Author.objects.get, pk=changed.pk)
    assert (stored.age, stored.email) == (37, "a@b.c")
    made, created = face(Author.objects.update_or_create, name="Bob", defaults={"age": sa.literal(1) + 1})
    assert (made.age, created) == (2, True)


def test_a_foreign_key_and_columns_of_parents(face, database):
    database.create(Publisher, Author, Book, Place, Restaurant)
    ada = face(Author.objects.create, name="Ada")
    only = sa.select(sa.func.max(author.c.id)).scalar_subquery()
    made = face(
        Book.objects.create,
        title=sa.func.upper("t"),
        author_id=only,
        price=sa.literal(decimal.Decimal("1.5")) * 2,
    )
    assert (made.title, made.author_id, made.price) == ("T", ada.pk, decimal.Decimal(3))
    eats = face(Restaurant.objects.create, name=sa.func.upper("r"), serves_pizza=sa.true())
    assert face(Restaurant.objects.get, pk=eats.pk, name="R").serves_pizza is True
    assert (eats.name, eats.serves_pizza) == ("R", True)


VALUES = {
    "big": 2**40,
    "binary": b"\x00\xff",
    "boolean": True,
    "char": "text",
    "date": dt.date(2020, 2, 29),
    "datetime": dt.datetime(2020, 2, 29, 23, 59, 1, 5, tzinfo=dt.UTC),
    "decimal": decimal.Decimal("1.250"),
    "duration": dt.timedelta(days=1, microseconds=5),
    "email": "a@b.c",
    "float": 1.5,
    "integer": -5,
    "ip": "127.0.0.1",
    "json": {"a": [1, None]},
    "positive": 5,
    "positive_big": 2**40,
    "positive_small": 5,
    "slug": "a-b",
    "small": -5,
    "text": "text",
    "time": dt.time(23, 59, 1),
    "url": "http://a.b/",
    "uuid": uuid.UUID(int=5),
}


def test_a_field_of_every_kind_takes_an_expression(face, database):
    database.create(Everything)
    table = Everything.__table__
    given = {name: sa.literal(value, table.c[name].type) for name, value in VALUES.items()}
    made = face(Everything.objects.create, **given)
    assert {name: getattr(made, name) for name in VALUES} == VALUES
    face(Everything.objects.bulk_create, [Everything(**given)])
    assert face.list(Everything.objects.values(*VALUES)) == [VALUES] * 2
    empty = Everything(**dict.fromkeys(VALUES, sa.null()))
    face(empty.save)
    assert {name: getattr(empty, name) for name in VALUES} == dict.fromkeys(VALUES)


def test_what_cannot_be_computed_there_is_refused_by_name(face, database, library, assert_queries):
    ada = Author(name="Ada")
    with assert_queries(0):
        with pytest.raises(
            TypeError, match=r"Author\.id is the primary key, and cannot be the SQLAlchemy expression"
        ):
            face(Author.objects.create, pk=sa.literal(3), name="x")
        with pytest.raises(TypeError, match=r"Author\.id is the primary key"):
            face(Author(id=sa.func.max(author.c.id), name="x").save)
        with pytest.raises(
            TypeError, match=r"in_bulk\(\) takes values, not the SQLAlchemy expression 'tests_author\.id'"
        ):
            face(Author.objects.in_bulk, [1, author.c.id])
        with pytest.raises(
            TypeError,
            match=r"Author\.name holds the SQLAlchemy expression .*full_clean\(exclude=\['name'\]\)",
        ):
            face(Author(name=sa.func.upper("x")).full_clean)
        with pytest.raises(
            ValueError, match=r"on tests\.Author\.name\. F\(\) expressions can only be used to update"
        ):
            face(Author.objects.create, name=sa.func.upper(author.c.email))
        with pytest.raises(
            ValueError, match=r"on tests\.Author\.age\. F\(\) expressions can only be used to update"
        ):
            correlated = sa.select(sa.func.max(book.c.pages)).where(book.c.author_id == author.c.id)
            face(Author.objects.create, name="x", age=correlated.scalar_subquery())
        with pytest.raises(FieldError, match=r"The column tests_book\.title is not one of Author's"):
            face(Author.objects.create, name=book.c.title)
        with pytest.raises(FieldError, match=r"Aggregate functions are not allowed in this query \(age="):
            face(Author.objects.update, age=sa.func.max(author.c.age))
        with pytest.raises(FieldError, match=r"Window expressions are not allowed in this query \(age="):
            face(Author.objects.update, age=sa.func.row_number().over())
        with pytest.raises(FieldError, match=r"age=OrderBy\(.*\) is an order"):
            face(Author.objects.update, age=author.c.age.desc())
        with pytest.raises(FieldError, match=r"is an order"):
            face(Author.objects.update, age=F("age").desc())
        with pytest.raises(TypeError, match="TextClause is no Core expression that has a value"):
            face(Author.objects.create, name=sa.text("1"))
        with pytest.raises(ValueError, match='must be a "Author" instance'):
            Book(author=author.c.id)
        ada.full_clean()
