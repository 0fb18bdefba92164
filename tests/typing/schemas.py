"""What type checkers see of schemas that are written as classes, without a plugin."""

from __future__ import annotations

import datetime as dt
from typing import Any, assert_type

from pydantic import BaseModel

from facade import models
from facade.contrib import msgspec as structs
from facade.contrib.pydantic import Prefetched, Schema, schema_for


class Author(models.Model):
    name = models.CharField(max_length=100)
    born = models.DateField(null=True)


class AuthorOut(Schema, model=Author):
    name: str
    born: dt.date | None = None


class Shelf(Schema, model=Author, fields=["name"], computed={"authors": list[AuthorOut]}):
    authors: list[AuthorOut]


class AuthorStruct(structs.Schema, model=Author, rename="camel"):
    born: dt.date | None = None
    name: str


class Plain(BaseModel):
    authors: Prefetched[AuthorOut]


def a_schema_has_its_fields(author: Author) -> None:
    shown = AuthorOut.from_instance(author)
    assert_type(shown, AuthorOut)
    assert_type(shown.name, str)
    assert_type(shown.born, dt.date | None)
    assert_type(AuthorOut.from_instances([author]), list[AuthorOut])
    assert_type(AuthorStruct.from_instances([author])[0].born, dt.date | None)
    print(shown.nmae)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    AuthorOut.from_instance(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def a_constructor_takes_the_fields_by_keyword() -> None:
    assert_type(AuthorOut(name="Ada").name, str)
    assert_type(AuthorStruct(name="Ada", born=None).name, str)
    AuthorOut(nmae="Ada")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    AuthorOut(name=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AuthorStruct(nmae="Ada")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    AuthorStruct(name=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def rows_have_the_type_of_what_is_given(author: Author, given: AuthorOut) -> None:
    assert_type(given.update(author), Author)
    assert_type(await given.aupdate(author), Author)
    assert_type(await given.acreate(born=None), Any)


def prefetched_objects_are_a_list(plain: Plain) -> None:
    assert_type(plain.authors, list[AuthorOut])
    assert_type(plain.authors[0].name, str)


def a_made_schema_is_a_schema(author: Author) -> None:
    made = schema_for(Author, depth=1)
    assert_type(made, type[Schema])
    assert_type(made.from_instance(author), Schema)
