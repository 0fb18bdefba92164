"""`init`: what migrations need, as Alembic has it, with an env.py of three lines."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.util import CommandError

from facade.db.routing import DEFAULT_DB_ALIAS
from facade.migrations.commands.histories import INI, TOML, file_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["start"]

_ENVIRONMENT = """{imports}
from facade.migrations import environment

environment.run()
"""

#: The folder of the first history's revisions.
_FIRST = "versions"

_SECTION = """[{section}]
script_location = %(here)s/{folder}
version_locations = %(here)s/{versions}
path_separator = os
prepend_sys_path = .
truncate_slug_length = 60
"""

_TOML = """
[tool.alembic]
script_location = "%(here)s/{folder}"
version_locations = ["%(here)s/{versions}"]
prepend_sys_path = ["."]
"""

_LOGGING = """
# What Alembic's own commands print.
[loggers]
keys = root, alembic

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""


def start(
    modules: Sequence[str] = (),
    *,
    folder: str = "migrations",
    alias: str = DEFAULT_DB_ALIAS,
    config: str | None = None,
    toml: bool = False,
) -> list[Path]:
    """Write alembic.ini (or a section of pyproject.toml), the environment, and a folder for revisions; returns what was written.

    ``config`` is a file instead of alembic.ini: of a second history, for another kind of database, whose revisions have a
    folder of the file's name.

    ``modules`` are those with the models and with ``facade.configure(DATABASES=…)``; without them the ``models`` modules
    under the working directory are taken. For a database other than "default" alembic.ini gets a section of its name,
    and the revisions a folder of their own. What is there already stays as it is.

    Raises CommandError for a module that is not there, where the database has its history already, and where another history
    has the folder.
    """
    home, ini = Path(folder), file_of(config)
    if config is not None and (toml or ini.suffix == ".toml"):
        raise CommandError(
            "A configuration in pyproject.toml is one alone: say --pyproject, or name an .ini with --config."
        )
    versions = home / _folder_of(ini, alias)
    written = [_write_section(alias, ini, home, versions, toml=toml)]
    if not (home / "env.py").exists():
        names = _checked(modules) or _found()
        home.mkdir(parents=True, exist_ok=True)
        imports = "\n".join(f"import {name}  # noqa: F401" for name in names)
        written += [_write(home / "env.py", _ENVIRONMENT.format(imports=imports)), _copy_template(home)]
    versions.mkdir(parents=True, exist_ok=True)
    return [*written, versions]


def _folder_of(ini: Path, alias: str) -> str:
    """Return the name of a history's folder."""
    if ini == Path(INI):
        return _FIRST if alias == DEFAULT_DB_ALIAS else alias
    return ini.stem if alias == DEFAULT_DB_ALIAS else f"{ini.stem}_{alias}"


def _write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def _copy_template(home: Path) -> Path:
    """Take the template of revisions from Alembic: it is the one that its commands expect."""
    name = "script.py.mako"
    copyfile(Path(Config().get_template_directory(), "generic", name), home / name)
    return home / name


def _write_section(alias: str, ini: Path, home: Path, versions: Path, *, toml: bool) -> Path:
    places = {
        name: Path(os.path.relpath(path, Path() if toml else ini.parent)).as_posix()
        for name, path in (("folder", home), ("versions", versions))
    }
    if alias == "alembic":
        raise CommandError(f"The section [{alias}] is that of 'default': give the database another alias.")
    section = "alembic" if alias == DEFAULT_DB_ALIAS else alias
    path, header, text = ini, f"[{section}]", _SECTION.format(section=section, **places)
    if toml and alias == DEFAULT_DB_ALIAS:
        path, header, text = Path(TOML), "[tool.alembic]", _TOML.format(**places)
    elif ini.exists():
        text = f"\n{text}"
    else:
        text += _LOGGING
    there = path.read_text("utf-8") if path.exists() else ""
    if header in map(str.strip, there.splitlines()):
        raise CommandError(
            f"{path} has {header} already: the database {alias!r} has its history. A second one, for another kind of database, "
            "has a file of its own: --config FILE."
        )
    _check_folder(versions, ini, alias)
    return _write(path, there + text)


def _check_folder(versions: Path, ini: Path, alias: str) -> None:
    """Raise CommandError where the folder of a second history is that of another one: files of like names have one."""
    if ini == Path(INI) and alias == DEFAULT_DB_ALIAS:
        return
    rename = f"give {'its file' if alias == DEFAULT_DB_ALIAS else 'the database'} another name."
    if versions.name == _FIRST:
        raise CommandError(f"{versions} is the folder of the first history: {rename}")
    if versions.exists():
        raise CommandError(
            f"{versions} is the folder of another history: name another --folder for this one, or {rename}"
        )


def _checked(modules: Sequence[str]) -> Sequence[str]:
    """Raise CommandError for a module that Python does not find here."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    for name in modules:
        try:
            there = find_spec(name) is not None
        except (ImportError, ValueError):
            there = False
        if not there:
            raise CommandError(f"There is no module {name!r} here: name it as a program would import it.")
    return modules


def _found() -> list[str]:
    """Return the modules that are called models, as in a project of Django's."""
    paths = [
        *sorted(Path().glob("models.py")),
        *sorted(Path().glob("*/models.py")),
        *sorted(Path().glob("*/models/__init__.py")),
    ]
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]
    if not names:
        raise CommandError(
            "No module here is called models: name those with your models, and with facade.configure(DATABASES={…}), as in "
            "`facade init library.models library.settings`."
        )
    return names
