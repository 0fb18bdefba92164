"""Data migrations: functions that change rows, with the models of their revision."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from alembic.operations import MigrateOperation, Operations

from facade.db.connection import connections
from facade.migrations.operations import batches
from facade.migrations.operations.connecting import Joined, alias_of, on_connection, progress_of, waiting_for
from facade.migrations.operations.historic import HistoricApps
from facade.migrations.runs.offline import REPLAYED

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from facade.db.database import Database
    from facade.migrations.runs.progress import Progress

__all__ = ["RunInBatchesOp", "RunPythonOp", "SchemaEditor"]

Function = Callable[..., Any]


class SchemaEditor(NamedTuple):
    """What functions get as their second argument that take two, as Django's do."""

    connection: Database
    """The database that is migrated: its ``alias`` and ``vendor`` are there, and ``cursor()``."""


@Operations.register_operation("run_python")
class RunPythonOp(MigrateOperation):
    """Calls a function with the models of the revision."""

    def __init__(self, function: Function) -> None:
        self.function = function

    @classmethod
    def run_python(cls, operations: Operations, function: Function) -> None:
        """Call a function, plain or async, with the models of this revision: ``function(apps)``.

        ``apps.get_model("library", "Book")`` is a model of the table as it is now, and ``function(apps, schema_editor)`` is
        called as Django's are. Its statements run on Alembic's connection, in its transaction.
        """
        operations.invoke(cls(function))


@Operations.implementation_for(RunPythonOp)
def _run_python(operations: Operations, operation: RunPythonOp) -> None:
    function, context = operation.function, operations.get_context()
    if _is_offline(context, function):
        return
    connection: Any = context.connection
    apps, alias = HistoricApps(context), alias_of(context)

    def work(joined: Joined) -> None:
        apps.reflect()
        with joined():
            waiting_for(function, *_arguments(function, apps, alias))

    on_connection(work, connection, alias, apps, is_async=inspect.iscoroutinefunction(function))


def _arguments(function: Function, apps: HistoricApps, alias: str) -> list[Any]:
    required = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return [apps, SchemaEditor(connections[alias])] if len(required) > 1 else [apps]


@Operations.register_operation("run_in_batches")
class RunInBatchesOp(MigrateOperation):
    """Calls a function for each batch of a table's rows."""

    def __init__(self, function: Function, table: str, size: int, atomic: bool) -> None:
        if size < 1:
            raise ValueError(f"size is the number of rows of a batch, 1 or more, not {size}.")
        self.function, self.table, self.size, self.atomic = function, table, size, atomic

    @property
    def walk(self) -> str:
        """What tells this walk from all others: the script's module is named by its revision."""
        function = _innermost(self.function)
        return f"{self.table} {function.__module__}.{_name_of(function)}"[:190]

    @classmethod
    def run_in_batches(
        cls, operations: Operations, function: Function, table: str, *, size: int = 1000, atomic: bool = True
    ) -> None:
        """Call a function, plain or async, for each ``size`` rows of a table: ``function(rows)`` gets them as a queryset.

        ``table`` is its name, or ``"library.Book"``. The batches go by the primary key. With ``atomic=False`` each has a
        transaction of its own, whose locks are short: what the revision did before is committed first, and a walk that was
        broken off goes on behind its last batch when the revision is run again.
        """
        operations.invoke(cls(function, table, size, atomic))


@Operations.implementation_for(RunInBatchesOp)
def _run_in_batches(operations: Operations, operation: RunInBatchesOp) -> None:
    context = operations.get_context()
    if _is_offline(context, operation.function):
        return
    apps = HistoricApps(context)
    walk = _Walk(operation, apps.get_model(operation.table), progress_of(context))
    if operation.atomic:
        _go(walk, apps, context)
        return
    with batches.own_transactions(context) as connection:
        walk.marks = batches.Marks(connection, operation.walk)
        walk.transaction = connection.begin
        _go(walk, apps, context)


def _go(walk: _Walk, apps: HistoricApps, context: MigrationContext) -> None:
    connection: Any = context.connection
    is_async = inspect.iscoroutinefunction(walk.operation.function)
    on_connection(walk, connection, alias_of(context), apps, is_async=is_async)


class _Walk:
    """Goes over the rows of a model, batch by batch; with marks it can be taken up again."""

    marks: batches.Marks | None = None
    transaction: Callable[[], AbstractContextManager[object]] = nullcontext

    def __init__(self, operation: RunInBatchesOp, model: type[Any], progress: Progress) -> None:
        self.progress = progress
        self.operation, self.rows = operation, model._default_manager.all()
        self.label = f"{operation.table}: {_name_of(operation.function)}"

    def __call__(self, joined: Joined) -> None:
        after = self._begun()
        rest = self.rows if after is None else self.rows.filter(pk__gt=after)

        def count() -> int:
            with self.transaction(), joined():
                return int(rest.count())

        with batches.counting(self.label, count, self.progress) as tell:
            while True:
                with self.transaction(), joined():
                    after = self._do_batch(after)
                tell(None if after is None else self.operation.size)
                if after is None:
                    break
        if self.marks is not None:
            self.marks.forget()

    def _begun(self) -> object:
        text = None if self.marks is None else self.marks.read()
        return None if text is None else batches.key_of_text(self.rows.model, text)

    def _do_batch(self, after: object) -> object:
        rows, last = batches.next_batch(self.rows, self.operation.size, after)
        waiting_for(self.operation.function, rows)
        if self.marks is not None and last is not None:
            self.marks.note(batches.key_as_text(last))
        return last


def _is_offline(context: MigrationContext, function: Function) -> bool:
    """Say in the script, where one is written instead of run, that a function does not stand in it."""
    remark = f"-- {_name_of(function)}() changes rows: it has no SQL"
    if context.as_sql:
        context.impl.static_output(remark)
        return True
    if context.opts.get(REPLAYED):
        assert context.connection is not None
        context.connection.exec_driver_sql(remark)
        return True
    return False


def _innermost(function: Function) -> Function:
    while isinstance(function, partial):
        function = function.func
    return function


def _name_of(function: Function) -> str:
    innermost = _innermost(function)
    return str(getattr(innermost, "__qualname__", type(innermost).__name__))
