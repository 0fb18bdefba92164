"""Models that many tests share."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

from facade import models


class Publisher(models.Model):
    name = models.CharField(max_length=100)
    city = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class Author(models.Model):
    name = models.CharField(max_length=100)
    age = models.IntegerField(null=True, blank=True)
    email = models.EmailField(blank=True, default="")

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    publisher = models.ForeignKey(Publisher, models.SET_NULL, null=True, blank=True)
    pages = models.PositiveIntegerField(default=0)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=decimal.Decimal("0.00"))
    published = models.DateField(null=True, blank=True)

    class Meta:
        get_latest_by = "published"

    def __str__(self):
        return self.title


class Review(models.Model):
    class Verdict(models.IntegerChoices):
        BAD = 1, "Bad"
        GOOD = 2, "Good"

    book = models.ForeignKey(Book, models.CASCADE)
    reviewer = models.ForeignKey(Author, models.PROTECT, related_name="+")
    verdict = models.IntegerField(choices=Verdict, default=Verdict.GOOD)
    text = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "reviewer"], name="one_review_per_reader")]


class Profile(models.Model):
    author = models.OneToOneField(Author, models.CASCADE)
    biography = models.TextField(blank=True)
    editor = models.OneToOneField(
        Author, models.SET_NULL, null=True, blank=True, related_name="edited_profile"
    )


class Category(models.Model):
    name = models.CharField(max_length=50, unique=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")

    def __str__(self):
        return self.name


class Country(models.Model):
    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=50, unique=True)


class City(models.Model):
    """A foreign key to a text key, and one to a unique field that is no key."""

    name = models.CharField(max_length=50)
    country = models.ForeignKey(Country, models.CASCADE)
    twin_country = models.ForeignKey(
        Country, models.SET_NULL, null=True, to_field="name", db_column="twin", related_name="twin_cities"
    )


class Everything(models.Model):
    """Every field that holds one value, nullable, so that a test can set what it is about."""

    big = models.BigIntegerField(null=True)
    binary = models.BinaryField(null=True)
    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=50, null=True)
    date = models.DateField(null=True)
    datetime = models.DateTimeField(null=True)
    decimal = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    duration = models.DurationField(null=True)
    email = models.EmailField(null=True)
    float = models.FloatField(null=True)
    integer = models.IntegerField(null=True)
    ip = models.GenericIPAddressField(null=True)
    json = models.JSONField(null=True)
    positive = models.PositiveIntegerField(null=True)
    positive_big = models.PositiveBigIntegerField(null=True)
    positive_small = models.PositiveSmallIntegerField(null=True)
    slug = models.SlugField(null=True)
    small = models.SmallIntegerField(null=True)
    text = models.TextField(null=True)
    time = models.TimeField(null=True)
    url = models.URLField(null=True)
    uuid = models.UUIDField(null=True)


class Token(models.Model):
    """A key that Python makes, and defaults of all kinds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    label = models.CharField(max_length=30, default="token")
    uses = models.IntegerField(db_default=0)
    issued = models.DateField(default=dt.date.today)
    note = models.CharField(max_length=30, db_default="none")


class Place(models.Model):
    """The parent of a model with a table of its own."""

    name = models.CharField(max_length=50)
    address = models.CharField(max_length=80, blank=True)


class Restaurant(Place):
    serves_pizza = models.BooleanField(default=False)
    owner = models.ForeignKey(Author, models.SET_NULL, null=True)


class Writer(Author):
    """A proxy."""

    class Meta:
        proxy = True
        ordering = ["name"]
