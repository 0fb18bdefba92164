"""`Author.name` on the class is a column: in SQLAlchemy Core, and wherever a queryset takes a name or an expression."""

from __future__ import annotations

import copy
import pickle

import pytest
import sqlalchemy as sa

from facade import models
from facade.apps import isolate_apps
from facade.configuration import override
from facade.exceptions import FieldError, UnsupportedFeature
from facade.models import Avg, Case, Count, F, Q, Value, When
from tests.models import Author, Book, City, Country, Everything, Place, Publisher, Restaurant
from tests.test_core_expressions import library, rows_of_core  # noqa: F401 - a fixture


@pytest.fixture
def isolated():
    with isolate_apps("tests") as registry:
        yield registry


@pytest.fixture
def people(library):  # noqa: F811
    return Author.objects.order_by(Author.name)


# -- in Core ------------------------------------------------------------------------------------------------


def test_core_takes_a_model_for_its_table_and_its_attributes_for_columns(face, database, people):
    every = sa.select(Author).order_by(Author.id)
    assert [row[1:3] for row in rows_of_core(database, face, every)] == [
        ("Ada", 36),
        ("Bob", None),
        ("Cid", 20),
    ]
    old = sa.select(Author.name, (Author.age + 1).label("next")).where(Author.age >= 21)
    assert rows_of_core(database, face, old) == [("Ada", 37)]
    joined = (
        sa.select(Author.name, sa.func.count(Book.id))
        .join_from(Author, Book, Book.author_id == Author.id)
        .group_by(Author.name)
        .order_by(Author.name.desc())
    )
    assert rows_of_core(database, face, joined) == [("Bob", 4), ("Ada", 4)]


def test_the_columns_of_a_model_have_the_names_of_its_attributes():
    assert City.c.keys() == ["id", "name", "country_id", "twin_country_id"]
    assert City.c.twin_country_id is City.__table__.c["twin"]
    assert list(Author.c) == list(Author.__table__.c)
    assert Restaurant.c.keys() == ["place_ptr_id", "serves_pizza", "owner_id"]
    with pytest.raises(AttributeError, match="nmae"):
        Author.c.nmae  # noqa: B018


def test_a_column_has_what_columns_have():
    assert Author.name.label("n").name == "n"
    assert isinstance(Author.age.type, sa.Integer)
    assert Author.age.table is Author.__table__
    assert str(-Author.age + 3) == f"-{Author.__table__.c.age} + :param_1"
    assert str(3 - Author.age) == f":age_1 - {Author.__table__.c.age}"


def test_a_field_called_c_is_an_attribute_as_any_other(isolated):
    class Grid(models.Model):
        c = models.IntegerField()

    assert Grid.c.field is Grid._meta.get_field("c")
    assert Grid(c=3).c == 3


# -- in querysets -----------------------------------------------------------------------------------------


def test_conditions(face, people, assert_queries):
    with assert_queries(5):
        assert face.list(people.filter(Author.age >= 21).values_list(Author.name, flat=True)) == ["Ada"]
        assert len(face.list(people.filter((Author.age < 21) | (Author.name == "Bob")))) == 2
        assert face(people.exclude(Author.name.startswith("A")).count) == 2
        assert face(people.get, Author.age == "20").name == "Cid"
        assert face(people.filter(Author.name.in_(["Ada", "Bob"]), ~Q(Author.age == None)).count) == 1  # noqa: E711
    found = Book.objects.filter(Book.author_id.in_(people.filter(Author.age > 30).values("id")))
    assert face(found.count) == 4
    kinds = people.annotate(kind=Case(When(Author.age >= 30, then=Value("old")), default=Value("?")))
    assert face.list(kinds.values_list("kind", flat=True)) == ["old", "?", "?"]


def test_orders_and_values(face, people, assert_queries):
    with assert_queries(5):
        rows = face.list(people.values_list(Author.name, Author.age))
        assert rows == [("Ada", 36), ("Bob", None), ("Cid", 20)]
        assert face.list(people.order_by(Author.name.desc()).values(Author.name))[0] == {"name": "Cid"}
        later = people.filter(age__isnull=False).annotate(later=Author.age + 10, twice=F("age") + Author.age)
        assert face.list(later.values_list("later", "twice")) == [(46, 72), (30, 40)]
        assert face(people.aggregate, mean=Avg(Author.age), n=Count(Author.id)) == {"mean": 28, "n": 3}
        assert face.list(people.values_list(Author.age + 1, flat=True)) == [37, None, 21]


def test_updates(face, people):
    assert face(people.filter(Author.name == "Cid").update, age=Author.age + Author.id * 0 + 1) == 1
    assert face(people.get, name="Cid").age == 21


def test_fields_that_are_left_out(face, people, assert_queries):
    with assert_queries(2):
        (only,) = face.list(people.only(Author.name).filter(Author.name == "Ada"))
        (less,) = face.list(people.defer(Author.email).filter(name="Ada"))
    assert only.get_deferred_fields() == {"age", "email"}
    assert less.get_deferred_fields() == {"email"}
    with assert_queries(1):
        assert face(only.fetch, "age") == 36


