"""`Database`: one configured database with both its faces; every statement starts here."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy

from facade import bridge
from facade.configuration import settings as project
from facade.db.channels import capture
from facade.db.channels.channel import Channel, Outcome, Params, Row, Statement, Stream
from facade.db.channels.execution import SCHEMAS, Execution
from facade.db.channels.retry import delays, is_lost
from facade.db.channels.schemas import SchemaMap, alike, marking, placed
from facade.db.cursor import Cursor
from facade.db.plan_keys import own_key
from facade.db.pooling import engines
from facade.db.settings.config import DatabaseSettings, missing_driver
from facade.db.settings.moved import moved
from facade.db.transactions.blocks import state
from facade.db.transactions.control import TransactionControl
from facade.drivers import driver_of
from facade.exceptions import ImproperlyConfigured, TransactionManagementError, UnsupportedFeature
from facade.foundation.seams import Seam
from facade.vendors import vendor_named

if TYPE_CHECKING:
    from sqlalchemy import Inspector
    from sqlalchemy.engine import Dialect, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from facade.db.plan_keys import PlanKey
    from facade.db.pooling.lending import Lender

R = TypeVar("R")
MAX_HOMES = 1000
"""For how many maps of schemas their names are kept."""

PING = Statement("SELECT 1", reads=True, returns=True)
_PERMIT = " In a notebook, ALLOW_BLOCKING: True in the settings of database {!r} lets it block."
_SETTING = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*SET\s+(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b|STATEMENT\b|GLOBAL\b|PASSWORD\b)",
    re.IGNORECASE | re.DOTALL,
)
_LONE_SETTING = (
    "A setting of a session, outside of a block, would stay on one connection of {!r}'s pool, for whoever gets it next. Set it "
    "for a transaction (SET LOCAL inside atomic()), for a block (inside atomic(); the connection is closed then), or for "
    "all connections (`options` or `init_command` in OPTIONS, or a listener to connect)."
)
_NO_LAST_KEY = (
    "{} tells the key that it has made to no driver but by RETURNING … INTO, which facade does not speak: give the object its "
    "primary key."
)
_NO_BLOCK = "select_for_update cannot be used outside of a transaction."


named_under: Seam[[str, Execution], str] = Seam(
    "what a database is called under options", filled_by="facade.db.scopes.optioned"
)


class _Home:
    """``Database.home`` where blocks may have schemas of their own; where none has, an attribute of the database hides it."""

    def __get__(self, database: Database, owner: object = None) -> str:
        return database._find_home()


class Database(TransactionControl):
    """One database: what runs statements on it, and what is known about it.

    Each statement runs in the block that the running code is in, or else alone, on a connection from the pool and in
    autocommit. The sync face uses one engine, the async face another; which one is meant follows from where the
    code runs. Everything is written in sync style: under asyncio it runs inside a worker of the bridge.
    """

    home = _Home()
    """What objects that come from here remember."""

    def __init__(self, alias: str, settings: DatabaseSettings) -> None:
        self.alias = alias
        self.options: str | None = None  # those that its statements are run under, in words
        self.settings = settings
        self.settings_dict = dict(settings.raw)
        self.features = vendor_named(settings.dialect_name)
        self.vendor = self.features.name
        self.display_name = self.features.display_name
        self.sync_lender: Lender | None = None
        self.async_lender: Lender | None = None
        self._async_engine: AsyncEngine | None = None
        self._dialects: dict[bool, Dialect] = {}
        self._plan_keys: dict[bool, PlanKey | Dialect] = {}
        self._marking: dict[tuple[Dialect, bool], Dialect] = {}
        self._anchor: DBAPIConnection | None = None
        self._making = threading.Lock()
        # How many things there are that may have a schema_translate_map: given engines, joined connections.
        self.schema_maps = 0
        self._homes: dict[frozenset[tuple[str | None, str | None]], str] = {}
        self.queries_log: deque[capture.Query] = deque(maxlen=capture.QUERIES_KEPT)
        self._log = capture.StatementLog(self.queries_log)
        self._have_schema_maps(len({settings.engine, settings.async_engine} - {None}))

    def __repr__(self) -> str:
        return f"<Database {self.alias!r}: {self.settings.any_url!r}>"

    # statements

    def fetch(self, statement: Statement, params: Params) -> Sequence[Row]:
        """Run the statement and return all its rows as the driver makes them.

        A lone read whose connection is lost is tried again (``FACADE_RETRY_ATTEMPTS``).
        Raises SQLAlchemy's database errors, and PoolExhausted.
        """
        if self.schema_maps:
            statement = self._placed(statement)
        block = state.around().get(self.alias)
        if block is not None and block.ended:
            block = state.current(self.alias)
        if block is not None:
            return block.run(block.transaction.channel.fetch, statement, params)
        if statement.locks:
            self._check_locks()
        lender = self.lender
        channel = lender.lend_alone()
        try:
            return channel.fetch(statement, params)
        except Exception as error:
            if not (statement.reads and is_lost(error)):
                raise
            lost = error
        finally:
            lender.end_alone(channel)
        return self._fetch_again(statement, params, lost)

    def _fetch_again(self, statement: Statement, params: Params, lost: Exception) -> Sequence[Row]:
        for delay in delays():
            bridge.sleep(delay)
            channel = self.lend()
            try:
                return channel.fetch(statement, params)
            except Exception as error:
                if not is_lost(error):
                    raise
                lost = error
            finally:
                channel.check_in()
        raise lost

    def execute(self, statement: Statement, params: Params) -> int:
        """Run the statement and return the number of rows it touched."""
        if self.schema_maps:
            statement = self._placed(statement)
        block = state.around().get(self.alias)
        if block is not None and block.ended:
            block = state.current(self.alias)
        if block is not None:
            return block.run(block.transaction.channel.execute, statement, params)
        lender = self.lender
        channel = lender.lend_alone()
        try:
            return channel.execute(statement, params)
        finally:
            lender.end_alone(channel)

    def execute_lastrowid(self, statement: Statement, params: Params) -> int:
        """Run an INSERT and return the generated key, for databases without RETURNING."""
        if not self.features.has_last_key:
            raise UnsupportedFeature(_NO_LAST_KEY.format(self.display_name))
        if self.schema_maps:
            statement = self._placed(statement)
        return self._run(lambda channel: channel.execute_lastrowid(statement, params))

    def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None:
        """Run the statement once per parameter row, all of them or none."""
        if self.schema_maps:
            statement = self._placed(statement)
        self._run(lambda channel: channel.execute_many(statement, rows))

    def perform(self, statement: Statement, params: Params) -> Outcome:
        """Run a statement of which nothing is known; returns its rows, columns and counts.

        Raises TransactionManagementError for a setting of a session outside of a block: the next statement runs on
        another connection.
        """
        if self.schema_maps:
            statement = self._placed(statement)
        if self.features.sessions_have_settings and _SETTING.match(statement.sql):
            return self._set(statement, params)
        return self._run(lambda channel: channel.perform(statement, params))

    def _set(self, statement: Statement, params: Params) -> Outcome:
        """Run a statement whose effect lasts as long as its connection, which must not go back to the pool then."""
        block = state.current(self.alias)
        if block is None:
            raise TransactionManagementError(_LONE_SETTING.format(self.alias))
        block.transaction.channel.was_set = True
        return block.run(block.transaction.channel.perform, statement, params)

    def _run(self, work: Callable[[Channel], R]) -> R:
        block = state.current(self.alias)
        if block is not None:
            return block.run(work, block.transaction.channel)
        channel = self.lend()
        try:
            return work(channel)
        finally:
            channel.check_in()

    def stream(self, statement: Statement, params: Params, chunk_size: int = 2000) -> Stream:
        """Yield lists of at most ``chunk_size`` rows, through a server-side cursor where there is one.

        Other statements may run between the lists. Closing the generator closes the cursor and frees the connection.
        """
        if self.schema_maps:
            statement = self._placed(statement)
        block = state.current(self.alias)
        if block is not None:
            return block.stream(statement, params, chunk_size)
        return self._lone_stream(statement, params, chunk_size)

    def _lone_stream(self, statement: Statement, params: Params, chunk_size: int) -> Stream:
        if statement.locks:
            self._check_locks()
        pauses = delays()
        while True:
            started = False
            channel = self.lender.lend()
            try:
                with closing(channel.stream(statement, params, chunk_size)) as chunks:
                    for chunk in chunks:
                        started = True
                        yield chunk
                return
            except Exception as error:
                pause = next(pauses, None)
                if started or pause is None or not is_lost(error):
                    raise
            finally:
                channel.check_in()
            bridge.sleep(pause)

    def cursor(self) -> Cursor:
        """Return a cursor for SQL by hand, with ``%s`` placeholders whatever the driver's are."""
        return Cursor(self)

    # connections

    @property
    def lender(self) -> Lender:
        """What lends connections to the running code: that of the async face in a worker, else that of the sync face.

        Raises SynchronousOnlyOperation where the code would block an event loop.
        """
        if bridge.in_worker():
            return self.async_lender or self._make_async()
        if bridge.running_loop() is not None:
            self.check_blocking()
        return self.sync_lender or self._make_sync()

    def serve_both_faces(self) -> None:
        """Let async code use the driver of the sync face: each statement blocks the event loop, which has to be its own."""
        self.async_lender = self._make_sync()

    def check_blocking(self, what: str = "", instead: str = "") -> None:
        """Raise SynchronousOnlyOperation where waiting would block an event loop, unless ALLOW_BLOCKING lets it."""
        if not self.settings.allow_blocking:
            bridge.check_blocking(what, instead, _PERMIT.format(self.alias))

    def lend(self) -> Channel:
        """Check a connection out of the pool; the caller ends with ``check_in()`` or ``discard()``."""
        return self.lender.lend()

    def lend_general(self) -> Channel:
        """Check a connection out for the general road, where it takes any execution option."""
        return self.lender.lend_general()

    def begin_again(
        self, error: BaseException, lend: Callable[[], Channel], begin: Callable[[Channel], None]
    ) -> Channel:
        """Begin a transaction on another connection where the first one was lost: BEGIN alone changes nothing.

        Raises ``error`` where that was something else, and what the last try raises.
        """
        for delay in delays() if is_lost(error) else ():
            bridge.sleep(delay)
            channel = lend()
            try:
                begin(channel)
                return channel
            except BaseException as another:
                channel.check_in()
                error = another
            if not is_lost(error):
                break
        raise error

    def count_schema_maps(self, more: int) -> None:
        """Note that there are more, or fewer, blocks that may have a ``schema_translate_map``."""
        moved.count(more)
        self._have_schema_maps(more)

    def _have_schema_maps(self, more: int) -> None:
        with self._making:
            self.schema_maps += more
            if not self.schema_maps:
                self.home = self.alias
            elif "home" in vars(self):
                del self.home

    def inspect(self, work: Callable[[Inspector], R]) -> R:
        """Return what `work(inspector)` finds out with SQLAlchemy's inspector, on a connection of this database's.

        A block's own connection is asked where it is one of SQLAlchemy's, as those of `using_connection()` are; tables that an
        open block has just made are seen there only.
        """
        block = state.current(self.alias)
        if block is not None and getattr(block.transaction.channel, "is_general", False):
            found: R = block.run(_inspected, block.transaction.channel, work)
            return found
        channel = self.lend_general()
        try:
            return _inspected(channel, work)
        finally:
            channel.check_in()

    ainspect = bridge.twin(inspect)

    def _check_locks(self) -> None:
        if not self.features.ignores_row_locks:
            raise TransactionManagementError(_NO_BLOCK)

    def _make_sync(self) -> Lender:
        if self.settings.url is None and self.settings.engine is None:
            raise ImproperlyConfigured(missing_driver(self.settings, "sync"))
        with self._making:
            if self.sync_lender is None:
                self._hold_memory()
                self.sync_lender = engines.sync_lender(self, project.FACADE_FAST_ROADS)
            return self.sync_lender

    def _make_async(self) -> Lender:
        if self.settings.async_url is None and self.settings.async_engine is None:
            raise ImproperlyConfigured(missing_driver(self.settings, "async"))
        with self._making:
            if self.async_lender is None:
                self._hold_memory()
                self.async_lender, self._async_engine = engines.async_lender(self, project.FACADE_FAST_ROADS)
            return self.async_lender

    def _hold_memory(self) -> None:
        """Keep an in-memory database in existence while no pool has a connection to it."""
        url = self.settings.url
        if self._anchor is None and self.settings.memory and url is not None:
            self._anchor = engines.open_memory(url)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine of the sync face."""
        return (self.sync_lender or self._make_sync()).engine

    @property
    def async_engine(self) -> AsyncEngine:
        """The SQLAlchemy engine of the async face; each event loop has connections of its own in it."""
        if self._async_engine is None:
            self._make_async()
        assert self._async_engine is not None
        return self._async_engine

    def close(self) -> None:
        """Close this face's connections (under asyncio: of the running event loop); the next statement opens new ones.

        A connection that is in use is closed when it is given back; that of an open block is closed at once, and
        the block's work is lost.
        """
        self.check_blocking()
        if self.close_block():
            return
        if self.sync_lender is not None:
            self.sync_lender.close()
        if self.async_lender is not None:
            self.async_lender.close()

    aclose = bridge.twin(close)

    def dispose(self) -> None:
        """Close all and let an in-memory database go: the alias is being configured anew."""
        for lender in (self.sync_lender, self.async_lender):
            if lender is not None:
                lender.close()
                if lender.owns_connections:
                    lender.retire()  # those of a running event loop, where nothing can wait for them to be closed
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None

    def abandon(self) -> list[object]:
        """Start anew in a forked child, leaving the parent's connections untouched; returns what must stay alive."""
        self._making = threading.Lock()
        return [lender.abandon() for lender in (self.sync_lender, self.async_lender) if lender is not None]

    def ensure_connection(self) -> None:
        """Connect, if no connection is open. Raises what connecting raises."""
        if state.current(self.alias) is None:
            self.lend().check_in()

    def is_usable(self) -> bool:
        """Tell whether the database answers."""
        try:
            self.fetch(PING, ())
        except Exception:
            return False
        return True

    connect = ensure_connection
    aensure_connection = bridge.twin(ensure_connection)
    ais_usable = bridge.twin(is_usable)

    # what plans are compiled for

    @property
    def compile_dialect(self) -> Dialect:
        """The dialect of the running face, with positional placeholders. Both faces share one if their SQL is equal."""
        if self.schema_maps:
            return self._marking_dialect()
        return self._dialects.get(bridge.in_worker()) or self._find_dialect()

    @property
    def plan_key(self) -> PlanKey | Dialect:
        """What plans for this database are kept by; databases that facade reaches alike share them."""
        if self.schema_maps:
            return self._marking_dialect() if self._schema_map() else self._plain_plan_key()
        return self._plan_keys.get(bridge.in_worker()) or self._find_plan_key()

    def _plain_plan_key(self) -> PlanKey | Dialect:
        return self._plan_keys.get(bridge.in_worker()) or self._find_plan_key()

    def _find_plan_key(self) -> PlanKey | Dialect:
        face, dialect = bridge.in_worker(), self._plain_dialect()
        key = self._plan_keys[face] = self._compiling_lender().plan_key(dialect)
        return key

    def _plain_dialect(self) -> Dialect:
        return self._dialects.get(bridge.in_worker()) or self._find_dialect()

    def _marking_dialect(self) -> Dialect:
        """Return the dialect for statements whose tables may stand in other schemas than their models name."""
        plain, schemas = self._plain_dialect(), self._schema_map()
        if not schemas:
            return plain
        key = (plain, None in schemas)
        found = self._marking.get(key)
        return found or self._marking.setdefault(key, own_key(marking(*key)))

    def _schema_map(self) -> SchemaMap:
        """Return the ``schema_translate_map`` of the block around, or else of the engine."""
        block = state.current(self.alias)
        if block is not None:
            return block.schema_map()
        return self._compiling_lender().schema_map()

    def _find_home(self) -> str:
        """Return the name for where the tables are in the block around, if that says so, or else the alias."""
        if (schemas := self._schemas_around()) is None:
            return self.alias
        key = frozenset(schemas.items())
        if (found := self._homes.get(key)) is None:
            if len(self._homes) >= MAX_HOMES:
                self._homes.clear()
            found = self._homes[key] = named_under(self.alias, Execution({SCHEMAS: dict(schemas)}))
        return found

    def schema_of(self, schema: str | None) -> str | None:
        """Return the schema in which tables stand whose models name this one; None for that of the connection."""
        if not self.schema_maps:
            return schema
        found = self._schema_map().get(schema, schema)
        return None if found == self._plain_dialect().default_schema_name else found

    def moves(self, schema: str | None) -> bool:
        """Tell whether tables of a schema stand elsewhere in the block around than outside of it."""
        here = self._schemas_around()
        return here is not None and here.get(schema, schema) != self._own_schemas().get(schema, schema)

    def _schemas_around(self) -> SchemaMap | None:
        """Return the map of the block around; None where it is that of everybody on this database."""
        block = state.current(self.alias)
        if block is None:
            return None
        channel = block.transaction.channel
        schemas: SchemaMap | None = channel.options.get(SCHEMAS)
        if schemas is None:
            if not channel.joined or not (bridge.in_worker() or bridge.running_loop() is None):
                return None  # or there is no asking: its owner's session may have to connect first
            schemas = block.schema_map()
        schemas = alike(schemas)
        return None if schemas == self._own_schemas() else schemas

    def _own_schemas(self) -> SchemaMap:
        """Return the ``schema_translate_map`` of the engine that was given."""
        engines = [one for one in (self.settings.engine, self.settings.async_engine) if one is not None]
        if not engines:
            return {}
        is_async = bridge.in_worker() or bridge.running_loop() is not None
        return alike(engines[-1 if is_async else 0].get_execution_options().get(SCHEMAS) or {})

    def _placed(self, statement: Statement) -> Statement:
        schemas = self._schema_map()
        return placed(statement, schemas, self._plain_dialect()) if schemas else statement

    def _find_dialect(self) -> Dialect:
        face = bridge.in_worker()
        lender = self._compiling_lender()
        other = self._dialects.get(not face)
        made = lender.compile_dialect()
        if other is not None and driver_of(other).same_sql and driver_of(made).same_sql:
            made = other
        self._dialects[face] = made
        return made

    def _compiling_lender(self) -> Lender:
        """Return the lender of the running face; SQL can be written, and printed, where nothing may wait for a server."""
        is_async = bridge.in_worker()
        may_wait = is_async or bridge.running_loop() is None
        lacks_driver = self.settings.url is None and self.settings.engine is None
        if is_async or (lacks_driver and not may_wait):
            lender = self.async_lender or self._make_async()
        else:
            lender = self.sync_lender or self._make_sync()
        if not (may_wait or lender.knows_server()):
            self.check_blocking()
        return lender

    def placeholder(self, number: int) -> str:
        """Write the placeholder of the nth value, counted from 1, for the running face's driver."""
        style = self.compile_dialect.paramstyle
        return {"qmark": "?", "numeric": f":{number}", "numeric_dollar": f"${number}"}.get(style, "%s")

    @property
    def can_return_rows_from_insert(self) -> bool:
        """Whether INSERT has a RETURNING clause."""
        return bool(self.compile_dialect.insert_returning) and not self.features.returns_into_parameters

    @property
    def can_return_rows_from_update(self) -> bool:
        """Whether UPDATE has a RETURNING clause."""
        return bool(self.compile_dialect.update_returning) and not self.features.returns_into_parameters

    @property
    def max_parameters(self) -> int:
        """How many values one statement may carry."""
        return driver_of(self.compile_dialect).max_parameters

    # watching

    @property
    def queries(self) -> list[capture.Query]:
        """The statements that were logged: those run while `force_debug_cursor` was on."""
        return list(self.queries_log)

    @property
    def force_debug_cursor(self) -> bool:
        """Whether statements of the running context are logged in `queries_log`."""
        return capture.is_watching(self.alias, self._log)

    @force_debug_cursor.setter
    def force_debug_cursor(self, on: bool) -> None:
        if on and not self.force_debug_cursor:
            capture.watch(self.alias, self._log)
        elif not on:
            capture.unwatch(self.alias, self._log)

    queries_logged = force_debug_cursor

    def execute_wrapper(self, wrapper: capture.Wrapper) -> capture.Watch:
        """Call ``wrapper(execute, sql, params, many, context)`` around each statement inside a ``with`` block."""
        return capture.Watch(self.alias, wrapper)


def _inspected(channel: Channel, work: Callable[[Inspector], R]) -> R:
    general: Any = channel
    inspector: Inspector = sqlalchemy.inspect(general.token)
    return work(inspector)
