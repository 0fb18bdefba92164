"""One database's history: the section of alembic.ini, the folder of revisions, and the environment that runs them."""

from __future__ import annotations

import os
import sys
import tomllib
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from facade.db.routing import DEFAULT_DB_ALIAS
from facade.migrations import plugin
from facade.migrations.environment import alias_of
from facade.migrations.runs.elsewhere import Overtaken, steps_elsewhere
from facade.migrations.runs.errands import Errand
from facade.migrations.runs.errors import at_fault, said
from facade.migrations.runs.progress import title
from facade.migrations.runs.signalling import announce
from facade.signals import post_migrate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
    from alembic.script import Script

    from facade.migrations.runs.telling import Steps

__all__ = ["INI", "TOML", "History", "file_of", "find", "nothing_to_do"]

INI = "alembic.ini"
TOML = "pyproject.toml"
ENVIRONMENT = "ALEMBIC_CONFIG"


def nothing_to_do(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
    """Run no revision: the command only looks."""
    return []


@dataclass(frozen=True)
class History:
    """A database's revisions, and the way to run its environment."""

    alias: str
    config: Config
    scripts: ScriptDirectory

    def visit(self, work: Steps = nothing_to_do, errand: Errand | None = None, **options: Any) -> None:
        """Run env.py; ``work(heads, context)`` returns the steps to run, in each schema.

        ``options`` go to Alembic's EnvironmentContext: with a ``destination_rev`` the run changes the database, and holds
        the lock.
        """
        plugin.install()
        errand = errand or Errand()
        errand.give(self.config)
        options = options if "destination_rev" in options else {"dont_mutate": True, **options}
        try:
            with EnvironmentContext(self.config, self.scripts, fn=self._steps(work, errand), **options):
                self.scripts.run_env()
            if errand.unsaid is not None:
                announce(post_migrate, self.alias, errand.unsaid)
        except Overtaken:
            self.visit(work, errand, **options)
        except (CommandError, SQLAlchemyError):
            raise
        except Exception as error:
            if errand.ran or errand.progress.revision is not None:
                raise
            raise CommandError(self._unusable(error)) from error

    def _unusable(self, error: Exception) -> str:
        """Say that env.py, or a module that it imports, does not come through."""
        script = self.scripts.env_py_location
        what = f"{Path(script).parent.name}/{Path(script).name} does not come through: {said(error)}"
        if isinstance(error, ModuleNotFoundError):
            return f"{what} Go where the project is, or name the module as it is found from there."
        return f"{what} ({at_fault(error)})"

    def _steps(self, work: Steps, errand: Errand) -> Steps:
        """Let the lock be taken where env.py does not."""

        def steps(heads: tuple[str, ...], context: MigrationContext) -> Iterable[RevisionStep | StampStep]:
            if errand.ran:
                return work(heads, context)
            return steps_elsewhere(work, errand, self.alias, heads, context)

        return steps

    def heads(self) -> tuple[Script, ...]:
        """Return the last revisions."""
        return self.scripts.get_revisions(self.scripts.get_heads())

    def check_heads(self) -> None:
        """Raise CommandError where the history has several ends, as Django does."""
        heads = self.heads()
        if len(heads) > 1:
            raise CommandError(
                f"The history of {self.alias!r} has several ends ({', '.join(map(title, heads))}): join them with "
                "`facade makemigrations --merge`, or name one."
            )

    def find(self, name: str) -> Script:
        """Return the revision that a user means: by its id, the beginning of it, its file's name or what that says.

        Raises CommandError for a name that none has, or several.
        """
        scripts = list(self.scripts.walk_revisions())
        exact = [one for one in scripts if name in (one.revision, title(one))]
        found = exact or [one for one in scripts if title(one).startswith(name) or _tail(one) == name]
        if len(found) == 1:
            return found[0]
        if not found and "@" in name:
            return self.scripts.get_revision(name)
        known = ", ".join(title(one) for one in reversed(found or scripts))
        raise CommandError(
            f"Several revisions are called {name!r}: {known}. Say more of the name."
            if found
            else f"There is no revision {name!r}. Those there are: {known or 'none'}."
        )


def _tail(script: Script) -> str:
    """Return a file's name without the revision's id."""
    return title(script).removeprefix(script.revision).lstrip("_-")


def find(alias: str = DEFAULT_DB_ALIAS, file: str | None = None) -> History:
    """Return the history of a database, from alembic.ini or pyproject.toml of the folder, or from another file.

    Raises CommandError where there is none.
    """
    ini = file_of(file)
    toml = ini.parent / TOML
    if not ini.exists() and ini.name != INI:
        raise CommandError(
            f"There is no {ini}: `facade init --config {ini}` makes what migrations need; or go where your project is."
        )
    if not ini.exists() and not _has_section(toml):
        raise CommandError(
            f"There is neither {ini} nor a [tool.alembic] in {toml}: `facade init` makes what migrations need; or go "
            "where your project is, or name the file with --config."
        )
    config = Config(str(ini), str(toml) if toml.exists() else None, cmd_opts=Namespace(quiet=True))
    config.config_ini_section = _section_of(config, ini, alias)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    return History(alias, config, ScriptDirectory.from_config(config))


def file_of(name: str | None) -> Path:
    """Return the configuration's file: the one that is named, that of ALEMBIC_CONFIG, or alembic.ini."""
    return Path(name or os.environ.get(ENVIRONMENT) or INI)


def _has_section(toml: Path) -> bool:
    return toml.exists() and "alembic" in tomllib.loads(toml.read_text("utf-8")).get("tool", {})


def _section_of(config: Config, ini: Path, alias: str) -> str:
    """Return the section that is for a database."""
    if alias == DEFAULT_DB_ALIAS:
        return "alembic"
    for section in config.file_config.sections():
        config.config_ini_section = section
        if config.file_config.has_option(section, "script_location") and alias_of(config) == alias:
            return section
    option = "" if ini.name == INI else f" --config {ini}"
    raise CommandError(
        f"{ini} has no section for the database {alias!r}: `facade init --database {alias}{option}` writes one."
    )
