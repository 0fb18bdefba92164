"""The fast roads, one module per driver that has one, and the general road through SQLAlchemy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from facade.db.roads.general import AsyncGeneralChannel, GeneralChannel
from facade.drivers import driver_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.db.channels.base import DriverChannel
    from facade.drivers.driver import Face


def channel_class(dialect: Dialect) -> type[DriverChannel]:
    """Return the kind of channel for a dialect's driver.

    Its module is imported when a database first needs it: the driver may not be installed.
    """
    driver, face = driver_of(dialect), _face(dialect)
    if not driver.has_road(dialect.name, face):
        return AsyncGeneralChannel if dialect.is_async else GeneralChannel
    module, _, name = driver.roads[face].partition(":")
    cls: type[DriverChannel] = getattr(import_module(f"{__name__}.{module}"), name)
    return cls


def _face(dialect: Dialect) -> Face:
    return "async" if dialect.is_async else "sync"
