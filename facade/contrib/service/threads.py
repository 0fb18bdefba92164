"""Threads for what ends a request."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.to_thread


async def in_own_thread(work: Callable[[], object]) -> None:
    """Run the end of a transaction in a thread, however many endpoints run in threads, and even if the request is cancelled."""
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))
