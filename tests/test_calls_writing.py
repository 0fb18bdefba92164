"""Guards for the speed of writing: how many functions of facade an operation calls, and each row of many, and what it sends.

The bounds lie a little above what was counted when they were set, on Python 3.11 and 3.13, for either face and database.
When one is passed, somebody put work on a road that every write takes: take it off again, or raise the bound and say why.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from facade import models, transaction
from tests.fix_calls import calls

pytestmark = pytest.mark.without("mariadb", reason="it has no fast road")


BOUNDS = {  # calls on the sync and on the async face, and statements
    "create": (31, 34, 1),
    "save a new one": (27, 30, 1),
    "save": (25, 29, 1),
    "save(update_fields)": (26, 30, 1),
    "get_or_create finds": (35, 38, 1),
    "get_or_create makes": (75, 82, 2),
    "update_or_create": (126, 165, 4),
}


class Penman(models.Model):
    name = models.CharField(max_length=20)


class Draft(models.Model):
    title = models.CharField(max_length=40)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    pages = models.IntegerField(default=0)
    published = models.DateField()
    created_at = models.DateTimeField()
    in_print = models.BooleanField()
    writer = models.ForeignKey(Penman, models.CASCADE)
    editor = models.ForeignKey(Penman, models.CASCADE, null=True, related_name="+")


def values(number=1):
    return {
        "title": f"Number {number}",
        "price": Decimal(number) / 4,
        "pages": number,
        "published": dt.date(2020, 1, 1) + dt.timedelta(number),
        "created_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number),
        "in_print": number % 2 == 0,
        "writer_id": 1,
    }


@pytest.fixture(autouse=True)
def tables(database, fast):
    database.create(Penman, Draft)


OPERATIONS = {
    "create": lambda draft: Draft.objects.create(**values()),
    "save a new one": lambda draft: Draft(**values()).save(),
    "save": lambda draft: draft.save(),
    "save(update_fields)": lambda draft: draft.save(update_fields=["price"]),
    "get_or_create finds": lambda draft: Draft.objects.get_or_create(pk=draft.pk, defaults=values()),
    "get_or_create makes": lambda draft: Draft.objects.get_or_create(pk__lt=0, defaults=values()),
    "update_or_create": lambda draft: Draft.objects.update_or_create(pk=draft.pk, defaults={"pages": 2}),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_calls_few_functions_and_sends_what_it_must(name, face, assert_queries):
    Penman.objects.create(pk=1, name="w")
    draft = Draft.objects.get(pk=Draft.objects.create(**values()).pk)
    operation = OPERATIONS[name]
    *most, statements = BOUNDS[name]
    assert calls(lambda: operation(draft)) <= most[face.is_async]
    with assert_queries(statements):
        operation(draft)


def bulk_create(count):
    Draft.objects.bulk_create([Draft(**values(number)) for number in range(count)])


def bulk_update(count):
    drafts = list(Draft.objects.order_by("pk")[:count])
    for number, draft in enumerate(drafts):
        draft.title, draft.price = f"New {number}", Decimal(number)
    Draft.objects.bulk_update(drafts, ["title", "price"])


def create_in_a_block(count):
    with transaction.atomic():
        for number in range(count):
            Draft.objects.create(**values(number))


ROW_BOUNDS = {bulk_create: 4, bulk_update: 3, create_in_a_block: 39}


@pytest.mark.parametrize("operation", ROW_BOUNDS)
def test_one_more_row_costs_few_calls(operation, face):
    Penman.objects.create(pk=1, name="w")
    bulk_create(60)
    few, many = (calls(lambda count=count: operation(count)) for count in (10, 60))
    assert (many - few) / 50 <= ROW_BOUNDS[operation]


@pytest.mark.parametrize(("operation", "statements"), [(bulk_create, 1), (bulk_update, 2)])
def test_many_rows_are_one_statement(operation, statements, face, assert_queries):
    Penman.objects.create(pk=1, name="w")
    bulk_create(60)
    with assert_queries(statements):  # the rows to update are read before
        operation(60)
