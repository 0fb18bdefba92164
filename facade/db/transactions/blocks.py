"""Open blocks: statements and streams on their connection, and how their work is kept or undone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from facade import bridge
from facade.db.channels.execution import AS_USUAL
from facade.db.transactions.callbacks import run_hooks
from facade.db.transactions.current import Innermost
from facade.db.transactions.turns import CUT, Transaction, Turns, was_done
from facade.exceptions import Error, OperationalError, TransactionManagementError

if TYPE_CHECKING:
    from facade.db.channels.channel import Channel, Params, Row, Statement, Stream
    from facade.db.channels.execution import Execution
    from facade.db.channels.schemas import SchemaMap

R = TypeVar("R")

state: Innermost[Block] = Innermost("facade_blocks")

_at_work: ContextVar[Block | None] = ContextVar("facade_block_at_work", default=None)

BROKEN = "An error occurred in the current transaction. You can't execute queries until the end of the 'atomic' block."
_CLOSED = "The connection on {alias!r} was closed inside the block."
_UNDONE = (
    "The database rolled the whole transaction on {alias!r} back, for an error that was caught inside the block: "
    "nothing of the block is stored. Let the error out of the block."
)
OUTER_DECIDES = (
    "The transaction on {alias!r} has begun already: isolation_level, read_only and execution options of a connection "
    "belong to its outermost block."
)
_STREAM_ENDED = "The block on {alias!r} in which this stream was opened has ended, and the stream with it."
_SAVEPOINTS = "The savepoints on {alias!r} are not those that this block left: it cannot be released."


class BlockOptions(Protocol):
    """What a block is asked for; `transaction.Atomic` is one."""

    savepoint: bool
    isolation_level: str | None
    read_only: bool
    execution: Execution
    _from_testcase: bool


class Lends(Protocol):
    """What has connections: a `Database`."""

    alias: str

    def lend(self) -> Channel:
        """Check a connection out; a channel's `check_in` or `discard` gives it back."""

    def lend_general(self) -> Channel:
        """Check a connection out on which any execution option can be set."""

    def begin_again(
        self, error: BaseException, lend: Callable[[], Channel], begin: Callable[[Channel], None]
    ) -> Channel:
        """Begin a transaction for one whose connection was lost; raises ``error`` if it was not that."""


class Scope:
    """Work that is kept or undone as one, by the end of a transaction or of a block with a savepoint."""

    manual_ids: tuple[str, ...] = ()  # savepoints made by the user
    needs_rollback: bool = False
    cause: BaseException | None = None  # of needs_rollback


