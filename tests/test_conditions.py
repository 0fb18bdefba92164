"""Conditions: which rows NOT, transforms and lookups written as expressions keep."""

from __future__ import annotations

import pytest

from facade import CaptureQueriesContext, connections
from facade.exceptions import FieldError, NotSupportedError, ValidationError
from facade.models import (
    Avg,
    CharField,
    Count,
    Exists,
    F,
    FloatField,
    IntegerField,
    Model,
    OuterRef,
    Q,
    StdDev,
    Sum,
    Transform,
    Value,
    Variance,
)
from facade.models.functions import Abs, Length
from facade.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
)
from tests.models import Author, Book, City, Country, Everything, Publisher


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Country, City)
    ada, bob = Author.objects.create(name="Ada", age=36), Author.objects.create(name="Bob", age=-7)
    Book.objects.create(title="Alpha", author=ada, pages=100)
    Book.objects.create(title="Beta", author=ada, pages=200)
    Book.objects.create(title="Gamma", author=bob, pages=100)
    return ada, bob


def names(face, queryset):
    return sorted(face.list(queryset.values_list("name", flat=True)))


# -- NOT over several rows --------------------------------------------------------------------


def test_a_negation_speaks_of_the_row_that_the_conditions_before_it_speak_of(face, library):
    alpha = Q(books__title="Alpha")
    assert names(face, Author.objects.filter(Q(books__pages__gte=100), ~alpha)) == ["Ada", "Bob"]
    assert names(face, Author.objects.filter(Q(books__pages=100), ~alpha)) == ["Bob"]


def test_a_negation_of_its_own_speaks_of_all_rows(face, library):
    alpha = Q(books__title="Alpha")
    assert names(face, Author.objects.filter(books__pages__gte=100).exclude(alpha)) == ["Bob"]
    assert names(face, Author.objects.filter(~alpha, Q(books__pages__gte=100))) == ["Bob"]


def test_a_negation_over_a_relation_and_back_asks_for_the_rows_between(face, library):
    Author.objects.create(name="Cy", age=1)
    assert names(face, Author.objects.exclude(books__author__age__lte=40)) == ["Cy"]
    assert names(face, Author.objects.exclude(books__author__age__lte=F("age"))) == ["Cy"]


# -- transforms of relations --------------------------------------------------------------------


@pytest.fixture
def transform():
    """Register transforms for the length of a test."""
    registered = []

    def register(place, transform):
        place.register_lookup(transform)
        registered.append((place, transform))

    yield register
    for place, kind in registered:
        place._unregister_lookup(kind)


def test_a_transform_of_a_foreign_key_is_found_from_both_sides(face, library, transform):
    ada, _ = library
    transform(Book._meta.get_field("author"), Abs)
    gamma = Book.objects.get(title="Gamma")
    assert names(face, Author.objects.filter(books__abs=gamma.pk)) == ["Bob"]
    assert face(Book.objects.filter(author__abs=ada.pk).count) == 2


def test_a_relation_is_ordered_by_a_transform_of_its_key(face, library, transform):
    transform(CharField, Length)
    for code, city in (("bb", "Long"), ("a", "Short")):
        City.objects.create(name=city, country=Country.objects.create(code=code, name=code))
    assert [city.name for city in face.list(City.objects.order_by("country__length"))] == ["Short", "Long"]
    assert [city.name for city in face.list(City.objects.order_by("-country__length"))] == ["Long", "Short"]


# -- lookups written as expressions, and for both sides ----------------------------------------------


def test_a_comparison_of_integers_with_a_fraction_is_exact(face, library):
    pages = F("pages")
    for lookup, expected in (
        (GreaterThanOrEqual(pages, 100.5), 1),
        (GreaterThan(pages, 99.5), 3),
        (LessThan(pages, 100.5), 2),
        (LessThanOrEqual(pages, 100.5), 2),
    ):
        assert face(Book.objects.filter(lookup).count) == expected
        assert face(Book.objects.annotate(found=lookup).filter(found=True).count) == expected


def test_a_list_of_an_in_may_hold_expressions(face, library):
    assert face(Book.objects.filter(In(F("pages"), [F("pages"), 5])).count) == 3
    assert face(Book.objects.filter(In(F("pages"), [F("author__age") + 64, 200])).count) == 2


class Half(Transform):
    """Whole halves, on both sides of a comparison."""

    lookup_name = "half"
    bilateral = True

    def as_sql(self, compiler, connection):
        sql, params = compiler.compile(self.lhs)
        return f"({sql}) - MOD({sql}, 2)", [*params, *params]


@pytest.mark.parametrize(
    ("lookup", "value", "expected"),
    [
        ("pages__half", 101, 2),
        ("pages__half__in", [101, 7], 2),
        ("pages__half__in", [101, 201], 3),
        ("pages__half__in", [], 0),
        ("pages__half__range", (101, 199), 2),
        ("pages__half__gt", 101, 1),
    ],
)
def test_a_transform_of_both_sides_takes_each_item_of_a_list(
    face, library, transform, lookup, value, expected
):
    transform(IntegerField, Half)
    assert face(Book.objects.filter(**{lookup: value}).count) == expected
    assert face(Book.objects.exclude(**{lookup: value}).count) == 3 - expected


