"""A project on facade in a folder: its models, its settings, and its commands as processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import alembic

ROOT = Path(__file__).parents[1]


class Project:
    """Has the application ``shop``, or another one, with these models; ``run("migrate")`` is `facade migrate`."""

    def __init__(self, folder, url, models, app="shop"):
        self.folder, self.app = folder, app
        (folder / app).mkdir(parents=True)
        (folder / app / "__init__.py").write_text("")
        self.write_models(models)
        self.write_settings(url)

    def write_models(self, text):
        (self.folder / self.app / "models.py").write_text(dedent(text))

    def write_settings(self, url):
        (self.folder / "project.py").write_text(
            dedent(f"""\
            import facade

            facade.configure(DATABASES={{"default": {url!r}}}, INSTALLED_APPS=[{self.app!r}])

            import {self.app}.models  # noqa: E402, F401
            """)
        )

    def init(self):
        """Write what `facade init project` writes, as far as tests need it, in no time."""
        (self.folder / "migrations" / "versions").mkdir(parents=True)
        (self.folder / "migrations" / "env.py").write_text(
            "import project\nfrom facade.migrations import environment\n\nenvironment.run()\n"
        )
        template = Path(alembic.__file__).parent / "templates" / "generic" / "script.py.mako"
        shutil.copy(template, self.folder / "migrations")
        (self.folder / "alembic.ini").write_text(
            "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n"
            "version_locations = %(here)s/migrations/versions\npath_separator = os\n"
        )

    def write_revision(self, name, upgrade, downgrade="pass", top=""):
        """Write a revision by hand, behind those that are there."""
        folder = self.folder / "migrations" / "versions"
        number = len(list(folder.glob("*.py"))) + 1
        before = [
            re.search(r"^revision.*= '(.+)'$", path.read_text(), re.MULTILINE)[1]
            for path in sorted(folder.glob("*.py"))
        ]
        lines = [
            "from alembic import op",
            "import sqlalchemy as sa",
            "from facade.migrations import operations",
            "",
            f"revision = '{number:04d}_{name}'",
            f"down_revision = {before[-1] if before else None!r}",
            dedent(top),
            f"def upgrade():\n{_inner(upgrade)}\n",
            f"def downgrade():\n{_inner(downgrade)}\n",
        ]
        (folder / f"{number:04d}_{name}.py").write_text("\n".join(lines))

    def revision(self, name):
        """Return the path of a revision's file."""
        (path,) = self.folder.glob(f"migrations/versions/*{name}.py")
        return path

    def run(self, *command, fails=False):
        """Run one of facade's commands, and return what it prints."""
        done = subprocess.run(
            self.command(*command),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == int(fails), f"{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def start(self, *command):
        """Run a command beside the test."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*command), cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe, text=True
        )

    def command(self, *command):
        return [sys.executable, "-m", "facade.cli", *command]

    @property
    def environment(self):
        return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}", "COLUMNS": "200"}


def _inner(body):
    return indent(dedent(body).strip() or "pass", "    ")
