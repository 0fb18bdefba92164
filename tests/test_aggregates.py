"""Aggregates of text and of bits."""

from __future__ import annotations

import datetime as dt
import functools
import operator
import sqlite3

import pytest

from facade.exceptions import NotSupportedError, ProgrammingError, UnsupportedFeature
from facade.models import (
    AnyValue,
    BitAnd,
    BitOr,
    BitXor,
    Count,
    F,
    Max,
    Q,
    StdDev,
    StringAgg,
    Sum,
    Value,
    Variance,
)
from facade.models.functions import Upper
from tests.models import Author, Book, Everything, Publisher

ORDERED = sqlite3.sqlite_version_info >= (3, 44)


@pytest.fixture
def books(database):
    database.create(Publisher, Author, Book)
    ada, bob = Author.objects.create(name="Ada", age=36), Author.objects.create(name="Bob")
    for title, pages in (("x", 12), ("y", 10), ("x", 6)):
        Book.objects.create(title=title, author=ada, pages=pages)
    return ada, bob


def total(face, aggregate, queryset=None):
    return face((Book.objects.all() if queryset is None else queryset).aggregate, result=aggregate)["result"]


@pytest.mark.parametrize(
    ("aggregate", "combine"), [(BitAnd, operator.and_), (BitOr, operator.or_), (BitXor, operator.xor)]
)
def test_bits_are_combined(face, books, database, aggregate, combine):
    # To MariaDB the bits of no numbers are a number, too, with Django as with us.
    of_none = {BitAnd: 2**64 - 1, BitOr: 0, BitXor: 0}[aggregate] if database.vendor == "mysql" else None
    assert total(face, aggregate("pages")) == functools.reduce(combine, [12, 10, 6])
    assert total(face, aggregate("pages", filter=Q(title="x"))) == combine(12, 6)
    assert total(face, aggregate("pages"), Book.objects.filter(title="none")) == of_none
    if database.vendor != "mysql":
        assert total(face, aggregate("pages", default=0), Book.objects.filter(title="none")) == 0
    assert total(face, aggregate("age"), Author.objects.all()) == 36


def test_spread_is_that_of_the_population_or_of_a_sample(face, books, database):
    digits = (
        1e-4 if database.vendor == "mysql" else 1e-6
    )  # MariaDB gives four places of whole numbers' spread
    assert total(face, Variance("pages")) == pytest.approx(56 / 9, rel=digits)
    assert total(face, Variance("pages", sample=True)) == pytest.approx(28 / 3, rel=digits)
    assert total(face, StdDev("pages")) == pytest.approx((56 / 9) ** 0.5, rel=digits)
    assert total(face, StdDev("pages", sample=True)) == pytest.approx((28 / 3) ** 0.5, rel=digits)
    assert total(face, StdDev("pages", sample=True), Book.objects.filter(title="y")) is None


def test_a_whole_number_for_an_empty_set_costs_the_spread_no_digits(face, books):
    assert total(face, Variance("pages", default=7)) == pytest.approx(56 / 9)
    assert total(face, StdDev("pages", default=7)) == pytest.approx((56 / 9) ** 0.5)
    assert total(face, Variance("pages", default=7), Book.objects.filter(pages=0)) == 7
    assert total(face, Variance("pages", default=7), Book.objects.none()) == 7


@pytest.mark.without("mariadb", reason="it gives four places of the spread of whole numbers, as in Django")
def test_spread_of_large_numbers_keeps_their_last_digits(face, database):
    database.create(Everything)
    for number in (10**15 + 3, 10**15 + 7, 10**15 + 8):
        Everything.objects.create(big=number)
    assert total(face, Variance("big"), Everything.objects.all()) == pytest.approx(14 / 3, rel=1e-12)
    assert total(face, StdDev("big", sample=True), Everything.objects.all()) == pytest.approx(
        7**0.5, rel=1e-12
    )


@pytest.mark.without("postgres", reason="it has no deviation of intervals")
def test_the_spread_of_lengths_of_time_is_one(face, database):
    database.create(Everything)
    for seconds in (1, 2, 4):
        face(Everything.objects.create, duration=dt.timedelta(seconds=seconds, microseconds=seconds))
    rows = Everything.objects.all()
    assert total(face, StdDev("duration"), rows) == dt.timedelta(seconds=1, microseconds=247220)
    assert total(face, StdDev("duration", sample=True), rows) == dt.timedelta(seconds=1, microseconds=527527)
    assert total(face, Variance("duration"), rows) == dt.timedelta(microseconds=1555558666668)
    assert total(face, StdDev("duration"), rows.filter(big=-1)) is None


