"""The configuration of one database, read from any of the forms that ``DATABASES`` takes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote

from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from facade.configuration import check_url
from facade.db.settings.words import check_words, is_honoured, split_server
from facade.drivers import driver_of_url, drivers_for, named
from facade.drivers.others import OTHER
from facade.exceptions import ImproperlyConfigured
from facade.foundation.imports import is_imported, later
from facade.vendors import Vendor, vendor_named

if TYPE_CHECKING:
    from sqlalchemy.ext import asyncio as sqlalchemy_asyncio

    from facade.drivers.driver import Driver, Face
else:
    sqlalchemy_asyncio = later("sqlalchemy.ext.asyncio")

_DIALECTS = {
    "postgres": "postgresql",
    "postgresql_psycopg2": "postgresql",
    "postgis": "postgresql",
    "sqlite3": "sqlite",
    "spatialite": "sqlite",
}

_URL_KEYS = ("USER", "PASSWORD", "HOST", "PORT")
_OWN_KEYS = frozenset(
    {
        "ENGINE", "URL", "NAME", "OPTIONS", "SYNC_OPTIONS", "ASYNC_OPTIONS", "ISOLATION_LEVEL",
        "TRANSACTION_POOLING", "ALLOW_BLOCKING", "CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS",
        "POOL_SIZE", "MAX_OVERFLOW", "POOL_TIMEOUT", "POOL_RECYCLE", "POOL_PRE_PING", "POOL_LINGER", "ECHO", "HIDE_PARAMETERS", *_URL_KEYS,
    }
)  # fmt: skip
_DJANGO_KEYS = frozenset(
    {"ATOMIC_REQUESTS", "AUTOCOMMIT", "TEST", "TIME_ZONE"}
)  # taken, without a meaning here

_memory_numbers = itertools.count(1)


@dataclass(frozen=True)
class PoolSettings:
    """The limits of each of a database's pools; times in seconds."""

    size: int = 5
    overflow: int = 10
    timeout: float = 30.0
    recycle: float = -1
    pre_ping: bool = False
    linger: float = 10.0


@dataclass(frozen=True, repr=False)
class DatabaseSettings:
    """How one database is reached: by URL, or through engines that exist already.

    A face without URL and engine has no driver: ``missing`` says which face lacks what.
    """

    alias: str
    url: URL | None = None
    async_url: URL | None = None
    engine: Engine | None = None
    async_engine: sqlalchemy_asyncio.AsyncEngine | None = None
    pool: PoolSettings = PoolSettings()
    options: Mapping[str, Any] = field(default_factory=dict)
    async_options: Mapping[str, Any] = field(default_factory=dict)
    isolation_level: str | None = None
    init_command: str | None = None
    assume_role: str | None = None
    transaction_pooling: bool = False
    allow_blocking: bool = False
    echo: bool = False
    hide_parameters: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        # Passwords are in URLs, in options and in what was given.
        shown: dict[str, object] = {
            "url": _public(self.url),
            "async_url": _public(self.async_url),
            "pool": self.pool,
        }
        shown |= {"engine": self.engine and type(self.engine).__name__}
        shown |= {"async_engine": self.async_engine and type(self.async_engine).__name__}
        return (
            f"{type(self).__name__}({self.alias!r}, {', '.join(f'{k}={v!r}' for k, v in shown.items() if v)})"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"The settings of database {self.alias!r} hold passwords, and cannot be pickled. Pass the alias on."
        )

    @property
    def any_url(self) -> URL:
        """The URL of the database, whichever driver it names."""
        if self.url is not None:
            return self.url
        if self.engine is not None:
            return self.engine.url
        if self.async_url is not None:
            return self.async_url
        assert self.async_engine is not None
        return self.async_engine.url

    @property
    def dialect_name(self) -> str:
        """SQLAlchemy's name for the kind of database."""
        return self.any_url.get_backend_name()

    @property
    def vendor(self) -> Vendor:
        """What is known of such databases."""
        return vendor_named(self.dialect_name)

    @property
    def memory(self) -> bool:
        """Whether it is a SQLite database without a file."""
        return self.vendor.is_embedded and is_memory(self.any_url)


def _public(url: URL | None) -> str | None:
    """Return a URL without its password and without what stands in its query."""
    if url is None:
        return None
    query = dict.fromkeys(url.query, "***")
    return url.set(query=query).render_as_string(hide_password=True)


