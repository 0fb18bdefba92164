"""Values that the database makes: defaults of keys, generated columns."""

from __future__ import annotations

import pytest

from facade.exceptions import FieldError
from facade.models import CASCADE, F, ForeignKey, GeneratedField, IntegerField, Model, UUIDField
from facade.models.functions import UUID4


class Doubled(Model):
    n = IntegerField()
    twice = GeneratedField(expression=F("n") * 2, output_field=IntegerField(), db_persist=True)

    class Meta:
        app_label = "tests"


class Counter(Model):
    id = IntegerField(primary_key=True, db_default=42)

    class Meta:
        app_label = "tests"


class Made(Model):
    id = UUIDField(primary_key=True, db_default=UUID4())

    class Meta:
        app_label = "tests"


class Part(Model):
    made = ForeignKey(Made, CASCADE)

    class Meta:
        app_label = "tests"


@pytest.mark.vendors("sqlite", "postgres")
def test_the_databases_default_of_a_counted_key_is_used(face, database):
    database.create(Counter)
    assert face(Counter.objects.create).pk == 42
    face(Counter.objects.all().delete)
    assert face(Counter.objects.bulk_create, [Counter()])[0].pk == 42
    assert database.observe("SELECT id FROM tests_counter") == [(42,)]


@pytest.mark.vendors("sqlite", "postgres")
def test_a_key_that_the_database_makes_is_made_once(face, database, assert_queries):
    database.create(Made, Part)
    made = Made()
    part, other = Part(made=made), Part(made=made)
    face(made.save)
    with assert_queries(2):
        face(part.save)
        face(Part.objects.bulk_create, [other])
    assert part.made_id == other.made_id == made.pk
    assert face.list(Part.objects.values_list("made_id", flat=True).distinct()) == [made.pk]


def test_generated_fields_are_refused_by_name(face, database):
    with pytest.raises(FieldError, match=r"cannot store generated fields: tests\.Doubled\.twice"):
        face(Doubled.objects.bulk_update, [Doubled(pk=1)], ["twice"])
