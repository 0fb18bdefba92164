"""`atomic` and the functions around it: the public face of transactions."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Coroutine
from itertools import chain
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from facade import bridge
from facade.bridge.workers import TWIN_OF
from facade.db.channels import retry
from facade.db.channels.channel import checked_level
from facade.db.channels.execution import AS_USUAL, SCHEMAS, Execution
from facade.db.handler import connections
from facade.db.routing import DEFAULT_DB_ALIAS
from facade.db.scopes.binding import Using, block_alias
from facade.db.scopes.joining import STRAYED, is_joinable
from facade.db.transactions import blocks
from facade.db.transactions.blocks import OUTER_DECIDES, state
from facade.exceptions import DeadlockDetected, SerializationFailure, TransactionManagementError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from facade.db.database import Database
    from facade.db.transactions.blocks import Block
    from facade.db.transactions.callbacks import Callback

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_new = object.__new__
_NOT_DURABLE = "A durable atomic block cannot be nested within another atomic block."
_GENERATOR = "{name} is a generator function: its body runs after the block would have ended. Use `with atomic()` inside it."
_RETRIES = "retries= runs a whole function again: use atomic(retries=...) as a decorator."


def get_connection(using: Using | None = None) -> Database:
    """Return the database of an alias, the default one without."""
    return connections[block_alias(using) or DEFAULT_DB_ALIAS]


class Atomic:
    """A block whose work is kept as a whole or not at all; see `atomic`.

    One object may be entered many times, also at once by several tasks or threads.
    """

    # What a block is unless it is asked for more: most are asked for nothing, and are made anew each time.
    using: str | None = None
    savepoint: bool = True
    durable: bool = False
    isolation_level: str | None = None
    read_only: bool = False
    retries: int = 0
    execution: Execution = AS_USUAL
    _from_testcase: bool = False  # a test's own block: durable blocks may be nested in it

    def __init__(
        self,
        using: Using | None = None,
        savepoint: bool = True,
        durable: bool = False,
        isolation_level: str | None = None,
        read_only: bool = False,
        retries: int = 0,
        execution: Execution = AS_USUAL,
    ) -> None:
        self.using = None if using is None else block_alias(using)
        self.savepoint = savepoint
        self.durable = durable
        level = isolation_level or execution.isolation_level
        self.isolation_level = None if level is None else checked_level(level)
        self.read_only = read_only or execution.read_only
        self.retries = retries
        self.execution = execution
        self._open: list[Block] = []

    # as a context manager

    def __enter__(self) -> Block:
        if bridge.running_loop() is None:
            return self._enter(True)
        in_worker = bridge.in_worker()
        if not in_worker:
            database = connections[self.using or DEFAULT_DB_ALIAS]
            database.check_blocking("A `with atomic()` block", "use `async with atomic()`")
        return self._enter(body=not in_worker)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        alias = self.using or DEFAULT_DB_ALIAS
        block = state.around().get(alias)
        if block is not None and block.ended:
            block = state.current(alias)
        around = block is not None and block in self._open
        if block is None or not around:
            block = self._entered_elsewhere()
        self._open.remove(block)
        try:
            if around or block.cut or block.ended or self._is_around(block):
                block.end(error)
            else:
                self._end_strayed(block, error)
        finally:
            if self.execution is not AS_USUAL and SCHEMAS in self.execution.options:
                connections[alias].count_schema_maps(-1)

    def __aenter__(self) -> Coroutine[Any, Any, Block]:
        return bridge.spawn(self._enter, body=True)

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Coroutine[Any, Any, None]:
        return bridge.spawn(self.__exit__, kind, error, traceback)

    def _enter(self, body: bool) -> Block:
        if self.retries:
            raise TypeError(_RETRIES)
        alias = self.using or DEFAULT_DB_ALIAS
        as_usual = self.execution is AS_USUAL
        maps = 0 if as_usual else self._count_maps(connections[alias])
        try:
            parent = state.around().get(alias)
            if parent is not None and parent.ended:
                parent = state.current(alias)
            if parent is None:
                block = blocks.begin(connections[alias], self, body)
            else:
                if not as_usual or self.durable or self.read_only or self.isolation_level is not None:
                    parent.admit()
                    self._check_nesting(parent)
                block = blocks.nest(parent, self, body)
        except BaseException:
            if maps:
                connections[alias].count_schema_maps(-maps)
            raise
        self._open.append(block)
        return block

    def _count_maps(self, database: Database) -> int:
        """Check the options, and tell the database how many schemas they move."""
        self.execution.check(database.alias, database.vendor, database.settings.dialect_name)
        maps = int(SCHEMAS in self.execution.options)
        database.count_schema_maps(maps)
        return maps

    def _check_nesting(self, parent: Block) -> None:
        outer = parent.atomic
        if outer is not None and outer._from_testcase:
            return
        if self.durable and outer is not None:
            raise RuntimeError(_NOT_DURABLE)
        channel = parent.transaction.channel
        decided = self.isolation_level is not None or self.execution.connection_options
        if decided or (self.read_only and not channel.read_only):
            raise TransactionManagementError(OUTER_DECIDES.format(alias=channel.database.alias))

    def _end_strayed(self, block: Block, error: BaseException | None) -> None:
        strayed = TransactionManagementError(block.say(STRAYED))
        block.end(error or strayed)
        if error is None:
            raise strayed

    def _is_around(self, block: Block) -> bool:
        """Tell whether the running context is in the block that it leaves, as the statements in between were."""
        current = state.current(self.using or DEFAULT_DB_ALIAS)
        while current is not None and current is not block:
            current = current.parent
        return current is not None

    def _entered_elsewhere(self) -> Block:
        """Find the block to leave by its owner, where it is not the innermost one of the context."""
        if not self._open:
            raise TransactionManagementError("This block was not entered, or has ended already.")
        owner = bridge.owner()
        return next((block for block in reversed(self._open) if block.owner is owner), self._open[-1])

    # as a decorator

    def __call__(self, function: F) -> F:
        """Make each call of the function a block of its own; a coroutine function stays one.

        Raises TypeError for generator functions.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(_GENERATOR.format(name=getattr(function, "__qualname__", function)))
        wrap = self._wrap_async if is_async(function) else self._wrap
        return cast("F", wrap(function))

    def _wrap(self, function: Callable[P, R]) -> Callable[P, R]:
        once = self._without_retries()

        @functools.wraps(function)
        def in_block(*args: P.args, **kwargs: P.kwargs) -> R:
            for pause in self._pauses():
                block = None
                try:
                    with once as block:
                        return function(*args, **kwargs)
                except (DeadlockDetected, SerializationFailure):
                    if pause is None or not _may_repeat(block):
                        raise
                bridge.sleep(pause)
            raise AssertionError("the last try has no pause after it")

        return in_block

    def _wrap_async(
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        once = self._without_retries()

        @functools.wraps(function)
        async def in_block(*args: P.args, **kwargs: P.kwargs) -> R:
            for pause in self._pauses():
                block = None
                try:
                    async with once as block:
                        return await function(*args, **kwargs)
                except (DeadlockDetected, SerializationFailure):
                    if pause is None or not _may_repeat(block):
                        raise
                await bridge.spawn(bridge.sleep, pause)
            raise AssertionError("the last try has no pause after it")

        return in_block

    def _without_retries(self) -> Atomic:
        once = copy.copy(self)
        once.retries, once._open = 0, []
        return once

    def _pauses(self) -> chain[float | None]:
        return chain(retry.delays(self.retries + 1), [None])


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling a function gives something to be awaited."""
    call = getattr(type(function), "__call__", None)  # noqa: B004 - an object with `async def __call__`
    return (
        inspect.iscoroutinefunction(function)
        or inspect.iscoroutinefunction(call)
        or hasattr(function, TWIN_OF)
    )


def _may_repeat(block: Block | None) -> bool:
    """Tell whether the failed try was a whole transaction, and left nothing behind."""
    return block is not None and block.parent is None and not block.committed


@overload
def atomic(using: Callable[P, R], /) -> Callable[P, R]: ...  # type: ignore[overload-overlap] # a scoped session can be called
@overload
def atomic(
    using: Using | None = None,
    savepoint: bool = True,
    durable: bool = False,
    *,
    isolation_level: str | None = None,
    read_only: bool = False,
    execution_options: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    retries: int = 0,
) -> Atomic: ...
def atomic(
    using: Any = None,
    savepoint: bool = True,
    durable: bool = False,
    *,
    isolation_level: str | None = None,
    read_only: bool = False,
    execution_options: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    retries: int = 0,
) -> Any:
    """Open a block whose work is kept as a whole, or not at all: ``with``, ``async with`` and decorator in one.

    The outermost block is a transaction, a block inside it a savepoint. A block that is left by any exception,
    cancellation included, is rolled back; so is one inside which a failed `save` was swallowed.

    ``using``: the database's alias, or a SQLAlchemy connection or session: the block is a savepoint of its transaction
    then, and statements are in it that name the same (``using(session)``). ``savepoint=False``: a nested block without a savepoint; if it fails, the
    block around it is rolled back. ``durable``: refuse to be nested (RuntimeError). ``isolation_level`` ("READ
    COMMITTED", "REPEATABLE READ", "SERIALIZABLE", ...) and ``read_only`` hold for the transaction, and only its
    outermost block may name them. ``execution_options``: SQLAlchemy's, as ``Connection.execution_options()`` takes them
    (``schema_translate_map``, ``postgresql_deferrable``, names of your own that your listeners look for); those of a
    connection are the outermost block's, too. ``timeout``: how many seconds each statement in the block may take, or
    `StatementTimeout`; the server counts them, on PostgreSQL and MariaDB, and elsewhere UnsupportedFeature is raised.
    ``retries``: as a decorator only; run the whole function again, up to so many
    times, when the database reports a deadlock or a serialization failure.

    A block belongs to the task (the thread, for ``with``) that entered it. Operations which that task creates take
    part, also through ``asyncio.gather(a.asave(), b.asave())``; tasks that it starts do not, unless the block is
    `Block.shared`, and get DetachedOperation.

    >>> @atomic
    ... def rename(name, new):
    ...     return Author.objects.filter(name=name).update(name=new)
    >>> rename("Ada", "Ada Lovelace")
    1
    >>> with atomic("default", durable=False) as block:  # `async with` in async code
    ...     Author.objects.filter(name="Ben").update(age=20)
    1
    """
    execution = AS_USUAL
    if execution_options is not None or timeout is not None:
        execution = Execution(execution_options, timeout)
    elif using is None and savepoint and not (durable or isolation_level or read_only or retries):
        plain = _new(Atomic)  # as `__init__` would make it
        plain._open = []
        return plain
    if using is None or not callable(using) or is_joinable(using):
        return Atomic(using, savepoint, durable, isolation_level, read_only, retries, execution)
    return Atomic(None, savepoint, durable, isolation_level, read_only, retries, execution)(using)


aatomic = atomic


class detached:  # noqa: N801 - used like `atomic`
    """Leave the open blocks, for the code inside: it works on connections of its own, in transactions of its own.

    ``using`` names one alias; all are left without. For a task that was started inside a block and should not be
    part of it. On SQLite a detached write waits for the block to end, so the block must not wait for it.

        with transaction.detached():
            await Log.objects.acreate(text="kept, whatever becomes of the block")
    """

    def __init__(self, using: Using | None = None) -> None:
        self._using = block_alias(using)
        self._before: list[Mapping[str, Block]] = []

    def __enter__(self) -> None:
        self._before.append(state.hide(self._using))

    def __exit__(self, *exc: object) -> None:
        state.restore(self._before.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__()


class mark_for_rollback_on_error:  # noqa: N801 - used like `atomic`
    """Have the block around rolled back if the code inside fails; outside of a block do nothing.

    Cheaper than ``atomic(savepoint=False)`` for code that is one statement.
    """

    __slots__ = ("_alias",)

    def __init__(self, using: Using | None = None) -> None:
        self._alias = block_alias(using) or DEFAULT_DB_ALIAS

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            mark_block(self._alias, error)


def mark_block(using: Using | None, error: BaseException) -> None:
    """Have the block around rolled back, if there is one: what `mark_for_rollback_on_error` does in the end."""
    block = state.current(block_alias(using) or DEFAULT_DB_ALIAS)
    if block is not None and block.in_atomic and block.takes_part():
        block.mark(error)


def whole(using: str, statements: int) -> Atomic | mark_for_rollback_on_error:
    """Return what keeps so many statements together: one is by itself, and needs no transaction of its own."""
    return atomic(using=using, savepoint=False) if statements > 1 else mark_for_rollback_on_error(using)


def on_commit(func: Callback, using: Using | None = None, robust: bool = False) -> None:
    """Call `func` after the outermost block has committed; at once outside of a transaction.

    It is called once, without arguments, and dropped if a block around the call is rolled back. An error in it reaches the code that
    ends the block and stops the callbacks after it, or is logged if `robust`. An ``async with`` block also awaits coroutine functions.
    Raises TypeError for what cannot be called.

    >>> on_commit(lambda: print("stored"))
    stored
    """
    get_connection(using).on_commit(func, robust)


def get_autocommit(using: Using | None = None) -> bool:
    """Tell whether a statement that is run now is a transaction of its own."""
    return get_connection(using).get_autocommit()


def set_autocommit(autocommit: bool, using: Using | None = None) -> None:
    """Turn autocommit off or on in the running context; see `Database.set_autocommit`."""
    get_connection(using).set_autocommit(autocommit)


def commit(using: Using | None = None) -> None:
    """Commit the transaction that was begun with autocommit off."""
    get_connection(using).commit()


def rollback(using: Using | None = None) -> None:
    """Roll back the transaction that was begun with autocommit off."""
    get_connection(using).rollback()


def savepoint_create(using: Using | None = None) -> str | None:
    """Set a savepoint in the open block and return its name; outside of a transaction do nothing.

    A nested `atomic()` sets, releases and rolls back its own; this is for code that decides later.

    >>> with atomic():
    ...     sid = savepoint_create()
    ...     created = Author.objects.create(name="Fay")
    ...     savepoint_rollback(sid)
    >>> Author.objects.filter(name="Fay").exists()
    False
    """
    return get_connection(using).savepoint()


def savepoint(using: Using | None = None) -> str | None:
    """Set a savepoint: the older name of `savepoint_create`."""
    return get_connection(using).savepoint()


def savepoint_rollback(sid: str | None, using: Using | None = None) -> None:
    """Undo the work since a savepoint, which stays set."""
    get_connection(using).savepoint_rollback(sid)


def savepoint_commit(sid: str | None, using: Using | None = None) -> None:
    """Release a savepoint and keep its work."""
    get_connection(using).savepoint_commit(sid)


def clean_savepoints(using: Using | None = None) -> None:
    """Do nothing: savepoint names are counted within one transaction, where each is unique."""
    get_connection(using).clean_savepoints()


def get_rollback(using: Using | None = None) -> bool:
    """Tell whether the innermost block that has a savepoint will be rolled back."""
    return get_connection(using).get_rollback()


def set_rollback(rollback: bool, using: Using | None = None) -> None:
    """Ask for a rollback of the innermost block that has a savepoint, without an exception; or take that back.

    TransactionManagementError outside of a block.

    >>> with atomic():
    ...     created = Author.objects.create(name="Fay")
    ...     set_rollback(True)
    >>> Author.objects.filter(name="Fay").exists()
    False
    """
    get_connection(using).set_rollback(rollback)


aon_commit = bridge.function_twin(on_commit)
aset_autocommit = bridge.function_twin(set_autocommit)
acommit = bridge.function_twin(commit)
arollback = bridge.function_twin(rollback)
asavepoint = bridge.function_twin(savepoint)
asavepoint_create = bridge.function_twin(savepoint_create)
asavepoint_commit = bridge.function_twin(savepoint_commit)
asavepoint_rollback = bridge.function_twin(savepoint_rollback)
