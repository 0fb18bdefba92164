"""Integers that a column cannot hold compare with its values all the same, on every database of a query."""

from __future__ import annotations

import functools
import itertools
import operator

import pytest

from facade.configuration import configure, override
from facade.exceptions import CheckViolation, NumericValueOutOfRange, ValidationError
from facade.models import (
    Case,
    Count,
    F,
    IntegerField,
    Model,
    PositiveSmallIntegerField,
    Q,
    SmallIntegerField,
    When,
)
from facade.sql.plan import plan
from tests.models import Author, Book, Publisher

BEYOND = [2**15, 2**31, 2**40, 2**63, 2**70]


class Small(Model):
    n = IntegerField()
    m = SmallIntegerField(null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def numbers(database):
    database.create(Small)
    Small.objects.create(n=1, m=1)
    Small.objects.create(n=2)
    return Small.objects.order_by("n").values_list("n", flat=True)


@pytest.mark.parametrize("large", BEYOND)
def test_all_comparisons_answer(face, numbers, large):
    for name in ("n", "m"):
        every = [1, 2] if name == "n" else [1]
        for lookup, value, expected in (
            ("exact", large, []),
            ("gt", large, []),
            ("gte", large, []),
            ("lt", large, every),
            ("lte", large, every),
            ("exact", -large, []),
            ("gt", -large, every),
            ("gte", -large, every),
            ("lt", -large, []),
            ("lte", -large, []),
            ("in", [large, -large, 1], [1]),
            ("in", [large], []),
            ("range", (0, large), every),
            ("range", (-large, large), every),
            ("range", (large, large + 1), []),
            ("range", (-large - 1, -large), []),
        ):
            condition = Q(**{f"{name}__{lookup}": value})
            rest = [number for number in (1, 2) if number not in expected]
            assert face.list(numbers.filter(condition)) == expected, (name, lookup, value)
            assert face.list(numbers.exclude(condition)) == rest, (name, lookup, value)
            counted = face(Small.objects.aggregate, found=Count("pk", filter=condition))
            assert counted == {"found": len(expected)}
            found = numbers.annotate(x=Case(When(condition, then=1), default=0)).filter(x=1)
            assert face.list(found) == expected


@pytest.mark.parametrize("large", [2**40, 2**70])
def test_beside_other_columns(face, numbers, large):
    assert face.list(numbers.filter(Q(n__lt=large) & Q(n=F("m")))) == [1]
    assert face.list(numbers.filter(Q(n__gt=large) | Q(n=2))) == [2]


class Narrow(Model):
    n = IntegerField(null=True)
    m = PositiveSmallIntegerField(default=0)

    class Meta:
        app_label = "tests"


@pytest.fixture
def narrow(database, request):
    """A queryset of a database whose vendor is not that of the default one, and whether it holds 64 bits in any column."""
    if database.vendor == "sqlite":
        home = request.getfixturevalue("postgres_home")
        home.empty()
        other = home.urls["default"]
    else:
        other = "sqlite://"
    configure(DATABASES={"default": database.url, "other": other})
    database.create(Narrow)
    database.create(Narrow, using="other")
    return Narrow.objects.using("other"), database.vendor != "sqlite"


WRITES = {
    "create": lambda face, rows: face(rows.create, n=2**40),
    "bulk_create": lambda face, rows: face(rows.bulk_create, [Narrow(n=1), Narrow(n=2**40)]),
    "update": lambda face, rows: face(rows.update, n=2**40),
    "save": lambda face, rows: face(Narrow(pk=7, n=2**40).save, using="other", force_update=True),
    "bulk_update": lambda face, rows: face(rows.bulk_update, [Narrow(pk=7, n=2**40)], ["n"]),
    "update_or_create": lambda face, rows: face(rows.update_or_create, {"n": 2**40}, pk=7),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_stored_is_judged_by_the_database_it_is_stored_in(face, narrow, write):
    rows, wide = narrow
    face(rows.create, pk=7, n=1)
    if not wide:
        with pytest.raises(NumericValueOutOfRange, match="'n' cannot hold 1099511627776: .* to 2147483647"):
            WRITES[write](face, rows)
        assert face.list(rows.values_list("n", flat=True)) == [1]
    else:
        WRITES[write](face, rows)
        assert face(rows.filter(n=2**40).count) == 1
    assert face(Narrow.objects.using("default").count) == 0


@pytest.mark.parametrize("beyond", [2**70, -(2**70)])
def test_no_database_holds_more_than_64_bits(face, narrow, beyond):
    rows, _ = narrow
    for alias in ("default", "other"):
        with pytest.raises(NumericValueOutOfRange, match="cannot hold"):
            face(rows.using(alias).update, n=beyond)
        with pytest.raises(NumericValueOutOfRange, match="cannot hold"):
            face(rows.using(alias).create, n=beyond)
        with pytest.raises(CheckViolation, match="its numbers go from 0"):
            face(rows.using(alias).update, m=-1)


def test_a_plan_of_one_database_does_not_judge_for_another(face, narrow):
    rows, wide = narrow
    for alias, holds in (("default", not wide), ("other", wide), ("default", not wide)):
        face(rows.using(alias).create, n=1)
        if holds:
            assert face(rows.using(alias).update, n=2**40) > 0
        else:
            with pytest.raises(NumericValueOutOfRange):
                face(rows.using(alias).update, n=2**40)


def test_full_clean_asks_for_the_range_of_the_default_database(narrow):
    _, other_is_wide = narrow
    field = IntegerField(name="n")
    if other_is_wide:
        with pytest.raises(ValidationError, match="less than or equal to 2147483647"):
            field.clean(2**40, None)
    else:
        assert field.clean(2**40, None) == 2**40


@pytest.mark.vendors("mariadb")
def test_columns_without_a_sign_hold_twice_as_much(face, database):
    database.create(Narrow)
    face(Narrow.objects.create, m=2**16 - 1)
    assert face(Narrow.objects.filter(m=2**16 - 1).update, m=2**16 - 2) == 1
    assert face(Narrow.objects.filter(m__gt=2**15).get).m == 2**16 - 2
    assert PositiveSmallIntegerField(name="m").clean(2**16 - 1, None) == 2**16 - 1
    for write in (Narrow.objects.create, Narrow.objects.update):
        with pytest.raises(NumericValueOutOfRange, match="from 0 to 65535"):
            face(write, m=2**16)


@pytest.mark.parametrize("large", [2**40, -(2**40)])
@pytest.mark.vendors("postgres", "mariadb")  # an integer of SQLite holds these
def test_what_no_row_can_hold_asks_nothing(face, numbers, large, assert_queries):
    none = {"m": large}, {"m__in": [large, large + 1]}, {("m__gt" if large > 0 else "m__lt"): large}
    with assert_queries(0):
        for condition in none:
            rows = Small.objects.filter(**condition)
            assert face.list(rows) == []
            assert face(rows.exists) is False
            assert face(rows.first) is None
            assert list(face.iterate(rows.iterator)) == []
            assert face(rows.update, m=3) == 0
            with pytest.raises(Small.DoesNotExist):
                face(Small.objects.get, **condition)
    with assert_queries(1):
        assert face.list(numbers.filter(Q(m=large) | Q(n=2))) == [2]


@pytest.mark.parametrize("large", [2**70, -(2**70)])
def test_what_every_row_fulfils_is_no_condition(face, numbers, large, assert_queries):
    every = {"n__lt" if large > 0 else "n__gte": large}
    with assert_queries(0):
        assert face.list(numbers.exclude(**every)) == []
    with assert_queries(1) as queries:
        assert face.list(Small.objects.filter(**every).order_by("n").values_list("n", flat=True)) == [1, 2]
    assert "WHERE" not in queries[0]["sql"]


@pytest.mark.parametrize("large", [2**70, -(2**70)])
def test_a_row_that_may_be_missing_fulfils_nothing(face, database, large):
    database.create(Publisher, Author, Book)
    face(Author.objects.create, name="Ada")
    every = Q(**{"books__pages__lt" if large > 0 else "books__pages__gte": large})
    assert face(Author.objects.filter(every).count) == 0
    assert face(Author.objects.exclude(every).count) == 1
    assert face(Author.objects.filter(every | Q(name="Bob")).count) == 0
    assert face(Author.objects.filter(Q(name="Ada") | every).count) == 1
    assert face(Author.objects.aggregate, n=Count("pk", filter=every)) == {"n": 0}


def test_a_negative_number_is_in_no_column_of_positive_ones(face, database, assert_queries):
    database.create(Publisher, Author, Book)
    with assert_queries(0):
        assert face.list(Book.objects.filter(pages=-1)) == []
        assert face.list(Book.objects.filter(pages__lte=-1)) == []


def test_the_next_values_of_the_same_shape_are_asked_for(face, numbers):
    for value, found in ((1, [1]), (2**70, []), (2**40, []), (1, [1]), (-(2**40), []), (2, [])):
        assert face.list(numbers.filter(m=value)) == found
        assert face.list(numbers.filter(m__in=[value, 2**50])) == found


@pytest.fixture
def compiled(monkeypatch):
    """The plans that are compiled, with the cache on whatever the environment says."""
    made = []
    compile_query = plan._compiled_query

    def counted(*args):
        made.append(compile_query(*args))
        return made[-1]

    monkeypatch.setattr(plan, "_compiled_query", counted)
    with override(FACADE_SHAPE_CACHE=True):
        yield made


@pytest.mark.vendors("postgres", "mariadb")
def test_all_values_beyond_a_column_are_found_at_once(face, compiled, numbers):
    def rows(count, value):
        return numbers.filter(functools.reduce(operator.or_, [Q(n=value)] * count + [Q(n=1)]))

    assert face.list(rows(1_200, 2)) == [1, 2]
    assert face.list(rows(1_200, 2**40)) == [1]
    assert len(compiled) == 2


@pytest.mark.vendors("postgres", "mariadb")
def test_values_beyond_columns_keep_a_fixed_number_of_plans(face, compiled, numbers):
    choices = (2, 2**40, -(2**40))
    for values in itertools.product(choices, repeat=5):
        expected = [1, 2] if 2 in values else [1]
        found = numbers.filter(functools.reduce(operator.or_, [Q(n=value) for value in values]) | Q(n=1))
        assert face.list(found) == expected
    assert len(compiled) == 3**5
    kept = [one for shape_plan in found._shape.plans.values() for one in plans_of(shape_plan)]
    assert len(kept) <= plan.MAX_OTHERS + 1


def plans_of(ranged):
    return [ranged, *(below for other in getattr(ranged, "others", {}).values() for below in plans_of(other))]


@pytest.mark.parametrize("ends", [(None, -(2**63) - 1), (2**63, None), (None, 2**70), (-(2**70), None)])
def test_a_range_with_an_unknown_end_has_no_rows_however_far_the_other_one_is(face, numbers, ends):
    assert face.list(numbers.filter(n__range=ends)) == []
