"""The types of expressions: they are asked for where a value is read or compared, and nowhere else."""

from __future__ import annotations

import pytest

from facade import models
from facade.exceptions import FieldError
from facade.models import Case, Count, F, Max, Q, Subquery, Sum, Value, When
from facade.models.functions import Coalesce, Concat, Greatest, Left, Length, Lower, NullIf, Replace, Round
from tests.models import Everything

TEXTS = [
    (Concat(F("text"), Value("ab")), "Onab"),
    (Replace(F("text"), Value("O"), Value("E")), "En"),
    (Lower(Concat("text", Value("AB"))), "onab"),
    (Left(Concat("text", "char"), 3), "Onc"),
    (Coalesce(NullIf("text", Value("On")), "char"), "char"),
    (Case(When(integer=7, then=F("char")), default=F("text")), "char"),
]
NUMBERS = [
    (Coalesce(F("integer"), F("pk")), 7),
    (Greatest("integer", "pk"), 7),
    (NullIf("integer", "pk"), 7),
    (Round(Coalesce("integer", "pk")), 7),
    (Coalesce("integer", "pk") + 1, 8),
    (Length(Concat("text", "char")) + Coalesce("small", "integer"), 13),
]


class Counter(models.Model):
    steps = models.IntegerField()
    twice = models.GeneratedField(
        expression=F("steps") * 2, output_field=models.IntegerField(), db_persist=True
    )


@pytest.fixture
def row(database):
    database.create(Everything)
    return Everything.objects.create(text="On", char="char", integer=7)


@pytest.mark.parametrize(("expression", "expected"), TEXTS)
def test_mixed_texts_can_be_written(face, row, expression, expected):
    assert face(Everything.objects.update, text=expression) == 1
    assert face(Everything.objects.get).text == expected


@pytest.mark.parametrize(("expression", "expected"), NUMBERS)
def test_mixed_numbers_can_be_written(face, row, expression, expected):
    row.integer = expression
    row.save()
    assert face(Everything.objects.get).integer == expected


@pytest.mark.parametrize("expression", [expression for expression, _ in NUMBERS])
def test_mixed_numbers_can_be_compared_with_and_sorted_by(face, row, expression):
    rows = Everything.objects.filter(integer__lte=expression).order_by(expression)
    assert face.list(rows) == [row]
    assert face(Everything.objects.alias(x=expression).count) == 1


def test_the_type_of_a_value_that_is_read_must_be_told(face, row, assert_queries):
    mixed = Everything.objects.annotate(x=Concat("text", "char"))
    with assert_queries(0), pytest.raises(FieldError, match="mixed types: TextField, CharField"):
        face.list(mixed)
    told = Concat("text", "char", output_field=models.TextField())
    assert face(Everything.objects.annotate(x=told).get).x == "Onchar"


def test_a_generated_field_has_the_type_of_its_values(face, database):
    database.create(Counter)
    for steps in (1, 2):
        Counter.objects.create(steps=steps)
    counters = Counter.objects.order_by("pk")
    assert face.list(counters.values_list(F("twice") + 1, Coalesce("twice", "steps"))) == [(3, 2), (5, 4)]
    assert face.list(counters.filter(twice__gte=2.5).values_list("steps", flat=True)) == [2]
    assert face(counters.aggregate, total=Sum(F("twice") * 2)) == {"total": 12}
    assert face.list(counters.values_list("twice").annotate(n=Count("pk"))) == [(2, 1), (4, 1)]
    assert face(counters.update, steps=F("twice") + F("steps")) == 2
    assert face.list(counters.values_list("twice", flat=True)) == [6, 12]


def test_a_type_that_cannot_be_told_is_refused_where_there_are_no_rows(face, row, assert_queries):
    untold = Everything.objects.annotate(x=F("text") + 1)
    with assert_queries(0):
        for rows in (
            untold.filter(pk__in=[]),
            untold.none(),
            Everything.objects.none().annotate(x=F("text") + 1),
        ):
            for asked in (rows, rows.values("x"), rows.values_list("pk", "x")):
                with pytest.raises(FieldError, match="Cannot infer type of '\\+'"):
                    face.list(asked)
            assert face(rows.count) == 0
            assert face(rows.exists) is False


EMPTY = Sum("integer", filter=Q(pk__in=[]))
USES = {
    "added": lambda qs: qs.annotate(both=F("none") + F("none")).values_list("both"),
    "negated": lambda qs: qs.annotate(both=-F("none")).values_list("both"),
    "rounded": lambda qs: qs.annotate(both=Round(F("none"))).values_list("both"),
    "greatest": lambda qs: qs.annotate(both=Greatest(F("none"), F("none"))).values_list("both"),
    "compared": lambda qs: qs.filter(none__gt=F("none")).values_list("none"),
    "ordered": lambda qs: qs.order_by("none").values_list("none"),
    "in a case": lambda qs: qs.annotate(both=Case(When(integer=7, then=F("none")))).values_list("both"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_what_no_row_can_meet_has_its_type(face, row, use):
    """PostgreSQL chooses operators by type: `NULL + NULL` could be anything."""
    assert face.list(use(Everything.objects.annotate(none=EMPTY))) in ([(None,)], [])


def test_an_aggregate_of_what_no_row_can_meet(face, row):
    rows = Everything.objects.annotate(none=EMPTY)
    assert face(rows.aggregate, most=Max(F("none") + F("none"))) == {"most": None}


def test_a_subquery_without_rows_has_its_type(face, row):
    nothing = Subquery(Everything.objects.filter(pk__in=[]).values("integer")[:1])
    rows = Everything.objects.annotate(none=nothing).annotate(both=F("none") + F("none"))
    assert face.list(rows.values_list("both")) == [(None,)]
