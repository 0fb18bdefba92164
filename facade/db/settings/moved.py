"""Whether tables stand elsewhere than their models say: in blocks that are open, and for objects that remember it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.fields.contracts import Instance


class Moved:
    """The blocks, of all databases, in which tables may stand elsewhere: how many are open, and what looks at objects in them."""

    blocks = 0
    names = 0  # of schemas; objects that are from there have one

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.check: Callable[[Instance, str], None]

    def count(self, more: int) -> None:
        """Note that there are more, or fewer, of them."""
        with self._lock:
            self.blocks += more


moved = Moved()
