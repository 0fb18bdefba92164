"""Figures of many rows: `aggregate` and `annotate` (S16, S25)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from facade.models import Avg, Count, Max, Min, Q, Sum
from tests.forms.models import Account, Article, Person

FIGURES = {
    "total": 3,
    "active": 2,
    "avg_age": 40.0,
    "newest": dt.date(2024, 2, 20),
    "oldest": dt.date(2024, 1, 31),
}
ASKED = {
    "total": Count("id"),
    "active": Count("id", filter=Q(is_active=True)),
    "avg_age": Avg("age"),
    "newest": Max("date_joined"),
    "oldest": Min("date_joined"),
}


def same(found, wanted):
    assert found == wanted
    assert [type(value) for value in found.values()] == [type(value) for value in wanted.values()]


async def test_figures_in_async_code(articles, accounts, assert_queries):
    with assert_queries(3):
        same(await Person.objects.aaggregate(**ASKED), FIGURES)
        same(await Account.objects.aaggregate(worth=Sum("balance")), {"worth": Decimal("100.10")})
        assert await Article.objects.aaggregate(
            total=Count("id"),
            published=Count("id", filter=Q(published=True)),
            avg_comments=Avg("comment_count"),
        ) == {"total": 6, "published": 3, "avg_comments": 2.5}
    with assert_queries(1):
        authors = Person.objects.annotate(written=Count("articles")).order_by("pk")
        assert [(person.username, person.written) async for person in authors] == [
            ("ann", 2),
            ("bob", 2),
            ("cyd", 2),
        ]


def test_figures_in_sync_code(articles, accounts, assert_queries):
    with assert_queries(2):
        same(Person.objects.aggregate(**ASKED), FIGURES)
        same(Account.objects.aggregate(worth=Sum("balance")), {"worth": Decimal("100.10")})
    with assert_queries(1):
        authors = Person.objects.annotate(written=Count("articles")).order_by("pk")
        assert [person.written for person in authors] == [2, 2, 2]
