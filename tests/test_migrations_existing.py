"""docs/alembic.md: facade's models in an environment of Alembic's, by the commands that the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import facade
from tests.migrated import installed

ROOT = Path(facade.__file__).parents[1]
PAGE = (ROOT / "docs" / "alembic.md").read_text()
BLOCK = re.compile(r"^```(py|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_does_what_it_says(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*installed(tmp_path / "installed"), str(folder), str(ROOT)]),
    }
    for kind, text in BLOCK.findall(PAGE):
        if kind == "console":
            printed = ""
            for line in text.splitlines():
                if line.startswith("$ "):
                    printed = run(line, folder, environment)
                else:
                    assert line in printed
        elif text.startswith("# in the script"):
            assert_in_script(text, folder)
        else:
            path, _, source = text.removeprefix("# ").partition("\n")
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(source)
    (script,) = (folder / "migrations" / "versions").glob("*.py")
    assert "facade" not in script.read_text()


def run(line, folder, environment):
    command = line.removeprefix("$ ")
    if not command.startswith("alembic "):
        return ""
    arguments = re.findall(r'"([^"]*)"|(\S+)', command.removeprefix("alembic "))
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *(quoted or word for quoted, word in arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_in_script(text, folder):
    (script,) = (folder / "migrations" / "versions").glob("*.py")
    lines = set(script.read_text().splitlines())
    for line in text.splitlines()[1:]:
        assert line in lines
