"""The changelog can be put together at any time: `docs/changes` has a file for each change."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import facade

ROOT = Path(__file__).parent.parent
CHANGES = ROOT / "docs" / "changes"
TOWNCRIER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
KINDS = {kind["directory"]: kind["name"] for kind in TOWNCRIER["type"]}
FRAGMENT = re.compile(rf"[a-z0-9-]+\.({'|'.join(KINDS)})(\.\d+)?\.md")


@pytest.fixture(scope="module")
def draft():
    command = "-m towncrier build --draft --version 9.9 --date 2000-01-01"
    return subprocess.run(
        [sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def fragments():
    return sorted(path for path in CHANGES.iterdir() if path.name != "template.md.jinja")


def test_each_change_is_a_file_of_a_known_kind_that_says_something():
    named_otherwise = [path.name for path in fragments() if not FRAGMENT.fullmatch(path.name)]
    assert named_otherwise == []
    assert [path.name for path in fragments() if not path.read_text().strip()] == []


def test_the_draft_of_the_next_version_tells_every_change_once(draft):
    assert "## 9.9 (2000-01-01)" in draft
    written = " ".join(draft.split())
    for path in fragments():
        assert written.count(" ".join(path.read_text().split())) == 1, path.name
        assert f"### {KINDS[path.name.split('.')[1]]}" in draft


def test_a_release_has_its_place_below_what_is_unreleased():
    changelog = (ROOT / TOWNCRIER["filename"]).read_text()
    assert changelog.count(TOWNCRIER["start_string"]) == 1
    assert changelog.index("## Unreleased") < changelog.index(TOWNCRIER["start_string"])


def test_the_version_is_written_in_one_place():
    """`facade/version.py` says it; nothing else does."""
    texts = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "noxfile.py", ROOT / "docs" / "conf.py"]
    texts += [path for path in (ROOT / "facade").rglob("*.py") if path.name != "version.py"]
    assert [str(path) for path in texts if facade.__version__ in path.read_text()] == []
