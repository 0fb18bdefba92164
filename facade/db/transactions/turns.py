"""Turns on one connection: which tasks and threads may use it, and in which order.

The blocks on a connection form a tree of exclusive turns. A statement holds its block's lock while it runs; a nested
block holds the lock of the block around it until it ends. Locks are taken downwards only, so they cannot deadlock,
and a savepoint never contains work that does not belong to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from facade import bridge
from facade.configuration import settings
from facade.exceptions import DetachedOperation, TransactionManagementError

if TYPE_CHECKING:
    import threading
    from asyncio import AbstractEventLoop

    from facade.db.channels.channel import Channel
    from facade.db.transactions.callbacks import Hook

_NO_PART = (
    "This operation on {alias!r} belongs to {caller}, which was started inside a block of {owner} and has no part "
    "in it. Let the tasks of a block take part by calling shared() on it (`async with atomic() as block: "
    "block.shared()`), or give this one a connection of its own (`with transaction.detached(): ...`)."
)
_ELSEWHERE = (
    "The block on {alias!r} belongs to {owner}; its connection cannot be used in {caller}, not even by a shared "
    "block. Give this operation a connection of its own (`with transaction.detached(): ...`)."
)
_TOO_LATE = (
    "This operation on {alias!r} was created before its own task entered the block that is now open. It belongs to "
    "the block around that one and would wait for the inner block's end: await it before, or create it inside."
)
CUT = "The block on {alias!r} was rolled back, because a block around it ended first."
_ENDED = "The block on {alias!r} ended while this operation waited for its turn."
_OPEN_INSIDE = (
    "The block on {alias!r} ended before a block inside it: all was rolled back. Blocks end in reverse order; close "
    "generators that hold one (contextlib.aclosing does)."
)


class Transaction:
    """What the blocks on one connection have in common."""

    __slots__ = ("_made", "alias", "channel", "hooks", "lost", "savepoint_ids")

    def __init__(self, channel: Channel, alias: str = "") -> None:
        self.alias = alias or channel.database.alias
        self.channel = channel
        self.hooks: list[Hook] = []
        self.savepoint_ids: list[str | None] = []  # one for each nested block: None where it has no savepoint
        self.lost: BaseException | None = None  # why nothing of it can be kept
        self._made = 0

    def new_name(self) -> str:
        """Name a savepoint: unique here, the same again in the next transaction, as statement caches like it."""
        self._made += 1
        return f"facade_{self._made}"

    def lose(self, error: BaseException) -> None:
        """Note that the database has rolled everything back, or is out of reach."""
        self.lost = self.lost or error
        self.hooks.clear()

    def roll_back_to(self, savepoint: str) -> None:
        """Undo the work since a savepoint and forget the callbacks that were registered since; it stays set."""
        self.drop_hooks(savepoint)
        self.channel.rollback_to(savepoint)
        self.channel.savepoint(savepoint)

    def drop_hooks(self, savepoint: str) -> None:
        """Forget the callbacks that were registered since a savepoint."""
        self.hooks[:] = [hook for hook in self.hooks if savepoint not in hook[0]]


class Sharing:
    """A block's permission for others to take part; given at once, taken back at the end of a ``with``."""

    __slots__ = ("_before", "_block")

    def __init__(self, block: Turns) -> None:
        self._block = block
        self._before = block._shared
        block._shared = True

    def __enter__(self) -> Turns:
        return self._block

    def __exit__(self, *exc: object) -> None:
        self._block._shared = self._before

    async def __aenter__(self) -> Turns:
        return self._block

    async def __aexit__(self, *exc: object) -> None:
        self._block._shared = self._before


