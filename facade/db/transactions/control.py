"""The transaction side of a `Database`, under Django's names, and the two roots that no `atomic` makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from facade import bridge
from facade.db.transactions.blocks import Block, Root, state
from facade.db.transactions.callbacks import Callback, Hook, check_callback, run_callback
from facade.db.transactions.turns import Transaction
from facade.exceptions import TransactionManagementError

if TYPE_CHECKING:
    from facade.db.channels.channel import Channel

_FORBIDDEN = "This is forbidden when an 'atomic' block is active."
_NO_FLAG = "The rollback flag doesn't work outside of an 'atomic' block."
_MANUAL_HOOK = "on_commit() cannot be used in manual transaction management"
_FOREIGN = (
    "The transaction on {alias!r} belongs to the connection that using_connection() was given: facade cannot {what}. "
    "Do it on that connection."
)
_FOREIGN_SAVEPOINT = (
    "{sid!r} is no savepoint of the innermost block on {alias!r}: it was never set, is already released, or belongs "
    "to a block around."
)


class Manual(Root):
    """A connection with autocommit off: a statement begins the transaction, the user ends it."""

    def __init__(self, transaction: Transaction, lend: Callable[[], Channel]) -> None:
        super().__init__(transaction)
        self._lend = lend
        self.begun = False

    @property
    def in_transaction(self) -> bool:
        return self.begun

    def turn(self, owner: object = None) -> None:
        super().turn(owner)
        if self.begun or not self.usable():
            return
        try:
            self.transaction.channel.begin()
        except BaseException:
            self.lock.release()
            raise
        self.begun = True

    def commit(self) -> None:
        """End the transaction and keep its work."""
        self.admit()
        with self.lock:
            self.check_usable()
            self.close_streams()
            if self.begun:
                self._settle_transaction()

    def _settle_transaction(self) -> None:
        self.begun = False
        super().settle(None)

    def rollback(self) -> None:
        """End the transaction and undo its work; errors in it are forgotten."""
        self.admit()
        with self.lock:
            self.close_streams()
            transaction = self.transaction
            self.begun = self.scope.needs_rollback = False
            self.scope.cause = transaction.lost = None
            transaction.hooks.clear()
            transaction.channel.rollback()
            if transaction.channel.broken:
                transaction.channel = self._lend()

    def settle(self, error: BaseException | None) -> None:
        if self.begun:
            super().settle(error)


class Joined(Root):
    """Somebody else's connection, in a transaction that is not ours to end."""

    end = Block.end  # callbacks wait for the owner's commit

    def settle(self, error: BaseException | None) -> None:
        """Leave the transaction as it is."""


