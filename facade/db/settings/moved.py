"""Whether tables stand elsewhere than their models say: in blocks that are open, and for objects that remember it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from facade.fields.contracts import Instance

check_place: Seam[[Instance, str], None] = Seam(
    "whether an object's tables are where it came from", filled_by="facade.db.scopes.optioned"
)


class Moved:
    """The blocks, of all databases, in which tables may stand elsewhere: how many are open."""

    blocks = 0
    names = 0  # of schemas; objects that are from there have one

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def count(self, more: int) -> None:
        """Note that there are more, or fewer, of them."""
        with self._lock:
            self.blocks += more


moved = Moved()