class Turns:
    """One level of the tree, which a `Block` is.

    ``body``: the owner itself runs inside this block, rather than one of its operations in another task. ``cut``: a
    block around this one has ended, and undone its work.
    """

    transaction: Transaction
    parent: Turns | None
    body: bool
    owner: object
    loop: AbstractEventLoop | None
    lock: bridge.Lock | threading.Lock

    # Values that most never change are the class's: each block is made anew.
    child: Turns | None = None
    ended: bool = False
    cut: bool = False
    _shared: bool = False

    # who

    def shared(self) -> Sharing:
        """Let tasks (threads, for a sync block) that are started inside this block take part in it from now on.

        Their statements take turns. A block that one of them opens inside this one is exclusive until it ends: the
        others wait for it. Used as a context manager, the sharing ends with it::

            async with atomic() as block:
                with block.shared():
                    await asyncio.gather(import_authors(), import_books())
        """
        return Sharing(self)

    def takes_part(self) -> bool:
        """Tell whether the running operation is the owner's, or the block is shared."""
        return self._shared or bridge.owner() is self.owner

    def admit(self) -> None:
        """Refuse the running operation if it has no part in this block.

        Raises DetachedOperation naming the ways out.
        """
        owner = bridge.owner()
        if owner is self.owner:
            return
        if not self._shared:
            raise DetachedOperation(self.say(_NO_PART, owner))
        if self.loop is not bridge.running_loop():
            raise DetachedOperation(self.say(_ELSEWHERE, owner))

    def say(self, text: str, caller: object = None) -> str:
        """Fill in a message about this block."""
        return text.format(alias=self.transaction.alias, caller=_name(caller), owner=_name(self.owner))

    # when

    def turn(self, owner: object = None) -> None:
        """Wait for the turn on the connection: from here on the caller holds ``lock``, and releases it.

        ``owner`` is that of the running operation, for a caller that has asked already.
        """
        if owner is None:
            owner = bridge.owner()
        if owner is not self.owner:
            bridge.check_blocking()
            self.admit()
        elif self.loop is None and bridge.running_loop() is not None and bridge.in_worker():
            raise DetachedOperation(self.say(_ELSEWHERE, owner))
        child = self.child
        if child is not None and child.body and child.owner is owner:
            raise DetachedOperation(self.say(_TOO_LATE))
        self.lock.acquire()
        if self.ended or self.cut:
            self.lock.release()
            raise TransactionManagementError(self.say(CUT if self.cut else _ENDED))

    def leaf(self) -> Turns:
        """Return the innermost open block inside this one: the one that has the turn."""
        block: Turns = self
        while block.child is not None:
            block = block.child
        return block

    # the last turn

    def last_turn(self, error: BaseException | None) -> tuple[list[Turns], BaseException | None]:
        """Take the last turn. Returns the blocks whose locks are held now, and what came up meanwhile.

        A good end waits for what others still do in this block; a bad one cuts it off.
        """
        if error is not None:
            return self._take_over(None)
        child = self.child
        if child is not None and child.body and child.owner is self.owner:
            return self._outlive_own()
        try:
            self.lock.acquire()
        except BaseException as interrupt:
            return self._take_over(interrupt)
        return [self], None

    def _outlive_own(self) -> tuple[list[Turns], BaseException | None]:
        """Take the last turn while a block of the same body is open: only an abandoned generator's will ever end."""
        seized, interrupt = self._acquire_in_time() if self.loop is not None else (False, None)
        if seized:
            return [self], interrupt
        return self._take_over(interrupt or TransactionManagementError(self.say(_OPEN_INSIDE)))

    def _take_over(self, interrupt: BaseException | None) -> tuple[list[Turns], BaseException | None]:
        """Wait for the statement that runs now, and for no more: cut the open blocks inside this one."""
        while True:
            leaf = self.leaf()
            seized, came = leaf._seize()
            interrupt = came or interrupt
            if leaf is self.leaf():  # else it ended, or opened a block, while we waited
                break
            if seized:
                leaf.lock.release()
        held = [leaf] if seized else []
        while leaf is not self and leaf.parent is not None:
            leaf.cut_off()
            leaf = leaf.parent
            held.append(leaf)  # its lock was held by the block that is cut
        return held, interrupt

    def _seize(self) -> tuple[bool, BaseException | None]:
        """Acquire the lock in spite of cancellation; past the time limit close the connection instead."""
        seized, interrupt = self._acquire_in_time()
        if not seized:
            reason = interrupt or TimeoutError(
                f"A statement went on for {settings.FACADE_CLEANUP_SECONDS:g} s after its block's end."
            )
            self.transaction.channel.discard(reason)
            self.transaction.lose(reason)
        return seized, interrupt

    def _acquire_in_time(self) -> tuple[bool, BaseException | None]:
        try:
            if self.loop is not None and self.lock.locked():
                bridge.finish_within(bridge.spawn(self.lock.acquire), settings.FACADE_CLEANUP_SECONDS)
            else:
                self.lock.acquire()
        except TimeoutError:
            return False, None
        except BaseException as interrupt:
            return was_done(interrupt), interrupt
        return True, None

    def cut_off(self) -> None:
        """Count as undone: a block around this one takes over."""
        self.cut = True
        if self.parent is not None:
            self.parent.child = None


def was_done(error: BaseException) -> bool:
    """Tell whether ``error`` only reports that a clean-up was cancelled: it has succeeded all the same."""
    return isinstance(error, bridge.CancelledError) and error.__cause__ is None


def _name(owner: object) -> str:
    name = getattr(owner, "get_name", None)
    return "another thread" if name is None else f"the task {name()!r}"
