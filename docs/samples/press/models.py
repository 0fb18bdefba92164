"""facade's models on the tables that are there: fields, defaults and types are those of the columns.

The annotations are for type checkers; what they name is made from the columns.
"""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any, ClassVar

from facade import models
from press import tables


class Imprint(models.Model):
    """A name that titles come out under."""

    code: str
    name: str

    class Meta:
        app_label = "press"
        table = tables.ImprintORM


class Author(models.Model):
    """Who writes."""

    email: str
    given_name: str
    family_name: str
    born: dt.date | None
    profile: dict[str, Any]
    joined: dt.datetime

    class Meta:
        app_label = "press"
        table = tables.AuthorORM

    @property
    def full_name(self) -> str:
        """The name as it stands on covers."""
        return f"{self.given_name} {self.family_name}"


class Tag(models.Model):
    """What a title is about."""

    label: str

    class Meta:
        app_label = "press"
        table = tables.TagORM


class Title(models.Model):
    """A book, whatever its editions."""

    name: str
    status: tables.Status
    price: decimal.Decimal
    pages: int
    features: dict[str, Any]
    announced_for: dt.datetime | None
    created: dt.datetime
    changed: dt.datetime
    shelf_name: str

    imprint: Imprint
    authors: models.RelatedManager[Author]
    tags: models.RelatedManager[Tag]
    editions: models.RelatedManager[Edition]

    class Meta:
        app_label = "press"
        table = tables.TitleORM

    @property
    def is_for_sale(self) -> bool:
        """Whether shops can order it."""
        return self.status == tables.Status.OUT


class Edition(models.Model):
    """An edition, the number so and so of its title."""

    number: int
    binding: tables.Binding
    isbn: str
    printed: int
    sold: int
    left: int
    released: dt.date | None

    title: Title

    class Meta:
        app_label = "press"
        table = tables.EditionORM
        ordering: ClassVar = ["number"]


class Order(models.Model):
    """What a shop has ordered of one edition."""

    number: int
    shop: str
    copies: int
    amount: decimal.Decimal
    placed: dt.datetime

    title = models.ForeignKey(Title, models.DB_CASCADE, related_name="orders")

    class Meta:
        app_label = "press"
        table = tables.OrderORM
