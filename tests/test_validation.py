"""`full_clean()` and its parts."""

from __future__ import annotations

import datetime as dt

import pytest

from facade import models
from facade.exceptions import NON_FIELD_ERRORS, ValidationError
from tests.models import Author, Book, Category, Place, Publisher, Restaurant, Review


class Entry(models.Model):
    title = models.CharField(max_length=20, unique_for_date="posted")
    slug = models.CharField(max_length=20, unique_for_month="posted")
    number = models.IntegerField(unique_for_year="posted", default=0)
    posted = models.DateField(null=True, blank=True)


class Seat(models.Model):
    row = models.IntegerField("row of seats")
    number = models.IntegerField(null=True)
    label = models.CharField(max_length=5, blank=True)

    class Meta:
        unique_together = [("row", "number")]

    def clean(self):
        if self.label == "bad":
            raise ValidationError("Never this label.", code="never")
        if self.label == "worse":
            raise ValidationError({"label": "Nor this one."})


@pytest.fixture
def seats(database):
    database.create(Seat)
    return database


def errors_of(face, check, **options):
    with pytest.raises(ValidationError) as caught:
        face(check, **options)
    return caught.value.message_dict


# -- fields ------------------------------------------------------------------------------------------


def test_fields_become_python_values(face, database):
    database.create(Author)
    author = Author(name="Ada", age="36")
    face(author.full_clean)
    assert author.age == 36


def test_errors_are_told_by_field(face, database, assert_queries):
    with assert_queries(0):
        found = errors_of(face, Author(name="", age="old", email="no").full_clean, validate_unique=False)
    assert found == {
        "name": ["This field cannot be blank."],
        "age": ["“old” value must be an integer."],
        "email": ["Enter a valid email address."],
    }


def test_empty_values_of_blank_fields_are_not_looked_at(face, database):
    face(Author(name="Ada", age=None, email="").clean_fields)


def test_excluded_fields_are_not_looked_at(face, database):
    face(Author(name="", age="old").clean_fields, exclude=["name", "age"])


def test_choices(face, database):
    found = errors_of(face, Review(verdict=7).clean_fields, exclude=["book", "reviewer", "created"])
    assert found == {"verdict": ["Value 7 is not a valid choice."]}


def test_related_object_has_to_exist(face, database):
    database.create(Author, Publisher, Book)
    found = errors_of(face, Book(title="x", author_id=7).full_clean)
    assert found == {"author": ["author instance with id 7 is not a valid choice."]}


def test_clean_is_called_whatever_the_fields_say(face, seats):
    assert errors_of(face, Seat(row="x", label="bad").full_clean) == {
        "row": ["“x” value must be an integer."],
        "number": ["This field cannot be blank."],
        NON_FIELD_ERRORS: ["Never this label."],
    }
    assert errors_of(face, Seat(row=1, number=1, label="worse").full_clean) == {"label": ["Nor this one."]}


# -- uniqueness --------------------------------------------------------------------------------------


def test_unique_field(face, database, assert_queries):
    database.create(Category)
    old = face(Category.objects.create, name="a")
    with assert_queries(1):
        found = errors_of(face, Category(name="a").full_clean)
    assert found == {"name": ["Category with this Name already exists."]}
    face(old.full_clean)
    face(Category(name="a").full_clean, validate_unique=False)
    face(Category(name="a").full_clean, exclude=["name"])


def test_unique_together(face, seats):
    old = face(Seat.objects.create, row=1, number=2)
    found = errors_of(face, Seat(row=1, number=2).full_clean)
    assert found == {NON_FIELD_ERRORS: ["Seat with this Row of seats and Number already exists."]}
    face(old.full_clean)
    face(Seat(row=1, number=None).validate_unique)


def test_field_that_did_not_pass_is_not_compared(face, database, assert_queries):
    database.create(Category)
    with assert_queries(0):
        assert set(errors_of(face, Category(name="x" * 51).full_clean)) == {"name"}


def test_primary_key_of_a_new_row(face, database):
    database.create(Category)
    face(Category.objects.create, pk=1, name="a")
    assert errors_of(face, Category(pk=1, name="b").full_clean) == {
        "id": ["Category with this ID already exists."]
    }


def test_unique_for_a_date(face, database):
    database.create(Entry)
    day = dt.date(2026, 3, 4)
    face(Entry.objects.create, title="t", slug="s", number=1, posted=day)
    assert errors_of(face, Entry(title="t", slug="x", number=2, posted=day).validate_unique) == {
        "title": ["Title must be unique for Posted date."]
    }
    near, far = day.replace(day=20), day.replace(month=7)
    assert errors_of(face, Entry(title="t", slug="s", number=2, posted=near).validate_unique) == {
        "slug": ["Slug must be unique for Posted month."]
    }
    assert errors_of(face, Entry(title="t", slug="s", number=1, posted=far).validate_unique) == {
        "number": ["Number must be unique for Posted year."]
    }
    face(Entry(title="t", slug="s", number=1, posted=None).validate_unique)


def test_parents_are_checked_too(face, database):
    database.create(Author, Place, Restaurant)
    face(Place.objects.create, pk=5, name="a")
    found = errors_of(face, Restaurant(id=5, place_ptr_id=5, name="b").full_clean, exclude=["owner"])
    assert found == {"id": ["Place with this ID already exists."]}


# -- constraints -------------------------------------------------------------------------------------


def test_unique_constraint(face, database):
    database.create(Author, Publisher, Book, Review)
    author = face(Author.objects.create, name="a")
    book = face(Book.objects.create, title="b", author=author)
    face(Review.objects.create, book=book, reviewer=author)
    again = Review(book=book, reviewer=author)
    found = errors_of(face, again.full_clean)
    assert found == {NON_FIELD_ERRORS: ["Review with this Book and Reviewer already exists."]}
    face(again.full_clean, validate_constraints=False)
    face(again.validate_constraints, exclude=["book"])
