"""Limits of time: clean-up has one, and is not stopped by another cancellation; asyncpg's has no words of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from facade import bridge
from facade.configuration import settings

if TYPE_CHECKING:
    from aiosqlite import Connection

_EXPIRED = "A statement on {!r} took longer than the command_timeout in OPTIONS allows, and was cancelled."


def in_time(work: Callable[..., object], *args: object) -> None:
    """Do something in spite of cancellation, and for at most ``FACADE_CLEANUP_SECONDS``."""
    if bridge.in_worker():
        operation = bridge.spawn(work, *args)
        try:
            bridge.finish_within(operation, settings.FACADE_CLEANUP_SECONDS)
        except BaseException:
            operation.close()  # it has not begun where its event loop has ended
            raise
    else:
        work(*args)


def say_expired(error: BaseException, alias: str) -> None:
    """Give asyncpg's ``TimeoutError`` its words: it comes bare when ``command_timeout`` has expired."""
    if isinstance(error, TimeoutError) and not error.args:
        error.args = (_EXPIRED.format(alias),)


def interrupt(raw: Connection) -> None:
    """Make the running statement of an aiosqlite connection fail; the coroutine behind it does not wait for anything."""
    with suppress(StopIteration, ValueError, sqlite3.Error):
        raw.interrupt().send(None)
