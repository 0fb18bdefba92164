"""Joining somebody else's SQLAlchemy connection or session: one transaction, theirs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

from sqlalchemy.engine import Connection
from sqlalchemy.exc import UnboundExecutionError

from facade import bridge
from facade.db.handler import connections
from facade.db.roads import channel_class
from facade.db.roads.general import AsyncGeneralChannel, GeneralChannel, autocommits
from facade.db.scopes.owners import watch
from facade.db.transactions.blocks import Block, state
from facade.db.transactions.callbacks import run_hooks
from facade.db.transactions.control import Joined
from facade.db.transactions.turns import Transaction
from facade.exceptions import ImproperlyConfigured, TransactionManagementError
from facade.foundation.imports import is_imported, later

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from sqlalchemy import orm
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import Session, scoped_session

    from facade.db.channels.place import Place
    from facade.db.database import Database
    from facade.db.transactions.callbacks import Hook
else:
    orm, sqlalchemy_asyncio = later("sqlalchemy.orm"), later("sqlalchemy.ext.asyncio")

Joinable: TypeAlias = (
    "Connection | AsyncConnection | Session | AsyncSession | scoped_session[Any] | async_scoped_session[Any]"
)
_One: TypeAlias = "Connection | AsyncConnection | Session | AsyncSession"

_SEVERAL = (
    "The session that {alias!r} is to use has several binds, and none for facade's tables: configure {alias!r} with the "
    "engine that is meant, or give the session a bind."
)
_BEGUN_BY_OWNER = "The transaction of a joined connection is begun by its owner."
_ENDED_BY_OWNER = "The transaction of a joined connection is committed by its owner."


class JoinedChannel(GeneralChannel):
    """A channel on a connection whose transaction its owner begins and ends.

    ``token`` finds the connection, when a statement needs it: a session may have another one by then.
    """

    joined = True
    in_transaction = True
    _adopted = False

    _latest: Connection | None = None

    def begin(
        self, isolation_level: str | None = None, read_only: bool = False, timeout: float | None = None
    ) -> None:
        raise TransactionManagementError(_BEGUN_BY_OWNER)

    def commit(self) -> None:
        raise TransactionManagementError(_ENDED_BY_OWNER)

    def rollback(self) -> None:
        """Leave the transaction to its owner."""

    def check_in(self) -> None:
        self._returned = True
        self._latest = None

    def discard(self, error: BaseException | None = None) -> None:
        self.broken = True
        self.in_transaction = False
        self._latest = None

    whole: Database
    owner: Callable[[], Session | Connection]
    """Returns whose transaction it is."""

    _watched: list[Hook] | None = None

    def after_commit(self, hooks: list[Hook]) -> None:
        """Have these callbacks, and what is added to them, called after the owner's commit; a rollback drops them."""
        if self._watched is None:
            self._watched = hooks
            watch(self.owner(), self._ended)

    def _ended(self, committed: bool) -> None:
        watched, self._watched = self._watched or [], None
        hooks, watched[:] = list(watched), []
        if committed:
            run_hooks(hooks)

    def connection(self) -> Connection:
        """Return the connection to run the next statement on, which a session may open now."""
        self._check_open()
        connection: Connection = self.token()
        if connection is not self._latest:
            _check_driver(self.whole, connection)
            if "facade" not in connection.info:
                channel_class(connection.dialect).meet(
                    cast("DBAPIConnection", connection.connection.dbapi_connection)
                )
                connection.info["facade"] = True
            self._latest = connection
        return connection

    _connection = connection

    def keeps_locks(self) -> bool:
        """Return whether what a statement locks stays locked after it: there is a transaction, or one begins now."""
        return not autocommits(self.connection())

    def _is_closed(self) -> bool:
        return self._latest is not None and (self._latest.closed or self._latest.invalidated)

    def _holds_transaction(self) -> bool:
        return self._latest is None or self._latest.in_transaction()


class AsyncJoinedChannel(JoinedChannel, AsyncGeneralChannel):
    """The same for an asyncio driver."""

    def _interrupt(self) -> None:
        """Leave the connection alone: its owner's other statements are on it."""


class JoinedOrigin:
    """Stands between a joined channel and what it joined, which keeps its connections."""

    owns_connections = False
    hides_parameters = False
    isolation_level: str | None = None

    def __init__(self, database: Database) -> None:
        self.database: Place = database

    def schema_map(self) -> Mapping[str | None, str | None]:
        """Say nothing: the channel asks its connection."""
        return {}

    def give_back(self, token: object) -> None:
        """Leave it with its owner."""

    def throw_away(self, token: object, error: BaseException | None) -> None:
        """Leave it with its owner."""

    def retire(self) -> None:
        """Leave the pool to its owner."""


def channel_on(database: Database, given: Joinable) -> JoinedChannel:
    """Return a channel on a connection or session of somebody else's: of a scoped session, on that of the running code."""
    check_joinable(given)
    one = _unscoped(given)
    blocks = isinstance(one, Connection) and not one.dialect.is_async
    kind = AsyncJoinedChannel if bridge.in_worker() and not blocks else JoinedChannel
    find = _finder(database, one)
    channel = kind(JoinedOrigin(database), find, None)
    channel.whole, channel.owner = database, lambda: _owner(one)
    return channel