def test_a_transform_of_both_sides_takes_no_queryset(library, transform):
    transform(IntegerField, Half)
    with pytest.raises(NotImplementedError, match="Bilateral transformations on nested querysets"):
        Book.objects.filter(pages__half__in=Book.objects.values("pages"))


# -- values that are none -----------------------------------------------------------------------------


class TextOrNone(CharField):
    """Keeps an empty text as NULL."""

    def get_prep_value(self, value):
        return super().get_prep_value(value) or None


class Remark(Model):
    text = TextOrNone(max_length=20, null=True)


def test_a_value_that_its_field_takes_for_none_is_compared_as_none(face, database):
    database.create(Remark)
    Remark.objects.create(text="")
    Remark.objects.create(text="kept")
    for _ in range(2):
        assert [remark.text for remark in face.list(Remark.objects.filter(text=""))] == [None]
        assert [remark.text for remark in face.list(Remark.objects.filter(text="kept"))] == ["kept"]
        assert [remark.text for remark in face.list(Remark.objects.exclude(text=""))] == ["kept"]
        assert face(Remark.objects.get, text="").text is None
    with pytest.raises(ValueError, match="Cannot use None as a query value"):
        Remark.objects.filter(text__gt="")


def test_a_dict_is_no_condition(library):
    with pytest.raises(FieldError, match="Cannot parse keyword query as dict"):
        Book.objects.filter({"title": "Alpha"})


def test_the_model_of_a_queryset_is_checked_before_its_length(library):
    with pytest.raises(ValueError, match='Cannot use QuerySet for "Publisher": Use a QuerySet for "Author"'):
        Book.objects.filter(author=Publisher.objects.all())


def test_update_refuses_an_object_that_is_not_saved(face, library):
    with pytest.raises(ValueError, match="Unsaved model instance <Author: New> cannot be used"):
        face(Book.objects.update, author=Author(name="New"))


# -- Q as a value ---------------------------------------------------------------------------------------


def test_conditions_on_equal_sequences_are_equal():
    same = [Q(pk__in=items) for items in ((1, 2), [1, 2], {1: "a", 2: "b"}.keys())]
    assert same[0] == same[1] == same[2]
    assert len({hash(one) for one in same}) == 1
    assert Q(pk__in=[1, 2]) != Q(pk__in=[2, 1])


def test_nothing_and_an_expression_is_the_expression():
    some = ~Exists(Book.objects.filter(author=OuterRef("pk")))
    assert (Q() & some) == (Q() | some) == some


def test_the_fields_of_a_condition_inside_an_expression_are_known():
    assert Q(Exact(Q(pages=F("price")), True)).referenced_base_fields == {"pages", "price"}


# -- subqueries ---------------------------------------------------------------------------------------------


def test_exists_counts_the_rows_that_distinct_leaves(face, library):
    Book.objects.create(title="Gamma", author=library[0], pages=100)
    distinct = Book.objects.values("pages").distinct()
    assert face(distinct[1:2].exists) is True
    assert face(distinct[2:3].exists) is False
    assert face(Author.objects.filter(Exists(distinct[1:])).count) == 2


def test_a_subquery_selects_one_column_though_distinct_needs_another_for_the_order(face, library):
    first = Book.objects.distinct().order_by("-title")[:2]
    assert sorted(book.title for book in face.list(Book.objects.filter(pk__in=first))) == ["Beta", "Gamma"]
    assert face(Book.objects.filter(pk__in=first.values("pk")).count) == 2


def test_a_subquery_of_another_database_is_refused(face, library):
    elsewhere = Author.objects.using("other")
    books = Book.objects.filter(author__in=elsewhere)
    for ask in (books.count, books.exists, books.first, books.delete):
        with pytest.raises(ValueError, match="Subqueries aren't allowed across different databases"):
            face(ask)
    with pytest.raises(ValueError, match="Subqueries aren't allowed across different databases"):
        str(books.query)
    assert face(Book.objects.using("default").filter(author__in=Author.objects.using("default")).count) == 3


def test_a_queryset_can_be_an_annotation(face, library):
    pages = Book.objects.filter(author=OuterRef("pk")).order_by("-pages").values("pages")[:1]
    found = Author.objects.annotate(longest=pages).order_by("name").values_list("longest", flat=True)
    assert face.list(found) == [200, 100]


def test_a_union_takes_the_names_of_its_first_part(face, library):
    first = Book.objects.extra(select={"kind": "1"}).filter(pages=100).values_list("title", "kind")
    second = Book.objects.extra(select={"kind": "2"}).filter(pages=200)
    assert sorted(face.list(first.union(second))) == [("Alpha", 1), ("Beta", 2), ("Gamma", 1)]


def test_a_union_of_a_slice_with_nothing_can_be_ordered_and_sliced(face, library):
    some = Book.objects.filter(pages__gte=100).order_by("title")[:2]
    union = some.union(Book.objects.none())
    assert face.list(union.order_by("-title").values_list("title", flat=True)[1:2]) == ["Alpha"]


