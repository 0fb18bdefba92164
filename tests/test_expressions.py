"""Expressions as values: what their results are, and where they can stand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from facade.exceptions import FieldError, NotSupportedError
from facade.models import Avg, Case, Count, Exists, F, IntegerField, Max, OuterRef, Q, Sum, Value, When
from facade.models.functions import Coalesce, ExtractDay, Length, TruncDate
from tests.models import Author, Book, City, Country, Everything, Publisher


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book)
    ada, bob, _ = Author.objects.bulk_create([Author(name="Ada"), Author(name="Bob"), Author(name="Cyd")])
    Book.objects.bulk_create(
        [
            Book(title="Alpha", author=ada, pages=100),
            Book(title="Beta", author=ada, pages=200),
            Book(title="Delta", author=bob, pages=50),
            Book(title="Gamma", author=bob, pages=300),
        ]
    )


def test_text_in_a_case_names_a_field(face, library):
    shown = Case(When(pages__gte=200, then="author__name"), default="title")
    assert face.list(Book.objects.order_by("title").values_list("title", shown)) == [
        ("Alpha", "Alpha"),
        ("Beta", "Ada"),
        ("Delta", "Delta"),
        ("Gamma", "Bob"),
    ]


def test_branches_that_no_row_and_every_row_takes(face, library):
    never = Case(When(pk__in=[], then=Value(1)), default=Value(2))
    always = Case(When(pages=100, then=Value(1)), When(~Q(pk__in=[]), then=Value(3)), default=Value(2))
    rows = Book.objects.annotate(never=never, always=always).order_by("title")
    assert face.list(rows.values_list("never", "always")) == [(2, 1), (2, 3), (2, 3), (2, 3)]
    assert face(Book.objects.update, pages=Case(When(pk__in=[], then=1), default=7)) == 4
    assert set(face.list(Book.objects.values_list("pages", flat=True))) == {7}


def test_the_mean_of_prices_has_more_digits_than_a_price(face, library):
    face(Book.objects.update, price=Decimal("1.00"))
    face(Book.objects.filter(title="Alpha").update, price=Decimal("1.10"))
    assert face(Book.objects.aggregate, mean=Avg("price")) == {"mean": Decimal("1.025")}
    assert face(Book.objects.annotate(mean=Avg("price")).aggregate, Max("mean"))["mean__max"] == Decimal(
        "1.1"
    )


def test_a_queryset_is_a_value_without_subquery(face, library):
    name = Author.objects.filter(pk=OuterRef("author")).values("name")
    rows = Book.objects.annotate(by=name, length=Length(name)).order_by("title")
    assert face.list(rows.values_list("title", "by", "length")[:2]) == [
        ("Alpha", "Ada", 3),
        ("Beta", "Ada", 3),
    ]


def test_conditions_that_always_hold_are_values(face, library):
    always, never = ~Q(pk__in=[]), Exists(Book.objects.none())
    rows = Author.objects.alias(never=never).order_by("never", "name")
    assert face.list(rows.values_list("name", flat=True)) == ["Ada", "Bob", "Cyd"]
    grouped = Author.objects.annotate(never=never).values("never").annotate(n=Count("pk")).order_by("never")
    assert face.list(grouped) == [{"never": False, "n": 3}]
    assert face(Author.objects.annotate(always=always).aggregate, n=Count("always")) == {"n": 3}


@pytest.mark.vendors("sqlite")
def test_true_values_are_counted_by_their_sum(face, library):
    assert face(Book.objects.annotate(long=Q(pages__gte=200)).aggregate, n=Sum("long")) == {"n": 2}


def test_mixed_types_matter_only_where_values_are_read(face, library):
    either = Coalesce("price", "pages")
    assert len(face.list(Book.objects.order_by(either))) == 4
    assert face(Book.objects.filter(pages__gte=either).count) == 4
    with pytest.raises(FieldError, match="mixed types"):
        face.list(Book.objects.annotate(either=either))


def test_a_relation_in_an_expression_has_the_type_of_its_key(face, library):
    ada = face(Author.objects.get, name="Ada")
    rows = Book.objects.annotate(next_key=F("author_id") + 1, key=Coalesce("publisher_id", "author_id"))
    assert face(rows.filter(title="Alpha").values_list("next_key", "key").get) == (ada.pk + 1, ada.pk)
    assert type(face(Book.objects.aggregate, mean=Avg("author"))["mean"]) is float
    assert face(Book.objects.annotate(key=Max("author_id")).filter(key__range=(ada.pk, ada.pk)).count) == 2


def test_lookups_of_the_field_that_a_relation_leads_to(face, database, assert_queries):
    database.create(Country, City)
    norway = face(Country.objects.create, code="NO", name="Norway")
    face(City.objects.create, name="Oslo", country=norway, twin_country=norway)
    with assert_queries(1) as captured:
        assert (
            face(
                City.objects.filter(
                    twin_country__name__icontains="WAY", country__code__range=("A", "Z")
                ).count
            )
            == 1
        )
    assert "JOIN" not in captured.captured_queries[0]["sql"]


def test_values_after_an_aggregate_divide_its_groups(face, library):
    rows = Author.objects.annotate(n=Count("pk")).values("books__title", "n").order_by("books__title")
    assert [row for row in face.list(rows) if row["books__title"]] == [
        {"books__title": title, "n": 1} for title in ("Alpha", "Beta", "Delta", "Gamma")
    ]


def test_the_first_of_combined_querysets_names_the_values(face, library):
    found = Author.objects.values("name").union(Author.objects.filter(name="Ada")).order_by("name")
    assert face.list(found) == [{"name": "Ada"}, {"name": "Bob"}, {"name": "Cyd"}]


def test_conditions_inside_expressions_may_name_numbers_that_no_row_holds(face, library):
    huge = 2**70
    rows = Book.objects.annotate(
        size=Case(When(pages__gt=huge, then=Value("huge")), default=Value("usual")), fits=Q(pages__lt=huge)
    )
    assert face.list(rows.filter(title="Alpha").values_list("size", "fits")) == [("usual", True)]
    first = Case(When(pages__gt=huge, then=0), default=1)
    assert face(Book.objects.order_by(first, "title").first).title == "Alpha"
    assert (
        face(Book.objects.update, price=Case(When(pages__gt=huge, then=Decimal(0)), default=Decimal(5))) == 4
    )
    assert face(Book.objects.aggregate, n=Count("pk", filter=Q(pages__gt=huge))) == {"n": 0}
    assert face(Book.objects.aggregate, n=Count("pk", filter=Q(pages__lt=huge))) == {"n": 4}


def test_a_negated_lookup_of_missing_rows_is_about_the_object(face, library):
    lost = face(Author.objects.create, name="Dan")
    with_books = Author.objects.filter(
        Q(books__pages__gt=10) | ~Q(name="Dan", books__publisher__name__isnull=True)
    )
    assert lost not in face.list(with_books)
    assert face(with_books.distinct().count) == 3


@pytest.mark.vendors("sqlite", "mariadb")
def test_a_date_times_a_duration_is_refused(face, database):
    database.create(Everything)
    Everything.objects.create(datetime=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(NotSupportedError, match=r"combines a moment with a duration by '\*'"):
        face.list(Everything.objects.filter(datetime=F("datetime") * dt.timedelta(1)))


def test_transforms_of_a_name_follow_its_replacement():
    moment = Value(dt.datetime(2025, 3, 1, 14, 10, tzinfo=dt.UTC))
    replacements = {F("made"): moment}
    assert F("made__date__day").replace_expressions(replacements) == ExtractDay(TruncDate(moment))
    for kept in (F("other__date"), F("made__nonsense"), F("made__date__nonsense")):
        assert kept.replace_expressions(replacements) is kept


def test_a_type_given_later_counts():
    value = Value(None)
    assert value._output_field_or_none is None
    value.output_field = IntegerField()
    assert isinstance(value._output_field_or_none, IntegerField)
