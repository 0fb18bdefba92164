"""The pool of an async face: connections belong to the event loop that opened them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from facade import bridge
from facade.configuration import settings
from facade.db.pooling.pools import FULL_SECONDS, Entry, LendingPool, Shelf

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry


GRACE = 0.01  # how many seconds longer somebody may wait for a connection, so that few timers serve many


class LoopPool(LendingPool):
    """The pool of an async face: each event loop has connections, and limits, of its own.

    The first check-out in a loop starts an async generator that does nothing but wait. Loops close their
    generators before they end (``asyncio.run`` sees to it), and that one then closes the connections, while
    they still can be closed. Of loops that end without, `sweep` cuts the connections.
    """

    _is_asyncio: ClassVar[bool] = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shelves: dict[Any, Shelf] = {}
        self._connecting = threading.Lock()

    def here(self) -> Shelf | None:
        return self._shelves.get(bridge.running_loop())

    def _entry(self, record: ConnectionPoolEntry) -> Entry | None:
        return next((s.entries[record] for s in self._shelves.values() if record in s.entries), None)

    def take(self) -> Entry:
        shelf = self._shelves.get(bridge.running_loop())
        entry = shelf.idle.pop() if shelf is not None and shelf.idle else self._take()
        sound = self._sound
        return entry if sound is None or sound(entry) else self._take_another(entry)

    def _own_shelf(self) -> Shelf:
        return self._shelves.get(bridge.running_loop()) or self._new_shelf()

    def _claim(self, shelf: Shelf, deadline: float) -> Entry | None:
        if shelf.idle:
            return shelf.idle.pop()
        if self._has_place(shelf):
            shelf.opened += 1
            return None
        return self._queue(shelf, deadline)

    def _queue(self, shelf: Shelf, deadline: float) -> Entry | None:
        """Wait until an entry, or a place to open one in (None), is handed to our future."""
        turn = shelf.loop.create_future()
        place = (turn, deadline)
        shelf.waiting.append(place)
        if shelf.alarm is None or deadline < shelf.alarm_at:
            self._set_alarm(shelf, deadline)
        try:
            return bridge.wait(turn)  # type: ignore[no-any-return]
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(shelf, turn.result())  # it came together with a cancellation
            else:
                with suppress(ValueError):
                    shelf.waiting.remove(place)
            raise

    def _set_alarm(self, shelf: Shelf, deadline: float) -> None:
        """Look after those who wait when the first of them has waited too long: one timer serves all."""
        if shelf.alarm is not None:
            shelf.alarm.cancel()
        shelf.alarm = shelf.loop.call_later(deadline - time.monotonic() + GRACE, self._expire, shelf)
        shelf.alarm_at = deadline

    def _expire(self, shelf: Shelf) -> None:
        shelf.alarm, now = None, time.monotonic()
        waiting = [(turn, deadline) for turn, deadline in shelf.waiting if not turn.done()]
        for turn, deadline in waiting:
            if deadline <= now:
                turn.set_exception(self._exhausted(shelf))
        if left := [deadline for _, deadline in waiting if deadline > now]:
            self._set_alarm(shelf, min(left))

    def _open(self, shelf: Shelf) -> Entry:
        if not self.opens_whole:
            return self._open_one(shelf)
        opened: list[Entry] = []
        try:
            bridge.finish(
                bridge.spawn(lambda: opened.append(self._open_one(shelf))), settings.FACADE_CLEANUP_SECONDS
            )
        except BaseException:
            for entry in opened:
                self.give_back(entry)
            raise
        return opened[0]

    def _open_one(self, shelf: Shelf) -> Entry:
        if self.has_connected:
            return super()._open(shelf)
        # SQLAlchemy lets one connection go ahead and learn about the server, with a lock that serves one loop only.
        try:
            while not self._connecting.acquire(blocking=False):
                bridge.sleep(0.005)
        except BaseException:
            self._free(shelf)
            raise
        try:
            return super()._open(shelf)
        finally:
            self._connecting.release()

    def _note_full(self, shelf: Shelf) -> None:
        super()._note_full(shelf)
        shelf.loop.call_later(FULL_SECONDS, self._offer_place, shelf)

    def _offer_place(self, shelf: Shelf) -> None:
        """Let one of those who wait ask the server again."""
        if shelf.waiting and self._has_place(shelf):
            shelf.opened += 1
            self._pass_on(shelf, None)

    def _pass_on(self, shelf: Shelf, entry: Entry | None) -> None:
        """Hand an entry, or a reserved place, to the next in the queue; keep it if there is none."""
        while shelf.waiting:
            turn, _ = shelf.waiting.popleft()
            if not turn.done():
                turn.set_result(entry)
                return
        if entry is None:
            shelf.opened -= 1
        else:
            self._shelve(shelf, entry)

    def give_back(self, entry: Entry) -> None:
        shelf = entry.shelf
        if entry.retiring or shelf.closed:
            self._close_entry(entry)
        elif shelf.waiting:
            self._pass_on(shelf, entry)
        elif shelf.opened > self._keep or self.asks_idle:
            self._shelve(shelf, entry)
        else:
            shelf.idle.append(entry)

    def _shelve(self, shelf: Shelf, entry: Entry) -> None:
        """Put a connection with the idle ones; those beyond the size have a timer to close them."""
        entry.idle_since = time.monotonic()
        shelf.idle.append(entry)
        if len(shelf.idle) > self._keep and shelf.reaper is None:
            shelf.reaper = shelf.loop.call_later(self._linger, self._reap, shelf)

    def _reap(self, shelf: Shelf) -> None:
        """Close what nobody needed; the event loop is in our hands for a moment only, so a task does it."""
        shelf.reaper = None
        for entry in self._surplus(shelf):
            bridge.detach(bridge.spawn(self._close_entry, entry))
        if len(shelf.idle) > self._keep:
            due = shelf.idle[0].idle_since + self._linger - time.monotonic()
            shelf.reaper = shelf.loop.call_later(max(due, 0.01), self._reap, shelf)

    def _free(self, shelf: Shelf) -> None:
        if shelf.full_until > time.monotonic():
            shelf.opened -= 1  # who waits is served by what comes free
        else:
            self._pass_on(shelf, None)

    def _close_entry(self, entry: Entry) -> None:
        """Close in spite of cancellation; hard if that takes too long, or if nothing can wait here."""
        if not bridge.in_worker():
            self.drop(entry)
            return
        try:
            bridge.finish_within(bridge.spawn(entry.record.close), settings.FACADE_CLEANUP_SECONDS)
        finally:
            self.drop(entry)

    # the life of event loops

    def _new_shelf(self) -> Shelf:
        self.sweep()
        loop = bridge.running_loop()
        shelf = Shelf(loop)
        guardian = self._guard(shelf)
        bridge.wait(guardian.__anext__())
        shelf.guardian = guardian
        # Another task may have been as fast while we waited.
        return self._shelves.setdefault(loop, shelf)

    async def _guard(self, shelf: Shelf) -> Any:
        try:
            yield
        finally:
            await bridge.closings(settings.FACADE_CLEANUP_SECONDS)
            await bridge.spawn(self._end, shelf)

    def _end(self, shelf: Shelf) -> None:
        shelf.closed = True
        for timer in (shelf.reaper, shelf.alarm):
            if timer is not None:
                timer.cancel()
        if self._shelves.get(shelf.loop) is shelf:
            del self._shelves[shelf.loop]
        self._close_idle(shelf)
        # No task is left to give the others back: their streams or blocks were never ended.
        for entry in list(shelf.entries.values()):
            record: Any = entry.record
            record.fairy_ref = None
            self._close_entry(entry)

    def sweep(self) -> None:
        """Cut the connections of event loops that were closed without closing their generators."""
        for loop in [loop for loop in self._shelves if loop.is_closed()]:
            shelf = self._shelves.pop(loop)
            shelf.closed = True
            for entry in list(shelf.entries.values()):
                self.drop(entry)

    def abandon(self) -> object:
        kept = self._shelves
        for shelf in kept.values():
            self._orphan(shelf)
        self._shelves = {}
        self._connecting = threading.Lock()
        return kept
