"""What long conditions cost to compile grows with their length, and no faster: counted in calls, which no noise can move."""

from __future__ import annotations

import functools
import operator
import sys

import pytest

import facade
from facade.models import Case, F, Q, Value, When
from facade.sql.plan import shape
from tests.models import Author, Everything

FEW, MANY = 300, 600
BOUNDS = {  # how many functions one more condition calls, Core's included; counted on Python 3.13: the comments
    "or": 200,  # 172
    "exclude": 300,  # 256
    "not": 300,  # 256
    "each negated": 380,  # 330
    "arguments": 210,  # 179
    "arguments to exclude": 265,  # 229
    "keywords": 185,  # 159
    "texts": 165,  # 140
    "json keys": 440,  # 383
    "expressions": 430,  # 374
    "case": 405,  # 350
    "case of texts": 405,  # 353
    "case of expressions": 620,  # 540
    "ordered case": 770,  # 666
}


def ors(conditions):
    return functools.reduce(operator.or_, conditions)


def of(make):
    return lambda count: [make(number) for number in range(count)]


ages = of(lambda number: Q(age=number))

LONG = {
    "or": lambda count: Author.objects.filter(ors(ages(count))),
    "exclude": lambda count: Author.objects.exclude(ors(ages(count))),
    "not": lambda count: Author.objects.filter(~ors(ages(count))),
    "each negated": lambda count: Author.objects.filter(ors(~one for one in ages(count))),
    "arguments": lambda count: Author.objects.filter(*ages(count)),
    "arguments to exclude": lambda count: Author.objects.exclude(*ages(count)),
    "keywords": lambda count: Author.objects.filter(Q(*[("age__gt", number) for number in range(count)])),
    "texts": lambda count: Author.objects.filter(
        ors(of(lambda number: Q(name__contains=f"{number}"))(count))
    ),
    "json keys": lambda count: Everything.objects.filter(
        **{f"json__key{number}": number for number in range(count)}
    ),
    "expressions": lambda count: Author.objects.filter(
        ors(of(lambda number: Q(age=F("id") + number))(count))
    ),
    "case": lambda count: Author.objects.annotate(
        x=Case(*of(lambda number: When(age=number, then=number))(count), default=0)
    ),
    "case of texts": lambda count: Author.objects.annotate(
        x=Case(*of(lambda number: When(name=f"{number}", then=Value(f"{number}")))(count))
    ),
    "case of expressions": lambda count: Author.objects.annotate(
        x=Case(*of(lambda number: When(age=number, then=F("id") + number))(count), default=0)
    ),
    "ordered case": lambda count: Author.objects.order_by(
        Case(*of(lambda number: When(Q(age=number) | Q(id=number), then=F("id")))(count))
    ),
}


def ready(rows):
    rows._plan(facade.connections["default"]).sql(rows._plan_args())


def calls(make, count):
    """Return how many functions are called until a query that nobody has asked before is ready to run."""
    counted = 0

    def note(frame, event, argument):
        nonlocal counted
        counted += event == "call"

    shape.clear()
    ready(make(1))  # the model is known, the query is not
    sys.setprofile(note)
    try:
        ready(make(count))
    finally:
        sys.setprofile(None)
    return counted


def lines(make, count):
    """Return how many lines run, loops without a call among them."""
    counted = 0

    def note(frame, event, argument):
        nonlocal counted
        counted += event == "line"
        return note

    shape.clear()
    ready(make(1))
    before = sys.gettrace()
    sys.settrace(note)
    try:
        ready(make(count))
        str(make(count).query)
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.parametrize("name", LONG)
def test_a_condition_costs_the_same_in_whatever_company(database, name):
    database.create(Author, Everything)
    few, many = calls(LONG[name], FEW), calls(LONG[name], MANY)
    assert many <= 2 * few
    assert (many - few) / (MANY - FEW) <= BOUNDS[name]


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize("name", ["keywords", "case of expressions", "json keys"])
def test_no_loop_goes_through_all_for_each(database, name):
    database.create(Author, Everything)
    assert lines(LONG[name], 200) <= 2.05 * lines(LONG[name], 100)
