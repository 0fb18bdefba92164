"""Lenders: where the channels of a database's sync or async face come from, and where they go back to."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from facade import bridge
from facade.configuration import settings
from facade.db.errors import translated
from facade.db.retry import delays, may_connect_later, reconnect_delays, refuses_more
from facade.exceptions import PoolExhausted

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect, Engine

    from facade.db.drivers.base import DriverChannel
    from facade.db.place import Place
    from facade.db.pools import Entry

# What a listener to statements registers for. Those of the engine's and of the dialect's event families.
_ENGINE_EVENTS = (
    "before_cursor_execute", "after_cursor_execute", "before_execute", "after_execute", "begin", "commit",
    "rollback", "savepoint", "rollback_savepoint", "release_savepoint", "engine_connect",
)  # fmt: skip
_DIALECT_EVENTS = ("handle_error", "do_execute", "do_execute_no_params", "do_executemany")

_KNOWN = frozenset({"sqlite", "postgresql"})  # one SQL for all supported versions
# What a dialect learns from its server or from its maker.
_LEARNT = (
    "server_version_info", "default_schema_name", "is_mariadb", "insert_returning", "delete_returning",
    "update_returning", "_json_serializer", "_json_deserializer",
)  # fmt: skip


_SILENT = (
    "The server of {!r} did not let a connection through in the time that connect_timeout in OPTIONS allows."
)


class Lender:
    """Lends connections of a pool of our own. ``slow`` makes every statement pass through SQLAlchemy."""

    owns_connections = True

    def __init__(
        self, database: Place, engine: Engine, channel_class: type[DriverChannel], slow: bool = False
    ) -> None:
        self.database = database
        self.slow = slow
        self.engine = engine
        self.pool: Any = engine.pool
        self.dialect = engine.dialect
        self.channel_class = channel_class
        self.hides_parameters = engine.hide_parameters
        self.isolation_level = database.settings.isolation_level
        # The flags that make looking cheap are no public promise of SQLAlchemy's.
        if not hasattr(engine, "_has_events"):
            self.listened = self._has_listeners  # type: ignore[method-assign]

    def lend(self) -> DriverChannel:
        """Check a connection out, connecting again where that failed for a reason that passes.

        Raises PoolExhausted or a database error.
        """
        entry = self._take()
        channel = entry.lent = self.channel_class(self, entry, entry.raw)
        return channel

    def lend_alone(self) -> DriverChannel:
        """Check a connection out for one statement; `end_alone` takes the channel back.

        Each connection has one channel for this, which saves making it.
        """
        try:
            entry: Entry = self.pool.take()
        except Exception as error:
            entry = self._take_later(error)
        channel = entry.channel
        if channel is None:
            channel = entry.channel = self.channel_class(self, entry, entry.raw)
        return channel  # type: ignore[no-any-return]

    def end_alone(self, channel: DriverChannel) -> None:
        """Take the channel back from a lone statement."""
        if channel.broken:
            return
        if channel.connection is None:
            self.pool.give_back(channel.token)
        else:
            channel.token.channel = None
            channel.check_in()

    def _take(self) -> Entry:
        try:
            return self.pool.take()  # type: ignore[no-any-return]
        except Exception as error:
            return self._take_later(error)

    def _take_later(self, error: Exception) -> Entry:
        deadline = time.monotonic() + self.pool.timeout()
        for delay in reconnect_delays() if self.pool.has_connected or refuses_more(error) else delays():
            if not may_connect_later(error) or time.monotonic() + delay > deadline:
                break
            bridge.sleep(delay)
            try:
                return self.pool.take()  # type: ignore[no-any-return]
            except Exception as another:
                error = another
        if isinstance(error, TimeoutError) and not error.args:
            error.args = (_SILENT.format(self.database.alias),)
        raised = translated(error, lost=may_connect_later(error))
        if refuses_more(error):
            raise self.pool.refused() from raised
        raise raised

    def connect(self, token: Any) -> Connection:
        """Return a SQLAlchemy connection on a lent connection."""
        with self.pool.handing_over(token):
            connection = self.engine.connect()
        if connection.connection.driver_connection is not token.raw:
            connection.close()
            raise ConnectionError("A listener to the pool's events has replaced the connection.")
        return connection

    def give_back(self, token: object) -> None:
        """Take a connection back, ready for the next statement."""
        self.pool.give_back(token)

    def throw_away(
        self, token: object, raw: object, connection: Connection | None, error: BaseException | None
    ) -> None:
        """Close a connection hard and free its place."""
        if connection is not None:
            _invalidate(connection, error)
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
        return self.pool.abandon()

    def compile_dialect(self) -> Dialect:
        """Return the dialect to compile statements with: one with positional placeholders that knows its server."""
        self._ask_server()
        return self.dialect

    def _ask_server(self) -> None:
        """Connect once where the SQL depends on the server's kind or version."""
        if not self.knows_server():
            self.lend().check_in()

    def knows_server(self) -> bool:
        """Tell whether all is known that the SQL depends on."""
        return self.dialect.name in _KNOWN or getattr(self.dialect, "server_version_info", None) is not None

    def listened(self) -> bool:
        """Tell whether somebody wants to see statements pass through SQLAlchemy."""
        engine = self.engine
        if engine._has_events or self.dialect._has_events or self.slow:
            return self._has_listeners()
        return engine.logger.isEnabledFor(logging.INFO)

    def _has_listeners(self) -> bool:
        """Look closely: the flags stay set when listeners go."""
        engine, dialect = self.engine, self.dialect
        return (
            self.slow
            or any(getattr(engine.dispatch, name, None) for name in _ENGINE_EVENTS)
            or any(getattr(dialect.dispatch, name, None) for name in _DIALECT_EVENTS)
            or engine.logger.isEnabledFor(logging.INFO)
        )


