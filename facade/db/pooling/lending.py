"""Lenders: where the channels of a database's sync or async face come from, and where they go back to."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakSet

from sqlalchemy import exc
from sqlalchemy.pool import ConnectionPoolEntry

from facade import bridge
from facade.db.channels.errors import translated
from facade.db.channels.limits import in_time
from facade.db.channels.retry import delays, may_connect_later, reconnect_delays, refuses_more
from facade.db.plan_keys import own_key, shared_key
from facade.db.pooling.inventory import Inventory
from facade.db.roads import channel_class
from facade.db.roads.general import AsyncGeneralChannel, GeneralChannel
from facade.drivers import driver_of
from facade.exceptions import PoolExhausted, TransactionManagementError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Dialect, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from facade.db.channels.base import DriverChannel
    from facade.db.channels.place import Place
    from facade.db.channels.schemas import SchemaMap
    from facade.db.plan_keys import PlanKey
    from facade.db.pooling.pools import Entry

T = TypeVar("T")

_NO_MAP: SchemaMap = {}
_ALONE = "facade_channel"  # in a connection's `info`: the channel of its lone statements
_FAMILIAR = "facade"  # in a connection's `info`: it was met before
_SHARED = (
    "The engine of database {!r} gives everybody the same connection ({}), and somebody's transaction is open on it, which "
    "a statement of facade's would end. Join that transaction (`with using_connection(session)`), or end it before."
)
_KNOWN = frozenset({"sqlite", "postgresql"})  # one SQL for all supported versions
# What a dialect learns from its server or from its maker.
_LEARNT = (
    "server_version_info", "default_schema_name", "is_mariadb", "insert_returning", "delete_returning",
    "update_returning", "_json_serializer", "_json_deserializer",
)  # fmt: skip


_SILENT = (
    "The server of {!r} did not let a connection through in the time that connect_timeout in OPTIONS allows."
)


def _level_of_blocks(database: Place, engine: Engine) -> str | None:
    """Return the isolation level that each block is to ask for: those on MySQL have their session's."""
    level = database.settings.isolation_level
    return None if level == getattr(engine.dialect, "_on_connect_isolation_level", None) else level


class GeneralLender:
    """Lends connections of any engine as SQLAlchemy itself checks them out, for the general road."""

    def __init__(self, database: Place, engine: Engine, inventory: Inventory, owns_connections: bool) -> None:
        self.database = database
        self.engine = engine
        self.inventory = inventory
        self.owns_connections = owns_connections
        self.hides_parameters = engine.hide_parameters
        self.isolation_level = _level_of_blocks(database, engine)
        self.channels = AsyncGeneralChannel if engine.dialect.is_async else GeneralChannel
        self.meet = channel_class(engine.dialect).meet
        self._out: WeakSet[GeneralChannel] = WeakSet()

    def lend(self) -> GeneralChannel:
        """Check a connection out. Raises PoolExhausted or a database error."""
        if self.inventory.shares:
            self._check_shared()
        connection = self.engine.connect()
        try:
            if not self.owns_connections and _FAMILIAR not in connection.info:
                self.meet(cast("DBAPIConnection", connection.connection.dbapi_connection))
                connection.info[_FAMILIAR] = True
        except BaseException:
            connection.close()
            raise
        channel = self.channels(self, connection, connection.connection.driver_connection)
        self._out.add(channel)
        return channel

    def _check_shared(self) -> None:
        """Refuse to end the transaction of somebody to whom the pool has given the same connection."""
        pool: Any = self.engine.pool
        record = pool._do_get()
        raw = record.driver_connection
        if record.in_use and getattr(raw, "in_transaction", False):
            raise TransactionManagementError(_SHARED.format(self.database.alias, type(pool).__name__))

    def schema_map(self) -> SchemaMap:
        """Say nothing: general channels ask their connection."""
        return _NO_MAP

    def give_back(self, token: object) -> None:
        """Do nothing: the connection was closed."""

    def throw_away(self, token: Any, error: BaseException | None) -> None:
        """Have SQLAlchemy close the connection hard."""
        _invalidate(token, error)

    def retire(self) -> None:
        """Replace the idle connections, too: the server has gone."""
        pool: Any = self.engine.pool
        with suppress(AttributeError):
            pool.retire() if self.owns_connections else pool._invalidate(None)

    def abandon(self) -> object:
        """Leave the connections in use to the parent process; returns what must stay alive."""
        kept = [(channel, channel.token) for channel in self._out]
        for channel, _ in kept:
            channel.broken, channel.raw = True, None
        self._out = WeakSet()
        return kept


