"""FilteredRelation: a relation joined under a name of its own, and only to the rows that meet a condition."""

from __future__ import annotations

import copy
import pickle

import pytest

from facade import models
from facade.exceptions import FieldError
from facade.models import Count, F, FilteredRelation, OuterRef, Q, Subquery, Sum
from facade.models.functions import Upper
from facade.models.lookups import GreaterThan
from tests.models import Author, Book, Place, Publisher, Restaurant


class Inspection(models.Model):
    place = models.ForeignKey(Place, models.DO_NOTHING, related_name="inspections")
    grade = models.IntegerField()


@pytest.fixture
def library(database):
    database.create(Author, Publisher, Book)
    north, south = Publisher.objects.create(name="North"), Publisher.objects.create(name="South")
    ada, bob, cyd = (Author.objects.create(name=name) for name in ("Ada", "Bob", "Cyd"))
    Book.objects.bulk_create(
        [
            Book(title="Alpha", author=ada, publisher=north, pages=100),
            Book(title="Beta", author=ada, publisher=south, pages=200),
            Book(title="Gamma", author=bob, publisher=north, pages=300),
            Book(title="Delta", author=bob, pages=50),
        ]
    )
    return ada, bob, cyd


def long(least=150, **more):
    return Author.objects.annotate(
        long=FilteredRelation("books", condition=Q(books__pages__gt=least, **more))
    ).order_by("name", "long__title")


def pairs(face, queryset, *names):
    return face.list(queryset.values_list(*(names or ("name", "long__title"))))


def test_objects_without_such_a_row_are_kept(face, library, assert_queries):
    with assert_queries(1):
        assert pairs(face, long()) == [("Ada", "Beta"), ("Bob", "Gamma"), ("Cyd", None)]
    assert pairs(face, long(60)) == [*[("Ada", "Alpha"), ("Ada", "Beta")], *[("Bob", "Gamma"), ("Cyd", None)]]


def test_an_unused_one_is_not_joined(face, library, assert_queries):
    with assert_queries(1) as captured:
        assert face(long().order_by().count) == 3
    assert "JOIN" not in captured[0]["sql"]


@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        (lambda rows: rows.filter(long__title="Beta"), ["Ada"]),
        (lambda rows: rows.filter(long__isnull=True), ["Cyd"]),
        (lambda rows: rows.filter(long__isnull=False), ["Ada", "Bob"]),
        (lambda rows: rows.filter(long__title="Beta", long__pages=200), ["Ada"]),
        (lambda rows: rows.filter(long__title="Beta", long__pages=100), []),
        (lambda rows: rows.filter(long__title="Beta").filter(long__pages=200), ["Ada"]),
        (lambda rows: rows.exclude(long__title="Beta"), ["Bob", "Cyd"]),
        (lambda rows: rows.exclude(long__isnull=True), ["Ada", "Bob"]),
        (lambda rows: rows.filter(Q(long__title="Beta") | Q(name="Cyd")), ["Ada", "Cyd"]),
        (lambda rows: rows.filter(long__title="Beta") | Author.objects.filter(name="Cyd"), ["Ada", "Cyd"]),
        (lambda rows: Author.objects.filter(name="Ada") & rows.filter(long__pages=200), ["Ada"]),
        (lambda rows: Author.objects.filter(pk__in=rows.filter(long__title="Gamma")), ["Bob"]),
    ],
)
def test_lookups(face, library, narrow, expected):
    found = narrow(long().order_by("name"))
    assert sorted({author.name for author in face.list(found)}) == expected


def test_values_are_prepared_and_may_be_beyond_the_column(face, library):
    assert pairs(face, long("150")) == pairs(face, long())
    assert pairs(face, long(2**70)) == [("Ada", None), ("Bob", None), ("Cyd", None)]
    assert pairs(face, long(-(2**70)).filter(long=None)) == [("Cyd", None)]


def test_the_shape_is_shared_and_the_values_are_not(face, library):
    assert long(1)._shape is long(250)._shape or not long(1)._shape.keyed
    assert pairs(face, long(250)) == [("Ada", None), ("Bob", "Gamma"), ("Cyd", None)]
    assert pairs(face, copy.deepcopy(long(250)))[1] == ("Bob", "Gamma")
    assert [author.name for author in pickle.loads(pickle.dumps(long(250)))] == ["Ada", "Bob", "Cyd"]


def test_aggregates_count_its_rows_only(face, library):
    counted = long(60).order_by("name").annotate(n=Count("long"), all=Sum("long__pages"))
    assert pairs(face, counted, "name", "n", "all") == [("Ada", 2, 300), ("Bob", 1, 300), ("Cyd", 0, None)]


def test_expressions_in_the_condition(face, library):
    by_name = Author.objects.annotate(
        own=FilteredRelation(
            "books", condition=Q(GreaterThan(F("books__pages"), 250)) & Q(books__author=F("pk"))
        )
    )
    assert face.list(by_name.filter(own__isnull=False).values_list("name", "own__title")) == [
        ("Bob", "Gamma")
    ]
    neither = Author.objects.annotate(
        other=FilteredRelation("books", condition=~Q(books__pages=100) & Q(books__publisher__isnull=False))
    )
    assert pairs(face, neither.order_by("name"), "name", "other__title") == [
        ("Ada", "Beta"),
        ("Bob", "Gamma"),
        ("Cyd", None),
    ]


def test_the_condition_of_a_subquery_may_name_the_query_around_it(face, library):
    inner = Publisher.objects.annotate(
        wanted=FilteredRelation("book", condition=Q(book__author=OuterRef("pk")))
    ).filter(wanted__pages__gt=150)
    found = Author.objects.order_by("name").annotate(house=Subquery(inner.values("name")[:1]))
    assert pairs(face, found, "name", "house") == [("Ada", "South"), ("Bob", "North"), ("Cyd", None)]


