"""A project in a folder of its own, on which the commands of migrations are run as processes.

``project`` has a package ``library`` and the aliases of ``database``, which the test need not configure. Each command is a process:
one that is forked from a program that has imported facade and Alembic already, because importing takes most of its time.
``start()`` starts an ordinary one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent

HEAD = """
import facade
from facade import models
facade.configure(DATABASES={urls!r})
"""

SERVER = """
import contextlib, gc, io, json, os, sys, traceback
import alembic.command, alembic.context, alembic.op
import psycopg, pymysql
import sqlalchemy.dialects.mysql, sqlalchemy.dialects.postgresql, sqlalchemy.dialects.sqlite
import facade.cli.migrating
import typer.main
from facade.cli.program import app
from facade.migrations import environment
from facade.migrations.commands import applying, histories, making, squashing, starting, writing

command = typer.main.get_command(app)  # made once: as long as many a command takes
with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
    command(["showmigrations", "--config", "nowhere"])  # the first one makes Typer import more
gc.freeze()

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    for number, name in ((0, order.get("in", os.devnull)), (1, order["out"]), (2, order["err"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)
    sys.path[0] = ""
    code = 3
    try:
        command(order["arguments"], prog_name="facade")
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
"""


def environment():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}


class Project:
    """A folder with a package ``library``; `run` runs commands in it."""

    def __init__(self, folder, urls, commands):
        self.folder = folder
        self.urls = urls
        self._commands = commands
        (folder / "library").mkdir(exist_ok=True)
        (folder / "library" / "__init__.py").touch()

    def write_models(self, text, *, head=""):
        """Write library/models.py: the models, below what configures the databases."""
        (self.folder / "library" / "models.py").write_text(head + HEAD.format(urls=self.urls) + text)

    def run(self, *arguments, fails=False):
        """Run a command and return what it printed; ``fails`` is what its exit code has to say."""
        done = self._done(arguments)
        assert (done.code != 0) is fails, f"{arguments}: {done.code}\n{done.out}\n{done.err}"
        assert "Traceback" not in done.err, done.err
        return done.err if fails else done.out

    def show(self, *arguments):
        """Run a command and return what a terminal would show."""
        done = self._done(arguments)
        return done.out + done.err

    def begin_in(self, terminal, *arguments):
        """Begin a command in a terminal, which is named; what is returned has a line when it is done, the exit code."""
        return self._ordered(arguments, **dict.fromkeys(("in", "out", "err"), terminal))

    def _done(self, arguments):
        out, err = self.folder / ".out", self.folder / ".err"
        code = int(self._ordered(arguments, out=str(out), err=str(err)).readline())
        return SimpleNamespace(code=code, out=out.read_text(), err=err.read_text())

    def _ordered(self, arguments, **files):
        order = {
            "arguments": arguments,
            "folder": str(self.folder),
            "environment": {"COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"},
            **files,
        }
        self._commands.stdin.write(json.dumps(order) + "\n")
        self._commands.stdin.flush()
        return self._commands.stdout

    def start(self, *arguments, program="facade.cli", **options):
        """Start an ordinary process, and return it."""
        command = [sys.executable, "-m", program, *arguments]
        pipes = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            **options,
        }
        return subprocess.Popen(command, cwd=self.folder, env=environment(), text=True, **pipes)

    def alembic(self, *arguments):
        """Run a command of Alembic's own, and return what it printed."""
        process = self.start(*arguments, program="alembic")
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0, printed
        return printed

    @property
    def revisions(self):
        """The files of the default database's history."""
        return sorted((self.folder / "migrations" / "versions").glob("*.py"))

    def replace(self, old, new):
        """Change the models."""
        path = self.folder / "library" / "models.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="session")
def commands():
    """The program that commands are forked from."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=30)


@pytest.fixture
def project(tmp_path, database, commands):
    return Project(tmp_path, database.urls, commands)


@pytest.fixture
def sqlite_project(tmp_path, commands):
    """A project on SQLite files in its own folder, for what is the same on all databases."""
    return on_sqlite(tmp_path, commands)


def on_sqlite(folder, commands):
    """Return a project whose files can be moved."""
    return Project(folder, {alias: f"sqlite:///{alias}.sqlite3" for alias in ("default", "other")}, commands)
