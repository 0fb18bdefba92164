"""Models of every kind, whose tables Django and facade both make: a test turns facade's imports into Django's."""

from __future__ import annotations

import datetime as dt
import uuid

from facade import models
from facade.models import F, Q, functions


class Kinds(models.Model):
    """Every kind of field."""

    big = models.BigIntegerField()
    binary = models.BinaryField()
    boolean = models.BooleanField(default=False)
    char = models.CharField(max_length=30)
    date = models.DateField()
    moment = models.DateTimeField(auto_now_add=True)
    decimal = models.DecimalField(max_digits=12, decimal_places=3)
    duration = models.DurationField(null=True)
    email = models.EmailField()
    file = models.FileField(upload_to="files")
    path = models.FilePathField()
    number = models.FloatField()
    address = models.GenericIPAddressField(null=True)
    integer = models.IntegerField()
    document = models.JSONField()
    positive_big = models.PositiveBigIntegerField()
    positive = models.PositiveIntegerField(null=True)
    positive_small = models.PositiveSmallIntegerField()
    slug = models.SlugField()
    small = models.SmallIntegerField()
    text = models.TextField()
    time = models.TimeField()
    url = models.URLField()
    uuid = models.UUIDField(default=uuid.uuid4)


class Small(models.Model):
    id = models.SmallAutoField(primary_key=True)


class Medium(models.Model):
    id = models.AutoField(primary_key=True)


class Code(models.Model):
    """A key of text, which foreign keys take over."""

    code = models.CharField(max_length=12, primary_key=True)
    notes = models.TextField(unique=True)


class Unique(models.Model):
    """Values that are unique, and indexed ones, of several types."""

    char = models.CharField(max_length=20, unique=True)
    text = models.TextField(db_index=True)
    slug = models.SlugField(unique=True)
    email = models.EmailField(db_index=True, null=True)
    integer = models.IntegerField(unique=True)
    decimal = models.DecimalField(max_digits=5, decimal_places=2, db_index=True)
    token = models.UUIDField(unique=True)
    day = models.DateField(db_index=True)
    address = models.GenericIPAddressField(unique=True)
    positive = models.PositiveIntegerField(unique=True)
    renamed = models.CharField(max_length=5, db_column="Other Name", db_index=True)
    document = models.JSONField(null=True)


class Person(models.Model):
    """Refers to itself, to a text, to a unique column, and has many-to-many fields."""

    name = models.CharField(max_length=50)
    boss = models.ForeignKey("self", models.SET_NULL, null=True, related_name="staff")
    code = models.ForeignKey(Code, models.CASCADE)
    unique = models.ForeignKey(Unique, models.PROTECT, to_field="slug", related_name="+")
    loose = models.ForeignKey(Unique, models.DO_NOTHING, db_constraint=False, related_name="+")
    bare = models.ForeignKey(Medium, models.CASCADE, db_index=False, related_name="+")
    small = models.OneToOneField(Small, models.CASCADE)
    friends = models.ManyToManyField("self")
    codes = models.ManyToManyField(Code, related_name="people")
    seats = models.ManyToManyField(Medium, through="Seat")

    class Meta:
        db_table = "sample_people"


class Seat(models.Model):
    person = models.ForeignKey(Person, models.CASCADE)
    medium = models.ForeignKey(Medium, models.CASCADE)
    since = models.DateField()

    class Meta:
        unique_together = [("person", "medium"), ("since", "medium")]


class Constrained(models.Model):
    """Constraints and indexes with conditions, expressions and included columns."""

    name = models.CharField(max_length=40)
    kind = models.IntegerField()
    size = models.IntegerField()
    gone = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(size__gte=0) & ~Q(kind=3), name="size_and_kind"),
            models.CheckConstraint(
                condition=Q(name__in=["a", "b"]) | Q(size__lt=F("kind")), name="names_or_sizes"
            ),
            models.UniqueConstraint(fields=["name", "kind"], name="name_and_kind"),
            models.UniqueConstraint(fields=["name"], condition=Q(gone=False), name="name_there"),
            models.UniqueConstraint(functions.Lower("name"), F("kind").desc(), name="caseless_name"),
        ]
        indexes = [
            models.Index(fields=["name", "-size"]),
            models.Index(fields=["kind"], name="kind_there", condition=Q(gone=False, size__gt=7)),
            models.Index(functions.Upper("name").desc(), "size", name="upper_name"),
        ]


