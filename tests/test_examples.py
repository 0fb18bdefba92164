"""Every module can be imported, and the examples in its docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import facade
from facade.configuration import override


def names_of_modules():
    found = pkgutil.walk_packages(facade.__path__, "facade.")
    return ["facade", *(module.name for module in found if not module.name.endswith("__main__"))]


@pytest.mark.parametrize("name", names_of_modules())
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    with override():
        results = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