def read(alias: str, value: object) -> DatabaseSettings:
    """Return the settings in ``value``, one entry of ``DATABASES``.

    Takes a URL string, a SQLAlchemy URL, a dict as Django has it (or with a ``URL``), an Engine, an AsyncEngine, or
    a pair of these, one for each face. Raises ImproperlyConfigured naming the alias and what is wrong.
    """
    try:
        if isinstance(value, Mapping):
            return _from_dict(alias, value)
        if isinstance(value, (tuple, list)) and not isinstance(value, URL):  # a URL is a named tuple
            return _complete(_from_pair(alias, value))
        return _complete(_half(alias, value))
    except (ArgumentError, NoSuchModuleError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"DATABASES[{alias!r}]: {error}") from error


def _half(alias: str, value: object) -> DatabaseSettings:
    if isinstance(value, Engine):
        return DatabaseSettings(alias, engine=value)
    if is_imported(sqlalchemy_asyncio) and isinstance(value, sqlalchemy_asyncio.AsyncEngine):
        return DatabaseSettings(alias, async_engine=value)
    if not isinstance(value, (str, URL)):
        raise TypeError(
            "give a URL, a dict with ENGINE and NAME, an Engine, an AsyncEngine, or a pair of them, "
            f"not {type(value).__name__}."
        )
    url = _normal(read_url(value) if isinstance(value, str) else value, alias)
    level = vendor_named(url.get_backend_name()).preferred_isolation_level
    if _driver(url).faces == ("async",):
        return DatabaseSettings(alias, async_url=url, isolation_level=level)
    return DatabaseSettings(alias, url=url, isolation_level=level)


def _from_pair(alias: str, value: Any) -> DatabaseSettings:
    if len(value) != 2:
        raise ValueError(f"a pair has two halves, not {len(value)}.")
    halves = [_half(alias, part) for part in value]
    made = [half for half in halves if half.async_engine is not None or half.async_url is not None]
    if len(made) != 1:
        raise ValueError("one half of a pair is for the sync face, the other for the async face.")
    other = halves[0] if made[0] is halves[1] else halves[1]
    return replace(other, async_url=made[0].async_url, async_engine=made[0].async_engine)


def _complete(settings: DatabaseSettings) -> DatabaseSettings:
    """Derive the half that was not given from the URL of the other, and check what is said in options."""
    url = settings.any_url
    if not ((settings.engine is not None or settings.async_engine is not None) and is_memory(url)):
        # The database of such an engine is its alone.
        settings = _both_halves(settings, url)
    for half, options in ((settings.url, settings.options), (settings.async_url, settings.async_options)):
        if half is not None:
            check_words(half, options)
    return settings


def _both_halves(settings: DatabaseSettings, url: URL) -> DatabaseSettings:
    if settings.url is None and settings.engine is None:
        settings = replace(settings, url=_with_driver(url, "sync", settings.options))
    elif settings.async_url is None and settings.async_engine is None:
        settings = replace(settings, async_url=_with_driver(url, "async", settings.async_options))
    if settings.url is not None and "+" not in settings.url.drivername:
        derived = _with_driver(settings.url, "sync", settings.options)
        settings = replace(settings, url=derived or settings.url)
    return settings


def _driver(url: URL) -> Driver:
    """Return the driver that a URL names; an alias may be for one of its faces only."""
    name = url.drivername.partition("+")[2]
    driver = named(name)
    return driver if driver.name == name else OTHER


def _with_driver(url: URL, face: Face, options: Mapping[str, Any]) -> URL | None:
    """Return the URL with the first driver that is installed and can do what the options say."""
    if len(_driver(url).faces) > 1:
        return url
    backend = url.get_backend_name()
    installed = [
        url.set(drivername=f"{backend}+{driver.name}")
        for driver in drivers_for(backend, face)
        if find_spec(driver.module) is not None
    ]
    return next((one for one in installed if is_honoured(one, options)), next(iter(installed), None))


def missing_driver(settings: DatabaseSettings, face: Face) -> str:
    """Say what a face lacks."""
    if settings.memory and not (settings.engine is None and settings.async_engine is None):
        return (
            f"Database {settings.alias!r} is an engine on a private in-memory database, which has no {face} face. "
            "Configure 'sqlite://' instead of the engine, or use a file."
        )
    drivers = drivers_for(settings.dialect_name, face)
    names = (
        " or ".join(driver.package or driver.name for driver in drivers) or f"a driver for its {face} face"
    )
    extras = {
        driver.extra: f" (pip install 'sqlalchemy-facade[{driver.extra}]')"
        for driver in drivers
        if driver.extra
    }
    return (
        f"Database {settings.alias!r} ({settings.dialect_name}) has no {face} face: install {names}"
        f"{''.join(extras.values())}."
    )


