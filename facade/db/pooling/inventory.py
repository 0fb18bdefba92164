"""What an engine has that decides the road of a statement: its listeners, options, isolation level and pool.

A fast road leaves out SQLAlchemy's check-out, its transactions and its statement objects. Each of these is visible to
somebody, so the fast road is taken only where nothing is there that could see the difference. Everything else goes
over the general road, as SQLAlchemy itself would run it.
"""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, QueuePool, SingletonThreadPool, StaticPool

from facade.db.pooling.pools import LendingPool
from facade.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Iterable

    from facade.db.channels.base import DriverChannel

# Events that a fast road leaves as they are: they belong to connections that are opened and closed, on either road.
_HAPPEN_ANYWAY = frozenset(
    {
        "connect", "first_connect", "close", "close_detached", "detach", "invalidate", "soft_invalidate",
        "do_connect", "engine_disposed", "set_engine_execution_options",
    }
)  # fmt: skip

# Execution options that make no difference to a statement of facade's, or that its plans honour by themselves.
_HONOURED = frozenset(
    {
        "isolation_level", "schema_translate_map", "compiled_cache", "insertmanyvalues_page_size", "logging_token",
        "max_row_buffer", "no_parameters", "preserve_rowcount", "stream_results", "yield_per",
    }
)  # fmt: skip

_OWN_MAP = (
    "schema_translate_map is for engines of your own (DATABASES = {'default': engine}), for connections and sessions: an "
    "engine that facade has made for a URL does not take it."
)

# Pools from which a connection can be had in one step, without a proxy that resets it.
_PLAIN_POOLS = (AsyncAdaptedQueuePool, NullPool, QueuePool)

_ASKS_EACH_TIME: dict[int, bool] = {}  # a logger of an engine with `echo`

# Pools that give several users one connection at the same time.
_SHARING_POOLS = (SingletonThreadPool, StaticPool)


class Inventory:
    """What the engine of one face has. Looked at for each statement, at the cost of a few attributes."""

    def __init__(self, engine: Engine, channels: type[DriverChannel], fast: bool) -> None:
        self.engine = engine
        self._dialect: Any = engine.dialect
        self._driver = f"{engine.dialect.name}+{engine.dialect.driver}"
        self._owned = isinstance(engine.pool, LendingPool)
        self._fixed = self._look_once(channels, fast)
        self._seen: object = None
        self._option: str | None = None
        self._quiet = not self._fixed and hasattr(engine, "_has_events") and self._look_at_options() is None
        self._events: list[tuple[Any, list[str]]] = [
            (engine.dispatch, _names(Engine.dispatch)),
            (self._dialect.dispatch, _names(self._dialect.dispatch)),
        ]

    @property
    def shares(self) -> bool:
        """Whether the pool gives several users one connection at the same time."""
        return isinstance(self.engine.pool, _SHARING_POOLS)

    def is_general(self) -> bool:
        """Tell whether the next statement has to take the general road."""
        engine: Any = self.engine
        events = engine.pool.dispatch
        taken, given, reset = events.checkout, events.checkin, events.reset
        if (
            not self._quiet
            or engine._has_events
            # Facade's own listeners are to other events than these.
            or (self._dialect._has_events and _heard(self._dialect.dispatch, self._events[1][1]))
            or engine._execution_options is not self._seen
            or taken.listeners or given.listeners or reset.listeners
            or taken.parent_listeners or given.parent_listeners or reset.parent_listeners
        ):  # fmt: skip
            return self.reason() is not None
        # What loggers remember of their own answer; setting a level, anywhere above them, makes them forget it.
        known = getattr(engine.logger, "_cache", _ASKS_EACH_TIME)
        return known.get(logging.INFO) is not False and engine.logger.isEnabledFor(logging.INFO)

    def reason(self) -> str | None:
        """Say why statements have to take the general road; None if they need not."""
        option = self._look_at_options()
        return self._fixed or option or self._look_at_listeners()

    def _look_once(self, channels: type[DriverChannel], fast: bool) -> str | None:
        if not fast:
            return "FACADE_FAST_ROADS is off"
        if channels.is_general:
            return f"there is no fast road for {self._driver}"
        pool = type(self.engine.pool)
        if not issubclass(pool, LendingPool) and pool not in _PLAIN_POOLS:
            return f"the engine's pool is a {pool.__name__}"
        return None

    def _look_at_options(self) -> str | None:
        options = self.engine.get_execution_options()
        if options is self._seen:
            return self._option
        level = options.get("isolation_level") or getattr(self._dialect, "_on_connect_isolation_level", None)
        unknown = sorted(set(options) - _HONOURED)
        if self._owned and "schema_translate_map" in options:
            raise ImproperlyConfigured(_OWN_MAP)
        self._option = None
        if level not in (None, "AUTOCOMMIT"):
            self._option = f"the engine's isolation level is {level}"
        elif unknown:
            self._option = f"the engine has the execution option {unknown[0]!r}"
        self._seen = options
        return self._option

    def _look_at_listeners(self) -> str | None:
        pool = self.engine.pool.dispatch
        for dispatch, names in [*self._events, (pool, ("checkout", "checkin", "reset"))]:
            name = _heard(dispatch, names)
            if name is not None:
                return f"somebody listens to {name!r}"
        return "statements are logged" if self.engine.logger.isEnabledFor(logging.INFO) else None


def _names(dispatch: object) -> list[str]:
    return [name for name in attrgetter("_event_names")(dispatch) if name not in _HAPPEN_ANYWAY]


def _heard(dispatch: object, names: Iterable[str]) -> str | None:
    """Return the first of the events to which somebody listens."""
    for name in names:
        collection = getattr(dispatch, name)
        if collection.parent_listeners or collection.listeners:
            return name
    return None
