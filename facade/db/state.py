"""Which transaction block the running code is in, for each alias: one context variable."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facade.db.blocks import Block

NOTHING: Mapping[str, Block] = MappingProxyType({})

# Tasks copy their creator's context, so a task may find blocks here that it has no part in: the mapping says
# where code was started, `Block.admit` decides who may use the block.
_innermost: ContextVar[Mapping[str, Block]] = ContextVar("facade_blocks", default=NOTHING)


def current(alias: str) -> Block | None:
    """Return the innermost open block around the running code on ``alias``.

    A block that has ended counts as none: a task that outlives the block it was started in finds the block
    around that one, or nothing.
    """
    block = _innermost.get().get(alias)
    while block is not None and block.ended:
        block = block.parent
    return block


def push(alias: str, block: Block) -> None:
    """Make ``block`` the innermost block of the running context."""
    _innermost.set({**_innermost.get(), alias: block})


def pop(alias: str, block: Block) -> None:
    """Leave ``block``; a context that is not in it (it was entered by another task) stays as it is."""
    blocks = _innermost.get()
    if blocks.get(alias) is block:
        parent = current(alias)
        others = {name: other for name, other in blocks.items() if name != alias}
        _innermost.set({**others, alias: parent} if parent is not None else others)


def hide(alias: str | None) -> Mapping[str, Block]:
    """Leave the blocks of one alias (or of all) in this context only; returns what `restore` takes."""
    before = _innermost.get()
    _innermost.set({name: block for name, block in before.items() if alias not in (None, name)})
    return before


def restore(before: Mapping[str, Block]) -> None:
    """Put back what `hide` took away."""
    _innermost.set(before)
