"""The settings: `configure()` sets them, `settings` reads them, `on_change()` tells who depends on them."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

from facade.exceptions import ImproperlyConfigured
from facade.foundation.seams import Changes, Seam

#: Calls ``callback(names)`` after each `configure`, with the names that were set.
on_change: Changes[[frozenset[str]]] = Changes("settings")

# (alias, entry of DATABASES); raises ImproperlyConfigured.
check_url: Seam[[str, object], None] = Seam(
    "whether a database's URL is one", filled_by="facade.db.settings.config"
)


class Settings:
    """The current values, as attributes. Assigning one notifies those who registered with `on_change`.

    ``FACADE_*`` settings take their first values from environment variables of the same name.
    """

    DATABASES: Mapping[str, Any]
    """The databases by alias: a URL, a dict of keys, a SQLAlchemy URL, Engine or AsyncEngine, or a pair of them, one for each face."""

    DATABASE_ROUTERS: Sequence[Any]
    """Objects, or dotted paths of classes, that choose a database for each model: the first whose answer is not None decides."""

    INSTALLED_APPS: Sequence[str]
    """Packages with models, or dotted paths of `AppConfig` classes, in the order in which they are imported."""

    DEFAULT_AUTO_FIELD: str
    """The dotted path of the field class that a model without a primary key of its own gets as ``id``."""

    USE_TZ: bool
    """Whether moments are aware, and stored in UTC; where it is off they are naive, in ``TIME_ZONE``."""

    TIME_ZONE: str
    """The name of the default time zone, such as ``"Europe/Vienna"``: the current one as long as no other is activated."""

    DEFAULT_TABLESPACE: str
    """The tablespace of tables whose ``Meta`` names none; empty: the database's own. For databases that have tablespaces."""

    DEFAULT_INDEX_TABLESPACE: str
    """The tablespace of the indexes of fields that name none; empty: that of the table."""

    ABSOLUTE_URL_OVERRIDES: Mapping[str, Callable[[Any], str]]
    """Functions of an object by the label of its model in lower case (``"library.author"``); each becomes the model's ``get_absolute_url``."""

    MEDIA_ROOT: str
    """The folder in which a `FileSystemStorage` without a `location` keeps its files."""

    MEDIA_URL: str
    """The address at which a web server shows ``MEDIA_ROOT``."""

    FACADE_CLEANUP_SECONDS: float
    """Seconds that COMMIT, ROLLBACK and check-in have from a cancellation on; then the connection is closed."""

    FACADE_RETRY_ATTEMPTS: int
    """How often a lone read is tried in all when its connection is lost; 1 tries it once."""

    FACADE_SHAPE_CACHE: bool
    """Whether queries are planned once per shape; off, each is planned anew. It changes the speed only."""

    FACADE_FAST_ROADS: bool
    """Whether drivers are called past SQLAlchemy where that makes no difference; off, they never are. It changes the speed only."""

    def __init__(self) -> None:
        self.__dict__.update(_defaults(os.environ))

    def __setattr__(self, name: str, value: object) -> None:
        configure(**{name: value})

    def __repr__(self) -> str:
        # DATABASES holds passwords.
        return f"<Settings {', '.join(sorted(vars(self)))}>"


def _defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "DATABASES": {},
        "DATABASE_ROUTERS": [],
        "INSTALLED_APPS": [],
        "DEFAULT_AUTO_FIELD": "facade.models.BigAutoField",
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "DEFAULT_TABLESPACE": "",
        "DEFAULT_INDEX_TABLESPACE": "",
        "ABSOLUTE_URL_OVERRIDES": {},
        "MEDIA_ROOT": "",
        "MEDIA_URL": "",
        "FACADE_CLEANUP_SECONDS": _seconds(
            "FACADE_CLEANUP_SECONDS", environment.get("FACADE_CLEANUP_SECONDS", "5")
        ),
        "FACADE_RETRY_ATTEMPTS": _count(
            "FACADE_RETRY_ATTEMPTS", environment.get("FACADE_RETRY_ATTEMPTS", "3")
        ),
        "FACADE_SHAPE_CACHE": _switch("FACADE_SHAPE_CACHE", environment.get("FACADE_SHAPE_CACHE", "1")),
        "FACADE_FAST_ROADS": _switch("FACADE_FAST_ROADS", environment.get("FACADE_FAST_ROADS", "1")),
    }


