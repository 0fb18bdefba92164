"""Clean-up has a limited time, and is not stopped by another cancellation."""

from __future__ import annotations

from collections.abc import Callable

from facade import bridge
from facade.configuration import settings


def in_time(work: Callable[..., object], *args: object) -> None:
    """Do something in spite of cancellation, and for at most ``FACADE_CLEANUP_SECONDS``."""
    if bridge.in_worker():
        bridge.finish_within(bridge.spawn(work, *args), settings.FACADE_CLEANUP_SECONDS)
    else:
        work(*args)
