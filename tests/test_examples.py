"""Every module can be imported, and the examples in docstrings and in the reference are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import runpy
from contextlib import contextmanager
from pathlib import Path

import pytest

import facade
from facade import configure, create_all
from facade.configuration import override
from facade.testing import isolate_apps

LIBRARY = Path(__file__).parent.parent / "docs" / "reference" / "library.py"
FENCE = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in sorted(LIBRARY.parent.glob("*.md")) if FENCE.search(page.read_text())]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def names_of_modules():
    found = pkgutil.walk_packages(facade.__path__, "facade.")
    return ["facade", *(module.name for module in found if not module.name.endswith("__main__"))]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The models that examples may use without a word, in a database with a few rows."""
    with override(), isolate_apps("library"):
        configure(DATABASES={"default": f"sqlite:///{tmp_path_factory.mktemp('library')}/library.sqlite3"})
        names = runpy.run_path(str(LIBRARY), run_name="library.models")
        create_all()
        names["fill"]()
        yield {name: names[name] for name in ("Author", "Book", "Tag")}
        facade.close_all()


@contextmanager
def undone():
    """Undo what an example writes."""
    with override(), facade.atomic():
        yield
        facade.transaction.set_rollback(rollback=True)


def run(example, library):
    """Run the parts of an example; return how many failed."""
    source = "".join(part.source for part in example.examples)
    read = {model: library[model] for model in library if model in source}
    example.globs.update({model: value for model, value in read.items() if f"class {model}(" not in source})
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    with undone() if read else override():
        return runner.run(example).failed


@pytest.mark.parametrize("name", names_of_modules())
def test_examples_in_docstrings(name, library):
    module = importlib.import_module(name)
    # A twin has the docstring of its original.
    examples = {example.docstring: example for example in doctest.DocTestFinder().find(module)}
    assert [example.name for example in examples.values() if example.examples and run(example, library)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_on_the_pages_of_the_reference(page, library):
    text = page.read_text()
    source = "\n".join(FENCE.findall(text))
    assert run(doctest.DocTestParser().get_doctest(source, {}, page.stem, str(page), 0), library) == 0