class Block(Turns):
    """One entered block: the body of an `atomic`, or a connection in manual or foreign hands.

    ``scope``: the work of the nearest block, itself included, whose end can undo some: only that can be broken.
    """

    parent: Block | None
    child: Block | None = None

    outer_options: Any = None  # of the channel, where this block has others
    outer_timeout: str | None = None
    committed: bool = False

    def __init__(
        self,
        transaction: Transaction,
        atomic: BlockOptions | None = None,
        parent: Block | None = None,
        sid: str | None = None,
        body: bool = True,
        owner: object = None,
    ) -> None:
        loop = bridge.running_loop()
        self.loop = loop if loop is None or bridge.in_worker() else None
        self.lock = threading.Lock() if self.loop is None else bridge.Lock()
        self.owner = bridge.owner() if owner is None else owner
        self.transaction = transaction
        self.parent = parent
        self.body = body
        self.atomic = atomic
        self.sid = sid
        self.level = len(transaction.savepoint_ids)
        self.scope: Scope = Scope() if parent is None or sid is not None else parent.scope
        self.streams: list[Stream] = []

    def __repr__(self) -> str:
        condition = "cut" if self.cut else "ended" if self.ended else "open"
        return f"<{condition} {type(self).__name__} on {self.transaction.alias!r}>"

    # statements

    def run(self, work: Callable[..., R], *args: Any) -> R:
        """Do something with the connection when it is this block's turn."""
        if _at_work.get() is self and self.lock.locked():
            return work(*args)  # for a wrapper or listener of the statement that has the turn
        self.turn()
        token = _at_work.set(self)
        try:
            if self.scope.needs_rollback or self.transaction.lost is not None:
                self.check_usable()
            return work(*args)
        except BaseException as error:
            self.note_failure(error)
            raise
        finally:
            _at_work.reset(token)
            self.lock.release()

    def check_usable(self) -> None:
        """Raise TransactionManagementError where only a rollback can follow."""
        if not self.usable():
            raise TransactionManagementError(BROKEN) from self.scope.cause or self.transaction.lost

    def usable(self) -> bool:
        """Tell whether the work since the nearest savepoint can still be kept."""
        return not self.scope.needs_rollback and self.transaction.lost is None

    def note_failure(self, error: BaseException) -> None:
        """Draw the conclusions from an error that left the driver."""
        channel = self.transaction.channel
        if channel.broken or (self.in_transaction and not channel.in_transaction):
            self.transaction.lose(error)
        elif not isinstance(error, Exception):
            self.mark(error)  # nobody knows how far the statement came

    def mark(self, error: BaseException | None) -> None:
        """Note that the work since the nearest savepoint must be rolled back."""
        self.scope.needs_rollback = True
        self.scope.cause = error

    def set_rollback(self, wanted: bool) -> None:
        """Ask for a rollback at the end of the nearest block with a savepoint, or take that back."""
        self.scope.needs_rollback = wanted
        self.scope.cause = None

    def savepoints(self) -> set[str]:
        """Return the savepoints whose rollback undoes what is done now."""
        names: set[str] = set()
        block: Block | None = self
        while block is not None:
            names.update(block.scope.manual_ids)
            if block.sid is not None:
                names.add(block.sid)
            block = block.parent
        return names

    def close_connection(self) -> None:
        """Close the connection hard: everything since the outermost block began is lost."""
        Block.turn(self)
        try:
            self.transaction.channel.discard()
        finally:
            self.transaction.lose(TransactionManagementError(self.say(_CLOSED)))
            self.lock.release()

    def schema_map(self) -> SchemaMap:
        """Return the ``schema_translate_map`` of the connection, which a joined session may open for this."""
        channel = self.transaction.channel
        return self.run(channel.schema_map) if channel.joined else channel.schema_map()

    def set_savepoint(self, sid: str) -> None:
        """Set the block's savepoint, in spite of cancellation: half set, it would break the block around."""
        channel = self.transaction.channel
        if self.loop is None:
            channel.savepoint(sid)
            return
        try:
            channel.to_the_end(partial(channel.savepoint, sid))
        except (TimeoutError, bridge.CancelledError) as error:
            if was_done(error):
                channel.rollback_to(sid)
                raise
            channel.discard(error)  # the savepoint may be set, or not, or not yet
            if isinstance(error, TimeoutError):
                raise OperationalError(
                    f"SAVEPOINT {sid}", None, error, connection_invalidated=True
                ) from error
            raise

    def set_options(self, execution: Execution) -> None:
        """Run what follows under these options, too, until `restore_options`."""
        channel = self.transaction.channel
        if execution.options:
            self.outer_options, channel.options = channel.options, {**channel.options, **execution.options}
        if execution.timeout is not None:
            self.outer_timeout = channel.set_timeout(execution.timeout)

    def restore_options(self, undone: bool) -> None:
        """Go on under the options of the block around."""
        channel = self.transaction.channel
        if self.outer_options is not None:
            channel.options = self.outer_options
        if self.outer_timeout is not None:
            channel.restore_timeout(self.outer_timeout, undone)

    # streams

    def stream(
        self, statement: Statement, params: Params, chunk_size: int, channel: Channel | None = None
    ) -> Stream:
        """Yield lists of rows; other statements may run meanwhile. A stream ends with its block at the latest.

        ``channel`` is the block's own one under the options of a query.
        """
        self.admit()
        chunks = (channel or self.transaction.channel).stream(statement, params, chunk_size)
        self.streams.append(chunks)
        try:
            while (chunk := self._advance(chunks)) is not None:
                yield chunk
        finally:
            # Garbage collection cannot wait: what it leaves open is closed at the block's end.
            if chunks in self.streams and (self.loop is None or bridge.in_worker()):
                with suppress(TransactionManagementError):
                    self._reader().run(self._close_stream, chunks)

    def _advance(self, chunks: Stream) -> list[Row] | None:
        if chunks not in self.streams:
            raise TransactionManagementError(self.say(_STREAM_ENDED))
        return self._reader().run(self._next, chunks)

    def _next(self, chunks: Stream) -> list[Row] | None:
        chunk = None
        try:
            chunk = next(chunks, None)
        finally:
            if chunk is None and chunks in self.streams:
                self.streams.remove(chunks)
        return chunk

    def _close_stream(self, chunks: Stream) -> None:
        if chunks in self.streams:
            self.streams.remove(chunks)
            chunks.close()

    def _reader(self) -> Block:
        """Return the block whose turn reads on: the owner may be in a nested one by now."""
        block, owner = self, bridge.owner()
        while block.child is not None and block.child.owner is owner:
            block = block.child
        return block

    def close_streams(self) -> BaseException | None:
        """Close what still reads, having the turn. Returns a cancellation that came meanwhile."""
        interrupt = None
        if self.transaction.lost is not None:
            self.streams.clear()
        while self.streams:
            try:
                self._close_stream(self.streams[-1])
            except Error:
                pass  # a cursor that cannot be closed does not outlive the transaction
            except BaseException as error:
                interrupt = error
        return interrupt

    # the end

    @property
    def in_atomic(self) -> bool:
        """Whether this is the body of an `atomic`."""
        return self.atomic is not None

    @property
    def in_transaction(self) -> bool:
        """Whether the connection has to be in a transaction now."""
        return True

    def end(self, error: BaseException | None) -> None:
        """Leave the block: keep its work, or undo it if ``error`` ended it or something asked for a rollback."""
        held: list[Turns] = []
        interrupt: BaseException | None = None
        if not self.cut:
            held, interrupt = self.last_turn(error)
        if self.cut:  # before, or while we waited for the turn
            self._end_cut(held, error or interrupt)
        else:
            if self.streams:
                interrupt = self.close_streams() or interrupt
            try:
                self.settle(error or interrupt)
            finally:
                self.leave(held)
        if interrupt is not None:
            raise interrupt

    def _end_cut(self, held: list[Turns], error: BaseException | None) -> None:
        Block.leave(self, held)
        if error is None:
            raise TransactionManagementError(self.say(CUT)) from self.transaction.lost

    def settle(self, error: BaseException | None) -> None:
        """Keep the work or undo it; this is the block's last turn."""
        raise NotImplementedError

    def leave(self, held: list[Turns]) -> None:
        """Count as ended, and give the turns back."""
        self.ended = True
        parent, scope = self.parent, self.scope
        if scope.cause is not None and (parent is None or scope is not parent.scope):
            scope.cause = None  # its traceback leads back here
        state.pop(self.transaction.alias, self)
        for block in held:
            block.lock.release()
        if parent is not None and not self.cut:
            parent.child = None
            parent.lock.release()

    def cut_off(self) -> None:
        super().cut_off()
        if self.parent is not None:
            self.parent.streams.extend(self.streams)  # to be closed there
        self.streams = []
        del self.transaction.savepoint_ids[self.level :]


