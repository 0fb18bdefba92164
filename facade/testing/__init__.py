"""Help for tests of programs that use facade: counting and reading statements, isolated models, switched settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from facade import configuration
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.connection import close_all, connections
from facade.meta.registry import apps, isolate_apps

if TYPE_CHECKING:
    from types import TracebackType


__all__ = [
    "ASYNC_SHARES_CONNECTION",
    "CaptureQueriesContext",
    "all_models",
    "assert_max_queries",
    "assert_num_queries",
    "capture_on_commit_callbacks",
    "isolate_apps",
    "record_queries",
    "reset_connections",
    "setting_changed",
]

ASYNC_SHARES_CONNECTION = False
"""The async face has connections of its own: it does not see what an open sync block has not committed."""


class _Counted:
    """Counts the statements of a `with` or `async with` block and compares at its end."""

    def __init__(self, using: str, accept: Callable[[int], bool], wanted: str) -> None:
        self._captured = CaptureQueriesContext(connections[using])
        self._accept, self._wanted = accept, wanted

    def __enter__(self) -> CaptureQueriesContext:
        return self._captured.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._captured.__exit__(kind, error, traceback)
        if kind is None and not self._accept(len(self._captured)):
            listing = "\n".join(f"{number}. {query['sql']}" for number, query in enumerate(self._captured, 1))
            raise AssertionError(
                f"{len(self._captured)} queries executed, {self._wanted} expected\nCaptured queries were:\n{listing}"
            )

    async def __aenter__(self) -> CaptureQueriesContext:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def assert_num_queries(number: int, using: str = "default") -> _Counted:
    """Assert, for `with` and `async with`, that a block sends exactly `number` statements to a database.

    BEGIN, COMMIT and savepoints are not counted. The AssertionError lists the statements. The block's value is the
    `CaptureQueriesContext`.

    >>> with assert_num_queries(1):
    ...     authors = list(Author.objects.all())
    """
    return _Counted(using, lambda count: count == number, str(number))


def assert_max_queries(number: int, using: str = "default") -> _Counted:
    """Assert, for `with` and `async with`, that a block sends at most `number` statements to a database.

    As `assert_num_queries`; for code whose number of statements may fall, and must not grow.
    """
    return _Counted(using, lambda count: count <= number, f"at most {number}")


class QueryRecorder:
    """Collects statements between `start()` and `stop()`, as dicts with `sql` and `time`."""

    def __init__(self, alias: str) -> None:
        self._captured = CaptureQueriesContext(connections[alias])

    @property
    def queries(self) -> list[dict[str, Any]]:
        return self._captured.captured_queries

    def start(self) -> None:
        self._captured.__enter__()

    def stop(self) -> None:
        self._captured.__exit__(None, None, None)


def record_queries(alias: str = "default") -> QueryRecorder:
    """Return a recorder of the statements of a database: `start()`, `stop()`, and `queries`, dicts with ``sql`` and ``time``."""
    return QueryRecorder(alias)


def all_models() -> list[Any]:
    """Return every model that is known, those of many-to-many tables and swapped ones included."""
    return apps.get_models(include_auto_created=True, include_swapped=True)


def reset_connections() -> None:
    """Close the connections of every alias."""
    close_all()


def setting_changed(name: str, value: object, enter: bool) -> None:
    """Follow a setting that a test framework overrides (`enter`) or puts back."""
    configuration.configure(**{name: value})


@contextmanager
def capture_on_commit_callbacks(
    *, using: str = "default", execute: bool = False
) -> Iterator[list[Callable[[], Any]]]:
    """Collect the callbacks that on_commit() is given in the block; with `execute` run them at its end.

    For tests that run in a transaction which is rolled back, where they would never be called.

    >>> from facade import atomic, transaction
    >>> with atomic():  # that of the test
    ...     with capture_on_commit_callbacks(execute=True) as callbacks:
    ...         transaction.on_commit(lambda: print("sent"))
    ...     transaction.set_rollback(True)
    sent
    >>> len(callbacks)
    1
    """
    hooks = connections[using].run_on_commit
    start = len(hooks)
    callbacks: list[Callable[[], Any]] = []
    yield callbacks
    while True:
        hooks = connections[using].run_on_commit
        new = hooks[start:]
        if not new:
            return
        start = len(hooks)
        for _, callback, robust in new:
            callbacks.append(callback)
            if execute:
                _run(callback, robust)


def _run(callback: Callable[[], Any], robust: bool) -> None:
    try:
        callback()
    except Exception:
        if not robust:
            raise
