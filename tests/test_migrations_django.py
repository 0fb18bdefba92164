"""Tables that Django's migrate has made are the ones that facade would make: constraints, indexes and their names."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.fix_django import SAMPLES, DjangoProject

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="Django needs a newer Python"),
    pytest.mark.without("mariadb", reason="Django names what MariaDB indexes by itself otherwise"),
]

ROOT = Path(__file__).parents[1]


class FacadeProject:
    """The same models, on facade, in a folder with migrations of facade's."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        app = folder / "samples"
        app.mkdir(parents=True)
        (app / "__init__.py").write_text("")
        self.models = app / "models.py"
        self.models.write_text(SAMPLES.read_text())
        (folder / "project.py").write_text(
            dedent(f"""\
            import facade

            facade.configure(DATABASES={{"default": {url!r}}}, INSTALLED_APPS=["samples"])

            import samples.models  # noqa: E402, F401
            """)
        )

    def run(self, *command, fails=False):
        """Run one of facade's commands, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "facade.cli", *command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == int(fails), f"{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def projects(tmp_path, database):
    """A project of Django's and one of facade's, with the same models, on one database."""

    def make(**options):
        url = database.urls["default"]
        return DjangoProject(tmp_path / "django", url, **options), FacadeProject(tmp_path / "facade", url)

    return make


def test_tables_made_by_django_are_equal_to_those_of_facade(projects):
    django, facade = projects()
    django.migrate()
    assert facade.run("diff", "project") == (
        "No differences.\n(not compared, as no model has them: django_migrations)\n"
    )