# -- NULL on the right ----------------------------------------------------------------------------


def test_an_unknown_value_equals_nothing(face, library):
    Author.objects.create(name="Cyd", age=None)
    for lookup in ("age", "age__lt", "age__gte"):
        assert names(face, Author.objects.filter(**{lookup: Value(None)})) == []
    assert names(face, Author.objects.filter(age=None)) == ["Cyd"]


def test_a_list_must_be_one(face, library, assert_queries):
    with assert_queries(0), pytest.raises(TypeError, match="must be a list or a queryset"):
        face.list(Author.objects.filter(age__in=F("age")))


# -- questions that cannot be asked -----------------------------------------------------------------


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize("aggregate", [Sum, Avg, StdDev, Variance])
def test_sqlite_cannot_calculate_with_dates(database, assert_queries, aggregate):
    with (
        assert_queries(0),
        pytest.raises(NotSupportedError, match=f"{aggregate.__name__} of dates and times"),
    ):
        Book.objects.aggregate(x=aggregate("published"))


def test_a_sum_of_mixed_types_takes_the_type_it_is_given(face, library):
    total = Sum(F("pages") + F("price") + Value(0.5), output_field=FloatField())
    assert face(Book.objects.aggregate, total=total) == {"total": 401.5}


# -- floats that are no numbers -----------------------------------------------------------------


@pytest.mark.without("mariadb", reason="it has finite numbers only")
def test_a_list_may_hold_infinity(face, database):
    database.create(Everything)
    for number in (1.5, float("inf"), float("-inf")):
        Everything.objects.create(float=number)
    beyond = Everything.objects.filter(float__in=[float("inf"), float("-inf")])
    assert sorted(face.list(beyond.values_list("float", flat=True))) == [float("-inf"), float("inf")]
    assert face(Everything.objects.filter(float__in=[1.5, float("inf")]).count) == 2
    assert face(Everything.objects.exclude(float__in=[float("inf")]).count) == 2


@pytest.mark.vendors("sqlite")
def test_nan_in_a_list_is_null(face, database):
    database.create(Everything)
    Everything.objects.create(float=1.5)
    assert face(Everything.objects.filter(float__in=[1.5, float("nan")]).count) == 1
    assert face(Everything.objects.filter(float__in=[float("nan")]).count) == 0
    assert face(Everything.objects.exclude(float__in=[float("nan")]).count) == 0


# -- conditions that have a name ---------------------------------------------------------------


class Missing(IsNull):
    lookup_name = "missing"
    can_use_none_as_rhs = True


def test_a_lookup_of_ones_own_may_be_a_test_for_null(face, library, transform):
    transform(IntegerField, Missing)
    authors = Author.objects.all()
    Author.objects.create(name="Cid", age=None)
    assert names(face, authors.filter(age__missing=True)) == ["Cid"]
    assert names(face, authors.filter(Q(age__missing=True) | Q(name="Ada"))) == ["Ada", "Cid"]
    counted = authors.annotate(n=Count("pk", filter=Q(age__missing=True)))
    assert names(face, counted.filter(n=1)) == ["Cid"]
    for _ in range(2):  # the second time the shape of True is known
        with pytest.raises(ValueError, match="isnull lookup must be True or False"):
            authors.filter(age__missing=1)


@pytest.mark.parametrize("value", [True, False, 1, 0])
def test_a_condition_with_a_name_is_asked_as_if_it_had_none(face, library, value):
    has = Exists(Book.objects.filter(author=OuterRef("pk"), pages=200))
    with CaptureQueriesContext(connections["default"]) as captured:
        for condition, found in (
            (Q(name="Ada"), "Ada"),
            (has, "Ada"),
            (~has, "Bob"),
            (GreaterThan(F("age"), 0), "Ada"),
        ):
            named = Author.objects.annotate(named=condition)
            others = {"Ada", "Bob"} - {found}
            assert names(face, named.filter(named=value)) == ([found] if value else [*others])
            assert names(face, named.exclude(named=value)) == ([*others] if value else [found])
            assert names(face, named.filter(Q(named=value) & Q(pk__gt=0))) == (
                [found] if value else [*others]
            )
    assert not [query["sql"] for query in captured if "= TRUE" in query["sql"] or "= FALSE" in query["sql"]]


def test_a_condition_that_no_row_can_meet_may_have_a_name(face, library):
    for condition, met in (
        (Q(pk__in=[]), False),
        (~Q(pk__in=[]), True),
        (Exists(Book.objects.none()), False),
    ):
        named = Author.objects.annotate(named=condition)
        assert face(named.filter(named=met).count) == 2
        assert face(named.filter(named=not met).count) == 0
        assert face(named.exclude(named=met).count) == 0


def test_a_name_of_a_condition_is_compared_with_truth_values(face, library):
    named = Author.objects.annotate(named=Q(name="Ada"))
    with pytest.raises(ValidationError, match="must be either True or False"):
        named.filter(named="maybe")
    assert face(named.filter(named=F("named")).count) == 2
    assert face(named.filter(named__in=[True]).count) == 1
