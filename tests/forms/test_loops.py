"""Querysets in loops, awaited, listed and paged (S5, S6, S24, S28, and those of loading that the guides have)."""

from __future__ import annotations

import pytest

from facade.exceptions import SynchronousOnlyOperation
from facade.models import Q, aprefetch_related_objects
from tests.forms.models import Article, Person

pytestmark = pytest.mark.filterwarnings("error")


async def test_loops_in_async_code(articles, people, assert_queries):
    found = []
    with assert_queries(1):
        async for person in Person.objects.filter(is_active=True):
            found.append(person)  # noqa: PERF401 - as the guides have it
    assert found == people[:2]
    queryset = Person.objects.order_by("pk")
    with assert_queries(1):
        assert [person async for person in queryset] == people
        assert [person async for person in queryset] == people, "kept"
        assert [person.username for person in queryset] == ["ann", "bob", "cyd"], (
            "a plain loop over what was fetched"
        )
        assert await queryset == people
    with assert_queries(1):
        listed = await Person.objects.order_by("pk")
    assert (type(listed), listed) == (list, people)
    with assert_queries(1):
        assert [person async for person in Person.objects.order_by("pk")[1:3]] == people[1:]


def test_loops_in_sync_code(articles, people, assert_queries):
    found = []
    with assert_queries(1):
        for person in Person.objects.filter(is_active=True):
            found.append(person)  # noqa: PERF402 - as the guides have it
    assert found == people[:2]
    queryset = Person.objects.order_by("pk")
    with assert_queries(1):
        assert list(queryset) == people
        assert list(queryset) == people
    with assert_queries(1):
        assert list(Person.objects.order_by("pk")[1:3]) == people[1:]


async def test_related_objects_in_async_code(articles, assert_queries):
    with assert_queries(1):
        assert [
            {"title": article.title, "author": article.author.username}
            async for article in Article.objects.select_related("author").order_by("pk")[:2]
        ] == [{"title": "Article 0", "author": "ann"}, {"title": "Article 1", "author": "bob"}]
    with assert_queries(2):
        queryset = Article.objects.select_related("author").prefetch_related("tags").order_by("pk")
        assert [
            (article.author.username, [tag.name for tag in article.tags.all()])
            async for article in queryset[:2]
        ] == [("ann", ["news", "sea"]), ("bob", [])]
    with assert_queries(4):
        post = await (
            Article.objects.select_related("author").prefetch_related("tags", "comments__author").aget(id=1)
        )
        assert [tag.name for tag in post.tags.all()] == ["news", "sea"]
        assert [comment.author.username for comment in post.comments.all()] == ["bob", "cyd"]


def test_related_objects_in_sync_code(articles, assert_queries):
    with assert_queries(1):
        assert [
            article.author.username for article in Article.objects.select_related("author").order_by("pk")[:2]
        ] == ["ann", "bob"]
    with assert_queries(2):
        assert [
            [tag.name for tag in article.tags.all()]
            for article in Article.objects.prefetch_related("tags").order_by("pk")[:2]
        ] == [["news", "sea"], []]
    with assert_queries(4):
        post = Article.objects.select_related("author").prefetch_related("tags", "comments__author").get(id=1)
        assert [tag.name for tag in post.tags.all()] == ["news", "sea"]
        assert [comment.author.username for comment in post.comments.all()] == ["bob", "cyd"]


async def test_related_objects_of_objects_that_are_there(articles, assert_queries):
    found = await Article.objects.order_by("pk")
    with assert_queries(1):
        await aprefetch_related_objects(found, "tags")
    with assert_queries(0):
        assert [[tag.name for tag in article.tags.all()] for article in found[:2]] == [["news", "sea"], []]


async def test_pages_in_async_code(articles, assert_queries):
    async def page_of(page, page_size):
        offset = (page - 1) * page_size
        queryset = (
            Article.objects.select_related("author").prefetch_related("tags").filter(pk__lt=6).order_by("-pk")
        )
        total = await queryset.acount()
        items = [article.title async for article in queryset[offset : offset + page_size]]
        return {"items": items, "total": total, "pages": (total + page_size - 1) // page_size}

    with assert_queries(3) as captured:
        assert await page_of(2, 2) == {"items": ["Article 2", "Article 1"], "total": 5, "pages": 3}
    assert "ORDER BY" not in captured[0]["sql"]
    assert "JOIN" not in captured[0]["sql"]
    assert await Article.objects.filter(Q(title__endswith="1") | Q(author__username="cyd")).order_by("pk")[
        :20
    ] == [articles[number] for number in (1, 2, 5)]


class ArticleViews:
    """A queryset that belongs to the class, as view sets have it."""

    queryset = Article.objects.select_related("author").prefetch_related("tags").order_by("pk")

    async def get_queryset(self):
        return self.queryset.filter(published=True)

    async def list(self):
        return [self.serialize(article) async for article in await self.get_queryset()]

    async def retrieve(self, pk):
        return self.serialize(await self.queryset.aget(pk=pk))

    def serialize(self, article):
        return [article.title, article.author.username, [tag.name for tag in article.tags.all()]]


async def test_a_queryset_of_the_class_serves_all_requests(articles, assert_queries):
    published = [["Article 0", "ann", ["news", "sea"]], ["Article 2", "cyd", []], ["Article 4", "bob", []]]
    with assert_queries(4):
        assert await ArticleViews().list() == published
        assert await ArticleViews().list() == published, "asked again"
    assert await ArticleViews().retrieve(2) == ["Article 1", "bob", []]
    assert ArticleViews.queryset._result_cache is None


async def test_what_the_guides_call_mistakes_is_refused_and_told(articles, assert_queries):
    with assert_queries(0):
        with pytest.raises(SynchronousOnlyOperation, match="aget"):
            Article.objects.get(id=1)
        with pytest.raises(SynchronousOnlyOperation, match="async for"):
            for _ in Article.objects.all():
                pass
        with pytest.raises(SynchronousOnlyOperation, match="acreate"):
            Article.objects.create(title="x", author_id=1)
    article = await Article.objects.aget(id=1)
    with assert_queries(0), pytest.raises(SynchronousOnlyOperation, match="select_related") as caught:
        article.author.username  # noqa: B018
    assert "afetch" in str(caught.value)
    assert (await article.afetch("author")).username == "ann"
    assert article.author.username == "ann", "loaded by now"
