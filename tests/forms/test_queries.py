"""Questions about many rows: `count`, `exists`, `contains`, `update`, `delete`, `in_bulk`, `explain` (S4, S10–S13, S21)."""

from __future__ import annotations

import re

import pytest

from facade.models import F, Q
from tests.forms.models import Article, Person


async def test_questions_in_async_code(articles, people, assert_queries):
    with assert_queries(8):
        assert await Article.objects.acount() == 6
        assert await Article.objects.filter(published=True).acount() == 3
        assert await Article.objects.all()[1:4].acount() == 3
        assert await Article.objects.values("published").distinct().acount() == 2
        assert await Person.objects.filter(username="bob").aexists() is True
        assert (
            await Person.objects.filter(Q(username__icontains="z") | Q(email__icontains="z")).aexists()
            is False
        )
        assert await Person.objects.acontains(people[0]) is True
        assert await Person.objects.filter(is_active=False).acontains(people[0]) is False
    with assert_queries(2):
        assert await Person.objects.ain_bulk([1, 3, 99]) == {1: people[0], 3: people[2]}
        assert await Person.objects.ain_bulk(["bob"], field_name="username") == {"bob": people[1]}


def test_questions_in_sync_code(articles, people, assert_queries):
    with assert_queries(8):
        assert Article.objects.count() == 6
        assert Article.objects.filter(published=True).count() == 3
        assert Article.objects.all()[1:4].count() == 3
        assert Article.objects.values("published").distinct().count() == 2
        assert Person.objects.filter(username="bob").exists() is True
        assert Person.objects.filter(Q(username__icontains="z") | Q(email__icontains="z")).exists() is False
        assert Person.objects.contains(people[0]) is True
        assert Person.objects.filter(is_active=False).contains(people[0]) is False
    with assert_queries(2):
        assert Person.objects.in_bulk([1, 3, 99]) == {1: people[0], 3: people[2]}
        assert Person.objects.in_bulk(["bob"], field_name="username") == {"bob": people[1]}


async def test_changes_in_async_code(articles, database, assert_queries):
    with assert_queries(2):
        assert await Article.objects.filter(published=False).aupdate(published=True) == 3
        assert await Article.objects.filter(pk__lte=2).aupdate(comment_count=F("comment_count") + 10) == 2
    assert database.observe("SELECT comment_count FROM forms_article WHERE id <= 3 ORDER BY id") == [
        (10,),
        (11,),
        (2,),
    ]
    deleted_count, by_model = await Person.objects.filter(username="ann").adelete()
    assert (deleted_count, by_model["forms.Article"], by_model["forms.Comment"]) == (7, 2, 2)
    assert database.count("forms_article") == 4


def test_changes_in_sync_code(articles, database, assert_queries):
    with assert_queries(2):
        assert Article.objects.filter(published=False).update(published=True) == 3
        assert Article.objects.filter(pk__lte=2).update(comment_count=F("comment_count") + 10) == 2
    assert database.observe("SELECT comment_count FROM forms_article WHERE id <= 3 ORDER BY id") == [
        (10,),
        (11,),
        (2,),
    ]
    deleted_count, by_model = Person.objects.filter(username="ann").delete()
    assert (deleted_count, by_model["forms.Article"], by_model["forms.Comment"]) == (7, 2, 2)
    assert database.count("forms_article") == 4


PLANS = {"sqlite": r"SCAN forms_person", "postgresql": r"actual time="}


@pytest.mark.vendors("sqlite", "postgres")
async def test_plans_in_async_code(people, database, assert_queries):
    with assert_queries(1):
        assert await Person.objects.filter(is_active=True).aexplain()
    with assert_queries(1):
        assert re.search(PLANS[database.vendor], await Person.objects.all().aexplain(analyze=True))


@pytest.mark.vendors("sqlite", "postgres")
def test_plans_in_sync_code(people, database, assert_queries):
    with assert_queries(1):
        assert re.search(PLANS[database.vendor], Person.objects.all().explain(analyze=True))