class Lender:
    """Lends connections of a pool of facade's own."""

    owns_connections = True

    def __init__(
        self, database: Place, engine: Engine, channels: type[DriverChannel], fast: bool = True
    ) -> None:
        self.database = database
        self.engine = engine
        self.pool: Any = engine.pool
        self.dialect = engine.dialect
        self.channels = channels
        self.hides_parameters = engine.hide_parameters
        self.isolation_level = _level_of_blocks(database, engine)
        self.inventory = Inventory(engine, channels, fast)
        self.is_general = self.inventory.is_general
        self.general = GeneralLender(database, engine, self.inventory, self.owns_connections)

    def lend(self) -> DriverChannel:
        """Check a connection out, connecting again where that failed for a reason that passes.

        Raises PoolExhausted or a database error.
        """
        if self.is_general():
            return self._patiently(self.general.lend)
        try:
            entry: Entry = self.pool.take()
        except Exception as error:
            entry = self._later(self.pool.take, error)
        channel = entry.lent = self.channels(self, entry, entry.raw)
        return channel

    def lend_general(self) -> DriverChannel:
        """Check a connection out for the general road, whatever the inventory says."""
        return self._patiently(self.general.lend)

    def lend_alone(self) -> DriverChannel:
        """Check a connection out for one statement; `end_alone` takes the channel back.

        Each connection has one channel for this, which saves making it.
        """
        if self.is_general():
            return self._patiently(self.general.lend)
        try:
            entry: Entry = self.pool.take()
        except Exception as error:
            entry = self._later(self.pool.take, error)
        channel = entry.channel
        if channel is None:
            channel = entry.channel = self.channels(self, entry, entry.raw)
        return channel  # type: ignore[no-any-return]

    def end_alone(self, channel: DriverChannel) -> None:
        """Take the channel back from a lone statement."""
        if channel.is_general:
            channel.check_in()
        elif not channel.broken:
            self.pool.give_back(channel.token)

    def _patiently(self, take: Callable[[], T]) -> T:
        try:
            return take()
        except Exception as error:
            return self._later(take, error)

    def _later(self, take: Callable[[], T], error: Exception) -> T:
        deadline = time.monotonic() + self.pool.timeout()
        for delay in reconnect_delays() if self.pool.has_connected or refuses_more(error) else delays():
            if not may_connect_later(error) or time.monotonic() + delay > deadline:
                break
            bridge.sleep(delay)
            try:
                return take()
            except Exception as another:
                error = another
        if isinstance(error, TimeoutError) and not error.args:
            error.args = (_SILENT.format(self.database.alias),)
        raised = translated(error, lost=may_connect_later(error))
        if refuses_more(error):
            raise self.pool.refused() from raised
        raise raised

    def schema_map(self) -> SchemaMap:
        """Return the ``schema_translate_map`` of the engine's execution options; empty without one."""
        options = self.engine.get_execution_options()
        return options.get("schema_translate_map") or _NO_MAP

    def give_back(self, token: object) -> None:
        """Take a connection back, ready for the next statement."""
        self.pool.give_back(token)

    def throw_away(self, token: object, error: BaseException | None) -> None:
        """Close a connection hard and free its place."""
        self.pool.drop(token)

    def retire(self) -> None:
        """Replace the idle connections, too: the server has gone."""
        self.pool.retire()

    def close(self) -> None:
        """Close the connections of this face (of the running event loop); those in use when they come back."""
        if bridge.in_worker() or not self.dialect.is_async:
            self.pool.close()
        else:
            self.pool.sweep()

    def abandon(self) -> object:
        """Leave all connections to the parent process; returns what must stay alive."""
        return [self.general.abandon(), self.pool.abandon()]

    def compile_dialect(self) -> Dialect:
        """Return the dialect to compile statements with: one with positional placeholders that knows its server."""
        self._ask_server()
        return self.dialect

    def plan_key(self, dialect: Dialect) -> PlanKey | Dialect:
        """Return what plans for a dialect, this one's or that of the other face, are kept by."""
        return shared_key(dialect, of_server=not self._has_one_sql())

    def _ask_server(self) -> None:
        """Connect once where the SQL depends on the server's kind or version."""
        if not self.knows_server():
            self.lend().check_in()

    def knows_server(self) -> bool:
        """Tell whether all is known that the SQL depends on."""
        return self._has_one_sql() or getattr(self.dialect, "server_version_info", None) is not None

    def _has_one_sql(self) -> bool:
        return self.dialect.name in _KNOWN


