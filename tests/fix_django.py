"""A project of Django's in a folder, with models that are given as facade's; its `migrate` makes tables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import sqlalchemy as sa

#: Models of every kind, as facade's.
SAMPLES = (
    (Path(__file__).parent / "django_samples" / "models.py")
    .read_text()
    .replace("from __future__ import annotations\n", "")
)

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}


class DjangoProject:
    """Has the application ``library``, and Django's own for users and permissions where ``contrib`` asks for them."""

    def __init__(self, folder, url, models, contrib=False):
        self.folder = folder
        app = folder / "library"
        app.mkdir(parents=True)
        (app / "__init__.py").write_text("")
        text = models.replace("from facade.models import", "from django.db.models import")
        text = text.replace("from facade import models", "")
        (app / "models.py").write_text(f"from django.db import models\n{text}")
        installed = ["library"]
        if contrib:
            installed += ["django.contrib.contenttypes", "django.contrib.auth"]
        (folder / "settings.py").write_text(
            dedent(f"""\
            SECRET_KEY = "a test"
            INSTALLED_APPS = {installed!r}
            DATABASES = {{"default": {_settings(sa.make_url(url))!r}}}
            DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
            USE_TZ = True
            """)
        )

    def run(self, *command):
        """Run one of Django's commands, and return what it prints."""
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            [sys.executable, "-m", "django", *command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def migrate(self):
        """Write what is to be written, and apply it."""
        self.run("makemigrations", "library")
        return self.run("migrate")


def _settings(url):
    return {
        "ENGINE": ENGINES[url.get_backend_name()],
        "NAME": url.database,
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.host or "",
        "PORT": str(url.port or ""),
    }
