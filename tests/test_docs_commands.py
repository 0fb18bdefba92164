"""The pages on commands do what they say: their files are written, their commands run, and what they print is compared."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix_commands import environment, on_sqlite

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(py|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.(?:py|ini))\n")
ID = re.compile(r"\b(\d{4})_[0-9a-f]{6}")
PLACE = re.compile(r'"postgresql://localhost/library"')
SECONDS = re.compile(r"\(\d+\.\d s\)")


def same(printed):
    """Take random ids and times for equal."""
    return SECONDS.sub("(0.0 s)", ID.sub(r"\1_", printed))


def orders(block):
    """Yield each command of a block, and what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield shlex.split(command), printed


def write(project, name, block, url):
    """Write a file of a page: with the URL of a database that is there, and the ids that its revisions have here."""
    ids = {found[1]: found[0] for path in project.revisions if (found := ID.match(path.name))}
    name, block = (ID.sub(lambda given: ids.get(given[1], given[0]), text) for text in (name, block))
    (project.folder / name).write_text(block if url is None else PLACE.sub(repr(url), block))


def printed(project, program, arguments):
    if program == "cat":
        return (project.folder / arguments[0]).read_text()
    if program == "rm":
        for path in project.folder.glob(arguments[0]):
            path.unlink()
        return ""
    return project.show(*arguments)


def check(page, project, url=None):
    checker = doctest.OutputChecker()
    for kind, block in FENCE.findall((ROOT / "docs" / page).read_text()):
        if kind == "py":
            if name := FILE.match(block):
                write(project, name[1], block, url)
            continue
        for (program, *arguments), wanted in orders(block):
            shown = printed(project, program, arguments)
            if not checker.check_output(same(wanted), same(shown), doctest.ELLIPSIS):
                pytest.fail(f"{page}: {program} {' '.join(arguments)}\n{shown}", pytrace=False)


@pytest.mark.parametrize("page", ["migrations.md", "porting.md"])
def test_the_commands_on_each_page(page, tmp_path, commands):
    check(page, on_sqlite(tmp_path, commands))


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("page", ["zero-downtime.md"])
def test_the_commands_on_pages_about_postgresql(page, project):
    check(page, project, project.urls["default"])


@pytest.mark.vendors("sqlite", "postgres")
def test_the_tests_on_the_page_on_tests(database, tmp_path):
    """Written into files, below the tutorial's models, and run by pytest as the page says."""
    pages = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("testing", "tutorial")}
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "__init__.py").touch()
    models = re.search(r"^```python\n(.*?)^```$", pages["tutorial"], re.MULTILINE | re.DOTALL)
    (tmp_path / "library" / "models.py").write_text(models[1])
    for block in re.findall(r"^```(?:py|ini)\n(.*?)^```$", pages["testing"], re.MULTILINE | re.DOTALL):
        (tmp_path / FILE.match(block)[1]).write_text(block)
    files, passed = ([], 12) if database.vendor == "sqlite" else (["test_library.py"], 8)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "pytest_asyncio.plugin", *files]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TEST_DATABASE": database.url}
    done = subprocess.run(
        command, cwd=tmp_path, env={**environment(), **alone}, capture_output=True, text=True, check=False
    )
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr
