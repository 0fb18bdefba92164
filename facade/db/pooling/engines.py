"""The engines that facade makes for itself, and how their connections are set up."""

from __future__ import annotations

import sqlite3
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.ext import asyncio as sqlalchemy_asyncio

from facade import bridge
from facade.db.channels.base import DriverChannel
from facade.db.drivers import channel_class, session_role, session_zone, sqlite
from facade.db.drivers.postgresql import name_statements_apart
from facade.db.pooling.lending import GivenLender, Lender
from facade.db.pooling.loop_pools import LoopPool
from facade.db.pooling.pools import ThreadPool
from facade.db.settings.words import check_arguments, check_files, for_driver, socket_words
from facade.exceptions import ImproperlyConfigured
from facade.types.base import MYSQL
from facade.types.deep_json import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from facade.db.channels.place import Place
    from facade.db.settings.config import DatabaseSettings

CONNECT_SECONDS = 10

# Parameters are always sent by position; SQLAlchemy's default for these drivers is by name.
_PARAMSTYLES = {"psycopg": "format", "psycopg2": "format", "pymysql": "format", "mysqldb": "format",
                "asyncmy": "format", "aiomysql": "format"}  # fmt: skip

# How a session of facade's own learns in which time zone moments are written.
_ZONES: dict[str, tuple[str, Callable[..., None]]] = {
    "psycopg": ("connect", session_zone.set_on_psycopg),
    "psycopg_async": ("connect", session_zone.set_on_async_psycopg),
    "asyncpg": ("do_connect", session_zone.ask_of_asyncpg),
}

_SQLITE3 = ("pysqlite", "aiosqlite")  # others bring a module, and a connection class, of their own


def sync_lender(database: Place, fast: bool) -> Lender:
    """Make the lender of a database's sync face."""
    settings = database.settings
    if settings.engine is not None:
        return _lender(GivenLender, database, settings.engine, fast)
    assert settings.url is not None
    url, arguments = _arguments(settings, settings.url, settings.options)
    options = _options(settings, url, arguments)
    return _lender(Lender, database, sqlalchemy.create_engine(url, poolclass=ThreadPool, **options), fast)


def async_lender(database: Place, fast: bool) -> tuple[Lender, AsyncEngine]:
    """Make the lender of a database's async face, and the engine to show for it."""
    settings = database.settings
    if settings.async_engine is not None:
        return _lender(GivenLender, database, settings.async_engine.sync_engine, fast), settings.async_engine
    assert settings.async_url is not None
    url, arguments = _arguments(settings, settings.async_url, settings.async_options)
    options = _options(settings, url, arguments)
    engine = sqlalchemy_asyncio.create_async_engine(url, poolclass=LoopPool, **options)
    return _lender(Lender, database, engine.sync_engine, fast), engine


def _arguments(
    settings: DatabaseSettings, url: URL, options: Mapping[str, Any]
) -> tuple[URL, dict[str, Any]]:
    """Return what to give to the driver; raises ImproperlyConfigured for what it does not take."""
    driver = url.get_driver_name()
    try:
        plain, arguments = for_driver(url, options)
        check_arguments(driver, {*_in_query(plain, driver), *arguments})
        check_files(url, options)
        sockets = socket_words(url, options)
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASES[{settings.alias!r}]: {error}") from None
    if driver == "asyncpg" and (sockets or isinstance(arguments.get("host"), list)):
        connect = import_module("facade.db.drivers.asyncpg_connecting").connect
        arguments = {"async_creator_fn": connect, **arguments, **({"sockets": sockets} if sockets else {})}
    return plain, arguments


def _in_query(url: URL, driver: str) -> Iterable[str]:
    """Return the arguments that SQLAlchemy makes of what a URL's query says; SQLite's own are none."""
    if not url.query or driver in _SQLITE3:
        return () if "uri" in url.query else url.query
    arguments: Iterable[str] = url.get_dialect()().create_connect_args(url)[1]
    return arguments


def _lender(kind: type[Lender], database: Place, engine: Engine, fast: bool) -> Lender:
    channels = channel_class(engine.dialect)
    if kind is Lender:
        pool: Any = engine.pool
        alive = None if channels.alive is DriverChannel.alive else channels.alive
        # Servers close what is idle for too long; over the general road nobody hears it.
        pool.serve(alive, channels.kill, channels.autocommits, asks_idle=engine.dialect.name in MYSQL)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _sqlite_setup(database.settings.init_command))
        if engine.dialect.driver in ("psycopg", "psycopg_async"):
            event.listen(engine, "connect", name_statements_apart)
        if (keep_zone := _ZONES.get(engine.dialect.driver)) is not None:
            event.listen(engine, *keep_zone)
        if (role := database.settings.assume_role) is not None:
            event.listen(engine, "connect", session_role.assume(role, engine.dialect.paramstyle))
    return kind(database, engine, channels, fast)


def _options(settings: DatabaseSettings, url: URL, arguments: Mapping[str, Any]) -> dict[str, Any]:
    pool = settings.pool
    options: dict[str, Any] = {
        "alias": settings.alias,
        "pool_size": pool.size,
        "max_overflow": pool.overflow,
        "pool_timeout": pool.timeout,
        "pool_recycle": pool.recycle,
        "pool_pre_ping": pool.pre_ping,
        "linger": pool.linger,
        "connect_args": {**_defaults(settings, url), **arguments},
        "echo": settings.echo,
        "hide_parameters": settings.hide_parameters,
    }
    if url.get_backend_name() == "postgresql":
        options["json_deserializer"] = read_json
    if url.get_backend_name() in MYSQL and settings.isolation_level:
        options["isolation_level"] = settings.isolation_level  # once per session: a block need not ask for it
    paramstyle = _PARAMSTYLES.get(url.get_driver_name())
    return {**options, "paramstyle": paramstyle} if paramstyle else options


def _defaults(settings: DatabaseSettings, url: URL) -> dict[str, Any]:
    """Return the driver's arguments where the user gave none."""
    backend, driver = url.get_backend_name(), url.get_driver_name()
    if backend == "sqlite":
        defaults = {"timeout": sqlite.BUSY_SECONDS, "check_same_thread": False, "cached_statements": 256}
        return {**defaults, "factory": sqlite.KnowingConnection} if driver in _SQLITE3 else defaults
    if driver == "psycopg":
        return {
            "connect_timeout": CONNECT_SECONDS,
            "prepare_threshold": None,  # what is prepared outlives the tables it was prepared for
        }
    if driver == "asyncpg":
        caches = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        return {"timeout": CONNECT_SECONDS, **(caches if settings.transaction_pooling else {})}
    return {}


def _sqlite_setup(init_command: str | None) -> Any:
    def connect(dbapi_connection: Any, record: object) -> None:
        if isinstance(dbapi_connection, sqlite3.Connection):
            sqlite.prepare(dbapi_connection, init_command)
        else:
            raw = dbapi_connection.driver_connection
            bridge.wait(raw._execute(sqlite.prepare, raw._conn, init_command))

    return connect


def open_sqlite(url: URL) -> sqlite3.Connection:
    """Open a connection that keeps an in-memory database in existence."""
    arguments, options = url.get_dialect()().create_connect_args(url)
    connect: Any = sqlite3.connect
    connection: sqlite3.Connection = connect(*arguments, **{**options, "check_same_thread": False})
    return connection
