"""The managers of related objects (S26)."""

from __future__ import annotations

from tests.forms.models import Tag


async def names(tags):
    return [tag.name async for tag in tags.order_by("name")]


async def test_related_managers_in_async_code(articles, people, assert_queries):
    tags, (news, sea) = articles[0].tags, await Tag.objects.order_by("pk")
    sky = await tags.acreate(name="sky")
    assert await names(tags) == ["news", "sea", "sky"]
    await tags.aremove(news)
    await tags.aadd(news, sky)
    assert await names(tags.all()) == ["news", "sea", "sky"]
    await tags.aset([news])
    assert [tag async for tag in tags.all()] == [news]
    assert await tags.aget_or_create(name="news") == (news, False)
    found, created = await tags.aupdate_or_create(name="fog", defaults={"name": "mist"})
    assert (found.name, created, await tags.acount()) == ("mist", True, 2)
    await tags.aclear()
    assert await tags.aexists() is False
    ann = people[0]
    with assert_queries(2):
        assert (await ann.articles.afirst()).title == "Article 0"
        assert (await ann.articles.filter(published=False).aget()).title == "Article 3"
    made = await ann.articles.acreate(title="New")
    assert made.author is ann
    assert await ann.articles.aget_or_create(title="New") == (made, False)
    assert await sea.article_set.acount() == 0


def test_related_managers_in_sync_code(articles, people, assert_queries):
    tags, (news, sea) = articles[0].tags, Tag.objects.order_by("pk")
    sky = tags.create(name="sky")
    tags.remove(news)
    tags.add(news, sky)
    assert [tag.name for tag in tags.order_by("name")] == ["news", "sea", "sky"]
    tags.set([news])
    assert list(tags.all()) == [news]
    assert tags.get_or_create(name="news") == (news, False)
    tags.clear()
    assert tags.exists() is False
    with assert_queries(1):
        assert people[0].articles.first().title == "Article 0"
    assert people[0].articles.create(title="New").author is people[0]
    assert sea.article_set.count() == 0