def check_installed(settings: DatabaseSettings, url: URL, face: Face) -> None:
    """Raise ImproperlyConfigured where the driver of a URL is not installed."""
    driver = driver_of_url(url)
    if not driver.module or find_spec(driver.module) is not None:
        return
    if "+" not in url.drivername:  # none of them is
        raise ImproperlyConfigured(missing_driver(settings, face))
    extra = f" (pip install 'sqlalchemy-facade[{driver.extra}]')" if driver.extra else ""
    raise ImproperlyConfigured(
        f"Database {settings.alias!r}: {driver.name}, the driver of its {face} face, is not installed. "
        f"Install {driver.package or driver.name}{extra}, or name another one in the URL."
    )


# URLs

_SERVERS = re.compile(r"([\w+]+://(?:[^:/]*(?::[^@]*)?@)?)([^/?]*)(.*)", re.DOTALL)


def read_url(text: str) -> URL:
    """Return SQLAlchemy's URL; several servers, and what is quoted in their names, are read as libpq reads them."""
    found = _SERVERS.fullmatch(text)
    if found is None or not set(found[2]) & {",", "%"}:
        return make_url(text)
    url = make_url(found[1] + found[3])
    servers = [split_server(unquote(server)) for server in found[2].split(",")]
    if len(servers) == 1 and not servers[0][0].startswith("/"):
        host, port = servers[0]
        return url.set(host=host, port=int(port) if port else None)
    return url.set(query={**_listed(servers), **url.query})


@check_url.fill
def _check_url(alias: str, given: object) -> None:
    """Find what is no URL, or one of a server where there is none, without asking for a driver."""
    url = given.get("URL") if isinstance(given, Mapping) else given
    if isinstance(url, str):
        try:
            _refuse_server(read_url(url))
        except (ArgumentError, ValueError) as error:
            raise ImproperlyConfigured(f"DATABASES[{alias!r}]: {error}") from error


def _refuse_server(url: URL) -> None:
    kind = url.get_backend_name()
    if url.host and vendor_named(kind).is_embedded:
        raise ValueError(
            f"{url.host!r} stands where a server would. A file's path comes after three slashes, {kind}:///{url.host}, "
            "and after four if it begins at the root."
        )


