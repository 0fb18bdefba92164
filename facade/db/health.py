"""Whether the databases are there: `health_check`, and the figures of their pools."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypedDict

from facade import bridge
from facade.db.channels.channel import Statement
from facade.db.database import PING
from facade.db.handler import connections

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.db.pooling.lending import Lender

TIMEOUT = 5.0


class PoolFigures(TypedDict):
    """The limits and the connections of one pool; ``timeout`` is in seconds."""

    size: int
    idle: int
    in_use: int
    overflow: int
    max_overflow: int
    timeout: float


class Health(TypedDict):
    """The state of one database; ``latency`` is in seconds, ``error`` and ``version`` are text."""

    ok: bool
    latency: float
    error: str | None
    version: str | None
    pool: dict[str, Any] | None


def health_check(*aliases: str, deep: bool = False) -> dict[str, Health]:
    """Ask each database, or those named, whether it answers; says no instead of raising.

    Returns, by alias, ``ok``, ``latency`` in seconds, ``error``, ``version`` and ``pool``: a dict made for a
    health page's JSON. ``deep`` also begins a transaction, asks for the
    server's version, and rolls back.

    >>> from facade import configure, health_check
    >>> configure(DATABASES={"default": "sqlite://"})
    >>> health_check()["default"]["ok"]
    True
    """
    return {alias: _examine(alias, deep) for alias in aliases or connections}


async def ahealth_check(*aliases: str, deep: bool = False) -> dict[str, Health]:
    """Ask all databases at once: the awaitable form of `health_check`."""
    names = aliases or tuple(connections)
    found = await bridge.gather(*(bridge.spawn(_examine, alias, deep) for alias in names))
    return dict(zip(names, found, strict=True))


def _examine(alias: str, deep: bool) -> Health:
    start = time.perf_counter()
    version: str | None = None
    error: str | None = None
    try:
        version = _ask(connections[alias], deep)
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    seconds = time.perf_counter() - start
    return Health(ok=error is None, latency=seconds, error=error, version=version, pool=_figures(alias))


def _ask(database: Database, deep: bool) -> str | None:
    if bridge.in_worker():
        return bridge.finish_within(bridge.spawn(_converse, database, deep), TIMEOUT)
    return _converse(database, deep)


def _converse(database: Database, deep: bool) -> str | None:
    """Use a connection of its own: the block that the running code may be in is none of our business."""
    channel = database.lend()
    try:
        channel.fetch(PING, ())
        if not deep:
            return None
        channel.begin()
        ((version,),) = channel.fetch(Statement(_VERSIONS.get(database.vendor, "SELECT 1"), returns=True), ())
        channel.rollback()
        return str(version)
    finally:
        channel.check_in()


_VERSIONS = {
    "sqlite": "SELECT sqlite_version()",
    "postgresql": "SELECT current_setting('server_version')",
    "mysql": "SELECT version()",
}


def pool_stats() -> dict[str, dict[str, PoolFigures]]:
    """Return the figures of each pool in use: by alias, then by face (under asyncio, of the running event loop).

    >>> from facade import configure, pool_stats
    >>> configure(DATABASES={"default": "sqlite://"})
    >>> pool_stats()
    {'default': {}}
    """
    return {alias: _pools(alias) for alias in connections}


def _pools(alias: str) -> dict[str, PoolFigures]:
    faces = {"sync": connections[alias].sync_lender, "async": connections[alias].async_lender}
    return {face: _count(lender) for face, lender in faces.items() if lender is not None}


def _figures(alias: str) -> dict[str, Any] | None:
    try:
        return _pools(alias).get("async" if bridge.in_worker() else "sync")  # type: ignore[return-value]
    except Exception:
        return None


def _count(lender: Lender) -> PoolFigures:
    pool: Any = lender.engine.pool
    figures = {
        name: getattr(pool, name, None) for name in ("size", "checkedin", "checkedout", "overflow", "timeout")
    }
    size, idle, used, overflow, timeout = (figure() if callable(figure) else 0 for figure in figures.values())
    return PoolFigures(
        size=size,
        idle=idle,
        in_use=used,
        overflow=max(0, overflow),
        max_overflow=getattr(pool, "max_overflow", getattr(pool, "_max_overflow", 0)),
        timeout=timeout,
    )
