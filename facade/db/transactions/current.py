"""Which transaction block the running code is in, for each alias: one context variable."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar


class Level(Protocol):
    """A block, as far as it matters here."""

    ended: bool

    @property
    def parent(self) -> Any:
        """The block around this one, None for the outermost."""


L = TypeVar("L", bound=Level)


class Innermost(Generic[L]):
    """The innermost blocks around the running code.

    Tasks copy their creator's context, so a task may find blocks here that it has no part in: the mapping says
    where code was started, `Block.admit` decides who may use the block.
    """

    __slots__ = ("_variable", "around")

    def __init__(self, name: str) -> None:
        self._variable: ContextVar[Mapping[str, L]] = ContextVar(name, default=MappingProxyType({}))
        self.around = (
            self._variable.get
        )  # the blocks by their aliases, ended ones as well: quicker than `current`

    def current(self, alias: str) -> L | None:
        """Return the innermost open block around the running code on ``alias``.

        A block that has ended counts as none: a task that outlives the block it was started in finds the block
        around that one, or nothing.
        """
        block = self._variable.get().get(alias)
        while block is not None and block.ended:
            block = block.parent
        return block

    def push(self, alias: str, block: L) -> L:
        """Make ``block`` the innermost block of the running context, and return it."""
        self._variable.set({**self._variable.get(), alias: block})
        return block

    def pop(self, alias: str, block: L) -> None:
        """Leave ``block``; a context that is not in it (it was entered by another task) stays as it is."""
        blocks = self._variable.get()
        if blocks.get(alias) is not block:
            return
        parent = block.parent
        while parent is not None and parent.ended:
            parent = parent.parent
        if parent is not None:
            self._variable.set({**blocks, alias: parent})
        else:
            self._variable.set({name: other for name, other in blocks.items() if name != alias})

    def hide(self, alias: str | None) -> Mapping[str, L]:
        """Leave the blocks of one alias (or of all) in this context only; returns what `restore` takes."""
        before = self._variable.get()
        self._variable.set({name: block for name, block in before.items() if alias not in (None, name)})
        return before

    def restore(self, before: Mapping[str, L]) -> None:
        """Put back what `hide` took away."""
        self._variable.set(before)