def test_texts_are_joined(face, books):
    assert sorted(total(face, StringAgg("title", Value("; "))).split("; ")) == ["x", "x", "y"]
    assert total(face, StringAgg("title", Value(";"), filter=Q(title="y"))) == "y"
    assert total(face, StringAgg(Upper("title"), Value(""), filter=Q(title="x"))) == "XX"
    assert total(face, StringAgg("title", Value(",")), Book.objects.none()) is None
    assert (
        total(face, StringAgg("title", Value(","), default=Value("none")), Book.objects.filter(pages=0))
        == "none"
    )


def test_a_delimiter_is_data(face, books):
    delimiter = "'); DROP TABLE x; --"
    assert total(face, StringAgg("title", Value(delimiter), filter=Q(title="x"))) == f"x{delimiter}x"


def test_repeated_texts_are_joined_once(face, books):
    assert sorted(total(face, StringAgg("title", Value(","), distinct=True)).split(",")) == ["x", "y"]


@pytest.mark.vendors("sqlite")
def test_sqlite_joins_distinct_texts_with_commas_only(face, books):
    with pytest.raises(NotSupportedError, match="does not support distinct with multiple expressions"):
        total(face, StringAgg("title", Value(";"), distinct=True))


def test_texts_are_joined_in_order(face, database, books):
    ordered = StringAgg("title", Value(""), order_by=["-title", F("pages").desc()])
    if database.vendor == "sqlite" and not ORDERED:
        with pytest.raises(NotSupportedError, match="does not support specifying an order on aggregates"):
            total(face, ordered)
    else:
        assert total(face, ordered) == "yxx"
        assert total(face, StringAgg("title", Value(""), order_by="title", filter=Q(pages__gt=6))) == "xy"


def test_texts_are_joined_for_each_row(face, books):
    joined = Author.objects.annotate(titles=StringAgg("books__title", Value(","), distinct=True)).order_by(
        "name"
    )
    found = [
        (author.name, author.titles and sorted(author.titles.split(","))) for author in face.list(joined)
    ]
    assert found == [("Ada", ["x", "y"]), ("Bob", None)]


class Highest(Max):
    """Takes what it does not need, as a class of one's own may."""

    arity = None

    def as_sql(self, compiler, connection, **extra_context):
        kept = self.copy()
        kept.set_source_expressions([kept.get_source_expressions()[0], None, None])
        return super(Highest, kept).as_sql(compiler, connection, **extra_context)


def test_an_aggregate_of_ones_own_may_drop_its_arguments(face, database):
    database.create(Publisher, Author, Book)
    author = face(Author.objects.create, name="Ada")
    face(Book.objects.create, title="x", author=author, pages=3)
    assert face(Book.objects.aggregate, highest=Highest("pages", "title")) == {"highest": 3}


def test_any_value(face, books, database):
    rows = Book.objects.order_by("title").values("title").annotate(some=AnyValue("author__name"))
    old = database.vendor == "postgresql" and int(database.observe("SHOW server_version_num")[0][0]) < 160000
    if database.vendor == "mysql":
        with pytest.raises(UnsupportedFeature, match="AnyValue is not supported on MariaDB"):
            face.list(rows)
    elif old:
        with pytest.raises(ProgrammingError, match="function any_value"):
            face.list(rows)
    else:
        assert face.list(rows) == [{"title": "x", "some": "Ada"}, {"title": "y", "some": "Ada"}]


def test_an_aggregate_may_have_the_name_of_what_it_is_of(face, books):
    by_author = Author.objects.annotate(n=Count("books"))
    assert face(by_author.aggregate, n=Sum("n")) == {"n": 3}
    assert face(Author.objects.annotate(n=F("age")).aggregate, n=Sum("n")) == {"n": 36}


def test_groups_of_which_nothing_is_read_are_counted(face, books):
    counts = Author.objects.annotate(n=Count("books")).values("n")
    assert face(counts.aggregate, rows=Count("*")) == {"rows": 2}