class Nested(Block):
    """A block inside another one: a savepoint, unless it was asked to do without."""

    parent: Block

    def settle(self, error: BaseException | None) -> None:
        transaction = self.transaction
        sids = transaction.savepoint_ids
        intact = len(sids) == self.level + 1 and sids[-1] == self.sid
        del sids[-1:]
        try:
            if transaction.lost is not None:
                return
            if not intact:
                self.parent.mark(error)
                raise TransactionManagementError(self.say(_SAVEPOINTS)) from error
            if error is not None or self.scope.needs_rollback:
                self._undo(error)
            elif self.sid is not None:
                self._release(self.sid)
        finally:
            if self.outer_options is not None or self.outer_timeout is not None:
                self.restore_options(undone=not self.parent.usable())

    def _release(self, sid: str) -> None:
        try:
            self.transaction.channel.release(sid)
        except BaseException as error:
            if not was_done(error):
                self._undo(error)
            if isinstance(error, TimeoutError):
                raise OperationalError(f"RELEASE SAVEPOINT {sid}", None, error) from error
            raise

    def _undo(self, error: BaseException | None) -> None:
        if self.sid is None:
            if error is not None or not self.scope.needs_rollback:
                self.parent.mark(error)
            return
        self.transaction.drop_hooks(self.sid)
        try:
            self.transaction.channel.rollback_to(self.sid)
        except Error as failure:
            self.transaction.lose(failure)
        if self.transaction.channel.broken:
            self.transaction.lose(error or TransactionManagementError(BROKEN))


