"""Constraints and indexes as they are declared, compared, copied and checked before saving."""

from __future__ import annotations

import pytest

from facade import models
from facade.apps import isolate_apps
from facade.exceptions import ValidationError
from facade.meta.constraints import Deferrable
from facade.models import F, Q
from tests.models import Author, Book, Publisher, Review

UNIQUE = models.UniqueConstraint
CHECK = models.CheckConstraint


@pytest.fixture
def isolated():
    with isolate_apps("tests") as registry:
        yield registry


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {"fields": ["a"], "name": ""}, "must be named"),
        ((), {"name": "n"}, "At least one field or expression"),
        (("a",), {"fields": ["a"], "name": "n"}, "mutually exclusive"),
        ((), {"fields": ["a"], "name": "n", "condition": "a"}, "condition must be a Q instance"),
        ((), {"fields": ["a"], "name": "n", "deferrable": True}, "must be a Deferrable instance"),
        (
            (),
            {"fields": ["a"], "name": "n", "condition": Q(a=1), "deferrable": Deferrable.DEFERRED},
            "with conditions cannot be deferred",
        ),
        ((), {"fields": ["a"], "name": "n", "include": "b"}, "include must be a list or tuple"),
        ((), {"fields": ["a"], "name": "n", "opclasses": ["x", "y"]}, "the same number of elements"),
        ((), {"fields": ["a"], "name": "n", "nulls_distinct": 1}, "nulls_distinct must be a bool"),
    ],
)
def test_a_senseless_unique_constraint_is_refused(arguments, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        UNIQUE(*arguments, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {"fields": "a"}, "fields must be a list or tuple"),
        ((), {}, "At least one field or expression"),
        (("a",), {"fields": ["b"], "name": "n"}, "mutually exclusive"),
        (("a",), {}, "must be named to use expressions"),
        ((), {"condition": Q(a=1)}, "must be named to use condition"),
        ((), {"fields": ["a"], "include": ["b"]}, "covering index must be named"),
        ((), {"fields": [F("a")]}, "only strings with field names"),
    ],
)
def test_a_senseless_index_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        models.Index(*arguments, **options)


def test_a_check_needs_a_condition():
    with pytest.raises(TypeError, match="must be a Q instance or boolean expression"):
        CHECK(condition="a > 1", name="n")


@pytest.mark.parametrize(
    "declared",
    [
        CHECK(condition=Q(a__gt=1), name="n", violation_error_code="c", violation_error_message="m"),
        UNIQUE(fields=["a"], name="n", condition=Q(b=1), include=["c"]),
        UNIQUE(F("a"), name="n", nulls_distinct=False),
        UNIQUE(fields=["a"], name="n", deferrable=Deferrable.IMMEDIATE),
        models.Index(fields=["a", "-b"], name="n", include=["c"], opclasses=["x", "y"]),
        models.Index(F("a"), name="n", condition=Q(b=1)),
    ],
)
def test_a_clone_is_equal_and_has_the_same_hash(declared):
    clone = declared.clone()
    assert clone == declared
    assert hash(clone) == hash(declared)
    assert clone is not declared
    path, _, _ = declared.deconstruct()
    assert path == f"facade.models.{type(declared).__name__}"


def test_what_differs_is_not_equal():
    assert UNIQUE(fields=["a"], name="n") != UNIQUE(fields=["a"], name="m")
    assert CHECK(condition=Q(a=1), name="n") != CHECK(condition=Q(a=2), name="n")
    assert models.Index(fields=["a"]) != models.Index(fields=["-a"])
    assert UNIQUE(fields=["a"], name="n") != CHECK(condition=Q(a=1), name="n")


def test_an_index_without_a_name_gets_one_that_fits_everywhere():
    index = models.Index(fields=["title", "-pages"])
    index.set_name_with_model(Book)
    assert index.name.startswith("tests_book_title_")
    assert index.name.endswith("_idx")
    assert len(index.name) <= 30


def test_a_violated_unique_constraint_is_found_before_saving(face, database):
    database.create(Publisher, Author, Book, Review)
    ada = face(Author.objects.create, name="Ada")
    book = face(Book.objects.create, title="x", author=ada)
    first = face(Review.objects.create, book=book, reviewer=ada)
    face(first.validate_constraints)
    second = Review(book=book, reviewer=ada)
    with pytest.raises(ValidationError, match="Review with this Book and Reviewer already exists"):
        face(second.validate_constraints)
    face(second.validate_constraints, exclude={"book"})


def test_a_constraint_may_have_words_of_its_own(face, database, isolated):
    class Seat(models.Model):
        row = models.IntegerField(null=True)

        class Meta:
            constraints = [
                UNIQUE(
                    fields=["row"],
                    name="once",
                    violation_error_message="%(name)s!",
                    violation_error_code="twice",
                )
            ]

    database.create(Seat)
    face(Seat.objects.create, row=1)
    face(Seat.objects.create, row=None)
    with pytest.raises(ValidationError) as caught:
        face(Seat(row=1).validate_constraints)
    assert caught.value.messages == ["once!"]
    face(Seat(row=None).validate_constraints)
