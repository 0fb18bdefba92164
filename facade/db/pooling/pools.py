"""Pools of facade's own engines: SQLAlchemy pools that lend an idle connection in one step.

They are `sqlalchemy.pool.Pool` subclasses, so an engine on them works as any engine does. Facade takes connections
past SQLAlchemy's per-check-out proxy, which costs ten times what the rest of a check-out costs: `take`,
`give_back` and `drop` are that short way. Connections are kept in the driver's autocommit mode, the one that lone
statements need; who comes through the engine gets SQLAlchemy's default mode.
"""

from __future__ import annotations

import sys
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy.pool import ConnectionPoolEntry, Pool

from facade import bridge
from facade.db.channels.errors import interruption
from facade.db.channels.retry import refuses_more
from facade.exceptions import PoolExhausted

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection


IDLE_SECONDS = 1.0  # how long a connection may be idle before it is asked, where that is the only way to tell
FULL_SECONDS = 0.5  # how long after its refusal a server is asked for a further connection again


class Entry:
    """One pooled connection: SQLAlchemy's record of it, and the driver's own connection object."""

    __slots__ = ("born", "channel", "idle_since", "lent", "poll", "raw", "record", "retiring", "shelf")

    def __init__(self, record: ConnectionPoolEntry, shelf: Shelf) -> None:
        self.record = record
        self.raw: Any = record.driver_connection
        self.shelf = shelf
        self.channel: Any = None  # the one for lone statements
        self.lent: Any = None  # the last other one
        self.poll: Any = None  # what the driver's channel looks for signs of life with
        self.born = self.idle_since = time.monotonic()
        self.retiring = False  # not to be lent again


class Shelf:
    """The connections of a pool: those of this process or, under asyncio, of one event loop."""

    __slots__ = (
        "alarm", "alarm_at", "closed", "entries", "full_until", "guardian", "idle", "loop", "opened", "reaper", "waiting",
    )  # fmt: skip

    def __init__(self, loop: Any = None) -> None:
        self.loop = loop
        self.idle: deque[Entry] = deque()
        self.entries: dict[ConnectionPoolEntry, Entry] = {}
        self.opened = 0  # including those that are just being opened
        self.full_until = 0.0  # when to ask again a server that takes no more connections
        self.waiting: deque[Any] = deque()
        self.alarm: Any = None  # the timer for those who wait too long
        self.alarm_at = 0.0  # the deadline that it is set for
        self.closed = False
        self.guardian: Any = None
        self.reaper: Any = None  # the timer that closes what is idle beyond the size


_latest: ContextVar[Any] = ContextVar("facade_latest_connection", default=None)


