"""Joining somebody else's SQLAlchemy connection or session: one transaction, theirs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from facade import bridge
from facade.db.control import joined
from facade.db.drivers.general import GeneralChannel
from facade.db.lending import Lender
from facade.db.registry import connections
from facade.exceptions import ImproperlyConfigured, TransactionManagementError

if TYPE_CHECKING:
    from types import TracebackType

    from facade.db.blocks import Block
    from facade.db.database import Database

Joinable = Connection | AsyncConnection | Session | AsyncSession


class JoinedChannel(GeneralChannel):
    """A channel on a connection whose transaction its owner begins and ends."""

    joined = True

    def __init__(self, lender: Lender, token: Any, raw: Any) -> None:
        super().__init__(lender, token, raw)
        self.in_transaction = True

    def begin(self, isolation_level: str | None = None, read_only: bool = False) -> None:
        raise TransactionManagementError("The transaction of a joined connection is begun by its owner.")

    def commit(self) -> None:
        raise TransactionManagementError("The transaction of a joined connection is committed by its owner.")

    def rollback(self) -> None:
        """Leave the transaction to its owner."""

    def check_in(self) -> None:
        self._returned = True
        self.connection = None

    def discard(self, error: BaseException | None = None) -> None:
        self.broken = True
        self.in_transaction = False
        self.connection = None

    def _general(self) -> Connection:
        self._check_open()
        self.connection = self._lender.connect(self.token)  # a session may have another one by now
        return self.connection


class AsyncJoinedChannel(JoinedChannel):
    """The same for an asyncio driver."""

    waits = True


class JoinedLender(Lender):
    """Stands between a joined channel and what it joined; ``token`` finds the connection."""

    owns_connections = False

    def connect(self, token: Callable[[], Connection]) -> Connection:
        return token()

    def retire(self) -> None:
        """Leave the pool to its owner."""


class using_connection(  # noqa: N801 - it is used like a function
    AbstractContextManager[Any, None], AbstractAsyncContextManager[Any, None]
):
    """Run the statements of an alias on a SQLAlchemy connection or session that exists already.

    Takes a Connection or Session for ``with`` and an AsyncConnection or AsyncSession for ``async with``. The
    transaction stays its owner's: facade neither commits nor rolls it back, and `atomic` blocks inside are
    savepoints. What is pending in a session is flushed by its owner, not by facade's statements.

        with engine.begin() as connection, using_connection(connection):
            connection.execute(insert(users).values(name="Ada"))
            Author.objects.create(name="Ada")

    Raises ImproperlyConfigured where the connection's driver is not the one that the alias is configured with.
    """

    def __init__(self, connection: Joinable, alias: str = "default") -> None:
        self.connection = connection
        self.alias = alias
        self._manager: AbstractContextManager[Block] | None = None

    def __enter__(self) -> Block:
        bridge.check_blocking("A `with using_connection()` block", "use `async with using_connection()`")
        return self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exit(error)

    async def __aenter__(self) -> Block:
        return await bridge.spawn(self._enter)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await bridge.spawn(self._exit, error)

    def _enter(self) -> Block:
        find = _finder(self.connection)
        made = find()
        database = connections[self.alias]
        _check_driver(database, made)
        waits = made.dialect.is_async
        lender = JoinedLender(database, made.engine, AsyncJoinedChannel if waits else JoinedChannel)
        self._manager = joined(lender.channel_class(lender, find, None))
        return self._manager.__enter__()

    def _exit(self, error: BaseException | None) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


def _finder(given: object) -> Callable[[], Connection]:
    """Return what finds the connection to use, each time it is used."""
    if isinstance(given, Connection):
        return lambda: given
    if isinstance(given, AsyncConnection):
        return lambda: _started(given)
    if isinstance(given, Session):
        return given.connection
    if isinstance(given, AsyncSession):
        return given.sync_session.connection
    raise TypeError(
        f"using_connection() takes a Connection, AsyncConnection, Session or AsyncSession, not {type(given).__name__}."
    )


def _started(connection: AsyncConnection) -> Connection:
    if connection.sync_connection is None:
        raise TypeError("The AsyncConnection is not started: `async with engine.connect() as connection`.")
    return connection.sync_connection


def _check_driver(database: Database, connection: Connection) -> None:
    """Statements are compiled for the driver that the alias is configured with."""
    theirs, ours = connection.dialect, database.lender.dialect
    if (theirs.name, theirs.driver, theirs.is_async) != (ours.name, ours.driver, ours.is_async):
        raise ImproperlyConfigured(
            f"Database {database.alias!r} is configured for {ours.name}+{ours.driver} here, but using_connection() "
            f"was given a connection of {theirs.name}+{theirs.driver}."
        )
