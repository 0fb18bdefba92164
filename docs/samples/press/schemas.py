"""What goes over the wire."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from press.tables import Binding, Status


class Answer(BaseModel):
    """What is read from objects of either kind."""

    model_config = ConfigDict(from_attributes=True)


class Author(Answer):
    id: int
    email: str
    full_name: str
    born: dt.date | None
    profile: dict[str, Any]


class Imprint(Answer):
    code: str
    name: str


class Tag(Answer):
    id: int
    label: str


class Edition(Answer):
    number: int
    binding: Binding
    isbn: str
    printed: int
    sold: int
    left: int
    released: dt.date | None


class TitleLine(Answer):
    """A title in a list."""

    id: uuid.UUID
    name: str
    imprint: str
    status: Status
    price: decimal.Decimal
    authors: int
    copies_left: int


class TitlePage(Answer):
    total: int
    titles: list[TitleLine]


class Title(Answer):
    """A title with all that belongs to it."""

    id: uuid.UUID
    name: str
    shelf_name: str
    status: Status
    is_for_sale: bool
    price: decimal.Decimal
    pages: int
    features: dict[str, Any]
    announced_for: dt.datetime | None
    created: dt.datetime
    changed: dt.datetime
    imprint: Imprint
    authors: list[Author]
    tags: list[Tag]
    editions: list[Edition]


class ImprintFigures(Answer):
    """What an imprint has sold."""

    imprint: str
    titles: int
    copies: int
    revenue: decimal.Decimal
    mean_price: decimal.Decimal | None


class RankedTitle(Answer):
    """A title's place among those of its imprint, by revenue."""

    name: str
    imprint: str
    revenue: decimal.Decimal
    place: int


class DayFigures(Answer):
    """What was sold on a day, and until then."""

    day: dt.date
    copies: int
    copies_so_far: int


class Statistics(Answer):
    imprints: list[ImprintFigures]
    ranking: list[RankedTitle]
    days: list[DayFigures]


class Receipt(Answer):
    """What an order costs."""

    orders: int
    amount: decimal.Decimal


Order = Literal["name", "-name", "price", "-price", "-changed"]


class Filters(BaseModel):
    """Which titles, and which of their pages."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = []
    imprint: str | None = None
    tag: str | None = None
    author: str | None = None
    q: str | None = None
    feature: str | None = None
    cheaper_than: decimal.Decimal | None = None
    announced_until: NaiveDatetime | None = None
    order: Order = "name"
    page: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 20


class NewEdition(BaseModel):
    number: int
    binding: Binding
    isbn: str
    printed: int | None = None
    released: dt.date | None = None


class NewTitle(BaseModel):
    name: str
    imprint: str
    authors: list[int] = []
    tags: list[str] = []
    editions: list[NewEdition] = []
    status: Status | None = None
    price: decimal.Decimal | None = None
    pages: int | None = None
    features: dict[str, Any] | None = None
    announced_for: NaiveDatetime | None = None


class TitleChanges(BaseModel):
    """What is left out stays as it is."""

    name: str | None = None
    status: Status | None = None
    price: decimal.Decimal | None = None
    features: dict[str, Any] | None = None
    tags: list[str] | None = None


class OrderLine(BaseModel):
    title: uuid.UUID
    number: int
    copies: Annotated[int, Field(gt=0)]


class NewOrder(BaseModel):
    """What a shop wants: all of it, or nothing."""

    shop: str
    lines: list[OrderLine]