class Root(Block):
    """An outermost block: it has the connection, and the transaction on it."""

    def settle(self, error: BaseException | None) -> None:
        channel = self.transaction.channel
        if error is None and self.usable():
            try:
                channel.commit()
            except BaseException as failure:
                self.committed = was_done(failure) and not channel.in_transaction and not channel.broken
                if channel.in_transaction:
                    channel.rollback()
                raise
            self.committed = True
            return
        channel.rollback()
        asked_for = self.scope.needs_rollback and self.scope.cause is None
        lost = self.transaction.lost is not None and not channel.broken
        if error is None and lost and not asked_for:
            raise TransactionManagementError(self.say(_UNDONE)) from self.transaction.lost

    def leave(self, held: list[Turns]) -> None:
        try:
            self.transaction.channel.check_in()
        finally:
            Block.leave(self, held)

    def end(self, error: BaseException | None) -> None:
        try:
            Block.end(self, error)
        finally:
            if self.transaction.hooks:
                hooks, self.transaction.hooks = self.transaction.hooks, []
                if self.committed:
                    run_hooks(hooks)


class Within(Root):
    """An outermost block of facade's in somebody else's transaction: a savepoint of it."""

    def __init__(self, transaction: Transaction, atomic: BlockOptions, body: bool) -> None:
        super().__init__(transaction, atomic, body=body)
        self.point = transaction.new_name()

    def settle(self, error: BaseException | None) -> None:
        channel = self.transaction.channel
        try:
            if error is None and self.usable():
                channel.release(self.point)
            else:
                self.transaction.hooks.clear()
                channel.rollback_to(self.point)
        finally:
            self.restore_options(undone=False)

    end = Block.end  # callbacks wait for the owner's commit


def begin(database: Lends, atomic: BlockOptions, body: bool) -> Block:
    """Enter an outermost block."""
    lend = database.lend_general if atomic.execution.connection_options else database.lend
    channel = lend()
    if channel.joined:
        return _begin_within(channel, database.alias, atomic, body)
    try:
        _begin_on(channel, atomic)
    except BaseException as error:
        channel.check_in()
        channel = database.begin_again(error, lend, lambda another: _begin_on(another, atomic))
    block = Root(Transaction(channel, database.alias), atomic, body=body)
    return state.push(database.alias, block)


def _begin_on(channel: Channel, atomic: BlockOptions) -> None:
    execution = atomic.execution
    if execution.options:
        channel.options = execution.options
    channel.begin(atomic.isolation_level, atomic.read_only, execution.timeout)


def _begin_within(channel: Channel, alias: str, atomic: BlockOptions, body: bool) -> Block:
    if atomic.isolation_level is not None or atomic.read_only or atomic.execution.connection_options:
        raise TransactionManagementError(OUTER_DECIDES.format(alias=channel.database.alias))
    block = Within(Transaction(channel, alias), atomic, body)
    block.set_savepoint(block.point)
    try:
        block.set_options(atomic.execution)
    except BaseException:
        channel.rollback_to(block.point)
        raise
    return state.push(alias, block)


def nest(parent: Block, atomic: BlockOptions, body: bool) -> Block:
    """Enter a block inside another one, whose lock it holds from here to its end."""
    owner = bridge.owner()
    if owner is not parent.owner:
        parent.admit()
    parent.turn(owner)
    transaction = parent.transaction
    kept = transaction.lost is None and not parent.scope.needs_rollback
    sid = transaction.new_name() if atomic.savepoint and kept else None
    block = Nested(transaction, atomic, parent, sid, body, owner)
    block.lock.acquire()
    # Its place in the tree, before anything is waited for: nobody may queue behind us by mistake.
    transaction.savepoint_ids.append(sid)
    parent.child = block
    try:
        if sid is not None:
            transaction.channel.savepoint(sid) if block.loop is None else block.set_savepoint(sid)
        if atomic.execution is not AS_USUAL:
            _set_nested_options(block, atomic.execution)
    except BaseException as error:
        if not was_done(error):
            parent.note_failure(error)
        del transaction.savepoint_ids[block.level :]
        block.lock.release()
        if not block.cut:
            parent.child = None
            parent.lock.release()
        raise
    block.lock.release()
    return state.push(transaction.alias, block)


def _set_nested_options(block: Nested, execution: Execution) -> None:
    try:
        block.set_options(execution)
    except BaseException as error:
        if block.sid is None:
            block.parent.mark(error)
        else:
            block.transaction.channel.rollback_to(block.sid)
        raise
