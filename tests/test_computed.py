"""References to outer queries, subqueries that are stored, computed decimals, conditions that hold always or never."""

from __future__ import annotations

from decimal import Decimal

import pytest

from facade.exceptions import FieldError
from facade.models import (
    Avg,
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from facade.models.functions import Abs, Cast, Coalesce
from tests.models import Author, Book, Everything, Publisher


@pytest.fixture
def books(database):
    database.create(Publisher, Author, Book)
    ada, bob = Author.objects.create(name="Ada", age=36), Author.objects.create(name="Bob", age=50)
    Book.objects.create(title="An", author=ada, pages=100, price=Decimal("1.00"))
    Book.objects.create(title="Be", author=bob, pages=300, price=Decimal("1.01"))
    return ada, bob


class TestDecimals:
    def test_computed_ones_keep_their_digits(self, face, books):
        found = face(Book.objects.aggregate, mean=Avg("price"), total=Sum("price"), most=Max("price"))
        assert found == {"mean": Decimal("1.005"), "total": Decimal("2.01"), "most": Decimal("1.01")}
        halves = Book.objects.order_by("pk").values_list(F("price") / 2, flat=True)
        assert face.list(halves) == [Decimal("0.5"), Decimal("0.505")]

    def test_they_have_the_places_of_their_column(self, face, books):
        total = face(Book.objects.filter(title="An").aggregate, total=Sum("price"))["total"]
        assert str(total) == "1.00"

    def test_those_that_are_stored_have_no_binary_digits(self, face, books):
        face(Book.objects.filter(title="Be").update, price=F("price") - Decimal("0.9"))
        assert face(Book.objects.get, title="Be").price == Decimal("0.11")

    def test_with_floats_their_type_must_be_told(self, face, database):
        database.create(Everything)
        with pytest.raises(FieldError, match="involving these types: FloatField, DecimalField"):
            face.list(Everything.objects.annotate(x=F("float") + F("decimal")))


class TestConditionsThatAlwaysOrNeverHold:
    def test_in_an_aggregate(self, face, books):
        always = ExpressionWrapper(~Q(pk__in=[]), output_field=BooleanField())
        counted = Book.objects.annotate(always=always)
        assert face(counted.aggregate, n=Sum(Cast("always", IntegerField()))) == {"n": 2}

    def test_negated(self, face, books):
        always = ExpressionWrapper(~Q(pk__in=[]), output_field=BooleanField())
        assert face(Book.objects.filter(~always).count) == 0


class TestOuterReferences:
    def test_a_slice_of_one(self, face, books):
        face(Book.objects.create, title="Cy", author=books[0])
        same = Author.objects.filter(pk=OuterRef("author"), name__startswith=OuterRef("title")[0])
        found = face.list(Book.objects.filter(Exists(same)).order_by("title"))
        assert [book.title for book in found] == ["An", "Be"]

    def test_one_to_an_annotation_that_is_one(self, face, books):
        innermost = Author.objects.filter(age=OuterRef("age_outside"))
        middle = Book.objects.annotate(age_outside=OuterRef(OuterRef("age"))).filter(Exists(innermost))
        outer = Book.objects.filter(Exists(middle.filter(pk=OuterRef("pk"))), author=OuterRef("pk"))
        assert sorted(author.name for author in face.list(Author.objects.filter(Exists(outer)))) == [
            "Ada",
            "Bob",
        ]

    def test_one_without_an_outer_query(self, face, books):
        with pytest.raises(ValueError, match="may only be used in a subquery"):
            face(Book.objects.filter(author=OuterRef("pk")).exists)

    def test_a_boolean_subquery_is_a_condition(self, face, books):
        old = Author.objects.filter(pk=OuterRef("author")).values(old=Q(age__gt=40))
        assert [book.title for book in face.list(Book.objects.filter(Subquery(old)))] == ["Be"]


class TestStoredExpressions:
    def test_a_subquery_is_stored(self, face, books):
        ada, _ = books
        longest = Book.objects.filter(pages__gt=50).order_by("-pages").annotate(more=F("pages") + 1)
        longer = Book(title="Longer", author=ada, pages=Subquery(longest.values("more")[:1]))
        face(longer.save)
        assert face(Book.objects.get, title="Longer").pages == 301

    def test_a_column_of_the_row_itself_is_refused(self, face, books):
        ada, _ = books
        with pytest.raises(
            ValueError, match=r'insert expression "Col\(tests_book, tests\.Book\.pages\) \+ V'
        ):
            face(Book(title="x", author=ada, pages=F("pages") + 1).save)

    def test_a_case_is_stored_in_a_column_that_texts_are_not_cast_to(self, face, database):
        database.create(Everything)
        face(Everything.objects.create, integer=1)
        address = Case(When(integer=1, then=Value("10.0.0.1")), output_field=Everything.ip.field)
        face(Everything.objects.update, ip=address)
        assert face(Everything.objects.get).ip == "10.0.0.1"


class TestDeconstruction:
    def test_of_a_reference(self):
        assert F("name").deconstruct() == ("facade.models.F", ("name",), {})

    def test_of_a_constant(self):
        field = CharField()
        assert Value("x").deconstruct() == ("facade.models.Value", ("x",), {})
        assert Value("x", field).deconstruct() == ("facade.models.Value", ("x",), {"output_field": field})


class TestNothingToAggregate:
    def test_what_the_answer_is_made_of_is_known(self, face, books, assert_queries):
        nothing = Book.objects.none()
        with assert_queries(0):
            assert face(nothing.aggregate, n=Coalesce(Sum("pages"), 7)) == {"n": 7}
            assert face(nothing.aggregate, n=Coalesce(Coalesce(Sum("pages"), None), 8)) == {"n": 8}
            assert face(nothing.aggregate, n=Count("pk"), most=Max("pages")) == {"n": 0, "most": None}

    def test_the_database_computes_the_answer(self, face, books):
        nothing = Book.objects.none()
        assert face(nothing.aggregate, n=Count("pk") + 1) == {"n": 1}
        assert face(nothing.aggregate, n=Coalesce(Sum("pages"), Abs(-5))) == {"n": 5}
        assert face(nothing[:5].aggregate, n=Count("pk") + 1) == {"n": 1}


class TestOptionsOfQ:
    @pytest.mark.parametrize("name", ["_connector", "_negated"])
    def test_they_are_no_lookups_of_a_branch(self, name):
        with pytest.raises(TypeError, match="kwargs are invalid"):
            When(**{"pages": 1, name: "OR"}, then=Value(1))
