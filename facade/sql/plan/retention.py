"""Which shapes are kept: those that are used again, and the newest of the others, up to a fixed number.

The way is that of 2Q (Johnson and Shasha, "2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm",
VLDB 1994).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Protocol, Self

MAX_SHAPES = 10_000
"""How many shapes the tree holds. A held queryset whose shape has left it works on, and does not count."""

NEW_PART = 25
"""One in so many places is for shapes that nobody has asked for again yet: what they are made of is all that Python's
garbage collection has to go through again and again."""

MAX_REMEMBERED = 10_000
"""How many of those that were let go are recognized when they come back."""

LOOKED_AT = 32
"""How many shapes one call looks at to find one that can go: what bounds the time that it takes."""


class Retained(Protocol):
    """A shape, as far as it matters here: ``used`` says whether it was found since it was last looked at."""

    parent: Self | None
    key: tuple[Hashable, ...]
    children: dict[Hashable, Self]
    used: bool
    number: int  # the hash of its way from the root


class Retention:
    """The shapes of the tree in two queues: new ones, and those that were asked for again.

    What is asked for once, names that come from users above all, passes through the first queue and pushes out nothing but
    its like. Of what has passed a number is remembered: what comes back is put into the second queue at once. There, what
    was used since it was last looked at has another turn.
    """

    def __init__(self) -> None:
        self.new: deque[Retained] = deque()
        self.proven: deque[Retained] = deque()
        self.passed: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.new) + len(self.proven)

    def add(self, shape: Retained) -> None:
        """Keep a shape that has come into the tree, and let go of as many as are too many, one or two."""
        if shape.number in self.passed:
            del self.passed[shape.number]
            self.proven.append(shape)
        else:
            self.new.append(shape)
        if len(self.new) > MAX_SHAPES // NEW_PART:
            self._leave_new()
        if len(self.proven) > MAX_SHAPES - MAX_SHAPES // NEW_PART:
            self._leave_proven()

    def clear(self) -> None:
        self.new.clear()
        self.proven.clear()
        self.passed.clear()

    def _leave_new(self) -> None:
        for _ in range(2):  # two for one, so that a lower limit is reached as well
            oldest = self.new.popleft()
            if not oldest.used:
                _drop(oldest)
                self._remember(oldest.number)
            else:
                oldest.used = False
                self.proven.append(oldest)
            if len(self.new) <= MAX_SHAPES // NEW_PART:
                return

    def _remember(self, number: int) -> None:
        self.passed[number] = None
        if len(self.passed) > MAX_REMEMBERED:
            self.passed.popitem(last=False)

    def _leave_proven(self) -> None:
        for _ in range(LOOKED_AT):
            oldest = self.proven.popleft()
            if not oldest.used:
                break
            oldest.used = False
            self.proven.append(oldest)
        else:
            oldest = self.proven.popleft()
        _drop(oldest)


def _drop(shape: Retained) -> None:
    """Take a shape out of the tree; who holds it, or one of its children, goes on with it."""
    parent = shape.parent
    if parent is None:
        return
    try:
        if parent.children.get(shape.key) is shape:
            del parent.children[shape.key]
    except RecursionError:  # the key is deep and so is the call: the parent finds its other children again
        parent.children = {}