class GivenLender(Lender):
    """Lends connections of an engine that somebody else made; they go back as they came."""

    owns_connections = False

    def __init__(
        self, database: Place, engine: Engine, channels: type[DriverChannel], fast: bool = True
    ) -> None:
        super().__init__(database, engine, channels, fast)
        self._out: WeakSet[DriverChannel] = WeakSet()
        self._compiles: Dialect | None = None

    def lend(self) -> DriverChannel:
        return self._told(self.general.lend if self.is_general() else self._lend_fast)

    def lend_general(self) -> DriverChannel:
        return self._told(self.general.lend)

    def _told(self, take: Callable[[], DriverChannel]) -> DriverChannel:
        """Take a connection, or raise what the caller is to see."""
        try:
            return take()
        except exc.TimeoutError as error:
            raise self._exhausted(error) from error
        except Exception as error:
            raise translated(error, lost=may_connect_later(error))

    def lend_alone(self) -> DriverChannel:
        if self.is_general():
            return self._told(self.general.lend)
        return self._told(self._lend_fast if self.engine.pool._pre_ping else self._take_alone)

    def end_alone(self, channel: DriverChannel) -> None:
        if channel.is_general or channel.token.info.get(_ALONE) is not channel:
            channel.check_in()
        elif not channel.broken:
            channel.rest()

    def _take_alone(self) -> DriverChannel:
        return self._take(alone=True)

    def _lend_fast(self) -> DriverChannel:
        channel = self._take(alone=False)
        self._out.add(channel)
        return channel

    def _take(self, alone: bool) -> DriverChannel:
        """Take a connection out of the pool without the proxy that SQLAlchemy would put around it.

        Each connection has one channel for lone statements, which saves making it.
        """
        pool: Any = self.engine.pool
        token: Any = self.engine.raw_connection() if pool._pre_ping else pool._do_get()
        try:
            if not pool._pre_ping:
                token.get_connection()
            found, info = token.dbapi_connection, token.info
            if _FAMILIAR not in info:
                self.channels.meet(found)
                info[_FAMILIAR] = True
            if not self.channels.is_plain(found):
                self.give_back(token)
                return self.general.lend()
            channel: DriverChannel | None = info.get(_ALONE) if alone else None
            if channel is None:
                channel = self.channels(self, token, token.driver_connection)
                if alone:
                    info[_ALONE] = channel
            channel.adopt()
        except BaseException as error:
            self.throw_away(token, error)
            raise
        return channel

    def give_back(self, token: Any) -> None:
        if isinstance(token, ConnectionPoolEntry):
            token.checkin(_fairy_was_created=False)  # type: ignore[attr-defined]
        else:
            token.close()

    def throw_away(self, token: Any, error: BaseException | None) -> None:
        with suppress(Exception):
            in_time(_invalidate_entry, token, error)

    def _exhausted(self, error: Exception) -> PoolExhausted:
        return PoolExhausted(
            f"The pool of database {self.database.alias!r}, whose engine was configured elsewhere, is exhausted: "
            f"{self.engine.pool.status()}. Raise the engine's pool_size, max_overflow or pool_timeout, "
            "or return connections sooner: end blocks and streams."
        )

    def retire(self) -> None:
        self.general.retire()

    def close(self) -> None:
        if bridge.in_worker() or not self.dialect.is_async:
            self.engine.dispose()

    def abandon(self) -> object:
        kept = [self.general.abandon(), self._out, self.engine.pool]
        for channel in self._out:
            channel.broken, channel.raw = True, None
        self._out = WeakSet()
        self.engine.dispose(close=False)
        return kept

    def plan_key(self, dialect: Dialect) -> Dialect:
        return own_key(dialect)

    def compile_dialect(self) -> Dialect:
        self._ask_server()
        if self.dialect.positional:
            return self.dialect
        if self._compiles is None:
            style = driver_of(self.dialect).paramstyle or "format"
            twin: Dialect = type(self.dialect)(paramstyle=style, dbapi=self.dialect.dbapi)  # type: ignore[call-arg]
            for name in _LEARNT:
                if hasattr(self.dialect, name):
                    setattr(twin, name, getattr(self.dialect, name))
            self._compiles = twin
        return self._compiles


def _invalidate_entry(token: Any, error: BaseException | None) -> None:
    token.invalidate(error)
    if isinstance(token, ConnectionPoolEntry):
        token.checkin(_fairy_was_created=False)  # type: ignore[attr-defined]


def _invalidate(connection: Connection, error: BaseException | None) -> None:
    """Let SQLAlchemy close the connection."""
    with suppress(Exception):
        in_time(_invalidate_and_close, connection, error)


def _invalidate_and_close(connection: Connection, error: BaseException | None) -> None:
    if not connection.closed:
        connection.invalidate(error)
        connection.close()
