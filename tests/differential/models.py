"""The models, declared once and built for either ORM: every relation, many field types, on the same tables."""

from __future__ import annotations

from types import SimpleNamespace

LABEL = "differential"


def build(m):
    """Declare the models with `m`, which is `facade.models` or `django.db.models`; their classes by name."""
    people, works = _people(m), _works(m)
    return SimpleNamespace(**people, **works, **_notes(m))


def _people(m):
    class Country(m.Model):
        code = m.CharField(max_length=2, primary_key=True)
        name = m.CharField(max_length=20, unique=True)
        population = m.PositiveBigIntegerField(default=0)

        class Meta:
            app_label = LABEL

    class Author(m.Model):
        name = m.CharField(max_length=20)
        age = m.IntegerField(null=True)
        born = m.DateField(null=True)
        home = m.ForeignKey(Country, m.SET_NULL, null=True, related_name="authors")
        mentor = m.ForeignKey("self", m.SET_NULL, null=True, related_name="pupils")
        friends = m.ManyToManyField("self")
        follows = m.ManyToManyField("self", symmetrical=False, related_name="followers")

        class Meta:
            app_label = LABEL

    class Profile(m.Model):
        author = m.OneToOneField(Author, m.CASCADE, related_name="profile", primary_key=True)
        bio = m.TextField(default="")
        score = m.FloatField(null=True)

        class Meta:
            app_label = LABEL

    return {"Country": Country, "Author": Author, "Profile": Profile}


def _works(m):
    class Tag(m.Model):
        label = m.CharField(max_length=20, unique=True)
        weight = m.SmallIntegerField(default=0)

        class Meta:
            app_label = LABEL
            ordering = ["label"]

    class Book(m.Model):
        title = m.CharField(max_length=30)
        author = m.ForeignKey("Author", m.CASCADE, related_name="books")
        editor = m.ForeignKey("Author", m.SET_NULL, null=True, related_name="edited")
        tags = m.ManyToManyField(Tag, related_name="books")
        readers = m.ManyToManyField("Author", through="Reading", related_name="read")
        n = m.IntegerField(default=0)
        small = m.SmallIntegerField(null=True)
        big = m.BigIntegerField(default=0)
        pages = m.PositiveIntegerField(null=True)
        price = m.DecimalField(max_digits=6, decimal_places=2, null=True)
        rating = m.FloatField(null=True)
        note = m.TextField(null=True)
        flag = m.BooleanField(null=True)
        day = m.DateField(null=True)
        made = m.DateTimeField(null=True)
        at = m.TimeField(null=True)
        took = m.DurationField(null=True)
        code = m.UUIDField(null=True, unique=True)
        data = m.JSONField(null=True)
        ip = m.GenericIPAddressField(null=True)
        twice = m.GeneratedField(expression=m.F("n") * 2, output_field=m.BigIntegerField(), db_persist=True)

        class Meta:
            app_label = LABEL

    class EBook(Book):
        size = m.IntegerField(default=0)
        format = m.CharField(max_length=8, default="epub")

        class Meta:
            app_label = LABEL

    class Novel(Book):
        class Meta:
            app_label = LABEL
            proxy = True
            ordering = ["-title", "pk"]

    return {"Tag": Tag, "Book": Book, "EBook": EBook, "Novel": Novel}


def _notes(m):
    class Reading(m.Model):
        book = m.ForeignKey("Book", m.CASCADE, related_name="readings")
        author = m.ForeignKey("Author", m.CASCADE, related_name="readings")
        stars = m.PositiveSmallIntegerField(default=0)
        finished = m.DateTimeField(null=True)

        class Meta:
            app_label = LABEL
            constraints = [m.UniqueConstraint(fields=["book", "author"], name="differential_once")]

    class Review(m.Model):
        book = m.ForeignKey("Book", m.CASCADE, null=True, related_name="reviews")
        reply_to = m.OneToOneField("self", m.PROTECT, null=True, related_name="reply")
        text = m.TextField(default="")
        stars = m.SmallIntegerField(default=3)

        class Meta:
            app_label = LABEL
            ordering = ["-stars", "pk"]
            get_latest_by = "pk"

    return {"Reading": Reading, "Review": Review}