class Promised(models.Model):
    """What PostgreSQL alone keeps."""

    name = models.CharField(max_length=40, db_collation="C", unique=True)
    kind = models.IntegerField()
    size = models.IntegerField()

    class Meta:
        required_db_vendor = "postgresql"
        constraints = [
            models.UniqueConstraint(fields=["size"], include=["kind"], name="size_covering"),
            models.UniqueConstraint(fields=["kind"], name="late", deferrable=models.Deferrable.DEFERRED),
            models.UniqueConstraint(
                fields=["kind", "size"], name="at_once", deferrable=models.Deferrable.IMMEDIATE
            ),
            models.UniqueConstraint(fields=["size", "kind"], name="no_nulls", nulls_distinct=False),
            models.UniqueConstraint(
                fields=["name"], opclasses=["varchar_pattern_ops"], name="name_by_letters"
            ),
        ]
        indexes = [
            models.Index(fields=["kind"], include=["name", "size"], name="kind_covering"),
            models.Index(fields=["name"], opclasses=["varchar_pattern_ops"], name="name_pattern"),
        ]


class Place(models.Model):
    name = models.CharField(max_length=50, unique=True)


class Restaurant(Place):
    """Multi-table inheritance."""

    stars = models.PositiveSmallIntegerField(default=0)


class Pizzeria(Restaurant):
    oven = models.BooleanField(default=True)


class Dated(models.Model):
    created = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True
        indexes = [models.Index(fields=["-created"])]


class Event(Dated):
    pass


class Coded(models.Model):
    """A text key as the link of inheritance."""

    key = models.CharField(max_length=9, primary_key=True)


class Subcoded(Coded):
    more = models.TextField()


class Remarked(models.Model):
    """Comments of the table and its columns."""

    size = models.IntegerField(db_comment="in centimetres, it's said")

    class Meta:
        db_table_comment = 'What is "remarked" - it\'s said'


class Defaulted(models.Model):
    """Defaults of the database, and generated columns."""

    integer = models.IntegerField(db_default=3)
    text = models.CharField(max_length=20, db_default="it's")
    truth = models.BooleanField(db_default=True)
    number = models.FloatField(db_default=1.5)
    day = models.DateField(db_default=dt.date(2024, 2, 29))
    moment = models.DateTimeField(db_default=functions.Now())
    computed = models.CharField(max_length=20, db_default=functions.Lower(models.Value("ABC")))
    twice = models.GeneratedField(
        expression=F("integer") * 2, output_field=models.IntegerField(), db_persist=True
    )
    upper = models.GeneratedField(
        expression=functions.Upper("text"), output_field=models.CharField(max_length=20), db_persist=True
    )


class Line(models.Model):
    """A key of several columns."""

    pk = models.CompositePrimaryKey("order", "position")
    order = models.IntegerField()
    position = models.IntegerField()


class Collated(models.Model):
    plain = models.CharField(max_length=10)

    class Meta:
        db_table = "sample collated"


class AnExtraordinarilyLongNameOfAModelWithManyLetters(models.Model):
    """Names that are longer than databases take."""

    an_extraordinarily_long_name_of_a_column = models.IntegerField(db_index=True)
    another_extraordinarily_long_name_of_a_column = models.CharField(max_length=9, unique=True)
    yet_another_extraordinarily_long_name_of_a_column = models.PositiveIntegerField(unique=True)
    an_extraordinarily_long_name_of_a_reference = models.ForeignKey("self", models.CASCADE)
    extraordinarily_many = models.ManyToManyField("Code", db_table="samples_extraordinarily_many")

    class Meta:
        unique_together = [
            ("an_extraordinarily_long_name_of_a_column", "another_extraordinarily_long_name_of_a_column")
        ]