def _noting(creator: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Remember, in the running context, the connection that was opened last."""

    def connect(record: object) -> Any:
        connection = creator(record)
        _latest.set(connection)
        return connection

    return connect


class LendingPool(Pool):
    """What the pools of both faces have in common.

    ``pool_size`` idle connections are kept and ``max_overflow`` more opened on demand; 0 and -1 take the limits
    away. Idle ones beyond the size are closed when they have not been needed for ``linger`` seconds. ``recycle`` is
    the age in seconds past which a connection is replaced (-1: never). ``alias`` is the database's, for messages.
    """

    _is_asyncio: ClassVar[bool] = False

    alive: Callable[[Entry], bool] | None = None
    """Tells without waiting whether an idle connection is still open; None if there is no such way."""

    kill: Callable[[Any], None] | None = None
    """Closes a driver connection hard, without waiting."""

    asks_idle: bool = False
    """Whether a connection that was idle for a while is asked before it is lent: there is no other way to tell."""

    opens_whole: bool = False
    """Whether opening a connection goes to its end in spite of cancellation, which would lose it."""

    autocommit: bool = True
    """False where connections stay in SQLAlchemy's default mode."""

    def __init__(
        self,
        creator: Callable[..., Any],
        alias: str = "",
        pool_size: int = 5,
        max_overflow: int = 10,
        timeout: float = 30.0,
        recycle: float = -1,
        pre_ping: bool = False,
        linger: float = 10.0,
        **options: Any,
    ) -> None:
        super().__init__(_noting(creator), **options)  # type: ignore[arg-type]
        self.alias = alias
        self.max_overflow = max_overflow
        self._size, self._timeout = pool_size, timeout
        self._limit = float("inf") if pool_size == 0 or max_overflow < 0 else pool_size + max_overflow
        self._keep = float("inf") if pool_size == 0 else pool_size
        self._max_age, self._pings, self._linger = recycle, pre_ping, linger
        self.has_connected = False
        self._sound: Callable[[Entry], bool] | None = self._is_sound  # None: take them as they are

    def serve(
        self,
        alive: Callable[[Entry], bool] | None,
        kill: Callable[[Any], None],
        autocommit: bool,
        asks_idle: bool = False,
        opens_whole: bool = False,
    ) -> None:
        """Learn what there is to know about the driver."""
        self.alive, self.kill, self.autocommit = alive, kill, autocommit
        self.asks_idle, self.opens_whole = asks_idle, opens_whole
        self._sound = self._is_sound if self._max_age >= 0 or self._pings or asks_idle else alive

    # the short way

    @abstractmethod
    def take(self) -> Entry:
        """Return a connection: an idle one, or a new one, or one that is given back in time.

        Raises PoolExhausted when none comes within the pool's timeout, and what the driver raises on connecting.
        """

    def _take_another(self, entry: Entry) -> Entry:
        """Take another connection for one that turned out to be gone, or too old."""
        sound = self._sound or _always
        while True:
            if self.alive is not None and not self.alive(entry):
                self.retire()  # it is seldom the only one
            self.drop(entry)
            entry = self._take()
            if sound(entry):
                return entry

    def _take(self) -> Entry:
        shelf, deadline = self._own_shelf(), time.monotonic() + self._timeout
        while True:
            entry = self._claim(shelf, deadline)
            if entry is not None:
                return entry
            try:
                return self._open(shelf)
            except Exception as error:
                if not (shelf.opened and refuses_more(error)):
                    raise

    @abstractmethod
    def _own_shelf(self) -> Shelf:
        """Return the shelf of this process or of the running event loop."""

    @abstractmethod
    def _claim(self, shelf: Shelf, deadline: float) -> Entry | None:
        """Return an idle connection, or None with a place reserved to open one in; wait for either."""

    @abstractmethod
    def give_back(self, entry: Entry) -> None:
        """Put a taken connection back."""

    def drop(self, entry: Entry) -> None:
        """Close a taken connection hard; its place in the pool is free."""
        self._cut(entry.raw)
        self._forget(entry)

    def retire(self) -> None:
        """Lend none of the present connections again: their server has gone."""
        shelf = self.here()
        if shelf is not None:
            self._mark(shelf)
            for entry in self._drain(shelf):
                self.drop(entry)

    def close(self) -> None:
        """Close idle connections now and lent ones when they come back; the pool stays usable."""
        shelf = self.here()
        if shelf is not None:
            self._mark(shelf)
            self._close_idle(shelf)

    @abstractmethod
    def abandon(self) -> object:
        """Start anew without touching the present connections (after a fork); returns what must be kept alive."""

    @abstractmethod
    def here(self) -> Shelf | None:
        """Return the shelf of this process or of the running event loop, if there is one."""

    # SQLAlchemy's way: what a Pool subclass supplies

    def _do_get(self) -> ConnectionPoolEntry:
        entry = self.take()
        try:
            if self.autocommit:
                dialect: Any = self._dialect
                dialect.reset_isolation_level(entry.record.dbapi_connection)
        except BaseException:
            self.drop(entry)
            raise
        return entry.record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        entry = self._entry(record)
        if entry is None:
            record.close()  # came back after its event loop's end
        elif record.dbapi_connection is None:
            self._forget(entry)  # invalidated
        else:
            self._restore(entry)
            self.give_back(entry)

    def _invalidate(
        self, connection: DBAPIConnection, exception: BaseException | None = None, _checkin: bool = True
    ) -> None:
        self.retire()
        if _checkin and getattr(connection, "is_valid", False):
            connection.invalidate(exception)

    def recreate(self) -> LendingPool:
        """Return the pool that follows when ``engine.dispose()`` has closed this one: itself."""
        return self

    def dispose(self) -> None:
        """Close the connections; part of ``engine.dispose()``."""
        self.close()

    def _restore(self, entry: Entry) -> None:
        try:
            self._enter_autocommit(entry.record)
        except BaseException:
            self.drop(entry)
            raise

    def _enter_autocommit(self, record: ConnectionPoolEntry) -> None:
        if self.autocommit:
            dialect: Any = self._dialect
            dialect.do_commit(record.dbapi_connection)  # settings that a listener made are to stay
            dialect.set_isolation_level(record.dbapi_connection, "AUTOCOMMIT")

    # figures, under QueuePool's names

    def size(self) -> int:
        """Return how many idle connections are kept."""
        return self._size

    def checkedin(self) -> int:
        """Return how many connections are idle."""
        shelf = self.here()
        return len(shelf.idle) if shelf else 0

    def checkedout(self) -> int:
        """Return how many connections are in use."""
        shelf = self.here()
        return shelf.opened - len(shelf.idle) if shelf else 0

    def overflow(self) -> int:
        """Return how many connections there are beyond the size; negative below it."""
        shelf = self.here()
        return (shelf.opened if shelf else 0) - self._size

    def timeout(self) -> float:
        """Return how many seconds a check-out waits at most."""
        return self._timeout

    def status(self) -> str:
        """Describe the figures."""
        return (
            f"Pool size: {self.size()}  Connections in pool: {self.checkedin()} "
            f"Current Overflow: {self.overflow()} Current Checked out connections: {self.checkedout()}"
        )

    # parts

    def _is_sound(self, entry: Entry) -> bool:
        if self.alive is not None and not self.alive(entry):
            return False
        if 0 <= self._max_age < time.monotonic() - entry.born:
            return False
        asks = self._pings or (self.asks_idle and time.monotonic() - entry.idle_since > IDLE_SECONDS)
        return not asks or self._answers(entry)

    def _answers(self, entry: Entry) -> bool:
        dialect: Any = self._dialect
        try:
            return bool(dialect.do_ping(entry.record.dbapi_connection))
        except Exception:
            return False

    def _open(self, shelf: Shelf) -> Entry:
        """Open the connection for which a place is reserved."""
        _latest.set(None)
        outer = sys.exc_info()[1]
        with bridge.hearing_cancellations() as cancellations:
            try:
                record = self._create_connection()
            except BaseException as error:
                # Older versions of SQLAlchemy leave a connection open that a listener to "connect" has refused.
                self._cut(_latest.get())
                if isinstance(error, Exception) and refuses_more(error):
                    self._note_full(shelf)
                self._free(shelf)
                raise interruption(error, outer, cancellations)
            finally:
                _latest.set(None)
        entry = shelf.entries[record] = Entry(record, shelf)
        self._restore(entry)
        self.has_connected, shelf.full_until = True, 0.0
        return entry

    def _cut(self, connection: DBAPIConnection) -> None:
        if self.kill is not None and connection is not None:
            with suppress(Exception):
                self.kill(getattr(connection, "driver_connection", connection))

    @abstractmethod
    def _entry(self, record: ConnectionPoolEntry) -> Entry | None: ...

    @abstractmethod
    def _free(self, shelf: Shelf) -> None:
        """Give a reserved place to whoever waits for one."""

    def _has_place(self, shelf: Shelf) -> bool:
        """Tell whether one more connection may be opened: the server's limit may be lower than ours."""
        if shelf.opened >= self._limit:
            return False
        return not shelf.opened or shelf.full_until <= time.monotonic()

    def _note_full(self, shelf: Shelf) -> None:
        shelf.full_until = time.monotonic() + FULL_SECONDS

    def _surplus(self, shelf: Shelf) -> Iterator[Entry]:
        """Take the idle connections beyond the size that nobody has needed for a while: the first ones in line."""
        latest = time.monotonic() - self._linger
        with suppress(IndexError):  # other threads take, too
            while len(shelf.idle) > self._keep and shelf.idle[0].idle_since <= latest:
                yield shelf.idle.popleft()

    def _close_entry(self, entry: Entry) -> None:
        try:
            entry.record.close()
        finally:
            self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        if entry.shelf.entries.pop(entry.record, None) is not None:
            self._free(entry.shelf)

    def _mark(self, shelf: Shelf) -> None:
        for entry in list(shelf.entries.values()):
            entry.retiring = True

    def _orphan(self, shelf: Shelf) -> None:
        """Make the channels of a parent process refuse to work in this one."""
        for entry in shelf.entries.values():
            for channel in (entry.channel, entry.lent):
                if channel is not None:
                    channel.broken, channel.raw = True, None

    def _drain(self, shelf: Shelf) -> Iterator[Entry]:
        with suppress(IndexError):  # other threads take, too
            while True:
                yield shelf.idle.pop()

    def _close_idle(self, shelf: Shelf) -> None:
        for entry in self._drain(shelf):
            self._close_entry(entry)

    def _exhausted(self, shelf: Shelf) -> PoolExhausted:
        if shelf.full_until:
            return self.refused(shelf.opened)
        return PoolExhausted(
            f"The pool of database {self.alias!r} is exhausted: all connections (POOL_SIZE {self._size}, "
            f"MAX_OVERFLOW {self.max_overflow}) stayed in use for {self._timeout:g} seconds (POOL_TIMEOUT). "
            "Raise these settings, or return connections sooner: end blocks and streams."
        )

    def refused(self, opened: int = 0) -> PoolExhausted:
        """Return what to raise where the server takes no more connections and none came free in time."""
        own = f"the {opened} of this pool stayed in use" if opened else "this pool got none"
        return PoolExhausted(
            f"The server of database {self.alias!r} takes no more connections, and {own} for {self._timeout:g} seconds "
            "(POOL_TIMEOUT). Raise the server's limit (max_connections), or lower POOL_SIZE and MAX_OVERFLOW in all "
            "processes that share it."
        )


class ThreadPool(LendingPool):
    """The pool of a sync face: all threads of the process share it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shelf = Shelf()
        self._changed = threading.Condition()

    def here(self) -> Shelf:
        return self._shelf

    def _entry(self, record: ConnectionPoolEntry) -> Entry | None:
        return self._shelf.entries.get(record)

    def take(self) -> Entry:
        try:
            entry = self._shelf.idle.pop()  # atomic, so it needs no lock
        except IndexError:
            entry = self._take()
        sound = self._sound
        return entry if sound is None or sound(entry) else self._take_another(entry)

    def _own_shelf(self) -> Shelf:
        return self._shelf

    def _claim(self, shelf: Shelf, deadline: float) -> Entry | None:
        with self._changed:
            # Before looking: `give_back` appends first and looks here afterwards.
            shelf.waiting.append(None)
            try:
                return self._wait_for(shelf, deadline)
            finally:
                shelf.waiting.pop()

    def _wait_for(self, shelf: Shelf, deadline: float) -> Entry | None:
        """Wait for an idle connection, or for a place to open one in (None)."""
        while True:
            with suppress(IndexError):
                return shelf.idle.pop()
            if self._has_place(shelf):
                shelf.opened += 1
                return None
            now = time.monotonic()
            if now >= deadline:
                raise self._exhausted(shelf)
            until = min(deadline, shelf.full_until) if shelf.full_until > now else deadline
            self._changed.wait(until - now)

    def give_back(self, entry: Entry) -> None:
        shelf = entry.shelf
        if entry.retiring:
            self._close_entry(entry)
            return
        if shelf.opened > self._keep or self.asks_idle:
            entry.idle_since = time.monotonic()
        shelf.idle.append(entry)
        if shelf.waiting:
            with self._changed:
                self._changed.notify()
        elif shelf.opened > self._keep:
            for surplus in self._surplus(shelf):
                self._close_entry(surplus)

    def _free(self, shelf: Shelf) -> None:
        with self._changed:
            shelf.opened -= 1
            self._changed.notify()

    def abandon(self) -> object:
        kept = self._shelf
        self._orphan(kept)
        self._shelf = Shelf()
        self._changed = threading.Condition()
        return kept


def _always(entry: Entry) -> bool:
    return True
