"""What a program may say where there are stubs."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import assert_type

from shop.models import Book
from shop.schemas import BookLine, BookOut, BookPatch


def schemas(book: Book) -> None:
    shown = BookOut.from_instance(book)
    assert_type(shown.author.born, dt.date | None)
    assert_type(shown.cheapest, decimal.Decimal)
    assert_type(BookLine.from_instance(book).stock, int)
    BookPatch(title="x")
    BookPatch(stock=3).update(book)
