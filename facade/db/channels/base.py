"""What the channels of all drivers share, and what happens when something goes wrong.

A driver's module supplies the verbs with a leading underscore. On a fast road they work on ``raw``, the driver's
connection; `GeneralChannel` has them work on SQLAlchemy's `Connection`. Which of the two it is to be, `Inventory`
has said when the channel was lent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from sqlalchemy.exc import DBAPIError

from facade import bridge
from facade.configuration import settings
from facade.db.channels import timeouts
from facade.db.channels.capture import note, observe, watched
from facade.db.channels.channel import Channel, Outcome, Params, Row, Statement, Stream, checked_level
from facade.db.channels.cursors import Reader, at_hand
from facade.db.channels.errors import (
    driver_error,
    ended_before,
    explain,
    says_lost,
    translated,
    unknown_outcome,
)
from facade.drivers.driver import Unwritable, unwritable
from facade.exceptions import TransactionManagementError

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

    from facade.db.channels.origin import Origin
    from facade.db.channels.place import Place
    from facade.db.pooling.pools import Entry

R = TypeVar("R")

_STALE_TRIES = 5  # a table may be altered again before the statement has its turn


class DriverChannel(Channel):
    """A channel that is made of a driver's verbs. ``token`` is what its lender knows the connection by."""

    waits: ClassVar[bool] = False
    """Whether the driver is an asyncio driver."""

    autocommits: ClassVar[bool] = True
    """Whether the driver connection must be in autocommit mode: the channel begins and ends transactions itself."""

    waits_in_place: ClassVar[bool] = False
    """Whether the driver waits for futures only, and does not cancel the running task to measure time."""

    is_general: ClassVar[bool] = False
    """Whether statements pass through SQLAlchemy."""

    stream_needs_transaction: ClassVar[bool] = False
    many_is_atomic: ClassVar[bool] = False
    cursors_see_writes: ClassVar[bool] = False
    """Whether an open cursor would go on to rows that are written meanwhile on its connection."""

    _readers: Sequence[Reader] = ()
    _returned: bool = False
    _adopted: bool = False  # it is to be restored before it goes back
    _timeout_before: str | None = None  # where a transaction's limit outlives it
    _quiet: bool = False  # its transaction is that of a stream, which counts as one statement

    def __init__(self, lender: Origin, token: Any, raw: Any) -> None:
        self._lender = lender
        self.token = token
        self.raw = raw

    @property
    def database(self) -> Place:
        return self._lender.database

    # statements

    def fetch(self, statement: Statement, params: Params) -> Sequence[Row]:
        if watched() is not None:
            # A copy: loaders take rows out of their list, and whoever watches may keep it.
            return [*self._noticed(self._rows, statement.sql, params, reads=statement.reads)]
        try:
            if self._readers and not statement.reads:
                self._detach_readers()
            return self._rows(statement.sql, params)
        except BaseException as error:
            return self._again(self._rows, error, statement.sql, params)

    def execute(self, statement: Statement, params: Params) -> int:
        if watched() is not None:
            return self._noticed(self._count, statement.sql, params)
        try:
            if self._readers:
                self._detach_readers()
            return self._count(statement.sql, params)
        except BaseException as error:
            return self._again(self._count, error, statement.sql, params)

    def execute_lastrowid(self, statement: Statement, params: Params) -> int:
        return self._noticed(self._lastrowid, statement.sql, params)

    def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None:
        if not rows:
            return
        if self.in_transaction or self.many_is_atomic:
            self._noticed(self._many, statement.sql, rows, many=True)
            return
        self.begin()
        try:
            self._noticed(self._many, statement.sql, rows, many=True)
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def perform(self, statement: Statement, params: Params) -> Outcome:
        return self._noticed(self._outcome, statement.sql, params)

    def _noticed(
        self, run: Callable[[str, Any], R], sql: str, params: Params, many: bool = False, reads: bool = False
    ) -> R:
        """Run a statement where somebody may be watching it."""
        try:
            if self._readers and not reads:
                self._detach_readers()
            return observe(self.database, run, sql, params, many)
        except BaseException as error:
            return self._again(run, error, sql, params)

    def _again(self, run: Callable[[str, Any], R], error: BaseException, sql: str, params: Params) -> R:
        """Run a statement once more that did not begin: its plan was made for a table that has changed since."""
        if not (self.broken or self._returned) and (met := unwritable(driver_error(error))) is not None:
            return self._allowing(met, run, sql, params)
        for _ in range(_STALE_TRIES):
            if not self._may_repeat(driver_error(error) or error):
                self._failed(error, sql, params)
            try:
                return run(sql, params)
            except BaseException as another:
                error = another
        return self._failed(error, sql, params)

    def _may_repeat(self, error: BaseException) -> bool:
        try:
            return not (self.broken or self._returned) and self._has_stale_plan(error)
        except Exception:
            return False  # the transaction could not be begun again

    def _allowing(self, met: Unwritable, run: Callable[[str, Any], R], sql: str, params: Params) -> R:
        """Run a statement that the driver would not have written as it is meant."""
        raw = self._driver_connection()
        try:
            bridge.wait(met.allow(raw))
            try:
                return run(
                    f"{sql} ", params
                )  # another text: what is prepared keeps the converters it was prepared with
            finally:
                if self._usable():
                    self.to_the_end(lambda: bridge.wait(met.forget(raw)))
        except BaseException as error:
            self._failed(error, sql, params)

    def _has_stale_plan(self, error: BaseException) -> bool:
        """Tell whether a statement was refused for a plan of the driver's that is forgotten now, and may run again."""
        return False

    def schema_map(self) -> Mapping[str | None, str | None]:
        own: Mapping[str | None, str | None] | None = self.options.get("schema_translate_map")
        return self._lender.schema_map() if own is None else own

    # streams

    def stream(self, statement: Statement, params: Params, chunk_size: int) -> Stream:
        own = self._quiet = self.stream_needs_transaction and not self.in_transaction
        if own:
            self.begin()
        try:
            yield from self._chunks(statement.sql, params, chunk_size)
        except BaseException as error:
            if own:
                self.rollback()
            if isinstance(error, GeneratorExit):
                raise
            self._failed(error, statement.sql, params)
        if own:
            self.commit()

    def _chunks(self, sql: str, params: Params, size: int) -> Iterator[list[Row]]:
        """Open a cursor, yield what it gives, close it."""
        reader = self._open(sql, params)
        try:
            while rows := reader.read(size):
                is_last = len(rows) < size  # asked before: whoever gets them may take them out of their list
                yield rows
                if is_last:
                    break
        except GeneratorExit:
            self._clean_up(lambda: self._close(reader))
            raise
        except BaseException:
            if not self.broken:
                with suppress(Exception):  # there is an error already
                    self.to_the_end(lambda: self._close(reader))
            raise
        self.to_the_end(lambda: self._close(reader))

    def _open(self, sql: str, params: Params) -> Reader:
        if self._reads_at_once() or self.options.get("stream_results") is False:
            return at_hand(observe(self.database, self._rows, sql, params))
        try:
            cursor = observe(self.database, self._cursor, sql, params)
        except Exception as error:
            if (met := unwritable(driver_error(error))) is None:
                raise
            cursor = self._allowing(met, self._cursor, sql, params)
        reader = Reader(cursor, self._fetch_some, self._close_cursor)
        if self.cursors_see_writes:
            self._readers = [*self._readers, reader]
        return reader

    def _reads_at_once(self) -> bool:
        """Whether an open cursor would keep everybody else from writing."""
        return False

    def _close(self, reader: Reader) -> None:
        self._readers = [other for other in self._readers if other is not reader]
        reader.close()

    def _detach_readers(self) -> None:
        """Before a write: read what open streams have not handed out yet, as it is now."""
        readers, self._readers = self._readers, ()
        for reader in readers:
            reader.detach()

    def _driver_connection(self) -> Any:
        return self.raw

    def _usable(self) -> bool:
        return not (self.broken or self._returned or self._is_closed())

    # what a driver supplies; each may wait, and raises the driver's errors

    def _rows(self, sql: str, params: Params) -> Sequence[Row]:
        raise NotImplementedError

    def _count(self, sql: str, params: Params) -> int:
        raise NotImplementedError

    def _many(self, sql: str, rows: Sequence[Params]) -> None:
        raise NotImplementedError

    def _lastrowid(self, sql: str, params: Params) -> int:
        raise NotImplementedError

    def _outcome(self, sql: str, params: Params) -> Outcome:
        raise NotImplementedError

    def _cursor(self, sql: str, params: Params) -> Any:
        """Run the statement behind a cursor."""
        raise NotImplementedError

    def _fetch_some(self, cursor: DBAPICursor, size: int) -> list[Row]:
        raise NotImplementedError

    def _close_cursor(self, cursor: DBAPICursor) -> None:
        raise NotImplementedError

    def _command(self, sql: str) -> str | None:
        """Run BEGIN, COMMIT or ROLLBACK and return what the server says it has done."""
        raise NotImplementedError

    def _begin_sql(self, isolation_level: str | None, read_only: bool) -> str:
        raise NotImplementedError

    def _is_closed(self) -> bool:
        """Tell whether the driver knows that the connection is gone."""
        raise NotImplementedError

    def _holds_transaction(self) -> bool:
        """Tell whether the server has a transaction open, by what the driver knows."""
        raise NotImplementedError

    def _settle(self) -> bool:
        """After an interrupted statement: stop it, and tell whether the connection is ready for the next one."""
        raise NotImplementedError

    def adopt(self) -> None:
        """Make a connection of somebody else's ready; `_restore` is the way back."""

    @staticmethod
    def is_plain(dbapi_connection: DBAPIConnection) -> bool:
        """Tell whether somebody else's connection is one as drivers make them: idle, and with no mode of its own."""
        return True

    @staticmethod
    def meet(dbapi_connection: DBAPIConnection) -> None:
        """Teach a connection of somebody else's, met for the first time, what facade's SQL needs."""

    @staticmethod
    def set_up(dbapi_connection: DBAPIConnection, init_command: str | None) -> None:
        """Set a new connection of facade's own up, of which the driver's record says nothing."""

    @staticmethod
    def alive(entry: Entry) -> bool:
        """Tell without waiting whether an idle connection is still open, as far as the driver can."""
        return True

    @staticmethod
    def kill(raw: object) -> None:
        """Close a driver connection at once, without waiting."""
        raise NotImplementedError

    # transactions

    def begin(
        self, isolation_level: str | None = None, read_only: bool = False, timeout: float | None = None
    ) -> None:
        level = self._lender.isolation_level if isolation_level is None else checked_level(isolation_level)
        if self.broken or self._returned:
            self._check_open()
        try:
            self._begin(level, read_only)
        except BaseException as error:
            self._begin_failed(error)
        self.in_transaction = True
        self.read_only = read_only
        if timeout is not None:
            self._limit(timeout)

    def _limit(self, seconds: float) -> None:
        """Limit the time of the statements of the transaction that was begun, or end it."""
        try:
            before = self.set_timeout(seconds)
        except BaseException:
            self.rollback()
            raise
        if timeouts.outlives_rollback(self):
            self._timeout_before = before

    def set_timeout(self, seconds: float) -> str:
        try:
            return timeouts.set_timeout(self, seconds)
        except BaseException as error:
            self._failed(error)

    def restore_timeout(self, before: str, undone: bool) -> None:
        if self._usable() and not (undone and not timeouts.outlives_rollback(self)):
            self._clean_up(lambda: timeouts.restore_timeout(self, before))

    def is_mariadb(self) -> bool:
        """Tell whether it is a MariaDB; there is no fast road to one."""
        return False

    def timed(self, sql: str, seconds: float) -> str | None:
        return timeouts.timed(self, sql, seconds)

    def _begin(self, isolation_level: str | None, read_only: bool) -> None:
        sql = self._begin_sql(isolation_level, read_only)
        self._command(sql) if watched() is None else self._timed(sql)
        if read_only:
            self._forbid_writes()

    def _forbid_writes(self) -> None:
        """Make a transaction that has begun read-only, where BEGIN cannot say so."""

    def _allow_writes(self) -> None:
        """End what `_forbid_writes` has begun."""

    def _begin_failed(self, error: BaseException) -> NoReturn:
        try:
            self._failed(error)
        finally:
            if self._usable() and self._holds_transaction():
                self.in_transaction = True
                self.rollback()

    def commit(self) -> None:
        if self.broken or self._returned:
            self._check_open()
        if self._is_closed():
            self._failed(ConnectionError("The connection was lost before COMMIT."))
        try:
            self.to_the_end(self._commit) if self.waits else self._commit()
        except BaseException as error:
            self._commit_failed(error)
        self.in_transaction = False

    def _commit(self) -> None:
        done = self._command("COMMIT") if watched() is None else self._timed("COMMIT")
        if done == "ROLLBACK":
            raise TransactionManagementError(
                "An earlier error had aborted the transaction, and COMMIT rolled it back: nothing was saved."
            )
        if self.read_only:
            self._allow_writes()

    def _commit_failed(self, error: BaseException) -> NoReturn:
        """Raise what the caller is to see; a cancellation of the waiting task has COMMIT's own error as cause.

        What interrupts the program, Ctrl-C or `sys.exit()` in a handler, goes on its way, too: that nobody knows the outcome
        is its cause.
        """
        waited = isinstance(error, bridge.CancelledError)
        cause = error.__cause__ if waited else error
        if cause is not None and self._leaves_unknown(cause):
            self.discard(cause)
            unknown = unknown_outcome(cause, self.database.alias, settings.FACADE_CLEANUP_SECONDS)
            if isinstance(error, Exception):
                raise unknown from cause
            raise error from unknown
        self.in_transaction = self._usable() and self._holds_transaction()
        if waited:
            raise error
        self._failed(error)

    def _leaves_unknown(self, error: BaseException) -> bool:
        if ended_before(error):
            return False
        return isinstance(error, TimeoutError) or not isinstance(error, Exception) or self._is_lost(error)

    def rollback(self) -> None:
        if self.broken or not self.in_transaction:
            return
        try:
            self._clean_up(self._rollback)
        finally:
            self.in_transaction = False

    def _rollback(self) -> None:
        self._timed("ROLLBACK")
        if self.read_only:
            self._allow_writes()

    def savepoint(self, name: str) -> None:
        self.execute(_at_savepoint("SAVEPOINT", name), ())

    def release(self, name: str) -> None:
        if self.broken:
            return
        self.to_the_end(partial(self._release, name)) if self.waits else self._release(name)

    def _release(self, name: str) -> None:
        self.execute(_at_savepoint("RELEASE SAVEPOINT", name), ())

    def rollback_to(self, name: str) -> None:
        if not self.broken:
            self._clean_up(lambda: self._rollback_to(name))

    def _rollback_to(self, name: str) -> None:
        self.execute(_at_savepoint("ROLLBACK TO SAVEPOINT", name), ())
        self.execute(_at_savepoint("RELEASE SAVEPOINT", name), ())

    def _timed(self, sql: str, act: Callable[[], object] | None = None) -> object:
        """Send a command, or have ``act`` send it, where somebody may be watching."""
        if watched() is None or self._quiet:
            return self._command(sql) if act is None else act()
        start = time.perf_counter()
        try:
            return self._command(sql) if act is None else act()
        finally:
            note(self.database, sql, time.perf_counter() - start)

    # the end

    def check_in(self) -> None:
        if self._returned:
            return
        try:
            if self.in_transaction:
                self.rollback()
            if self.was_set:
                self.discard()
            elif self._adopted and not self.broken:
                self._clean_up(self._restore)
        finally:
            self._returned = True
            if not self.broken:
                self._lender.give_back(self.token)
            self.raw = None

    def rest(self) -> None:
        """Give the connection back after a lone statement; this channel is taken again with it."""
        try:
            if self._adopted:
                self._clean_up(self._restore)
        finally:
            self._adopted = False
            if not self.broken:
                self._lender.give_back(self.token)

    def _restore(self) -> None:
        """Leave the connection as it was found."""
        if self._timeout_before is not None:
            timeouts.restore_timeout(self, self._timeout_before)

    def discard(self, error: BaseException | None = None) -> None:
        if self._returned or self.broken:
            return
        self.broken = True
        self.in_transaction = False
        self.raw = None
        self._lender.throw_away(self.token, error)

    def to_the_end(self, work: Callable[[], R]) -> R:
        if not self.waits:
            return work()
        self._check_worker()
        if self.waits_in_place:
            return bridge.see_through(work, settings.FACADE_CLEANUP_SECONDS)
        return bridge.finish(bridge.spawn(work), settings.FACADE_CLEANUP_SECONDS)

    def _check_worker(self) -> None:
        """Raise ConnectionError where nothing can wait: a generator is being collected."""
        if not bridge.in_worker():
            raise ConnectionError("The coroutine around this operation was closed: nothing can wait for it.")

    def _clean_up(self, work: Callable[[], object]) -> None:
        """Do something that must succeed, or else the connection is discarded."""
        try:
            self.to_the_end(work)
        except BaseException as error:
            failure = error if isinstance(error, Exception) else error.__cause__
            if failure is not None or not isinstance(error, bridge.CancelledError):
                self.discard(failure or error)
            if not isinstance(error, Exception):
                raise

    # failures

    def _check_open(self) -> None:
        if self.broken or self._returned:
            self._failed(ConnectionError("closed"))

    def _failed(self, error: BaseException, sql: str | None = None, params: Any = None) -> NoReturn:
        """Bring the channel into a known state and raise what the caller is to see."""
        if not isinstance(error, Exception) and (self.broken or self._returned):
            raise error  # it broke the connection itself
        if self.broken or self._returned:
            raise _closed(self.broken, sql, params) from error
        if not isinstance(error, Exception) or isinstance(error, TimeoutError):
            self._settle_or_discard(error)
        elif self._is_lost(error):
            self._lender.retire()
            self.discard(error)
        elif self.in_transaction and not self._holds_transaction():
            self.in_transaction = False  # some errors of SQLite and MySQL roll everything back
        raised = translated(error, sql, params, lost=self.broken, hide=self._lender.hides_parameters)
        explain(raised, driver_error(error) or error, self.database.alias)
        raise raised

    def _settle_or_discard(self, error: BaseException) -> None:
        if not self._settled():
            self.discard(error)
        elif self._holds_transaction() and not self.in_transaction:
            self.in_transaction = True  # BEGIN had come through
            self.rollback()
        elif self.in_transaction and not self._holds_transaction():
            self.discard(error)

    def _settled(self) -> bool:
        if self.waits and not bridge.in_worker():
            return False
        try:
            return self._settle()
        except bridge.CancelledError as again:
            return again.__cause__ is None
        except BaseException:
            return False

    def _is_lost(self, error: BaseException) -> bool:
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        return says_lost(error) or self._is_closed()


@lru_cache(maxsize=256)  # names are numbers within one transaction: the same ones come again
def _at_savepoint(verb: str, name: str) -> Statement:
    return Statement(f"{verb} {name}")


def _closed(broken: bool, sql: str | None, params: Params) -> BaseException:
    reason = "was lost" if broken else "was given back to its pool"
    return translated(
        ConnectionError(f"The connection {reason} before this statement."), sql, params, lost=broken
    )
