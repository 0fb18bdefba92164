"""Values that the database makes: defaults of keys, generated columns."""

from __future__ import annotations

import pytest

from facade.exceptions import FieldError, IntegrityError
from facade.models import CASCADE, CharField, F, ForeignKey, GeneratedField, IntegerField, Model, UUIDField
from facade.models.functions import UUID4


class Doubled(Model):
    n = IntegerField()
    twice = GeneratedField(expression=F("n") * 2, output_field=IntegerField(), db_persist=True)

    class Meta:
        app_label = "tests"


class Defaulted(Model):
    id = IntegerField(primary_key=True, db_default=42)
    name = CharField(max_length=5, default="")
    number = IntegerField(db_default=7)

    class Meta:
        app_label = "tests"


class Made(Model):
    id = UUIDField(primary_key=True, db_default=UUID4())

    class Meta:
        app_label = "tests"


class PartOfMade(Model):
    made = ForeignKey(Made, CASCADE)

    class Meta:
        app_label = "tests"


def test_the_databases_default_of_a_counted_key_is_used(face, database):
    database.create(Defaulted)
    assert face(Defaulted.objects.create).pk == 42
    face(Defaulted.objects.all().delete)
    made = face(Defaulted.objects.bulk_create, [Defaulted(id=5), Defaulted(name="x")])
    assert [(one.pk, one.number) for one in made] == [(5, 7), (42, 7)]
    assert database.observe("SELECT id, number FROM tests_defaulted ORDER BY id") == [(5, 7), (42, 7)]
    with pytest.raises(IntegrityError):  # and it is what stands in the way of a second row
        face(Defaulted.objects.bulk_create, [Defaulted(name="y")])
    face(Defaulted.objects.bulk_create, [Defaulted(name="y")], ignore_conflicts=True)
    assert face(Defaulted.objects.count) == 2


@pytest.mark.without("mariadb", reason="it takes no UUID_V4() as a default")
def test_a_key_that_the_database_makes_is_made_once(face, database, assert_queries):
    database.create(Made, PartOfMade)
    made = Made()
    part, other = PartOfMade(made=made), PartOfMade(made=made)
    face(made.save)
    with assert_queries(2):
        face(part.save)
        face(PartOfMade.objects.bulk_create, [other])
    assert part.made_id == other.made_id == made.pk
    assert face.list(PartOfMade.objects.values_list("made_id", flat=True).distinct()) == [made.pk]


def test_generated_fields_are_refused_by_name(face, database):
    with pytest.raises(FieldError, match=r"cannot store generated fields: tests\.Doubled\.twice"):
        face(Doubled.objects.bulk_update, [Doubled(pk=1)], ["twice"])
