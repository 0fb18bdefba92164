"""Operations beside Alembic's: data migrations, and what PostgreSQL has beside tables.

Importing this package adds them to ``op``; they can be called from here as well::

    from facade.migrations import operations


    def upgrade():
        operations.create_extension("citext")
        operations.run_python(fill_slugs)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic import op

from facade.migrations.operations.concurrent import OutsideTransaction, write_concurrently
from facade.migrations.operations.data import RunInBatchesOp, RunPythonOp, SchemaEditor
from facade.migrations.operations.historic import HistoricApps
from facade.migrations.operations.server import (
    CreateCollationOp,
    CreateExtensionOp,
    DropCollationOp,
    DropExtensionOp,
    ValidateConstraintOp,
)

__all__ = [
    "CreateCollationOp",
    "CreateExtensionOp",
    "DropCollationOp",
    "DropExtensionOp",
    "HistoricApps",
    "OutsideTransaction",
    "RunInBatchesOp",
    "RunPythonOp",
    "SchemaEditor",
    "ValidateConstraintOp",
    "create_collation",
    "create_extension",
    "drop_collation",
    "drop_extension",
    "run_in_batches",
    "run_python",
    "validate_constraint",
    "write_concurrently",
]


def run_python(function: Callable[..., Any]) -> None:
    """Call a function, plain or async, with the models of this revision: ``function(apps)``.

    ``apps.get_model("library", "Book")`` is a model that stands on the table as it is at this point of the script, whatever
    the class in ``models.py`` says today. A function of two parameters gets a :class:`SchemaEditor` as well, as Django's
    do. Statements run on Alembic's connection and in its transaction; what the function raises rolls the revision back.
    """
    op.invoke(RunPythonOp(function))


def run_in_batches(
    function: Callable[..., Any], table: str, *, size: int = 1000, atomic: bool = True
) -> None:
    """Call a function, plain or async, for each ``size`` rows of a table: ``function(rows)`` gets them as a queryset.

    ``table`` is the table's name, or ``"library.Book"``. The batches go by the primary key, and a bar in the terminal shows
    how far they are. With ``atomic=False`` each batch has a transaction of its own, so that locks are short: what the
    revision did before is committed first, and a walk that was broken off goes on behind its last batch when the revision
    is run again. Such a walk is best the only thing in its revision. ValueError for a ``size`` below 1.
    """
    op.invoke(RunInBatchesOp(function, table, size, atomic))


def create_extension(name: str, *, schema: str | None = None, cascade: bool = False) -> None:
    """Add an extension such as ``citext`` to a PostgreSQL database, if it is not there; others are left alone.

    ``cascade`` adds the extensions that it needs, too. The user needs the right to do so.
    """
    op.invoke(CreateExtensionOp(name, schema, cascade))


def drop_extension(name: str) -> None:
    """Take an extension out of a PostgreSQL database, if it is there. It fails while something uses it."""
    op.invoke(DropExtensionOp(name))


def create_collation(name: str, locale: str, *, provider: str = "libc", deterministic: bool = True) -> None:
    """Make a collation of a PostgreSQL database, for ``db_collation``; others are left alone.

    ``deterministic=False`` lets texts be equal that differ, in case say, and needs ``provider="icu"``. ValueError for a
    combination that PostgreSQL does not have.
    """
    op.invoke(CreateCollationOp(name, locale, provider, deterministic))


def drop_collation(
    name: str, locale: str | None = None, *, provider: str = "libc", deterministic: bool = True
) -> None:
    """Drop a collation of a PostgreSQL database, if it is there; all but the name says how it was made, for the way back."""
    op.invoke(DropCollationOp(name, locale, provider, deterministic))


def validate_constraint(name: str, table: str, *, schema: str | None = None) -> None:
    """Check the rows that were there before a constraint of PostgreSQL's that was added as NOT VALID.

    Rows can be read and written meanwhile. Other databases have checked them when the constraint was added.
    """
    op.invoke(ValidateConstraintOp(name, table, schema))
