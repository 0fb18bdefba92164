"""Models with relations of every kind, for the tests of schemas."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from facade import models


class Imprint(models.Model):
    """A publishing house."""

    name = models.CharField(max_length=40)
    city = models.CharField(max_length=40, blank=True)

    class Meta:
        app_label = "shelves"


class Subject(models.Model):
    label = models.CharField(max_length=20, unique=True)

    class Meta:
        app_label = "shelves"
        ordering = ["pk"]


class Writer(models.Model):
    name = models.CharField(max_length=40, unique=True)
    born = models.DateField(null=True, blank=True)

    class Meta:
        app_label = "shelves"

    @property
    def initial(self) -> str:
        return self.name[:1]

    def greeting(self) -> str:
        return f"Dear {self.name}"


class Volume(models.Model):
    class Cover(models.TextChoices):
        HARD = "h", "Hard"
        SOFT = "s", "Soft"

    writer = models.ForeignKey(Writer, models.CASCADE, related_name="volumes")
    house = models.ForeignKey(Imprint, models.SET_NULL, null=True, blank=True, related_name="volumes")
    title = models.CharField(max_length=20, help_text="As on the spine.")
    cover = models.CharField(max_length=1, choices=Cover, default=Cover.SOFT)
    price = models.DecimalField(max_digits=6, decimal_places=2)
    subjects = models.ManyToManyField(Subject, blank=True, related_name="volumes")
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "shelves"
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["writer", "title"], name="volume_of_writer")]

    @property
    def writers_name(self) -> str:
        return self.writer.name


class Jacket(models.Model):
    volume = models.OneToOneField(Volume, models.CASCADE, related_name="jacket")
    colour = models.CharField(max_length=20)

    class Meta:
        app_label = "shelves"


TABLES = (Imprint, Subject, Writer, Volume, Jacket)


def stocked(face, database):
    """Make one writer with two volumes; return the first, which has all there is."""
    database.create(*TABLES)
    writer = face(Writer.objects.create, name="Ada", born=dt.date(1815, 12, 10))
    house = face(Imprint.objects.create, name="Taylor", city="London")
    first = face(Volume.objects.create, writer=writer, house=house, title="Notes", price=Decimal("9.50"))
    face(Volume.objects.create, writer=writer, title="Letters", price=Decimal("3.00"), cover="h")
    subjects = [face(Subject.objects.create, label=label) for label in ("engines", "numbers")]
    face(first.subjects.add, *subjects)
    face(Jacket.objects.create, volume=first, colour="blue")
    return first
