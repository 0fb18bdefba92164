"""The general road on a third database: what is portable works on MariaDB, through pymysql and asyncmy."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from facade import atomic, connections
from facade.exceptions import IntegrityError
from facade.models import Avg, Case, Count, F, Max, Prefetch, Q, Sum, Value, When
from tests.models import Author, Book, Category, Place, Profile, Publisher, Restaurant, Review

pytestmark = pytest.mark.vendors("mariadb")


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Profile, Category, Review, Place, Restaurant)
    north = Publisher.objects.create(name="North", city="Oslo")
    ada = Author.objects.create(name="Ada", age=36)
    bob = Author.objects.create(name="Bob", age=50)
    for title, author, pages in (("Alpha", ada, 100), ("Beta", ada, 200), ("Gamma", bob, 300)):
        Book.objects.create(
            title=title,
            author=author,
            publisher=north,
            pages=pages,
            price="9.50",
            published=dt.date(2002, 5, pages // 100),
        )
    return ada, bob


def titles(face, queryset):
    return sorted(book.title for book in face.list(queryset))


def test_each_face_has_its_driver(face, database, library):
    assert face(Author.objects.count) == 2
    lender = connections["default"].lender
    assert lender.dialect.driver == ("asyncmy" if face.is_async else "pymysql")
    assert connections["default"].vendor == "mysql"


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"title": "Alpha"}, ["Alpha"]),
        ({"title__contains": "lph"}, ["Alpha"]),
        ({"title__icontains": "A"}, ["Alpha", "Beta", "Gamma"]),
        ({"title__startswith": "%"}, []),
        ({"title__in": ["Alpha", "Beta"]}, ["Alpha", "Beta"]),
        ({"title__in": []}, []),
        ({"pages__range": (100, 200)}, ["Alpha", "Beta"]),
        ({"pages__in": list(range(5000))}, ["Alpha", "Beta", "Gamma"]),
        ({"pages": 2**70}, []),
        ({"published__year": 2002, "published__day__gt": 1}, ["Beta", "Gamma"]),
        ({"price": Decimal("9.50")}, ["Alpha", "Beta", "Gamma"]),
        ({"author__name": "Ada"}, ["Alpha", "Beta"]),
        ({"publisher__isnull": True}, []),
        ({"pages__gt": F("author__age") * 4}, ["Beta", "Gamma"]),
    ],
)
def test_conditions(face, library, lookups, expected, assert_queries):
    assert titles(face, Book.objects.filter(**lookups)) == expected
    rest = sorted({"Alpha", "Beta", "Gamma"} - set(expected))
    assert titles(face, Book.objects.exclude(**lookups)) == rest


def test_orders_slices_and_values(face, library):
    books = Book.objects.order_by("-pages")
    assert [book.title for book in face.list(books[1:])] == ["Beta", "Alpha"]
    assert [book.title for book in face.list(books[1:2])] == ["Beta"]
    assert face.list(books.values_list("title", flat=True)) == ["Gamma", "Beta", "Alpha"]
    row = face(books.values("price", "published").last)
    assert row == {"price": Decimal("9.50"), "published": dt.date(2002, 5, 1)}


def test_relations(face, library, assert_queries):
    with assert_queries(1):
        found = face.list(Book.objects.select_related("author", "publisher").order_by("title"))
        assert [(book.author.name, book.publisher.name) for book in found][::2] == [
            ("Ada", "North"),
            ("Bob", "North"),
        ]
    longest = Prefetch("books", Book.objects.order_by("-pages"))
    with assert_queries(2):
        authors = face.list(Author.objects.prefetch_related(longest).order_by("name"))
        assert [[book.title for book in author.books.all()] for author in authors] == [
            ["Beta", "Alpha"],
            ["Gamma"],
        ]


def test_annotations_and_aggregates(face, library):
    found = face(
        Book.objects.aggregate, n=Count("id"), total=Sum("pages"), mean=Avg("pages"), top=Max("price")
    )
    assert found == {"n": 3, "total": 600, "mean": 200.0, "top": Decimal("9.50")}
    assert [type(value) for value in found.values()] == [int, int, float, Decimal]
    authors = Author.objects.annotate(n=Count("books", filter=Q(books__pages__gt=100))).order_by("name")
    assert [author.n for author in face.list(authors)] == [1, 1]
    size = Case(When(pages__gt=150, then=Value("long")), default=Value("short"))
    assert [book.size for book in face.list(Book.objects.annotate(size=size).order_by("pages"))] == [
        "short",
        "long",
        "long",
    ]


def test_rows_are_written(face, library, assert_queries):
    with assert_queries(1):
        cyd = face(Author.objects.create, name="Cyd ü 🎈", age=1)
    assert cyd.pk
    cyd.age = 2
    face(cyd.save)
    assert face(Author.objects.filter(pk=cyd.pk).update, age=F("age") + 1) == 1
    face(cyd.refresh_from_db)
    assert (cyd.name, cyd.age) == ("Cyd ü 🎈", 3)
    made = face(Author.objects.bulk_create, [Author(name=f"{i}") for i in range(5)])
    assert len({author.pk for author in made}) == 5
    found, created = face(Category.objects.get_or_create, name="x")
    assert created
    assert face(Category.objects.get_or_create, name="x") == (found, False)
    with pytest.raises(IntegrityError):
        face(Category.objects.create, name="x")
    assert face(cyd.delete) == (1, {"tests.Author": 1})
    assert face(Author.objects.filter(name="Ada").delete)[0] == 3


def test_blocks_and_savepoints(face, database, library):
    with pytest.raises(LookupError), face.block(atomic()):
        face(Author.objects.update, age=0)
        raise LookupError
    with face.block(atomic()):
        face(Author.objects.filter(name="Ada").update, age=1)
        with pytest.raises(LookupError), face.block(atomic()):
            face(Author.objects.update, age=2)
            raise LookupError
    assert database.observe("SELECT age FROM tests_author ORDER BY id") == [(1,), (50,)]


def test_streams(face, library):
    Author.objects.bulk_create([Author(name=f"{number}") for number in range(2500)])
    seen = 0
    for author in face.iterate(Author.objects.order_by("pk").iterator, 100):
        seen += 1
        if seen % 1000 == 0:
            assert face(Author.objects.filter(pk=author.pk).exists)
    assert seen == 2502


def test_rows_are_locked(face, library):
    ada, _ = library
    with face.block(atomic()):
        assert face(Author.objects.select_for_update().get, pk=ada.pk) == ada
