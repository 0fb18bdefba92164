"""The first hour: docs/first-hour.md is followed line by line, in an environment that has only what the page installs."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fix_databases import free_port, wait_for

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(py|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# (\S+\.py)\n")
ID = re.compile(r"\b(\d{4})_[0-9a-f]{6}")
SECONDS = re.compile(r"\(\d+\.\d s\)")
UV = shutil.which("uv") or [sys.executable, "-m", "uv"]


class Newcomer:
    """Somebody with an empty folder, a shell and the page."""

    def __init__(self, folder, wheel, postgres, left):
        self.folder, self.wheel, self.postgres, self.left = folder, wheel, postgres, left
        self.port = free_port()
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.environment = {**outside, "COLUMNS": "200", "UV_PYTHON_DOWNLOADS": "never"}

    def write(self, text):
        path = self.folder / NAME.match(text)[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def type(self, line):
        """Run a line as the shell would, and return what is shown."""
        line = line.replace(":8000", f":{self.port}")
        line = re.sub(r"postgresql://localhost/shelf(_test)?$", self.postgres, line)
        if line.startswith("uvicorn"):
            return self.serve(line)
        if line.startswith("createdb "):
            return ""  # one database, that of this test, is both
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value
            return ""
        if line.startswith("python3 -m venv"):
            line = f"{self.uv()} venv --quiet --python {sys.executable} .venv"
        elif line.startswith(". "):
            self.environment["PATH"] = f"{self.folder}/.venv/bin{os.pathsep}{self.environment['PATH']}"
            self.environment["VIRTUAL_ENV"] = f"{self.folder}/.venv"
            return ""
        elif line.startswith("pip install"):
            line = line.replace("sqlalchemy-facade", f"sqlalchemy-facade @ file://{self.wheel} ", 1)
            line = re.sub(r"(sqlalchemy-facade) (@ \S+) (\[.*?\])", r"\1\3 \2", line)
            line = f"{self.uv()} {line.replace('install', 'install --quiet', 1)}"
        done = subprocess.run(
            line,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def uv(self):
        return UV if isinstance(UV, str) else " ".join(UV)

    def serve(self, line):
        command = [*line.split(), "--port", str(self.port), "--log-level", "warning"]
        command[0] = f"{self.folder}/.venv/bin/uvicorn"
        server = self.left.enter_context(
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        self.left.callback(server.terminate)
        wait_for(self.port, server)
        return ""


def same(text):
    """Take random ids and times for equal."""
    return SECONDS.sub("(0.0 s)", ID.sub(r"\1_", text)).strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What would be released, of the tree as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [UV] if isinstance(UV, str) else UV
    subprocess.run([*command, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
@pytest.mark.vendors("postgres")
def test_the_first_hour_leads_to_a_service_with_tests(database, tmp_path, wheel):
    checker = doctest.OutputChecker()
    with ExitStack() as left:
        newcomer = Newcomer(tmp_path, wheel, database.url, left)
        for kind, block in FENCE.findall((ROOT / "docs" / "first-hour.md").read_text()):
            if kind == "py":
                newcomer.write(block)
                continue
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, _, wanted = part.partition("\n")
                shown = newcomer.type(line)
                if not checker.check_output(same(wanted) + "\n", same(shown) + "\n", doctest.ELLIPSIS):
                    pytest.fail(f"$ {line}\n{shown}\ninstead of\n{wanted}", pytrace=False)
