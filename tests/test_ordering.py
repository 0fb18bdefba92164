"""The order of rows: by relations whose models have an order of their own, and by what is no field."""

from __future__ import annotations

import pytest

from facade.exceptions import FieldError
from facade.models import CASCADE, CharField, F, ForeignKey, Model
from facade.models.functions import Length, Lower, Reverse
from tests.models import Author, Book, Publisher


class Shelf(Model):
    label = CharField(max_length=20)

    class Meta:
        ordering = [Length("label").desc(), Lower(F("label"))]


class Box(Model):
    shelf = ForeignKey(Shelf, CASCADE)
    name = CharField(max_length=20)

    class Meta:
        ordering = ["shelf"]


class Card(Model):
    box = ForeignKey(Box, CASCADE)


@pytest.fixture
def boxes(database):
    database.create(Shelf, Box, Card)
    for label in ("b", "A", "long"):
        box = Box.objects.create(name=f"on {label}", shelf=Shelf.objects.create(label=label))
        Card.objects.create(box=box)


def test_a_relation_orders_by_the_expressions_of_its_model(face, boxes):
    names = ["on long", "on A", "on b"]
    assert [box.name for box in face.list(Box.objects.all())] == names
    assert [box.name for box in face.list(Box.objects.order_by("-shelf"))] == names[::-1]
    assert face.list(Card.objects.order_by("box").values_list("box__name", flat=True)) == names


@pytest.mark.parametrize("name", ["shelf__nonsense", "nonsense", "name__nonsense"])
def test_an_order_by_no_field_is_refused(boxes, name):
    with pytest.raises(FieldError, match="Cannot resolve keyword 'nonsense' into field"):
        Box.objects.order_by(name)


def test_a_selected_relation_is_sorted_by_its_key(face, database):
    """The order that its model has by default is for relations that are not selected."""
    database.create(Publisher, Author, Book)
    author = Author.objects.create(name="Ada")
    for title, name in (("a", "Zenith"), ("b", "Acme"), ("c", "Zenith")):
        publisher, _ = Publisher.objects.get_or_create(name=name)
        Book.objects.create(title=title, author=author, publisher=publisher)
    zenith, acme = Publisher.objects.order_by("-name").values_list("pk", flat=True)
    keys = Book.objects.values_list("publisher", flat=True)
    assert face.list(keys.order_by("publisher")) == [zenith, zenith, acme]
    assert face.list(keys.order_by("-publisher")[:2]) == [acme, zenith]
    assert face.list(Book.objects.values("publisher").order_by("publisher").distinct()) == [
        {"publisher": zenith},
        {"publisher": acme},
    ]
    assert face.list(Book.objects.order_by("publisher", "title").values_list("title", flat=True)) == [
        "b",
        "a",
        "c",
    ]


@pytest.mark.parametrize("order", ["name", F("name").asc(), F("name").desc()])
def test_a_value_may_have_the_name_of_a_selected_relations_column(face, database, order):
    database.create(Publisher, Author, Book)
    for name in ("ba", "ab"):
        face(Book.objects.create, title=name, author=face(Author.objects.create, name=name))
    named = Book.objects.select_related("author").annotate(name=Reverse("author__name"))
    expected = ["ab", "ba"] if order == F("name").desc() else ["ba", "ab"]
    assert [book.author.name for book in face.list(named.order_by(order))] == expected
    plain = Book.objects.select_related("author").annotate(name=F("author__name")).order_by("name")
    assert [(book.name, book.author.name) for book in face.list(plain)] == [("ab", "ab"), ("ba", "ba")]