def configure(**names: Any) -> None:
    """Set settings; those not named keep their values.

    ``DATABASES`` maps aliases to a URL, a Django-style dict, a SQLAlchemy URL, Engine, AsyncEngine or a pair of them.
    Other Django settings and names of your own (those that ``Meta.swappable`` points to) are kept as they are.

    Raises ImproperlyConfigured for a value of the wrong kind and for a name that looks like a slip of the pen;
    nothing is changed then.

    >>> configure(USE_TZ=True, TIME_ZONE="UTC")
    >>> settings.TIME_ZONE
    'UTC'
    >>> configure(TIMEZONE="UTC")
    Traceback (most recent call last):
    facade.exceptions.ImproperlyConfigured: There is no setting 'TIMEZONE'. Did you mean 'TIME_ZONE'?
    """
    checked = {name: _checked(name, value) for name, value in names.items()}
    vars(settings).update(checked)
    on_change.tell(frozenset(checked))


@contextmanager
def override(**names: Any) -> Iterator[None]:
    """Set settings for the length of a ``with`` block; what was set in it otherwise is undone, too.

    >>> with override(TIME_ZONE="Europe/Vienna"):
    ...     settings.TIME_ZONE
    'Europe/Vienna'
    """
    before = dict(vars(settings))
    configure(**names)
    try:
        yield
    finally:
        after = vars(settings)
        changed = {name for name in after.keys() | before.keys() if after.get(name) is not before.get(name)}
        after.clear()
        after.update(before)
        if changed:
            on_change.tell(frozenset(changed))


def _checked(name: str, value: object) -> Any:
    if name in _CHECKS:
        return _CHECKS[name](name, value)
    if name not in vars(settings):
        _check_spelling(name)
    return value


def _check_spelling(name: str) -> None:
    known = sorted(vars(settings))
    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85)
    if close:
        raise ImproperlyConfigured(f"There is no setting {name!r}. Did you mean {close[0]!r}?")
    if not name.isupper() or name.startswith("FACADE_"):
        raise ImproperlyConfigured(f"There is no setting {name!r}. Settings: {', '.join(known)}.")


def _switch(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} is true or false, not {value!r}.")


def _count(name: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise ImproperlyConfigured(f"{name} is a number from 1 up, not {value!r}.")
    return number


def _seconds(name: str, value: str | float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < math.inf:
        raise ImproperlyConfigured(f"{name} is a number of seconds above 0, not {value!r}.")
    return number


def _zone(name: str, value: Any) -> str:
    try:
        return ZoneInfo(value).key
    except (OSError, TypeError, ValueError):
        raise ImproperlyConfigured(f"{name} is a name like 'Europe/Vienna', not {value!r}.") from None
    except LookupError:
        raise ImproperlyConfigured(f"{name}: this system knows no time zone {value!r}.") from None


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ImproperlyConfigured(f"{name} is a dict with strings as keys, not {type(value).__name__}.")
    return dict(value)


def _databases(name: str, value: object) -> Mapping[str, Any]:
    databases = _mapping(name, value)
    for alias, given in databases.items():
        check_url(alias, given)
    return databases


def _sequence(name: str, value: object) -> list[Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise ImproperlyConfigured(f"{name} is a list, not {type(value).__name__}.")
    return list(value)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "DATABASES": _databases,
    "DATABASE_ROUTERS": _sequence,
    "INSTALLED_APPS": _sequence,
    "USE_TZ": _switch,
    "TIME_ZONE": _zone,
    "ABSOLUTE_URL_OVERRIDES": _mapping,
    "FACADE_CLEANUP_SECONDS": _seconds,
    "FACADE_RETRY_ATTEMPTS": _count,
    "FACADE_SHAPE_CACHE": _switch,
    "FACADE_FAST_ROADS": _switch,
}

settings = Settings()
"""The settings of the program, as attributes: `settings.TIME_ZONE`."""
