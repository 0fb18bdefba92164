"""docs/walk.md: a query and an object pass the modules in the order that the page names, and no step goes up."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import facade
from facade.configuration import override
from facade.sql.plan import shape
from tests.models import Author, Book
from tests.test_house import LAYERS

ROOT = Path(facade.__file__).parent
PAGE = (ROOT.parent / "docs" / "walk.md").read_text()
WALKS = {
    'list(Author.objects.filter(books__title="x"))': lambda: list(Author.objects.filter(books__title="x")),
    'list(Author.objects.filter(books__title="y"))': lambda: list(Author.objects.filter(books__title="y")),
    'Author(name="Ada").save()': lambda: Author(name="Ada").save(),
}  # fmt: skip


def goes_up(caller, module):
    one, other = caller.removesuffix(".py").split("/"), module.removesuffix(".py").split("/")
    if one[0] != other[0]:
        return _depth("facade", other[0]) < _depth("facade", one[0])
    room = f"facade.{one[0]}"
    if room not in LAYERS or "/" not in caller or "/" not in module:
        return False
    return _depth(room, other[1]) < _depth(room, one[1])


def _depth(container, name):
    return next((number for number, names in enumerate(LAYERS[container]) if name in names), 0)


def module_of(frame):
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(ROOT)).removesuffix("/__init__.py") if path.is_relative_to(ROOT) else None


def walked(walk):
    """Return the modules in the order in which they were entered, and the steps that went up."""
    entered, upwards = {}, set()

    def note(frame, event, argument):
        if event != "call" or (module := module_of(frame)) is None:
            return
        entered.setdefault(module)
        caller = frame.f_back and module_of(frame.f_back)
        if caller and goes_up(caller, module):
            upwards.add((caller, module))

    sys.setprofile(note)
    try:
        walk()
    finally:
        sys.setprofile(None)
    return list(entered), upwards


def named_on_the_page(code):
    section = PAGE[PAGE.index(f"`{code}`") :].split("\n## ")[0]
    return re.findall(r"^\| `([\w/]+\.py)` \|", section, re.MULTILINE)


@pytest.fixture
def house(database):
    """A database whose plans were all forgotten, but for what any program has done at its start."""
    with override(FACADE_SHAPE_CACHE=True, FACADE_FAST_ROADS=True):
        database.create(Author, Book)
        Author(name="first").save()
        list(Author.objects.filter(pk=1))
        shape.clear()
        Author.objects.filter(pk=1)
        yield


@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
def test_the_page_names_the_modules_in_their_order(face, house):
    for code, walk in WALKS.items():
        entered, _ = walked(walk)
        named = named_on_the_page(code)
        assert len(named) > 8
        assert [module for module in entered if module in named] == named, entered


@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
def test_no_step_goes_up(face, house):
    for number, walk in enumerate(WALKS.values()):
        _, upwards = walked(walk)
        assert {step for step in upwards if not _is_asked_back(*step, first=number == 0)} == set()


def _is_asked_back(caller, module, first):
    """What is called upwards by those who were given it; the page says so."""
    if caller in ("foundation/seams.py", "db/channels/base.py"):
        return True
    tree = caller.startswith("expressions/") or caller == "sql/query/where.py"
    return first and (tree or module in ("orm/instances/model.py", "orm/instances/state.py"))
