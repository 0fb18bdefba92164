"""Constraints and indexes as they are declared, compared, copied and checked before saving."""

from __future__ import annotations

import pytest

from facade import models
from facade.apps import isolate_apps
from facade.exceptions import FieldError, ValidationError
from facade.meta.constraints import Deferrable
from facade.models import Case, F, Q, When
from facade.models.expressions import RawSQL
from facade.models.functions import Coalesce, Length, Lower
from facade.models.lookups import GreaterThan
from facade.transaction import atomic
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


# -- conditions and expressions ----------------------------------------------------------------------


@pytest.fixture
def shelf(isolated, database):
    class Shelf(models.Model):
        name = models.CharField(max_length=50, null=True)
        width = models.IntegerField(null=True)
        used = models.IntegerField(null=True)
        owner = models.ForeignKey(Author, models.CASCADE, null=True, db_constraint=False)
        label = models.CharField(max_length=20, db_default="none")
        left = models.GeneratedField(
            expression=Coalesce("width", 0) - Coalesce("used", 0),
            output_field=models.IntegerField(),
            db_persist=True,
        )

    database.create(Author, Shelf)
    return Shelf


def violated(face, constraint, instance, **options):
    """Whether the constraint refuses the instance."""
    instance._meta.constraints = [constraint]
    try:
        face(instance.validate_constraints, **options)
    except ValidationError:
        return True
    finally:
        instance._meta.constraints = []
    return False


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        (Q(width__gt=F("used")), {"width": 2, "used": 1}, {"width": 1, "used": 2}),
        (~Q(name="x"), {"name": "y"}, {"name": "x"}),
        (Q(name__in=["a", "b"]) | Q(name=None), {"name": None}, {"name": "c"}),
        (Q(name__iexact="AB"), {"name": "ab"}, {"name": "abc"}),
        (Q(width__range=(F("used"), 9)), {"width": 5, "used": 5}, {"width": 5, "used": 6}),
        (Q(left__gte=0), {"width": 1}, {"used": 1}),
        (Q(label="none"), {}, {"label": "other"}),
        (Q(owner__isnull=True), {}, {"owner_id": 1}),
        (Q(owner_id=F("width")), {"owner_id": 3, "width": 3}, {"owner_id": 3, "width": 4}),
        (Q(owner=3), {"owner_id": 3}, {"owner_id": 4}),
        (~Q(pk=F("width")), {"pk": 1, "width": 2}, {"pk": 1, "width": 1}),
        (Q(name__in=[]) | Q(width=1), {"width": 1}, {"width": 2}),
        (~Q(name__in=[]), {"name": "x"}, None),
        (GreaterThan(F("width"), 3), {"width": 4}, {"width": 3}),
        (GreaterThan(Length("name"), F("width")), {"name": "ab", "width": 1}, {"name": "a", "width": 1}),
    ],
)
def test_a_check_is_evaluated_for_the_values_of_the_instance(face, shelf, condition, good, bad):
    constraint = CHECK(condition=condition, name="c")
    assert not violated(face, constraint, shelf(**good))
    if bad is not None:
        assert violated(face, constraint, shelf(**bad))


def test_a_check_that_null_makes_unknown_is_met(face, shelf):
    constraint = CHECK(condition=Q(width__gt=F("used") + F("used")), name="c")
    assert not violated(face, constraint, shelf(width=1))


@pytest.mark.parametrize("left_out", ["width", "left"])
def test_a_check_on_fields_left_out_is_left_to_the_database(face, shelf, left_out):
    constraint = CHECK(condition=Q(left__gte=0), name="c")
    shelf = shelf(width=1, used=2)
    assert violated(face, constraint, shelf, exclude=["name"])
    assert not violated(face, constraint, shelf, exclude=[left_out])


def test_a_condition_that_the_database_refuses_is_left_to_it(face, shelf, caplog):
    raw = RawSQL("no_column > %s", (1,), output_field=models.BooleanField())
    with face.block(atomic()):
        assert not violated(face, CHECK(condition=raw, name="c"), shelf(width=1))
        face(shelf.objects.create, width=1)
    assert "could not check" in caplog.text
    assert face(shelf.objects.count) == 1


