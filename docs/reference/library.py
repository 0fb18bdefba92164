"""The library of the examples: three authors, their books, and words for those."""

import datetime as dt

from facade import models


class Author(models.Model):
    name = models.CharField(max_length=100)
    age = models.IntegerField(null=True)

    def __str__(self):
        return self.name


class Tag(models.Model):
    word = models.CharField(max_length=30, unique=True)

    def __str__(self):
        return self.word


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    title = models.CharField(max_length=200)
    pages = models.IntegerField(default=100)
    published = models.DateField(null=True)
    tags = models.ManyToManyField(Tag, related_name="books")
    facts = models.JSONField(default=dict)

    def __str__(self):
        return self.title


def fill():
    ada, ben, _eve = Author.objects.bulk_create(
        [Author(name="Ada", age=36), Author(name="Ben", age=19), Author(name="Eve")]
    )
    notes, letters, _trees = Book.objects.bulk_create(
        [
            Book(author=ada, title="Notes", pages=120, published=dt.date(1843, 9, 1), facts={"lang": "en"}),
            Book(author=ada, title="Letters", pages=80, published=dt.date(1850, 1, 5)),
            Book(author=ben, title="Trees", pages=300, facts={"lang": "de", "parts": [1, 2]}),
        ]
    )
    poetry, science = Tag.objects.bulk_create([Tag(word="poetry"), Tag(word="science")])
    notes.tags.set([science])
    letters.tags.set([poetry, science])
