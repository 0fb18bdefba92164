"""Walking the rows of a table in batches, by their keys, with a mark of how far one has come."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.migrations.runs.marks import UNMARKED

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.runtime.migration import MigrationContext
    from rich import progress as bars
    from sqlalchemy.engine import Connection

    from facade.migrations.runs.progress import Progress
    from facade.orm.querysets.queryset import QuerySet
else:
    bars = later("rich.progress")

__all__ = ["Marks", "counting", "key_as_text", "key_of_text", "next_batch", "own_transactions"]

logger = logging.getLogger("facade.migrations")

#: How many seconds pass between two lines of a log, where no bar can be drawn.
LOG_EVERY = 10


def next_batch(rows: QuerySet[Any, Any], size: int, after: object) -> tuple[QuerySet[Any, Any], object]:
    """Return the ``size`` rows behind the key ``after``, and the last one's key; None for the key where there are no more.

    Rows may lose what they were chosen for: the walk goes by keys alone.
    """
    rest = rows.order_by("pk") if after is None else rows.filter(pk__gt=after).order_by("pk")
    last, *more = list(rest.values_list("pk", flat=True)[size - 1 : size + 1]) or [None]
    return (rest.filter(pk__lte=last), last) if more else (rest, None)


@contextmanager
def own_transactions(context: MigrationContext) -> Iterator[Connection]:
    """Commit what the revision has done so far, and give the connection without a transaction; have one again after."""
    connection = context.connection
    assert connection is not None
    if context._in_external_transaction:
        raise ValueError(
            "atomic=False needs transactions of its own, and env.py has begun one before context.configure(). Give "
            "configure() a connection that is in none."
        )
    had_one = context._transaction is not None
    if had_one:
        context._transaction.commit()  # type: ignore[union-attr]
    elif connection.in_transaction():
        connection.commit()
    try:
        yield connection
    finally:
        if had_one:
            context._transaction = connection.begin()


class Marks:
    """The table that tells how far walks have come which may be taken up again; it is there while one is under way."""

    def __init__(self, connection: Connection, walk: str) -> None:
        self._connection, self._walk = connection, walk
        self._table = sa.Table(
            "facade_batches",
            sa.MetaData(),
            sa.Column("walk", sa.String(190), primary_key=True),
            sa.Column("last_key", sa.Text, nullable=False),
        )

    def read(self) -> str | None:
        """Return the last key of the walk, as `note` has it; None at the beginning."""
        with self._connection.begin():
            self._change(sa.schema.CreateTable(self._table, if_not_exists=True))
            found = self._connection.scalar(sa.select(self._table.c.last_key).where(self._mine()))
        return None if found is None else str(found)

    def note(self, key: str) -> None:
        """Remember that all rows up to this key are done."""
        values = {"last_key": key}
        if not self._connection.execute(self._table.update().where(self._mine()).values(values)).rowcount:
            self._connection.execute(self._table.insert().values(walk=self._walk, **values))

    def forget(self) -> None:
        """End the walk; the last one takes the table along."""
        with self._connection.begin():
            self._connection.execute(self._table.delete().where(self._mine()))
            if not self._connection.scalar(sa.select(sa.func.count()).select_from(self._table)):
                self._change(sa.schema.DropTable(self._table))

    def _change(self, statement: sa.schema.ExecutableDDLElement) -> None:
        self._connection.execute(statement, execution_options={UNMARKED: True})

    def _mine(self) -> sa.ColumnElement[bool]:
        return self._table.c.walk == self._walk


def key_as_text(key: object) -> str:
    """Return a key, of one or several columns, as `key_of_text` reads it."""
    parts = list(key) if isinstance(key, tuple) else [key]
    return json.dumps([part if isinstance(part, int) else str(part) for part in parts])


def key_of_text(model: type[Any], text: str) -> object:
    """Return the key that was written so."""
    parts = [
        field.to_python(part) for field, part in zip(model._meta.pk_fields, json.loads(text), strict=True)
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


@contextmanager
def counting(
    label: str, count: Callable[[], int], progress: Progress
) -> Iterator[Callable[[int | None], None]]:
    """Show how many more rows are done, None for the rest: a bar in a terminal, else a line in the log now and then.

    ``count`` says how many there are, and ``progress`` makes room for the bar.
    """
    if not sys.stdout.isatty():
        yield _logging(label)
        return
    progress.make_room()
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns) as bar:
        total = count()
        task = bar.add_task(label, total=total)

        def tell(rows: int | None) -> None:
            if rows is None:
                bar.update(task, completed=total)
            else:
                bar.advance(task, rows)

        yield tell


def _logging(label: str) -> Callable[[int | None], None]:
    done, told = 0, time.monotonic()

    def tell(rows: int | None) -> None:
        nonlocal done, told
        done += rows or 0
        if time.monotonic() - told > LOG_EVERY:
            told = time.monotonic()
            logger.info("%s: %d rows", label, done)

    return tell