class using_connection(  # noqa: N801 - it is used like a function
    AbstractContextManager[Any, None], AbstractAsyncContextManager[Any, None]
):
    """Run the statements of an alias on a SQLAlchemy connection or session that exists already.

    Takes a Connection or (scoped) Session for ``with`` and an AsyncConnection or (scoped) AsyncSession for ``async
    with``. The transaction stays its owner's: facade neither commits nor rolls it back, and `atomic` blocks inside are
    savepoints. A session is asked for its connection at the first statement, and flushes what is pending in it before
    each, as ``session.execute()`` does, if it has autoflush on. ``shared`` lets tasks (threads, for ``with``) that are
    started inside take part; their statements take turns.

    >>> from facade import connections
    >>> with connections["default"].engine.connect() as connection, using_connection(connection):
    ...     Author.objects.count()  # on this connection, in its transaction
    3

    Raises ImproperlyConfigured at the first statement if the connection's driver is not the one that the alias is
    configured with, and TransactionManagementError where the block is left in another context (thread, task) than it was
    entered in: code in between had no part in it. `QuerySet.using` and ``atomic(using=...)`` take the session itself
    there.
    """

    def __init__(self, connection: Joinable, alias: str = "default", *, shared: bool = False) -> None:
        self._given = connection
        self.alias = alias
        self._shared = shared
        self._entered: list[tuple[Block, Mapping[str, Block]]] = []

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
        database = connections[self.alias]
        channel = channel_on(database, self._given)
        before = state.hide(self.alias)
        block = state.push(self.alias, Joined(Transaction(channel)))
        if self._shared:
            block.shared()
        database.count_schema_maps(1)
        self._entered.append((block, before))
        return block

    def _exit(self, error: BaseException | None) -> None:
        block, before = self._entered.pop()
        connections[self.alias].count_schema_maps(-1)
        strayed = state.current(self.alias)
        try:
            block.end(None)
        finally:
            if strayed is not None:
                state.restore(before)
        if strayed is None and error is None:
            raise TransactionManagementError(block.say(STRAYED))


STRAYED = (
    "The block on {alias!r} was left in another context (thread or task) than it was entered in: the code in between had "
    "no part in it, and its statements were not in the transaction. Enter it where the statements are run, or name what "
    "they belong to: using(session), save(using=session), atomic(using=session)."
)


def is_joinable(given: object) -> TypeGuard[Joinable]:
    """Tell what has a connection; nobody has a session who did not import SQLAlchemy's ORM."""
    return (
        isinstance(given, Connection)
        or (is_imported(orm) and isinstance(given, (orm.Session, orm.scoped_session)))
        or (
            is_imported(sqlalchemy_asyncio)
            and isinstance(
                given,
                (
                    sqlalchemy_asyncio.AsyncConnection,
                    sqlalchemy_asyncio.AsyncSession,
                    sqlalchemy_asyncio.async_scoped_session,
                ),
            )
        )
    )


def check_joinable(given: object) -> None:
    """Raise TypeError for what has no connection."""
    if not is_joinable(given):
        raise TypeError(
            "A Connection, AsyncConnection, Session, AsyncSession or a scoped session is wanted here, not "
            f"{type(given).__name__}."
        )


def _unscoped(given: Joinable) -> _One:
    """Return the session that a scoped session has for the running code, and any other as it is."""
    if isinstance(given, Connection):
        return given
    if isinstance(given, (orm.scoped_session, sqlalchemy_asyncio.async_scoped_session)):
        session: Session | AsyncSession = given()
        return session
    return given


def _finder(database: Database, given: _One) -> Callable[[], Connection]:
    """Return what finds the connection to use, each time it is used; a session's is looked at when it is there."""
    if isinstance(given, Connection):
        _check_driver(database, given)
        return lambda: given
    if isinstance(given, sqlalchemy_asyncio.AsyncConnection):
        _check_driver(database, _started(given))
        return lambda: _started(given)
    session = given.sync_session if isinstance(given, sqlalchemy_asyncio.AsyncSession) else given
    return lambda: _of_session(database, session)


def _owner(given: _One) -> Session | Connection:
    """Return the session or connection that commits, in SQLAlchemy's sync form."""
    if isinstance(given, Connection):
        return given
    if isinstance(given, sqlalchemy_asyncio.AsyncConnection):
        return _started(given)
    return given.sync_session if isinstance(given, sqlalchemy_asyncio.AsyncSession) else given


def _started(connection: AsyncConnection) -> Connection:
    if connection.sync_connection is None:
        raise TypeError("The AsyncConnection is not started: `async with engine.connect() as connection`.")
    return connection.sync_connection


def _of_session(database: Database, session: Session) -> Connection:
    """Return a session's connection, with what is pending in the session written to it."""
    try:
        connection: Connection = session.connection()
    except UnboundExecutionError:
        connection = session.connection(bind_arguments={"bind": _bind(database, session)})
    if session.autoflush and not session._flushing:
        session.flush()
    return connection


def _bind(database: Database, session: Session) -> Any:
    """Return the bind of a session that has several: the alias's own engine, or the only one of its driver."""
    settings = database.settings
    ours = (settings.engine, settings.async_engine and settings.async_engine.sync_engine)
    binds = set((getattr(session, "binds", None) or getattr(session, "_Session__binds", {})).values())
    fitting = [bind for bind in binds if bind in ours] or list(binds)
    if len(fitting) != 1:
        raise ImproperlyConfigured(_SEVERAL.format(alias=database.alias))
    return fitting[0]


def _check_driver(database: Database, connection: Connection) -> None:
    """Statements are compiled for the driver that the alias is configured with."""
    theirs, ours = connection.dialect, database.lender.dialect
    if (theirs.name, theirs.driver, theirs.is_async) != (ours.name, ours.driver, ours.is_async):
        raise ImproperlyConfigured(
            f"Database {database.alias!r} is configured for {ours.name}+{ours.driver} here, but using_connection() "
            f"was given a connection of {theirs.name}+{theirs.driver}."
        )