class TransactionControl:
    """What `Database` offers about transactions: the innermost block of the running code answers."""

    alias: str

    def lend(self) -> Channel:
        """Check a connection out."""
        raise NotImplementedError

    # what the innermost block knows

    @property
    def in_atomic_block(self) -> bool:
        """Whether the running code is inside an `atomic` block."""
        block = state.current(self.alias)
        return block is not None and block.in_atomic

    @property
    def autocommit(self) -> bool:
        """Whether a statement that is run now is a transaction of its own."""
        return state.current(self.alias) is None

    def get_autocommit(self) -> bool:
        """Return `autocommit`."""
        return self.autocommit

    @property
    def needs_rollback(self) -> bool:
        """Whether the work since the nearest savepoint can only be rolled back."""
        block = state.current(self.alias)
        return block is not None and not block.usable()

    @needs_rollback.setter
    def needs_rollback(self, value: bool) -> None:
        self._own_block().set_rollback(value)

    @property
    def savepoint_ids(self) -> list[str | None]:
        """The savepoint of each nested block, the outermost first; None for a block that has none."""
        block = state.current(self.alias)
        return [] if block is None else block.transaction.savepoint_ids

    @property
    def run_on_commit(self) -> list[Hook]:
        """The callbacks that wait for the commit: ``(savepoints, callback, robust)``."""
        block = state.current(self.alias)
        return [] if block is None else block.transaction.hooks

    @property
    def closed_in_transaction(self) -> bool:
        """Whether the connection of the open block was closed."""
        block = state.current(self.alias)
        return block is not None and block.transaction.channel.broken

    def get_rollback(self) -> bool:
        """Return `needs_rollback`; raises TransactionManagementError outside of a block."""
        return not self._own_block().usable()

    def set_rollback(self, rollback: bool) -> None:
        """Ask for a rollback of the innermost block that has a savepoint, or take that back."""
        self._own_block().set_rollback(rollback)

    def _own_block(self) -> Block:
        block = state.current(self.alias)
        if block is None or not block.in_atomic:
            raise TransactionManagementError(_NO_FLAG)
        block.admit()
        return block

    def validate_no_atomic_block(self) -> None:
        """Raise TransactionManagementError inside an `atomic` block."""
        if self.in_atomic_block:
            raise TransactionManagementError(_FORBIDDEN)

    def validate_no_broken_transaction(self) -> None:
        """Raise TransactionManagementError where the open block can only be rolled back."""
        block = state.current(self.alias)
        if block is not None:
            block.check_usable()

    # autocommit off: the user ends transactions

    def set_autocommit(self, autocommit: bool) -> None:
        """Turn autocommit off or on in the running context.

        While it is off, the first statement begins a transaction that `commit` or `rollback` ends; turning it on
        commits what is open. Raises TransactionManagementError inside an `atomic` block.
        """
        bridge.check_blocking()
        self.validate_no_atomic_block()
        block = self._manual_block("change autocommit")
        if block is not None and autocommit:
            block.end(None)
        elif block is None and not autocommit:
            state.push(self.alias, Manual(Transaction(self.lend()), self.lend))

    def commit(self) -> None:
        """Commit the transaction that was begun with autocommit off."""
        bridge.check_blocking()
        self.validate_no_atomic_block()
        block = self._manual_block("commit it")
        if block is not None:
            block.commit()

    def rollback(self) -> None:
        """Roll back the transaction that was begun with autocommit off."""
        bridge.check_blocking()
        self.validate_no_atomic_block()
        block = self._manual_block("roll it back")
        if block is not None:
            block.rollback()

    def _manual_block(self, what: str) -> Manual | None:
        block = state.current(self.alias)
        if isinstance(block, Joined):
            raise TransactionManagementError(_FOREIGN.format(alias=self.alias, what=what))
        return cast("Manual | None", block)

    def close_block(self) -> bool:
        """Close the connection of the open block hard, and lose its work. Tells whether there was a block of ours."""
        block = state.current(self.alias)
        if block is None or isinstance(block, Joined) or not block.takes_part():
            return False
        block.close_connection()
        if isinstance(block, Manual):
            block.end(None)
        return True

    # savepoints by hand

    def savepoint(self) -> str | None:
        """Set a savepoint and return its name; outside of a transaction do nothing."""
        block = state.current(self.alias)
        if block is None:
            return None
        sid = block.transaction.new_name()
        block.run(block.transaction.channel.savepoint, sid)
        block.scope.manual_ids = (*block.scope.manual_ids, sid)
        return sid

    def savepoint_commit(self, sid: str | None) -> None:
        """Release a savepoint and keep its work; outside of a transaction do nothing."""
        block = state.current(self.alias)
        if block is not None:
            place = self._place(block, sid)
            block.run(block.transaction.channel.release, sid)
            block.scope.manual_ids = block.scope.manual_ids[:place]

    def savepoint_rollback(self, sid: str | None) -> None:
        """Undo the work since a savepoint, which stays set; outside of a transaction do nothing."""
        block = state.current(self.alias)
        if block is not None:
            place = self._place(block, sid)
            block.run(block.transaction.roll_back_to, sid)
            block.scope.manual_ids = block.scope.manual_ids[: place + 1]

    def _place(self, block: Block, sid: str | None) -> int:
        """Find a savepoint of the user's: a name is never sent to the database unless facade has made it."""
        if sid not in block.scope.manual_ids:
            raise TransactionManagementError(_FOREIGN_SAVEPOINT.format(sid=sid, alias=self.alias))
        return block.scope.manual_ids.index(sid)

    def clean_savepoints(self) -> None:
        """Do nothing: savepoint names are counted within one transaction, where each is unique."""

    # callbacks

    def on_commit(self, func: Callback, robust: bool = False) -> None:
        """Call ``func`` after the outermost block has committed; at once outside of a transaction.

        It is dropped if a block around the call is rolled back. An error in it reaches the code that ends the
        block and stops the callbacks after it, or is logged if ``robust``. An ``async with`` block also awaits
        coroutine functions.

        Raises TypeError for what cannot be called and TransactionManagementError with autocommit off.
        """
        block = state.current(self.alias)
        check_callback(func, bridge.in_worker() if block is None else block.loop is not None)
        if block is None:
            run_callback(func, robust)
            return
        block.admit()
        transaction = block.transaction
        if transaction.channel.joined:
            transaction.channel.after_commit(transaction.hooks)
        elif not block.in_atomic:
            raise TransactionManagementError(_MANUAL_HOOK)
        transaction.hooks.append((block.savepoints(), func, robust))

    aset_autocommit = bridge.twin(set_autocommit)
    acommit = bridge.twin(commit)
    arollback = bridge.twin(rollback)
    asavepoint = bridge.twin(savepoint)
    asavepoint_commit = bridge.twin(savepoint_commit)
    asavepoint_rollback = bridge.twin(savepoint_rollback)
    aon_commit = bridge.twin(on_commit)
