"""Watching statements: `CaptureQueriesContext`, ``connection.queries``, ``connection.execute_wrapper``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections import deque
    from types import TracebackType

    from facade.db.channels.channel import Params
    from facade.db.channels.place import Place

R = TypeVar("R")
Execute = Callable[..., Any]
Wrapper = Callable[[Execute, str, Any, bool, dict[str, Any]], Any]
Query = dict[str, Any]

QUERIES_KEPT = 9000

# The wrappers of each alias, outermost first; None where nobody watches, which is all that most statements ask.
# Context variables follow calls and tasks, so one request's capture does not see another's statements.
_watching: ContextVar[Mapping[str, tuple[Wrapper, ...]] | None] = ContextVar("facade_watching", default=None)

watched = _watching.get


def observe(database: Place, run: Callable[[str, Any], R], sql: str, params: Params, many: bool = False) -> R:
    """Call ``run(sql, params)`` through the wrappers that watch this database."""
    wrappers = (_watching.get() or {}).get(database.alias, ())
    if not wrappers:
        return run(sql, params)
    context = {"connection": database, "cursor": None}
    execute: Execute = lambda sql, params, many, context: run(sql, params)  # noqa: E731
    for wrapper in reversed(wrappers):
        execute = _Wrapped(wrapper, execute)
    return execute(sql, params, many, context)  # type: ignore[no-any-return]


def note(database: Place, sql: str, seconds: float) -> None:
    """Tell the logs about a statement that is no query: BEGIN, COMMIT, ROLLBACK."""
    for wrapper in (_watching.get() or {}).get(database.alias, ()):
        if isinstance(wrapper, StatementLog):
            wrapper.add(database, sql, None, False, seconds)


class _Wrapped:
    """A wrapper with the callable that it wraps."""

    __slots__ = ("execute", "wrapper")

    def __init__(self, wrapper: Wrapper, execute: Execute) -> None:
        self.wrapper = wrapper
        self.execute = execute

    def __call__(self, sql: str, params: Params, many: bool, context: dict[str, Any]) -> Any:
        return self.wrapper(self.execute, sql, params, many, context)


class Watch(AbstractContextManager[Any, None], AbstractAsyncContextManager[Any, None]):
    """Lets a wrapper see a database's statements, for ``with`` and ``async with``, in this context only."""

    def __init__(self, alias: str, wrapper: Wrapper) -> None:
        self.alias = alias
        self.wrapper = wrapper

    def __enter__(self) -> Any:
        watch(self.alias, self.wrapper)
        return self

    def __exit__(self, *exc: object) -> None:
        unwatch(self.alias, self.wrapper)

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__()


def watch(alias: str, wrapper: Wrapper) -> None:
    """Let a wrapper see the statements of this context from now on."""
    watching = _watching.get() or {}
    _watching.set({**watching, alias: (*watching.get(alias, ()), wrapper)})


def is_watching(alias: str, wrapper: Wrapper) -> bool:
    """Tell whether a wrapper sees the statements of this context."""
    return wrapper in (_watching.get() or {}).get(alias, ())


def unwatch(alias: str, wrapper: Wrapper) -> None:
    """Take a wrapper away (the latest, if it watches twice)."""
    watching = dict(_watching.get() or {})
    wrappers = list(watching.pop(alias, ()))
    if wrapper in wrappers:
        del wrappers[len(wrappers) - 1 - wrappers[::-1].index(wrapper)]
    if wrappers:
        watching[alias] = tuple(wrappers)
    _watching.set(watching or None)


class StatementLog:
    """A wrapper that writes each statement down: its SQL with the values filled in, and how long it took."""

    def __init__(self, entries: list[Query] | deque[Query]) -> None:
        self.entries = entries

    def __call__(
        self, execute: Execute, sql: str, params: Params, many: bool, context: dict[str, Any]
    ) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.add(context["connection"], sql, params, many, time.perf_counter() - start)

    def add(self, database: Place, sql: str, params: Any, many: bool, seconds: float) -> None:
        """Write one statement down."""
        text = f"{len(params)} times: {sql}" if many else filled_in(sql, params)
        self.entries.append({"sql": text, "time": f"{seconds:.3f}", "statement": sql, "params": params})


class CaptureQueriesContext(AbstractContextManager[Any, None], AbstractAsyncContextManager[Any, None]):
    """Collects the statements that a database is sent inside a ``with`` or ``async with`` block.

    It is a sequence of dicts with ``sql`` (values filled in, for reading), ``time`` (seconds, as text),
    ``statement`` and ``params`` (as they were sent). Statements of child tasks are included.

    >>> from facade import connection
    >>> with CaptureQueriesContext(connection) as captured:
    ...     number = Author.objects.count()
    >>> len(captured), captured[0]["sql"].split()[0]
    (1, 'SELECT')
    """

    def __init__(self, connection: Place) -> None:
        self.connection = connection
        self.captured_queries: list[Query] = []
        self._watch = Watch(connection.alias, StatementLog(self.captured_queries))

    def __len__(self) -> int:
        return len(self.captured_queries)

    def __getitem__(self, index: int | slice) -> Any:
        return self.captured_queries[index]

    def __iter__(self) -> Iterator[Query]:
        return iter(self.captured_queries)

    def __enter__(self) -> Self:
        self._watch.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.__exit__()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.__exit__()


def filled_in(sql: str, params: Params | None) -> str:
    """Return the statement with its values in place, for people to read; it is never sent."""
    if not params:
        return sql
    if isinstance(params, dict):
        return sql % {name: literal(value) for name, value in params.items()}
    if "$1" in sql:
        for number in range(len(params), 0, -1):
            sql = sql.replace(f"${number}", literal(params[number - 1]))
        return sql
    mark = "%s" if "%s" in sql else "?"
    parts = sql.split(mark)
    if len(parts) != len(params) + 1:
        return f"{sql} {tuple(params)!r}"
    return "".join(part + value for part, value in zip(parts, [*map(literal, params), ""], strict=True))


def literal(value: object) -> str:
    """Write a value as SQL, roughly."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]"
    return "'" + str(value).replace("'", "''") + "'"
