"""Callbacks of `on_commit`: how one is called, and what becomes of its errors."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from facade import bridge

Callback = Callable[[], Any]
Hook = tuple[set[str], Callback, bool]
"""The savepoints that were open when it was registered, the callback, and whether its errors are only logged."""

logger = logging.getLogger("facade.db.scopes.atomic")


def check_callback(callback: Callback, may_wait: bool) -> None:
    """Refuse what could not be called later on. Raises TypeError."""
    if not callable(callback):
        raise TypeError("on_commit()'s callback must be a callable.")
    if not may_wait and inspect.iscoroutinefunction(callback):
        raise TypeError(
            f"on_commit() cannot await {_name(callback)}() here: only an `async with` block awaits callbacks."
        )


def run_hooks(hooks: Iterable[Hook]) -> None:
    """Call the callbacks in the order in which they were registered."""
    for _, callback, robust in hooks:
        run_callback(callback, robust, " during transaction")


def run_callback(callback: Callback, robust: bool, when: str = "") -> None:
    """Call one callback, await what it returns if it is async; a ``robust`` one's errors are logged."""
    try:
        _call(callback)
    except Exception as error:
        if not robust:
            raise
        logger.exception("Error calling %s in on_commit()%s (%s).", _name(callback), when, error)  # noqa: TRY401 - one line says all


def _call(callback: Callback) -> None:
    result = callback()
    if isinstance(result, Coroutine):
        bridge.wait(result)


def _name(callback: Callback) -> object:
    return getattr(callback, "__qualname__", callback)
