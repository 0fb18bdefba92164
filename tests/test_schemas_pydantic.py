"""Schemas of pydantic: what they show of instances, what they refuse, and how rows are made of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from facade import models
from facade.contrib.pydantic import schema_for
from facade.exceptions import FieldFetchBlocked


class House(models.Model):
    """A publishing house."""

    name = models.CharField(max_length=40)
    city = models.CharField(max_length=40, blank=True)

    class Meta:
        app_label = "tests"


class Subject(models.Model):
    label = models.CharField(max_length=20, unique=True)

    class Meta:
        app_label = "tests"


class Writer(models.Model):
    name = models.CharField(max_length=40, unique=True)
    born = models.DateField(null=True, blank=True)

    class Meta:
        app_label = "tests"

    @property
    def initial(self) -> str:
        return self.name[:1]


class Volume(models.Model):
    class Cover(models.TextChoices):
        HARD = "h", "Hard"
        SOFT = "s", "Soft"

    writer = models.ForeignKey(Writer, models.CASCADE, related_name="volumes")
    house = models.ForeignKey(House, models.SET_NULL, null=True, blank=True, related_name="volumes")
    title = models.CharField(max_length=20, help_text="As on the spine.")
    cover = models.CharField(max_length=1, choices=Cover, default=Cover.SOFT)
    price = models.DecimalField(max_digits=6, decimal_places=2)
    subjects = models.ManyToManyField(Subject, blank=True, related_name="volumes")
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "tests"
        constraints = [models.UniqueConstraint(fields=["writer", "title"], name="volume_of_writer")]


class Jacket(models.Model):
    volume = models.OneToOneField(Volume, models.CASCADE, related_name="jacket")
    colour = models.CharField(max_length=20)

    class Meta:
        app_label = "tests"


TABLES = (House, Subject, Writer, Volume, Jacket)


def stocked(face, database):
    """Make one writer with two volumes; return the first, which has all there is."""
    database.create(*TABLES)
    writer = face(Writer.objects.create, name="Ada", born=dt.date(1815, 12, 10))
    house = face(House.objects.create, name="Taylor", city="London")
    first = face(Volume.objects.create, writer=writer, house=house, title="Notes", price=Decimal("9.50"))
    face(Volume.objects.create, writer=writer, title="Letters", price=Decimal("3.00"), cover="h")
    subjects = [face(Subject.objects.create, label=label) for label in ("engines", "numbers")]
    face(first.subjects.add, *subjects)
    face(Jacket.objects.create, volume=first, colour="blue")
    return first


VolumeOut = schema_for(Volume, depth=1, exclude=["added"], name="VolumeOut")
VolumeIn = schema_for(Volume, exclude=["id", "added"], name="VolumeIn")
VolumePatch = schema_for(Volume, exclude=["id", "added"], optional=True, name="VolumePatch")


# -- reading -----------------------------------------------------------------------------------------------------------


def test_related_objects_are_shown_as_deep_as_asked(face, database, assert_queries):
    shelf = stocked(face, database)
    with assert_queries(2):
        notes, letters = face.list(VolumeOut.prefetched(Volume.objects.order_by("pk")))
    with assert_queries(0):
        shown = [item.model_dump(mode="json") for item in VolumeOut.from_instances([notes, letters])]
    assert shown[0] == {
        "id": notes.pk,
        "writer": {"id": shelf.writer_id, "name": "Ada", "born": "1815-12-10"},
        "house": {"id": shelf.house_id, "name": "Taylor", "city": "London"},
        "title": "Notes",
        "cover": "s",
        "price": "9.50",
        "subjects": [{"id": 1, "label": "engines"}, {"id": 2, "label": "numbers"}],
    }
    assert shown[1]["house"] is None
    assert shown[1]["subjects"] == []


def test_without_depth_relations_are_keys(face, database):
    shelf = stocked(face, database)
    schema = schema_for(Volume, fields=["writer", "house_id", "subjects", "jacket"])
    (notes, letters) = face.list(schema.prefetched(Volume.objects.order_by("pk")))
    assert schema.from_instance(notes).model_dump() == {
        "writer_id": shelf.writer_id,
        "house_id": shelf.house_id,
        "subjects": [1, 2],
        "jacket": 1,
    }
    assert schema.from_instance(letters).jacket is None


def test_what_is_not_loaded_is_refused_with_the_query_to_write(face, database, assert_queries):
    shelf = stocked(face, database)
    plain = face(Volume.objects.get, pk=shelf.pk)
    with assert_queries(0), pytest.raises(FieldFetchBlocked) as caught:
        VolumeOut.from_instance(plain)
    assert str(caught.value) == (
        "VolumeOut shows Volume.writer, which is not loaded. Load it with the query: "
        "Volume.objects.select_related('writer', 'house').prefetch_related('subjects'), or "
        "VolumeOut.prefetched(Volume.objects.all()); for objects at hand: "
        "prefetch_related_objects(objects, 'writer', 'house', 'subjects')."
    )
    joined = face(Volume.objects.select_related("writer", "house").get, pk=shelf.pk)
    with assert_queries(0), pytest.raises(FieldFetchBlocked, match="shows Volume.subjects"):
        VolumeOut.from_instance(joined)
