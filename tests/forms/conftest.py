"""Three people, six articles, their tags and comments: what the forms find."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.forms.models import Account, Article, Comment, Person, Slug, Tag

JOINED = dt.date(2024, 1, 1)


@pytest.fixture
def people(database):
    database.create(Person)
    return Person.objects.bulk_create(
        [
            Person(username=name, age=age, is_active=age < 50, date_joined=JOINED + dt.timedelta(days=age))
            for name, age in (("ann", 30), ("bob", 40), ("cyd", 50))
        ]
    )


@pytest.fixture
def articles(database, people):
    """Two articles of each; every second one is published; the first has two tags and two comments."""
    database.create(Tag, Article, Comment)
    made = Article.objects.bulk_create(
        [
            Article(
                title=f"Article {number}",
                author=people[number % 3],
                published=number % 2 == 0,
                comment_count=number,
            )
            for number in range(6)
        ]
    )
    made[0].tags.set(Tag.objects.bulk_create([Tag(name="news"), Tag(name="sea")]))
    Comment.objects.bulk_create([Comment(article=made[0], author=person, text="Oh") for person in people[1:]])
    return made


@pytest.fixture
def accounts(database):
    database.create(Account)
    return Account.objects.bulk_create(
        [Account(owner="ann", balance="100.00"), Account(owner="bob", balance="0.10")]
    )


@pytest.fixture
def slugs(database):
    database.create(Slug)
