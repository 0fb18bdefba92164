"""Schemas of the models: some say their fields, and some are made."""

from __future__ import annotations

from decimal import Decimal

from facade.contrib import msgspec as structs
from facade.contrib.pydantic import Schema, schema_for
from shop.models import Author, Book


class AuthorLine(Schema, model=Author):
    name: str


class BookLine(Schema, model=Book, fields=["id", "stock"]):
    title: str
    author: AuthorLine


class BookStruct(structs.Schema, model=Book):
    stock: int = 0
    title: str


BookOut = schema_for(Book, fields=["title", "genre", "author__born"], computed={"cheapest": Decimal})
BookPatch = structs.schema_for(Book, fields=["title", "stock"], optional=True)
