"""Guards for speed that no noise can move: how many Python functions an operation calls once its plan is known.

The bounds lie a little above what was counted when they were set. When one is passed, somebody put work on a road that
every query takes: take it off again, or raise the bound and say why.
"""

from __future__ import annotations

import pytest

from facade import configure, models
from tests.fix_calls import python_calls
from tests.models import Author

pytestmark = [
    pytest.mark.without("mariadb", reason="PyMySQL is Python: its calls would be what is counted"),
    pytest.mark.usefixtures("fast"),
]

BOUNDS = {  # what was counted on Python 3.11 and 3.13 is in the comments
    "build": 28,  # 25, 24
    ("get", "sqlite"): 33,  # 29
    ("get", "postgresql"): 33,  # 30
    ("list", "sqlite"): 52,  # 45
    ("list", "postgresql"): 52,  # 46
    ("rows", "sqlite"): 2,  # 0: 90 more rows call nothing in Python
    ("rows", "postgresql"): 2,  # 0
    ("prefetched", "tags"): 3,  # 2: for each object that gets related ones, however many
    ("prefetched", "members"): 14,  # 12: two more for each of five that refer to it
    ("count", "sqlite"): 100,  # 90, 84
    ("count", "postgresql"): 100,  # 93, 79
    ("save", "sqlite"): 43,  # 37
    ("save", "postgresql"): 46,  # 42
}


@pytest.fixture
def authors(database):
    configure(DATABASES={"default": database.url})
    database.create(Author)
    return Author.objects.bulk_create([Author(name=f"{number}", age=number) for number in range(100)])


def test_building_a_queryset(database, authors):
    found = python_calls(
        lambda: Author.objects.filter(age__gte=5, name__startswith="1").order_by("name")[5:25]
    )
    assert found <= BOUNDS["build"]


def test_get_by_primary_key(database, authors):
    key = authors[5].pk
    assert python_calls(lambda: Author.objects.get(pk=key)) <= BOUNDS["get", database.vendor]


def test_a_row_costs_nothing_of_its_own(database, authors):
    few = python_calls(lambda: list(Author.objects.order_by("pk")[:10]))
    many = python_calls(lambda: list(Author.objects.order_by("pk")[:100]))
    assert few <= BOUNDS["list", database.vendor]
    assert many - few <= BOUNDS["rows", database.vendor]


class Tagged(models.Model):
    name = models.CharField(max_length=20)
    kind = models.ForeignKey("self", models.CASCADE, null=True, related_name="members")
    tags = models.ManyToManyField("Sticker", related_name="tagged")


class Sticker(models.Model):
    name = models.CharField(max_length=20)


@pytest.mark.parametrize("relation", ["members", "tags"])
def test_prefetching_makes_nothing_that_nobody_has_looked_at(database, relation):
    configure(DATABASES={"default": database.url})
    database.create(Sticker, Tagged, Tagged.tags.through)
    stickers = Sticker.objects.bulk_create([Sticker(name=str(number)) for number in range(5)])
    owners = Tagged.objects.bulk_create([Tagged(name=str(number)) for number in range(100)])
    Tagged.objects.bulk_create([Tagged(name="m", kind=owner) for owner in owners for _ in range(5)])
    for owner in owners:
        owner.tags.set(stickers)
    some = Tagged.objects.filter(kind=None).order_by("pk").prefetch_related(relation)
    few, many = (python_calls(lambda count=count: list(some[:count])) for count in (10, 100))
    assert (many - few) / 90 <= BOUNDS["prefetched", relation]


def test_counting(database, authors):
    assert python_calls(lambda: Author.objects.filter(age__gt=5).count()) <= BOUNDS["count", database.vendor]


def test_saving(database, authors):
    author = authors[5]
    assert python_calls(author.save) <= BOUNDS["save", database.vendor]


def test_the_counter_counts():
    def one():
        return None

    assert python_calls(one) == 1
    assert python_calls(lambda: [one() for _ in range(10)]) >= 11
