"""Integers that a column cannot hold compare with its values all the same, on every database of a query."""

from __future__ import annotations

import pytest

from facade.models import Case, Count, F, IntegerField, Model, Q, SmallIntegerField, When

pytestmark = pytest.mark.portable
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