def test_select_related_puts_the_row_on_the_object(face, library, assert_queries):
    with assert_queries(1):
        found = face.list(long().select_related("long__publisher"))
        assert [author.long and author.long.title for author in found] == ["Beta", "Gamma", None]
        assert [author.long.publisher.name for author in found[:2]] == ["South", "North"]
        assert found[0].long.author is found[0]
    with assert_queries(1):
        (book,) = face.list(
            Book.objects.annotate(house=FilteredRelation("publisher", condition=Q(publisher__name="North")))
            .filter(title="Beta")
            .select_related("house")
        )
        assert book.house is None


def test_defer_reaches_it(face, library, assert_queries):
    (author,) = face.list(long().filter(name="Ada").select_related("long").defer("long__title"))
    assert author.long.get_deferred_fields() == {"title"}
    with pytest.raises(ValueError, match="only\\(\\) is not supported"):
        long().only("long__title")


def test_relations_behind_others(face, library):
    houses = Author.objects.annotate(
        long=FilteredRelation("books", condition=Q(books__pages__gt=150)),
        house=FilteredRelation("long__publisher", condition=Q(long__publisher__name="South")),
    ).order_by("name")
    assert pairs(face, houses, "name", "long__title", "house__name") == [
        ("Ada", "Beta", "South"),
        ("Bob", "Gamma", None),
        ("Cyd", None, None),
    ]


def test_updating_through_it(face, library):
    assert face(long().order_by().filter(long__title="Gamma").update, email="long@example.org") == 1
    assert face(Author.objects.get, name="Bob").email == "long@example.org"


@pytest.mark.parametrize(
    ("alias", "name", "condition", "error", "message"),
    [
        ("x", "", Q(), ValueError, "relation_name cannot be empty"),
        ("x", "books", "pages > 1", ValueError, r"must be a Q\(\) instance"),
        ("x", "books__pages__gt", Q(), ValueError, "cannot contain lookups"),
        ("x", "name", Q(), FieldError, "needs a relation"),
        ("x", "nonsense", Q(), FieldError, "Cannot resolve keyword 'nonsense'"),
        ("x", "books", Q(books__nonsense=1), FieldError, "nonsense"),
        ("x", "books", Q(books__publisher__name__iexact="x"), ValueError, "deeper than the relation_name"),
        ("x", "books__publisher", Q(name__x__y=1), FieldError, "not permitted|Unsupported"),
        ("x", "books", Q(books__in=Book.objects.all()), ValueError, "Passing a QuerySet"),
        ("a.b", "books", Q(), ValueError, "aliases with periods"),
        ('x"; --', "books", Q(), ValueError, "Column aliases cannot contain"),
        ("name", "books", Q(), ValueError, "conflicts with a field"),
    ],
)
def test_what_is_wrong_is_refused(database, assert_queries, alias, name, condition, error, message):
    with assert_queries(0), pytest.raises(error, match=message):
        Author.objects.annotate(**{alias: FilteredRelation(name, condition=condition)})


def test_it_cannot_be_prefetched(database):
    with pytest.raises(ValueError, match="not supported with FilteredRelation"):
        long().prefetch_related("long")


@pytest.mark.without("mariadb", reason="its texts are equal whatever their case")
def test_a_condition_slices_columns_of_the_relation_and_of_the_model(face, library):
    def first_letters(condition):
        named = Author.objects.annotate(fr=FilteredRelation("books", condition=condition)).order_by("name")
        return pairs(face, named, "name", "fr__title")

    Book.objects.filter(title="Alpha").update(title="A")
    Book.objects.filter(title="Gamma").update(title="GAMMA")
    nothing = [("Ada", None), ("Bob", None), ("Cyd", None)]
    assert first_letters(Q(books__title=F("name")[0:1])) == [("Ada", "A"), *nothing[1:]]
    assert first_letters(Q(books__title=F("name")[0:2])) == nothing
    assert first_letters(Q(books__title=F("books__title")[0:1])) == [("Ada", "A"), *nothing[1:]]
    assert first_letters(Q(books__title=Upper(F("books__title")[0:5]))) == [
        ("Ada", "A"),
        ("Bob", "GAMMA"),
        ("Cyd", None),
    ]


def test_a_relation_of_a_parent_model_is_filtered_from_the_child(face, database, assert_queries):
    database.create(Author, Place, Restaurant, Inspection)
    one, two = (Restaurant.objects.create(name=name) for name in ("One", "Two"))
    Inspection.objects.create(place=one, grade=1)
    Inspection.objects.create(place=two, grade=5)
    bad = FilteredRelation("inspections", condition=Q(inspections__grade__gt=3))
    with assert_queries(2):
        graded = Restaurant.objects.annotate(bad=bad).order_by("name")
        assert pairs(face, graded, "name", "bad__grade") == [("One", None), ("Two", 5)]
        assert pairs(face, graded.filter(bad__isnull=True), "name") == [("One",)]


def test_rows_are_grouped_by_a_subquery_whose_relation_refers_to_the_row_outside(face, library):
    ada, bob, _ = library
    face(Author.objects.filter(pk=ada.pk).update, age=100)
    face(Author.objects.filter(pk=bob.pk).update, age=50)
    as_long = FilteredRelation("books", condition=Q(books__pages=OuterRef("age")))
    writers = Author.objects.annotate(fit=as_long).filter(fit__isnull=False).values("name")
    rows = Author.objects.annotate(writer=Subquery(writers[:1])).values("writer").annotate(n=Count("id"))
    assert {row["writer"]: row["n"] for row in face.list(rows)} == {"Ada": 1, "Bob": 1, None: 1}
