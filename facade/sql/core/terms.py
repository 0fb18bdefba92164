"""Terms of GROUP BY and ORDER BY: which of them are the same, and which say nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy.sql.elements import False_, Null, True_

if TYPE_CHECKING:
    from facade.expressions.contracts import Core


def unique(items: Iterable[Any]) -> list[Any]:
    """Return the items, each once."""
    found: list[Any] = []
    for item in items:
        if item not in found:  # compared, not hashed: not every expression has a hash
            found.append(item)
    return found


def is_constant(core: Core) -> bool:
    """Return whether a Core element is NULL, TRUE or FALSE, which databases do not sort or group by."""
    return isinstance(getattr(core, "element", core), (Null, True_, False_))
