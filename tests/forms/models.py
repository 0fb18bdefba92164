"""The models of the guides: people who write articles with tags and comments, and their accounts."""

from __future__ import annotations

from facade import models


class Person(models.Model):
    username = models.CharField(max_length=30, unique=True)
    email = models.EmailField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    age = models.IntegerField(null=True)
    date_joined = models.DateField(null=True)

    class Meta:
        app_label = "forms"

    def __str__(self):
        return self.username


class Tag(models.Model):
    name = models.CharField(max_length=30)

    class Meta:
        app_label = "forms"


class Article(models.Model):
    title = models.CharField(max_length=100)
    author = models.ForeignKey(Person, models.CASCADE, related_name="articles")
    published = models.BooleanField(default=False)
    comment_count = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag)

    class Meta:
        app_label = "forms"

    def __str__(self):
        return self.title


class Comment(models.Model):
    article = models.ForeignKey(Article, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Person, models.CASCADE)
    text = models.CharField(max_length=100)

    class Meta:
        app_label = "forms"


class Account(models.Model):
    owner = models.CharField(max_length=30)
    balance = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        app_label = "forms"


class Slug(models.Model):
    """A model that does something of its own when it is saved, and the database something when a row is new."""

    name = models.CharField(max_length=50)
    slug = models.CharField(max_length=50, blank=True)
    uses = models.IntegerField(db_default=7)

    class Meta:
        app_label = "forms"

    def save(self, *args, **kwargs):
        self.slug = self.name.lower().replace(" ", "-")
        super().save(*args, **kwargs)
