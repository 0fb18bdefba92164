"""What type checkers know without a plugin: `tests/typing` and the tutorial are right, `tests/checked` has mistakes that they find."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from pathlib import Path

import pytest

from tests.test_docs import blocks_of

ROOT = Path(__file__).parent.parent
# mypy is quick where it has read SQLAlchemy before, by the same options: those of the check of facade itself. What it
# finds in facade is told there, and not in a project that imports it; so these two need a cache each.
CHECKED = ROOT / ".mypy_cache"
CACHES = {name: ROOT / ".pytest_cache" / f"mypy-{name}" for name in ("facade", "project")}
OPTIONS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
SAMPLES = ["docs/samples/press", "docs/samples/booking/tickets"]
PATHS = [str(ROOT / "docs" / "samples"), str(ROOT / "docs" / "samples" / "booking")]
CHECKS = {
    "mypy": ["--strict", f"--cache-dir={CACHES['facade']}", "tests/typing", *SAMPLES],
    "pyright": ["--pythonpath", sys.executable, "tests/typing", *SAMPLES],
    "ty": [
        "check",
        f"--python={sys.prefix}",
        *(f"--extra-search-path={path}" for path in (*PATHS, str(ROOT))),
        *SAMPLES,
    ],
}
PROJECT = {
    "mypy": ["--strict", f"--cache-dir={CACHES['project']}", "."],
    "pyright": ["--pythonpath", sys.executable, "."],
    "ty": ["check", "--output-format=concise", f"--python={sys.prefix}", f"--extra-search-path={ROOT}", "."],
}
FOUND = re.compile(r"^\s*(\S+\.pyi?):(\d+)(?::\d+)?(?: -|:) error(.*)$", re.MULTILINE)
# The functions of the tutorial's session are written as at a prompt, without annotations.
SETTINGS = f"""\
[mypy]
python_version = {OPTIONS["python_version"]}
warn_unreachable = {OPTIONS["warn_unreachable"]}
enable_error_code = {", ".join(OPTIONS["enable_error_code"])}
[mypy-session_sync,session_async]
disallow_untyped_defs = False
disallow_untyped_calls = False
"""
MARK = re.compile(r"# error(: stubs)?$")


def begin_caches():
    """Begin with what a check of facade has left, where there was one."""
    for cache in CACHES.values():
        if CHECKED.exists() and not cache.exists():
            cache.parent.mkdir(exist_ok=True)
            copied = tempfile.mkdtemp(dir=cache.parent)
            shutil.copytree(CHECKED, copied, dirs_exist_ok=True)
            with contextlib.suppress(OSError):  # another worker was here before
                Path(copied).rename(cache)
            shutil.rmtree(copied, ignore_errors=True)


def checked(checker, arguments, folder):
    """Return what a checker prints, and whether it found nothing."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    if checker == "mypy":
        begin_caches()
    command = [sys.executable, "-m", checker, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": os.pathsep.join(PATHS)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr, done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKS)
def test_a_type_checker_agrees(checker):
    printed, is_right = checked(checker, CHECKS[checker], ROOT)
    assert is_right, printed


# -- a project: programs that are right, the tutorial, and mistakes ------------------------------------------


def write_tutorial(folder):
    """Write the tutorial's models and its two sessions, examples of errors aside, as modules."""
    text = (ROOT / "docs" / "tutorial.md").read_text()
    (_, models), *_ = (block.groups() for block in blocks_of(text))
    (folder / "library").mkdir()
    (folder / "library" / "__init__.py").touch()
    (folder / "library" / "models.py").write_text(f"from __future__ import annotations\n\n{models}")
    for name, left_out in (("session_sync", "Async"), ("session_async", "Sync")):
        lines = ["from library.models import *", "", "", "async def session():"]
        for block in list(blocks_of(text, left_out))[1:]:
            kind, source = block.groups()
            parts = [source] if kind == "python" else [
                example.source for example in doctest.DocTestParser().get_examples(source) if not example.exc_msg
            ]  # fmt: skip
            lines += [textwrap.indent(part, "    ") for part in parts]
        (folder / f"{name}.py").write_text("\n".join(lines))


@pytest.fixture
def project(tmp_path):
    shutil.copytree(ROOT / "tests" / "checked", tmp_path, dirs_exist_ok=True)
    write_tutorial(tmp_path)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    return tmp_path


def write_stubs(project, *options):
    command = [
        sys.executable,
        "-m",
        "facade.cli",
        "stubs",
        "shop.models",
        "shop.schemas",
        "library.models",
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": os.pathsep.join(PATHS)}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def marked(project, with_stubs):
    """Return the lines with mistakes that a checker is to find."""
    lines = enumerate((project / "shop" / "mistakes.py").read_text().splitlines(), 1)
    marks = {number: mark for number, line in lines if (mark := MARK.search(line))}
    return {number for number, mark in marks.items() if with_stubs or not mark[1]}


@pytest.mark.slow
@pytest.mark.parametrize("with_stubs", [False, True], ids=["plain", "stubs"])
@pytest.mark.parametrize("checker", PROJECT)
def test_mistakes_are_found_and_nothing_else(project, checker, with_stubs):
    if with_stubs:
        assert write_stubs(project).returncode == 0
    else:
        (project / "shop" / "stubbed.py").unlink()
    printed, _ = checked(checker, PROJECT[checker], project)
    found = {(Path(path).name, int(line), words) for path, line, words in FOUND.findall(printed)}
    assert {item for item in found if item[0] != "mistakes.py"} == set(), printed
    lines = {line for _, line, _ in found}
    wanted = marked(project, with_stubs)
    assert len(wanted) >= 25
    assert lines - wanted == set()
    if checker == "ty":  # it takes any keyword where some are listed, and looks at no option of a field
        assert len(wanted - lines) <= (20 if with_stubs else 1)
    else:
        assert wanted - lines == set()
