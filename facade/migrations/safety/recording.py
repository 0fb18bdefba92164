"""The operations of a script as objects: its ``upgrade()`` is called, and nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations, MigrateOperation, Operations
from alembic.runtime.migration import MigrationContext

import facade.migrations.operations  # noqa: F401 - scripts find these on `op`

if TYPE_CHECKING:
    from alembic.script import Script
    from sqlalchemy.engine import Dialect

__all__ = ["Recorded", "record"]


_RECREATE = {"always": True, "never": False}


class Recorded(NamedTuple):
    """An operation of a script, and how it would be run."""

    operation: MigrateOperation
    in_transaction: bool
    copies: bool | None
    """Whether its batch says that the table is made anew, or that it is not; None where that is up to the database."""
    batch: int
    """Which ``batch_alter_table()`` of the script it is part of, 0 for none: what such a batch does it does once."""


class _Table(NamedTuple):
    """What an operation within ``batch_alter_table()`` asks for: its table."""

    table_name: str
    schema: str | None


class _Recorder:
    """Stands in for the database while a script runs."""

    def __init__(self, dialect: Dialect) -> None:
        self.found: list[Recorded] = []
        self._in_transaction = True
        self._copies: bool | None = None
        self._batch, self._batches = 0, 0
        self.context = MigrationContext.configure(
            dialect=dialect, opts={"as_sql": True, "output_buffer": StringIO()}
        )
        # Queries of a script find no rows.
        empty = sa.create_mock_engine(f"{dialect.name}://", lambda *_: _NoRows())
        self.context.connection = self.context.impl.connection = empty  # type: ignore[assignment]
        self.context.autocommit_block = self._autocommit_block  # type: ignore[method-assign]
        self.operations = Operations(self.context)
        self.operations.invoke = self._note  # type: ignore[method-assign, assignment]
        self.operations.batch_alter_table = self._batch_alter_table  # type: ignore[method-assign, assignment]

    def run(self, script: Script) -> None:
        # An environment that runs around has its own.
        around: Operations | None = vars(op).get("_proxy")
        self.operations._install_proxy()
        try:
            script.module.upgrade()
        finally:
            self.operations._remove_proxy()
            if around is not None:
                around._install_proxy()

    def _note(self, operation: MigrateOperation) -> None:
        self.found.append(Recorded(operation, self._in_transaction, self._copies, self._batch))

    @contextmanager
    def _autocommit_block(self) -> Iterator[None]:
        self._in_transaction = False
        try:
            yield
        finally:
            self._in_transaction = True

    @contextmanager
    def _batch_alter_table(
        self, table_name: str, schema: str | None = None, recreate: str = "auto", **options: object
    ) -> Iterator[BatchOperations]:
        table: Any = _Table(table_name, schema)
        batch = BatchOperations(self.context, impl=table)
        batch.invoke = self._note  # type: ignore[method-assign, assignment]
        self._batches += 1
        self._copies, self._batch = _RECREATE.get(recreate), self._batches
        try:
            yield batch
        finally:
            self._copies, self._batch = None, 0


class _NoRows:
    """The result of any statement: none."""

    rowcount = 0

    def __iter__(self) -> Iterator[object]:
        return iter(())

    def all(self) -> list[object]:
        return []

    def first(self) -> None:
        return None

    fetchall = all
    fetchone = scalar = scalar_one_or_none = one_or_none = first

    def scalars(self) -> _NoRows:
        return self

    mappings = scalars


def record(script: Script, dialect: Dialect) -> tuple[list[Recorded], Exception | None]:
    """Return the operations of a script's ``upgrade()``, and what ended it before its end."""
    recorder = _Recorder(dialect)
    try:
        recorder.run(script)
    except Exception as error:
        return recorder.found, error
    return recorder.found, None
