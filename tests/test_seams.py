"""Where imports would have to point up, a higher module fills a seam."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import facade.models  # noqa: F401 - whoever fills a seam is imported
from facade.exceptions import ImproperlyConfigured
from facade.seams import Seam

DOCS = Path(__file__).parent.parent / "docs" / "how-it-works.md"


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


def test_all_seams_are_documented():
    listed = re.findall(r"^\| ([^|]+?) \| `(\w+/[\w/]+)\.py` \|$", DOCS.read_text(), re.MULTILINE)
    known = {(seam.does, seam.filled_by.removeprefix("facade.").replace(".", "/")) for seam in Seam.known}
    assert set(listed) == known