def test_columns_of_a_parent(face, database):
    database.create(Author, Place, Restaurant)
    face(Restaurant.objects.create, name="Roma", serves_pizza=True)
    found = Restaurant.objects.filter(Restaurant.name == "Roma", Restaurant.serves_pizza)
    assert face.list(found.order_by(Place.name).values_list(Restaurant.name, Place.id)) == [("Roma", 1)]


@pytest.mark.vendors("postgres")
def test_distinct_on_a_column(face, library):  # noqa: F811
    found = Book.objects.order_by(Book.author_id, Book.id).distinct(Book.author_id)
    assert face.list(found.values_list(Book.title, flat=True)) == ["T0", "T1"]


def test_a_queryset_with_columns_is_found_again(library):  # noqa: F811
    def shape(age):
        return Author.objects.filter(Author.age >= age).order_by(Author.name).values_list(Author.name)._shape

    with override(FACADE_SHAPE_CACHE=True):
        assert shape(3) is shape(4)


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: Author.age >= "old", ValueError, "Field 'age' expected a number but got 'old'"),
        (lambda: Author.age.in_([1, "old"]), ValueError, "expected a number"),
        (lambda: Author.age.between(1, "old"), ValueError, "expected a number"),
        (lambda: Book.author_id == Author(pk=1), TypeError, "Field 'id' expected a number"),
        (lambda: Author.age >= F("id"), TypeError, "F is no part of a Core expression, as one with tests.Author.age is"),
        (lambda: Author.age + Value(1), TypeError, "Value is no part of a Core expression"),
        (lambda: Book.objects.values_list(Author.name), FieldError, "Author.name is no field of Book: name it by its path"),
        (lambda: Book.objects.order_by(Author.name), FieldError, "Author.name is no field of Book"),
        (lambda: Book.objects.only(Author.name), FieldError, "Author.name is no field of Book"),
        (lambda: Book.objects.filter(Author.age > 1), FieldError, "is not one of Book's"),
        (lambda: Book.objects.annotate(x=Author.age), FieldError, "is not one of Book's"),
        (lambda: Author.objects.filter(Author.name), TypeError, "non-conditional"),
        (lambda: Author.objects.filter(name=Author), TypeError, "Table is no Core expression that has a value"),
        (lambda: Author.name.max_length, AttributeError, "the field is its attribute 'field'"),
    ],
)  # fmt: skip
def test_what_has_no_place_is_refused(database, assert_queries, wrong, error, words):
    with assert_queries(0), pytest.raises(error, match=words):
        wrong()


def test_an_abstract_model_has_no_table(isolated):
    class Named(models.Model):
        name = models.CharField(max_length=9)

        class Meta:
            abstract = True

    class Cat(Named):
        pass

    for statement in (lambda: sa.select(Named), lambda: sa.select(Named.name)):
        with pytest.raises(TypeError, match="abstract"):
            statement()
    assert Cat.name.field.model is Cat
    assert str(sa.select(Cat.name)).startswith("SELECT")


def test_values_of_fields_of_ones_own(isolated):
    class Doubled(models.IntegerField):
        def get_prep_value(self, value):
            return super().get_prep_value(value) * 2

    class Local(models.IntegerField):
        def get_db_prep_value(self, value, connection, prepared=False):
            return 3

    class Row(models.Model):
        double = Doubled()
        local = Local()

    assert (Row.double == "4").right.value == 8
    with pytest.raises(UnsupportedFeature, match=r"in get_db_prep_value\(\), and Core asks for none"):
        Row.local == 3  # noqa: B015
    assert str(Row.local.is_(None)).endswith("IS NULL")


def test_documents(face, database):
    database.create(Everything)
    face(Everything.objects.create, json={"a": [1, 2]}, datetime=None)
    assert (
        face(Everything.objects.filter(Everything.json.is_not(None), Everything.datetime.is_(None)).count)
        == 1
    )


# -- as an object --------------------------------------------------------------------------------------------


def test_it_is_one_object_that_can_be_a_key():
    assert Author.name in [Author.age, Author.name]
    assert Author.name not in [Author.age, Book.title]
    assert {Author.name: 1, Author.age: 2}[Author.age] == 2
    assert copy.deepcopy(Author.name) is copy.copy(Author.name) is Author.name
    assert pickle.loads(pickle.dumps([Author.name, Book.author_id])) == [Author.name, Book.author_id]
    assert repr(Author.name) == "<DeferredAttribute: tests.Author.name>"
    assert type(Everything.char) is models.DeferredAttribute
    assert not hasattr(Author.name, "contribute_to_class")


def test_an_instance_is_no_column(face, library):  # noqa: F811
    ada = face(Author.objects.get, name="Ada")
    assert not hasattr(ada, "__clause_element__")
    assert not hasattr(ada, "c")
    assert face(Book.objects.filter(author=ada).count) == 4
    assert face(Publisher.objects.filter(book__author=ada).distinct().count) == 1


def test_the_columns_of_a_proxy_are_those_of_its_model(isolated):
    class Land(models.Model):
        code = models.CharField(max_length=2, primary_key=True)

    class Islands(Land):
        class Meta:
            proxy = True

    assert Islands.c.code is Land.c.code is Islands.code.__clause_element__()
    assert Country.code.field.primary_key
