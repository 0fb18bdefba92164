"""A channel: one connection in the hands of one lone statement, one stream or one transaction block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from facade.db.channels.execution import NO_OPTIONS

if TYPE_CHECKING:
    from facade.db.channels.execution import ExecutionOptions
    from facade.db.channels.place import Place
    from facade.db.transactions.callbacks import Hook

R = TypeVar("R")
Row = Sequence[Any]
Params = Sequence[Any] | dict[str, Any]
Stream = Generator[list[Row], None, None]
"""Whoever reads one closes it (`contextlib.closing`): what garbage collection closes cannot raise, and a
cancellation that arrives meanwhile would be lost."""


@dataclass(slots=True, eq=False)
class Statement:
    """One SQL text and what the layers below must know about it; made once per plan.

    ``reads``: it changes nothing, so a lone run may be retried. ``returns``: it returns rows.
    ``locks``: it takes row locks and therefore belongs into a transaction block.
    """

    sql: str
    reads: bool = False
    returns: bool = False
    locks: bool = False


@dataclass(slots=True, eq=False)
class Outcome:
    """What a statement gave: its rows and their column names (None where it returns no rows), and the counts."""

    rows: Sequence[Row] = ()
    columns: Sequence[str] | None = None
    rowcount: int = -1
    lastrowid: int | None = None


class Channel(ABC):
    """One connection that `Database.lend` checked out, until `check_in` or `discard`.

    Code is written in sync style. Under asyncio the same methods run inside a bridge worker and wait
    there; nothing else differs. A channel serves one statement at a time: whoever shares one between
    tasks or threads serialises them (blocks have a lock for it).

    **State.** ``in_transaction`` tells whether a transaction that this channel began is open, ``read_only``
    whether it was begun so.
    ``broken`` tells that the connection is gone: its slot in the pool is free again, every statement and
    every `commit` raises `OperationalError`; `rollback`, `rollback_to`, `release`, `check_in` and
    `discard` do nothing. There is no third state: when a method returns or raises, the connection is
    either usable for the next statement or `broken`.

    **Errors** are SQLAlchemy's classes (and facade's `DeadlockDetected`, `SerializationFailure`,
    `CommitOutcomeUnknown`), with the driver's error as ``__cause__`` and ``orig``.

    **Cancellation** (`BaseException` in general). A statement, `begin` or `savepoint` that is cancelled
    stops the statement on the server and proves the connection clean within ``FACADE_CLEANUP_SECONDS``,
    or discards it; then the cancellation goes on. In a transaction a clean connection may still hold a
    transaction that the server has aborted: roll back to a savepoint, or all of it. `begin` that fails in
    any way leaves no transaction. `commit`, `rollback`, `release`, `rollback_to`, `check_in` and
    `discard` run to their end in spite of a cancellation, which is raised again afterwards; past the time
    limit the connection is discarded.

    ``joined`` channels come from `using_connection`: the transaction belongs to somebody else's
    SQLAlchemy connection. ``in_transaction`` is true from the start, `begin` and `commit` are refused
    (use savepoints), `check_in` and `discard` leave the connection to its owner.
    """

    joined: ClassVar[bool] = False

    # Values that most channels never change are the class's: a lone statement makes a channel, too.
    in_transaction: bool = False
    read_only: bool = False
    options: ExecutionOptions = NO_OPTIONS
    """Execution options of the statements that follow."""

    broken: bool = False
    was_set: bool = False
    """Whether the session has settings that nobody else is to get."""

    @property
    @abstractmethod
    def database(self) -> Place:
        """The database it is connected to."""

    # statements

    @abstractmethod
    def fetch(self, statement: Statement, params: Params) -> Sequence[Row]:
        """Run the statement and return all its rows as the driver makes them."""

    @abstractmethod
    def execute(self, statement: Statement, params: Params) -> int:
        """Run the statement and return the number of rows it touched."""

    @abstractmethod
    def execute_lastrowid(self, statement: Statement, params: Params) -> int:
        """Run an INSERT and return the generated key, for databases without RETURNING."""

    @abstractmethod
    def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None:
        """Run the statement once per parameter row; outside a transaction it is all or nothing."""

    @abstractmethod
    def perform(self, statement: Statement, params: Params) -> Outcome:
        """Run a statement of which nothing is known, and return all that the driver tells about it."""

    @abstractmethod
    def stream(self, statement: Statement, params: Params, chunk_size: int) -> Stream:
        """Yield lists of at most ``chunk_size`` rows, read through a server-side cursor where there is one.

        A generator: its ``finally`` closes the cursor. The channel may run other statements meanwhile.
        Outside a transaction it opens one of its own where the cursor needs it, and ends it.
        """

    @abstractmethod
    def schema_map(self) -> Mapping[str | None, str | None]:
        """Return the ``schema_translate_map`` of the connection's execution options; empty without one."""

    def after_commit(self, hooks: list[Hook]) -> None:
        """Have callbacks called after the commit of somebody else's transaction, and dropped with its rollback."""
        raise NotImplementedError

    # transactions

    @abstractmethod
    def begin(
        self, isolation_level: str | None = None, read_only: bool = False, timeout: float | None = None
    ) -> None:
        """Begin a transaction: ``BEGIN IMMEDIATE`` on SQLite (``DEFERRED`` when read only).

        ``isolation_level`` is one of `ISOLATION_LEVELS` in any case, or `ValueError`; ``timeout`` is the time that each
        of its statements may take, in seconds.
        """

    @abstractmethod
    def set_timeout(self, seconds: float) -> str:
        """Limit the time of the statements that follow in this transaction; returns what `restore_timeout` takes.

        Raises UnsupportedFeature where the database cannot.
        """

    @abstractmethod
    def restore_timeout(self, before: str, undone: bool) -> None:
        """End a limit. ``undone``: the work since then was rolled back, or will be."""

    @abstractmethod
    def timed(self, sql: str, seconds: float) -> str | None:
        """Return a statement that has its own limit; None where a limit is one of the transaction."""

    @abstractmethod
    def commit(self) -> None:
        """Commit.

        An error says that nothing was committed, with two exceptions: `CommitOutcomeUnknown` (the connection
        was lost after COMMIT went out; the channel is `broken`), and a cancellation, which arrives when
        COMMIT has ended: it succeeded if the cancellation's ``__cause__`` is None. If ``in_transaction`` is
        still true after an error (SQLite: busy), `rollback` is due.
        """

    @abstractmethod
    def rollback(self) -> None:
        """Roll the whole transaction back. A connection that cannot do so is discarded, without an error."""

    @abstractmethod
    def savepoint(self, name: str) -> None:
        """Set a savepoint. ``name`` must be an identifier made by facade, never a user's value."""

    @abstractmethod
    def release(self, name: str) -> None:
        """Release a savepoint and keep its work."""

    @abstractmethod
    def rollback_to(self, name: str) -> None:
        """Undo the work since the savepoint and drop the savepoint. On failure the channel is `broken`."""

    @abstractmethod
    def to_the_end(self, work: Callable[[], R]) -> R:
        """Do something with the connection in spite of cancellation, which is raised afterwards, as `bridge.finish` does."""

    # the end

    @abstractmethod
    def check_in(self) -> None:
        """Give the connection back to its pool; an open transaction is rolled back. Again: nothing happens."""

    @abstractmethod
    def discard(self, error: BaseException | None = None) -> None:
        """Close the connection hard and free its slot. ``error`` is the reason. Again: nothing happens."""


ISOLATION_LEVELS = frozenset({"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"})


def checked_level(level: str | None) -> str | None:
    """Return the name of an isolation level in capitals. Raises ValueError for anything else."""
    if level is None:
        return None
    name = level.replace("_", " ").upper()
    if name not in ISOLATION_LEVELS:
        raise ValueError(
            f"{level!r} is no isolation level: choose one of {', '.join(sorted(ISOLATION_LEVELS))}."
        )
    return name