def test_a_check_costs_one_query_and_is_compiled_once(face, shelf, assert_queries):
    constraint = CHECK(condition=Q(width__gt=F("used")), name="c")
    with assert_queries(2):
        assert violated(face, constraint, shelf(width=1, used=2))
        assert violated(face, constraint, shelf(width=2, used=3))


def test_a_condition_is_checked_against_values(face, database):
    assert face(Q(age__gte=18, name__startswith="A").check, {"age": 20, "name": "Ada"})
    assert not face(Q(age__gte=18).check, {"age": 17})
    assert not face(Q(age__gte=18).check, {"age": models.Value(None, models.IntegerField())})
    assert face(Q(a=F("b") + 1).check, {"a": 3, "b": models.Value(1) + 1})
    with pytest.raises(FieldError, match="Cannot resolve keyword 'old' into field. Choices are: age"):
        face(Q(age=1, old=2).check, {"age": 1})


def test_unique_expressions_are_looked_up(face, shelf):
    first = face(shelf.objects.create, name="Ab", width=3, used=1)
    lower = UNIQUE(Lower("name"), name="c")
    assert violated(face, lower, shelf(name="aB"))
    assert not violated(face, lower, shelf(name="b"))
    assert not violated(face, lower, shelf(name=None))
    assert not violated(face, lower, first)
    assert not violated(face, lower, shelf(name="aB"), exclude=["name"])
    assert violated(face, UNIQUE(F("name").desc(), name="c"), shelf(name="Ab"))
    assert violated(face, UNIQUE("width", "used", name="c"), shelf(width=3, used=1))
    assert not violated(face, UNIQUE("width", "used", name="c"), shelf(width=3))
    assert violated(face, UNIQUE(Case(When(width__gt=1, then="name")), name="c"), shelf(name="Ab", width=2))
    assert not violated(face, UNIQUE(Case(When(width__gt=1, then="name")), name="c"), shelf(name="Ab"))
    assert violated(face, UNIQUE(F("width") + F("used"), name="c"), shelf(width=2, used=2))
    assert not violated(face, UNIQUE(F("width") + F("used"), name="c"), shelf())


def test_nulls_may_be_equal_in_unique_expressions(face, shelf):
    face(shelf.objects.create)
    assert violated(face, UNIQUE(Lower("name"), name="c", nulls_distinct=False), shelf())
    assert not violated(face, UNIQUE(Lower("name"), name="c", nulls_distinct=False), shelf(name="x"))
    assert violated(face, UNIQUE(fields=["name"], name="c", nulls_distinct=False), shelf())


def test_unique_generated_fields_and_defaults_are_looked_up(face, shelf):
    face(shelf.objects.create, width=3)
    assert violated(face, UNIQUE(fields=["left"], name="c"), shelf(width=4, used=1))
    assert not violated(face, UNIQUE(fields=["left"], name="c"), shelf(width=4))
    assert not violated(face, UNIQUE(fields=["left"], name="c"), shelf(width=4, used=1), exclude=["used"])
    assert violated(face, UNIQUE(fields=["label"], name="c"), shelf())


def test_a_unique_constraint_with_a_condition_is_looked_up_where_it_holds(face, shelf, assert_queries):
    first = face(shelf.objects.create, name="x", width=1)
    face(shelf.objects.create, name="y")
    constraint = UNIQUE(fields=["name"], condition=Q(width__gt=0), name="c")
    assert violated(face, constraint, shelf(name="x", width=2))
    assert not violated(face, constraint, shelf(name="y", width=2))
    assert not violated(face, constraint, first)
    with assert_queries(1):
        assert not violated(face, constraint, shelf(name="x"))
    assert not violated(face, constraint, shelf(name="x", width=2), exclude=["width"])
    with pytest.raises(ValidationError, match="Constraint “c” is violated."):
        constraint.validate(shelf, shelf(name="x", width=2))
