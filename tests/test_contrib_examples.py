"""The blocks of code in the docstrings of facade.contrib run as they stand, with the library's models and a few schemas of theirs."""

import ast
import importlib
import inspect
import os
import pkgutil
import re
import runpy
import textwrap
from typing import Annotated

import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI
from litestar import Litestar, get, post
from litestar.di import NamedDependency
from litestar.types import ASGIApp
from pydantic import BaseModel
from sqlalchemy.orm import Session, sessionmaker
from starlette.applications import Starlette
from starlette.routing import Route
from starlette_admin.auth import AuthProvider

import facade.contrib
from facade.contrib.pydantic import schema_for
from facade.models import F
from facade.testing import isolate_apps
from tests.test_examples import LIBRARY

BLOCK = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}.*\n?(?:\n(?= {4}))?)+")
CODE_AT_THE_MARGIN = re.compile(r"^(?:@\w|async def |def |class \w+\(|\w+ = \w+\()", re.MULTILINE)


def documented(module):
    """Yield what a module has written a docstring for, with it."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield getattr(node, "name", ""), ast.get_docstring(node) or ""


def modules():
    for found in pkgutil.walk_packages(facade.contrib.__path__, "facade.contrib."):
        yield importlib.import_module(found.name)


def blocks():
    for module in modules():
        for name, text in documented(module):
            for number, block in enumerate(BLOCK.findall(text)):
                if ">>>" not in block:
                    yield pytest.param(module, block, id=f"{module.__name__}-{name}-{number}")


@pytest.fixture(scope="module")
def shop():
    """What the examples may use without a word."""
    with isolate_apps("library"):
        names = runpy.run_path(str(LIBRARY), run_name="library.models")
        book = names["Book"]
        yield {
            "Book": book,
            "Author": names["Author"],
            "BookOut": schema_for(book, fields=["id", "title"], name="BookOut"),
            "BookIn": schema_for(book, fields=["author_id", "title"], name="BookIn"),
            "BookPatch": schema_for(book, fields=["title"], optional=True, name="BookPatch"),
        }


async def place_order(request):
    """Stand for an endpoint."""


@get("/listed")
async def list_books() -> None:
    """Stand for a handler."""


@get("/added")
async def add_book() -> None:
    """Stand for a handler."""


class OrderIn(BaseModel):
    item: int


OTHERS = {
    "APIRouter": APIRouter, "ASGIApp": ASGIApp, "Annotated": Annotated, "Depends": Depends, "F": F, "FastAPI": FastAPI, "Litestar": Litestar,
    "NamedDependency": NamedDependency, "Route": Route, "Session": Session, "Starlette": Starlette, "add_book": add_book, "get": get, "post": post,
    "list_books": list_books, "OrderIn": OrderIn, "place_order": place_order, "sessionmaker": sessionmaker,
}  # fmt: skip


@pytest.mark.parametrize(("module", "block"), list(blocks()))
def test_code_in_docstrings_runs(module, block, shop, monkeypatch):
    monkeypatch.setenv("ADMIN_KEY", "a long random text")
    framework = module.__name__.split(".")[2]
    public = importlib.import_module(f"facade.contrib.{'fastapi' if framework == 'service' else framework}")
    view_set = type("BookViews", (getattr(public, "ReadOnlyViewSet", object),), {
        "queryset": shop["Book"].objects.all(), "schema": shop["BookOut"],
    })  # fmt: skip
    names = {
        **{name: getattr(public, name) for name in public.__all__},
        **shop,
        **OTHERS,
        "app": FastAPI(),
        "engine": sa.create_engine("sqlite://"),
        "routes": [],
        "Login": AuthProvider,
        "BookViews": view_set,
        "__name__": __name__,
    }
    if framework == "admin":
        names |= {"os": os, "admin": public.Admin(local=True)}
    exec(compile(textwrap.dedent(block), module.__name__, "exec", dont_inherit=True), names)


def test_code_in_docstrings_is_set_off():
    """At the margin of the text it would be shown as prose."""
    found = [
        (module.__name__, name)
        for module in modules()
        for name, text in documented(module)
        if CODE_AT_THE_MARGIN.search(text)
    ]
    assert found == []
