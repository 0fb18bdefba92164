"""The engines that facade makes for itself, and how their connections are set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event

from facade.db.channels.base import DriverChannel
from facade.db.pooling import session_role
from facade.db.pooling.lending import GivenLender, Lender
from facade.db.pooling.loop_pools import LoopPool
from facade.db.pooling.pools import ThreadPool
from facade.db.roads import channel_class
from facade.db.settings.config import check_installed
from facade.db.settings.words import check_arguments, completed, for_driver
from facade.drivers import driver_of, driver_of_url
from facade.exceptions import ImproperlyConfigured
from facade.foundation.imports import later
from facade.types.deep_json import read_json
from facade.vendors import vendor_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext import asyncio as sqlalchemy_asyncio

    from facade.db.channels.place import Place
    from facade.db.settings.config import DatabaseSettings
else:
    sqlalchemy_asyncio = later("sqlalchemy.ext.asyncio")


def sync_lender(database: Place, fast: bool) -> Lender:
    """Make the lender of a database's sync face."""
    settings = database.settings
    if settings.engine is not None:
        return _lender(GivenLender, database, settings.engine, fast)
    assert settings.url is not None
    check_installed(settings, settings.url, "sync")
    url, arguments = _arguments(settings, settings.url, settings.options)
    options = _options(settings, url, arguments)
    return _lender(Lender, database, sqlalchemy.create_engine(url, poolclass=ThreadPool, **options), fast)


def async_lender(database: Place, fast: bool) -> tuple[Lender, sqlalchemy_asyncio.AsyncEngine]:
    """Make the lender of a database's async face, and the engine to show for it."""
    settings = database.settings
    if settings.async_engine is not None:
        return _lender(GivenLender, database, settings.async_engine.sync_engine, fast), settings.async_engine
    assert settings.async_url is not None
    check_installed(settings, settings.async_url, "async")
    url, arguments = _arguments(settings, settings.async_url, settings.async_options)
    options = _options(settings, url, arguments)
    engine = sqlalchemy_asyncio.create_async_engine(url, poolclass=LoopPool, **options)
    return _lender(Lender, database, engine.sync_engine, fast), engine


def _arguments(
    settings: DatabaseSettings, url: URL, options: Mapping[str, Any]
) -> tuple[URL, dict[str, Any]]:
    """Return what to give to the driver; raises ImproperlyConfigured for what it does not take."""
    driver = driver_of_url(url)
    try:
        plain, arguments = for_driver(url, options)
        check_arguments(driver, {*driver.in_query(plain), *arguments})
        return plain, completed(url, options, arguments)
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASES[{settings.alias!r}]: {error}") from None


def _lender(kind: type[Lender], database: Place, engine: Engine, fast: bool) -> Lender:
    channels = channel_class(engine.dialect)
    if kind is Lender:
        pool: Any = engine.pool
        alive = None if channels.alive is DriverChannel.alive else channels.alive
        driver = driver_of(engine.dialect)
        pool.serve(alive, channels.kill, channels.autocommits, driver.pings, driver.opens_whole)
        if channels.set_up is not DriverChannel.set_up:
            event.listen(engine, "connect", _set_up(channels, database.settings.init_command))
        for name, listener in driver.listeners:
            event.listen(engine, name, listener)
        if (role := database.settings.assume_role) is not None:
            event.listen(engine, "connect", session_role.assume(role, engine.dialect.paramstyle))
    return kind(database, engine, channels, fast)


def _options(settings: DatabaseSettings, url: URL, arguments: Mapping[str, Any]) -> dict[str, Any]:
    pool, driver = settings.pool, driver_of_url(url)
    options: dict[str, Any] = {
        "alias": settings.alias,
        "pool_size": pool.size,
        "max_overflow": pool.overflow,
        "pool_timeout": pool.timeout,
        "pool_recycle": pool.recycle,
        "pool_pre_ping": pool.pre_ping,
        "linger": pool.linger,
        "connect_args": {**driver.defaults(settings.transaction_pooling), **arguments},
        "echo": settings.echo,
        "hide_parameters": settings.hide_parameters,
    }
    if url.get_backend_name() == "postgresql":
        options["json_deserializer"] = read_json
    if settings.isolation_level and vendor_named(url.get_backend_name()).preferred_isolation_level:
        options["isolation_level"] = settings.isolation_level  # once per session: a block need not ask for it
    return {**options, "paramstyle": driver.paramstyle} if driver.paramstyle else options


def _set_up(
    channels: type[DriverChannel], init_command: str | None
) -> Callable[[DBAPIConnection, object], None]:
    def connect(connection: DBAPIConnection, record: object) -> None:
        channels.set_up(connection, init_command)

    return connect


def open_memory(url: URL) -> DBAPIConnection:
    """Open a connection that keeps an in-memory database in existence."""
    kind = url.get_dialect()
    dialect = kind(dbapi=kind.import_dbapi())  # type: ignore[call-arg]
    arguments, options = dialect.create_connect_args(url)
    return dialect.connect(*arguments, **{**driver_of_url(url).defaults(False), **options})
