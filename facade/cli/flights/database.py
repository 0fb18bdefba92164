"""Where the flights are: a database that is prepared for them, loaded and cleared; or one line on why it cannot be used."""

from __future__ import annotations

import contextlib
import itertools
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import facade
from facade import transaction
from facade.cli.flights import data
from facade.cli.flights.models import MODELS
from facade.cli.layout import text_lines
from facade.db.connection import connections
from facade.exceptions import ImproperlyConfigured
from facade.foundation.texts import one_line

__all__ = ["Unusable", "loaded", "shown"]

BATCH = 1_000


class Unusable(Exception):
    """The database cannot be used; the text is one line that says why."""


@contextlib.contextmanager
def loaded(console: Console, url: str = "", *, keep: bool = False) -> Iterator[None]:
    """Load the flights into a database, or into a file for as long as the block runs, and clear them away, unless kept."""
    with _place(url, keep=keep) as place:
        with _explained(place, "cannot be reached"), _installed(place):
            facade.configure(DATABASES={"default": place})
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT 1")
        try:
            for line in (
                _versions(),
                f"Database: {shown(place) if url or keep else 'a temporary SQLite file'}",
            ):
                console.print(*text_lines(line, console.width), sep="\n", soft_wrap=True, markup=False)
            with _explained(place, "was reached, and the tables cannot be made"):
                facade.drop_all(MODELS)
                facade.create_all(MODELS)
            with _explained(place, "failed"):
                _load(console)
                yield
        finally:
            if url and not keep:
                with contextlib.suppress(DBAPIError, PoolTimeout, OSError):
                    facade.drop_all(MODELS)
            facade.close_all()
    if keep:
        console.print(f"Left behind: {shown(place)}", soft_wrap=True, markup=False)


@contextlib.contextmanager
def _place(url: str, *, keep: bool) -> Iterator[str]:
    if url:
        yield url
        return
    try:
        folder = tempfile.mkdtemp(prefix="facade-demo-")
    except OSError as error:
        raise Unusable(f"A temporary file cannot be made: {error.strerror}") from error
    try:
        yield f"sqlite:///{Path(folder) / 'flights.sqlite3'}"
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _explained(url: str, what: str) -> Iterator[None]:
    """Turn what an unreachable server or a full disk raises into one clear line."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError, ImproperlyConfigured) as error:
        raise Unusable(f"{shown(url)} cannot be used: {_line(error)}") from error
    except (DBAPIError, PoolTimeout) as error:
        raise Unusable(f"{shown(url)} {what}: {_line(error)}") from error


@contextlib.contextmanager
def _installed(url: str) -> Iterator[None]:
    """Name the driver that is missing."""
    try:
        yield
    except ImportError as error:
        name = error.name or str(error)
        raise Unusable(
            f"The driver {name!r} for {shown(url)} is not installed: pip install {name}"
        ) from error


def shown(url: str) -> str:
    """The URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url)


def _versions() -> str:
    return f"facade {facade.__version__}, SQLAlchemy {sqlalchemy.__version__}, Python {platform.python_version()}"


def _line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return one_line(cause) or type(cause).__name__


def _load(console: Console) -> None:
    """Load all files; a terminal sees how far that is."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Loading", total=data.total())
        for model, _, instances in data.SOURCES:
            with transaction.atomic():
                for batch in _batches(instances()):
                    model.objects.bulk_create(batch)
                    progress.update(task, advance=len(batch), description=f"Loading {model.__name__}")


def _batches(instances: Iterator[object]) -> Iterator[list[object]]:
    while batch := list(itertools.islice(instances, BATCH)):
        yield batch
