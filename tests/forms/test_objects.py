"""One object: `get`, `create`, `get_or_create`, `update_or_create`, `first` to `latest`, and what instances do (S2, S3, S9, S23, S27)."""

from __future__ import annotations

import asyncio

import pytest

from facade import atomic
from tests.forms.models import Article, Person, Slug


async def test_objects_in_async_code(people, assert_queries):
    with assert_queries(1):
        assert (await Person.objects.aget(username="ann")).age == 30
    with pytest.raises(Person.DoesNotExist):
        await Person.objects.aget(username="nobody")
    with pytest.raises(Person.MultipleObjectsReturned):
        await Person.objects.aget(age__gt=30)
    with assert_queries(6):
        assert (await Person.objects.afirst()).username == "ann"
        assert (await Person.objects.alast()).username == "cyd"
        assert (await Person.objects.order_by("-age").afirst()).username == "cyd"
        assert (await Person.objects.aearliest("date_joined")).username == "ann"
        assert (await Person.objects.alatest("date_joined")).username == "cyd"
        assert await Person.objects.filter(age=7).afirst() is None
    with assert_queries(1):
        dee = await Person.objects.acreate(username="dee", email="dee@example.org")
    assert (dee.pk, dee.is_active) == (4, True)
    assert await Person.objects.aget_or_create(username="dee", defaults={"age": 1}) == (dee, False)
    assert await Person.objects.aupdate_or_create(username="dee", defaults={"age": 2}) == (dee, False)
    eve, created = await Person.objects.aupdate_or_create(username="eve", defaults={"age": 3})
    assert (created, eve.age, (await Person.objects.aget(username="dee")).age) == (True, 3, 2)


def test_objects_in_sync_code(people, assert_queries):
    with assert_queries(1):
        assert Person.objects.get(username="ann").age == 30
    with pytest.raises(Person.DoesNotExist):
        Person.objects.get(username="nobody")
    with pytest.raises(Person.MultipleObjectsReturned):
        Person.objects.get(age__gt=30)
    with assert_queries(6):
        assert Person.objects.first().username == "ann"
        assert Person.objects.last().username == "cyd"
        assert Person.objects.order_by("-age").first().username == "cyd"
        assert Person.objects.earliest("date_joined").username == "ann"
        assert Person.objects.latest("date_joined").username == "cyd"
        assert Person.objects.filter(age=7).first() is None
    with assert_queries(1):
        dee = Person.objects.create(username="dee", email="dee@example.org")
    assert (dee.pk, dee.is_active) == (4, True)
    assert Person.objects.get_or_create(username="dee", defaults={"age": 1}) == (dee, False)
    assert Person.objects.update_or_create(username="dee", defaults={"age": 2}) == (dee, False)
    eve, created = Person.objects.update_or_create(username="eve", defaults={"age": 3})
    assert (created, eve.age, Person.objects.get(username="dee").age) == (True, 3, 2)


async def test_instances_in_async_code(articles, people, database, assert_queries):
    person = Person(username="dee", email="dee@example.org")
    with assert_queries(1):
        await person.asave()
    person.email = "new@example.org"
    with assert_queries(1) as captured:
        await person.asave(update_fields=["email"])
    assert "username" not in captured[0]["sql"].split("WHERE")[0]
    person.email = "forgotten"
    with assert_queries(1):
        await person.arefresh_from_db()
    assert person.email == "new@example.org"
    article = await Article.objects.acreate(title="Of a person", author=person)
    assert article.author is person
    assert await article.adelete() == (1, {"forms.Article": 1})
    await person.adelete()
    assert database.count("forms_person") == 3


def test_instances_in_sync_code(articles, people, database, assert_queries):
    person = Person(username="dee", email="dee@example.org")
    with assert_queries(1):
        person.save()
    person.email = "new@example.org"
    with assert_queries(1) as captured:
        person.save(update_fields=["email"])
    assert "username" not in captured[0]["sql"].split("WHERE")[0]
    person.email = "forgotten"
    with assert_queries(1):
        person.refresh_from_db()
    assert person.email == "new@example.org"
    article = Article.objects.create(title="Of a person", author=person)
    assert article.author is person
    assert article.delete() == (1, {"forms.Article": 1})
    person.delete()
    assert database.count("forms_person") == 3


async def test_a_save_of_ones_own_is_honoured_by_all_twins(slugs, database):
    made = await Slug.objects.acreate(name="A Fine Day")
    assert (made.slug, made.uses) == ("a-fine-day", 7), "its save(), and the database's default"
    made.name = "Another Day"
    await made.asave()
    assert database.observe("SELECT slug, uses FROM forms_slug") == [("another-day", 7)]
    new, created = await Slug.objects.aget_or_create(name="Third Day")
    assert (created, new.slug) == (True, "third-day")


@pytest.mark.parametrize("inside", [False, True])
async def test_the_loser_of_a_race_gets_the_row_of_the_winner(inside, people, database):
    async def ask(number):
        if not inside:
            return await Person.objects.aget_or_create(username="new", defaults={"age": number})
        async with atomic():
            return await Person.objects.aget_or_create(username="new", defaults={"age": number})

    answers = await asyncio.gather(*(asyncio.create_task(ask(number)) for number in range(8)))
    assert sorted(created for _, created in answers) == [False] * 7 + [True]
    assert len({(person.pk, person.age) for person, _ in answers}) == 1
    assert database.observe("SELECT count(*) FROM forms_person WHERE username = 'new'") == [(1,)]
