"""What a view tells the audit hook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette_admin.auth import AdminUser

    from facade.models import Model

__all__ = ["Audit", "Change", "values_of"]


@dataclass(frozen=True)
class Change:
    """One row that somebody has created, changed or deleted; the transaction is still open.

    `before` and `after` hold the values of the columns by their attributes, and the keys of many-to-many relations that
    the form has; `before` is None for a row that was created, `after` for one that was deleted.
    """

    user: AdminUser | None
    """Who it was, as the auth provider says; None without one."""
    action: str
    """``"create"``, ``"edit"``, ``"delete"``, or the name of the view's own action."""
    model: type[Model]
    key: object
    """The row's primary key."""
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    request: Request
    along: Mapping[str, int] = field(default_factory=dict)
    """How many rows were deleted with this one and the others of the request, by the label of their model."""

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of what is not as it was.

        >>> Change(None, "edit", None, 1, {"a": 1, "b": 2}, {"a": 1, "b": 3}, None).changed
        ('b',)
        """
        before, after = self.before or {}, self.after or {}
        names = dict.fromkeys([*before, *after])
        return tuple(name for name in names if before.get(name) != after.get(name))


Audit = Callable[[Change], Awaitable[object] | object]
"""What is called with each `Change`: a function, which may use facade's methods, or a coroutine function."""


def values_of(obj: Model) -> dict[str, object]:
    """Return the values of an object's columns; those that were not read are read."""
    return {one.attname: getattr(obj, one.attname) for one in obj._meta.concrete_fields}