def _listed(servers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Write the names and the ports of servers as lists, as libpq has them."""
    hosts, ports = zip(*servers, strict=True)
    return {"host": ",".join(hosts), **({"port": ",".join(ports)} if any(ports) else {})}


def _normal(url: URL, alias: str) -> URL:
    backend, plus, driver = url.drivername.partition("+")
    backend = _DIALECTS.get(backend, backend)
    url = url.set(drivername=f"{backend}{plus}{driver}")
    url.get_dialect()  # raises for what SQLAlchemy does not know
    _refuse_server(url)
    if url.database in (None, "", ":memory:"):
        # One database for both faces, all connections and threads; each URL that is read gets one of its own.
        return vendor_named(backend).shared_memory(url, f"facade-{alias}-{next(_memory_numbers)}")
    return _normal_sqlite(url) if backend == "sqlite" else url


def _normal_sqlite(url: URL) -> URL:
    name = str(url.database)
    if name.startswith("file:") and "uri" not in url.query:
        path, _, query = name.partition("?")
        pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
        return url.set(database=path, query={**url.query, **pairs, "uri": "true"})
    return url


def is_memory(url: URL) -> bool:
    """Tell whether a URL names a database without a file."""
    name = url.database
    return vendor_named(url.get_backend_name()).is_embedded and (
        name in (None, "", "file::memory:")
        or str(name).startswith(":memory:")
        or url.query.get("mode") == "memory"
        or url.query.get("vfs") == "memdb"
    )


# Django-style dicts


def _from_dict(alias: str, given: Mapping[str, Any]) -> DatabaseSettings:
    unknown = sorted(set(given) - _OWN_KEYS - _DJANGO_KEYS)
    if unknown:
        raise ValueError(
            f"unknown keys {', '.join(map(repr, unknown))}. Keys: {', '.join(sorted(_OWN_KEYS))}."
        )
    half = _half(alias, given["URL"] if "URL" in given else _url(given))
    options = dict(given.get("OPTIONS") or {})
    pool = _pool(given, options.pop("pool", None))
    settings = replace(
        half,
        pool=pool,
        isolation_level=_isolation_level(half, given, options),
        init_command=_of_sqlite(options) if half.vendor.begins_late else None,
        assume_role=_of_postgresql(options, given) if half.vendor.assumes_roles else None,
        options={**options, **(given.get("SYNC_OPTIONS") or {})},
        async_options={**options, **(given.get("ASYNC_OPTIONS") or {})},
        transaction_pooling=bool(
            given.get("TRANSACTION_POOLING") or given.get("DISABLE_SERVER_SIDE_CURSORS")
        ),
        allow_blocking=bool(given.get("ALLOW_BLOCKING")),
        echo=bool(given.get("ECHO")),
        hide_parameters=bool(given.get("HIDE_PARAMETERS", True)),
        raw=dict(given),
    )
    return _complete(settings)


def _of_sqlite(options: dict[str, Any]) -> Any:
    """Take Django's own options out; blocks always begin as ``IMMEDIATE``."""
    options.pop("transaction_mode", None)
    return options.pop("init_command", None)


def _of_postgresql(options: dict[str, Any], given: Mapping[str, Any]) -> str | None:
    """Take Django's own options out; returns the role to assume."""
    if options.pop("server_side_binding", True) is False:
        raise ValueError(
            "server_side_binding: values always travel beside the SQL, never in it. Take it away, or set True."
        )
    if "cursor_factory" in options:
        raise ValueError(
            "cursor_factory: the drivers of the two faces have classes of their own. Say it in SYNC_OPTIONS or "
            "ASYNC_OPTIONS."
        )
    role: str | None = options.pop("assume_role", None) or None
    if role and given.get("TRANSACTION_POOLING"):
        raise ValueError(
            "assume_role: with TRANSACTION_POOLING each transaction may meet another session, which has not assumed "
            "it. Let the user have the role's rights: ALTER ROLE ... SET role."
        )
    return role


def _url(given: Mapping[str, Any]) -> URL:
    engine = str(given.get("ENGINE") or "")
    backend = engine.rpartition(".")[2]
    if not backend:
        raise ValueError("ENGINE is missing, for example 'postgresql' or 'django.db.backends.sqlite3'.")
    backend = _DIALECTS.get(backend, backend)
    name = str(given.get("NAME") or "")
    if backend.partition("+")[0] == "sqlite":
        return URL.create(backend, database=name or None)
    host, port = str(given.get("HOST") or ""), str(given.get("PORT") or "")
    query = _place(backend, host, port)
    return URL.create(
        backend,
        username=given.get("USER") or None,
        password=given.get("PASSWORD") or None,
        host=None if query else host or None,
        port=None if query or not port else int(port),
        database=name or None,
        query=query,
    )


def _place(backend: str, host: str, port: str) -> dict[str, str]:
    """Return what a URL has no room for but in its query: the folder of a Unix socket, and several servers."""
    if vendor_named(backend.partition("+")[0]).has_socket_word:
        return {"unix_socket": host} if host.startswith("/") else {}
    if host.startswith("/") or "," in host + port:
        return {"host": host, **({"port": port} if port else {})}
    return {}


def _pool(given: Mapping[str, Any], django: object) -> PoolSettings:
    """Read our keys; what Django calls OPTIONS["pool"] and CONN_* serves where ours say nothing."""
    sizes = django if isinstance(django, Mapping) else {}
    low = int(sizes.get("min_size", 4))
    high = int(sizes.get("max_size", low)) if sizes else 0
    age = given.get("CONN_MAX_AGE")
    defaults = PoolSettings()
    return PoolSettings(
        size=int(given.get("POOL_SIZE", low if sizes else defaults.size)),
        overflow=int(given.get("MAX_OVERFLOW", high - low if sizes else defaults.overflow)),
        timeout=float(given.get("POOL_TIMEOUT", sizes.get("timeout", defaults.timeout))),
        recycle=float(given.get("POOL_RECYCLE", age or sizes.get("max_lifetime", defaults.recycle))),
        pre_ping=bool(given.get("POOL_PRE_PING", given.get("CONN_HEALTH_CHECKS", defaults.pre_ping))),
        linger=float(given.get("POOL_LINGER", sizes.get("max_idle", defaults.linger))),
    )


def _isolation_level(half: DatabaseSettings, given: Mapping[str, Any], options: dict[str, Any]) -> str | None:
    """Read a level by name; a driver's enumeration members have one, too. None leaves it to the server."""
    value = options.pop("isolation_level", half.isolation_level)
    value = given.get("ISOLATION_LEVEL", value)
    if not value:
        return None
    return str(getattr(value, "name", value)).replace("_", " ").upper()
