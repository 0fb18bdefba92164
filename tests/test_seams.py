"""Where imports would have to point up, a higher module fills a seam."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import facade.models  # noqa: F401 - whoever fills a seam is imported
from facade.exceptions import ImproperlyConfigured
from facade.foundation.seams import Changes, Seam

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "facade"
DOCS = ROOT / "docs" / "how-it-works.md"


@pytest.fixture
def seam():
    made = Seam("how a test is passed", filled_by="tests.nobody")
    yield made
    Seam.known.remove(made)


def test_an_empty_seam_says_who_fills_it(seam):
    with pytest.raises(ImproperlyConfigured, match=r"how a test is passed: .* tests\.nobody"):
        seam(1)


def test_a_seam_calls_what_fills_it(seam):
    @seam.fill
    def add(one, other):
        return one + other

    assert (seam(1, other=2), add(1, 2)) == (3, 3)


@pytest.mark.parametrize("seam", Seam.known, ids=lambda seam: seam.does)
def test_seams_are_filled_by_the_module_they_name(seam):
    assert seam.filling.__module__ == seam.filled_by


def test_a_seam_is_filled_once(seam):
    seam.fill(len)
    with pytest.raises(ImproperlyConfigured, match=r"tests\.nobody has said how a test is passed already"):
        seam.fill(max)
    assert seam("abc") == 3


def test_all_seams_are_documented():
    listed = re.findall(
        r"^\| ([^|]+?) \| `([\w/]+\.py)` \| `([\w/]+\.py)` \|$", DOCS.read_text(), re.MULTILINE
    )
    assert {(does, asks, answers) for does, asks, answers in listed} == {
        (does, path.relative_to(PACKAGE).as_posix(), filled_by.replace(".", "/") + ".py")
        for path in PACKAGE.rglob("*.py")
        for does, filled_by in re.findall(
            r'= Seam\(\s*"([^"]+)",\s*filled_by="facade\.([\w.]+)"', path.read_text()
        )
        if path.name != "seams.py"
    }
    assert {does for does, *_ in listed} == {seam.does for seam in Seam.known}
    assert len(listed) == len(Seam.known)


def test_nothing_else_is_put_into_a_lower_layer():
    """Assigning to what another module made is what seams and registries are for."""
    found = [
        f"{path.relative_to(PACKAGE)}:{statement.lineno} {ast.unparse(target)}"
        for path in PACKAGE.rglob("*.py")
        for tree in [ast.parse(path.read_text())]
        for imported in [_imported(tree)]
        for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if _owner(target) in imported
    ]
    assert found == []


def _imported(tree):
    return {
        (alias.asname or alias.name).partition(".")[0]
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for alias in statement.names
    }


def _owner(target):
    """The name before the first dot or bracket; None where there is neither."""
    if isinstance(target, ast.Name):
        return None
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return getattr(target, "id", None)


def test_those_who_listen_are_told_in_their_order():
    heard = []
    changes = Changes("weather")

    @changes
    def first(*names):
        heard.append(("first", names))

    changes(lambda *names: heard.append(("second", names)))
    changes.tell("rain", "wind")
    assert heard == [("first", ("rain", "wind")), ("second", ("rain", "wind"))]
