"""Rows that are read as they are used (S17, S19, S20); tests/test_streams.py measures memory and looks at cursors (S17, S18)."""

from __future__ import annotations

import asyncio

from facade import pool_stats
from tests.forms.models import Article, Person


def lent():
    """How many connections are out, on either face."""
    return sum(figures["in_use"] for figures in pool_stats()["default"].values())


async def test_streams_in_async_code(articles, assert_queries):
    with assert_queries(1):
        assert [
            article.title async for article in Article.objects.order_by("pk").aiterator(chunk_size=1000)
        ] == [f"Article {number}" for number in range(6)]
    stream = (
        Article.objects.select_related("author")
        .prefetch_related("tags")
        .order_by("pk")
        .aiterator(chunk_size=4)
    )
    with assert_queries(3):
        first, *_ = [(article.author.username, len(article.tags.all())) async for article in stream]
    assert first == ("ann", 2)
    assert [
        name async for name in Person.objects.order_by("pk").values_list("username", flat=True).aiterator()
    ] == ["ann", "bob", "cyd"]
    async for article in Article.objects.order_by("pk").aiterator(chunk_size=2):
        assert await Article.objects.filter(pk=article.pk).aupdate(comment_count=5) == 1, "the body may ask"
        break
    for _ in range(200):  # `break` leaves the closing to the event loop
        if lent() == 0:
            break
        await asyncio.sleep(0.01)
    assert lent() == 0


def test_streams_in_sync_code(articles, assert_queries):
    with assert_queries(1):
        assert [article.title for article in Article.objects.order_by("pk").iterator(chunk_size=1000)] == [
            f"Article {number}" for number in range(6)
        ]
    stream = (
        Article.objects.select_related("author")
        .prefetch_related("tags")
        .order_by("pk")
        .iterator(chunk_size=4)
    )
    with assert_queries(3):
        first, *_ = [(article.author.username, len(article.tags.all())) for article in stream]
    assert first == ("ann", 2)
    for article in Article.objects.order_by("pk").iterator(chunk_size=2):
        assert Article.objects.filter(pk=article.pk).update(comment_count=5) == 1
        break
    assert lent() == 0
