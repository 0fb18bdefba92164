"""The ``facade`` command; its program needs the extra ``cli``."""

from __future__ import annotations

import importlib
import sys

from facade.cli.terminal import bearable

NEEDED = frozenset({"typer", "rich", "click"})


def look_here() -> None:
    """Find modules in the folder that the command is called in, as `python -m` does."""
    if "" not in sys.path:
        sys.path.insert(0, "")


def main() -> None:
    """Run the command line; without typer and rich say how to get them and exit with 1."""
    try:
        program = importlib.import_module("facade.cli.program")
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        sys.exit("The facade command needs typer and rich: pip install 'sqlalchemy-facade[cli]'")
    with bearable():
        program.app()
