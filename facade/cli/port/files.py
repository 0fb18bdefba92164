"""Finds a project's modules, and writes those that were rewritten so that a reader never sees half of one."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["difference", "is_migration", "modules", "write"]

MIGRATIONS = "migrations"
NOT_OURS = frozenset({"__pycache__", "node_modules", "site-packages"})


def modules(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are named, and the Python modules in the folders; no environments, nothing hidden."""
    for path in paths:
        if path.is_dir():
            yield from _inside(path)
        else:
            yield path


def _inside(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in NOT_OURS:
            continue
        if path.is_dir():
            if not (path.is_symlink() or (path / "pyvenv.cfg").exists()):
                yield from _inside(path)
        elif path.suffix == ".py":
            yield path


def is_migration(path: Path) -> bool:
    """Tell whether a module is one of Django's migrations."""
    return path.parent.name == MIGRATIONS


def difference(path: Path, old: bytes, new: bytes) -> str:
    """Return what changes in a file, as `patch` takes it."""
    before, after = (text.decode("utf-8", "surrogateescape").splitlines(keepends=True) for text in (old, new))
    lines = difflib.unified_diff(before, after, f"a/{path.as_posix()}", f"b/{path.as_posix()}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def write(path: Path, text: bytes) -> None:
    """Put the text in the place of a file's, all at once; its permissions stay."""
    place = path.resolve()
    handle, made = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text)
        shutil.copymode(place, made)
        Path(made).replace(place)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(made).unlink()
        raise
