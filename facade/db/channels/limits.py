"""Limits of time: clean-up has one, and is not stopped by another cancellation; a driver's may come without words."""

from __future__ import annotations

from collections.abc import Callable

from facade import bridge
from facade.configuration import settings

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
    """Give a ``TimeoutError`` its words: a driver's comes bare when ``command_timeout`` has expired."""
    if isinstance(error, TimeoutError) and not error.args:
        error.args = (_EXPIRED.format(alias),)
