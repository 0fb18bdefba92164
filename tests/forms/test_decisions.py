"""Where the guides disagree: relations that are not loaded, plain loops, and sync calls while an event loop runs."""

from __future__ import annotations

import pytest

import facade
from facade.exceptions import SynchronousOnlyOperation
from facade.models import FETCH_PEERS
from tests.forms.models import Article, Person


async def test_an_awaited_list_is_looped_over_as_any_list(articles, assert_queries):
    with assert_queries(1):
        titles = [article.title for article in await Article.objects.order_by("pk")]
    assert titles == [f"Article {number}" for number in range(6)]


async def test_a_relation_is_fetched_for_all_peers_at_once(articles, assert_queries):
    with assert_queries(1):
        found = await Article.objects.fetch_mode(FETCH_PEERS).order_by("pk")
    with assert_queries(1):
        await found[0].afetch("author")
    with assert_queries(0):
        assert [article.author.username for article in found] == ["ann", "bob", "cyd"] * 2


async def test_sync_code_is_run_as_it_is(articles):
    def authors():
        return [article.author.username for article in Article.objects.order_by("pk")[:3]]

    assert await facade.run(authors) == ["ann", "bob", "cyd"]


async def test_sync_calls_may_be_allowed_for_a_database(articles, database):
    with pytest.raises(SynchronousOnlyOperation, match="acount"):
        Person.objects.count()
    facade.configure(DATABASES={"default": {"URL": database.url, "ALLOW_BLOCKING": True}})
    assert Person.objects.count() == 3
    assert Article.objects.order_by("pk").first().author.username == "ann"