class EngineLender(Lender):
    """Lends connections of an engine that somebody else made; they go back as they came."""

    owns_connections = False

    def __init__(
        self, database: Place, engine: Engine, channel_class: type[DriverChannel], slow: bool = False
    ) -> None:
        super().__init__(database, engine, channel_class, slow)
        self.isolation_level = _configured_level(engine)

    def lend(self) -> DriverChannel:
        try:
            connection = self._connect()
        except exc.TimeoutError as error:
            raise self._exhausted(error) from error
        except Exception as error:
            raise translated(error, lost=may_connect_later(error))
        raw = connection.connection.driver_connection
        channel = self.channel_class(self, connection, raw)
        channel.connection = connection
        return channel

    def lend_alone(self) -> DriverChannel:
        return self.lend()

    def end_alone(self, channel: DriverChannel) -> None:
        channel.check_in()

    def _connect(self) -> Connection:
        connection = self.engine.connect()
        if not self.channel_class.autocommits:
            return connection
        try:
            return connection.execution_options(isolation_level="AUTOCOMMIT")
        except BaseException:
            connection.close()
            raise

    def _exhausted(self, error: Exception) -> PoolExhausted:
        return PoolExhausted(
            f"The pool of database {self.database.alias!r}, whose engine was configured elsewhere, is exhausted: "
            f"{self.engine.pool.status()}. Raise the engine's pool_size, max_overflow or pool_timeout, "
            "or return connections sooner: end blocks and streams."
        )

    def connect(self, token: Any) -> Connection:
        return token  # type: ignore[no-any-return]

    def give_back(self, token: Any) -> None:
        token.close()

    def throw_away(
        self, token: Any, raw: object, connection: Connection | None, error: BaseException | None
    ) -> None:
        _invalidate(token, error)

    def close(self) -> None:
        if bridge.in_worker() or not self.dialect.is_async:
            self.engine.dispose()

    def abandon(self) -> object:
        pool = self.engine.pool
        self.engine.dispose(close=False)
        return pool

    def compile_dialect(self) -> Dialect:
        self._ask_server()
        if self.dialect.positional:
            return self.dialect
        twin: Dialect = type(self.dialect)(paramstyle="format", dbapi=self.dialect.dbapi)  # type: ignore[call-arg]
        for name in _LEARNT:
            if hasattr(self.dialect, name):
                setattr(twin, name, getattr(self.dialect, name))
        return twin

    def retire(self) -> None:
        with suppress(AttributeError):
            self.engine.pool._invalidate(None)  # type: ignore[arg-type]


def _configured_level(engine: Engine) -> str | None:
    """Return the isolation level that the engine's maker asked for: blocks are to have it, too."""
    level = engine.get_execution_options().get("isolation_level")
    level = level or getattr(engine.dialect, "_on_connect_isolation_level", None)
    return None if level == "AUTOCOMMIT" else level


def _invalidate(connection: Connection, error: BaseException | None) -> None:
    """Let SQLAlchemy close the connection; in spite of cancellation, and for a limited time."""
    with suppress(Exception):
        if bridge.in_worker():
            bridge.finish_within(
                bridge.spawn(_invalidate_and_close, connection, error), settings.FACADE_CLEANUP_SECONDS
            )
        else:
            _invalidate_and_close(connection, error)


def _invalidate_and_close(connection: Connection, error: BaseException | None) -> None:
    if not connection.closed:
        connection.invalidate(error)
        connection.close()
