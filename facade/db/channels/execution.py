"""Execution: SQLAlchemy's execution options, and the time that a statement may take, for a block or for one query."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from facade.exceptions import UnsupportedFeature
from facade.vendors import vendor_named

ExecutionOptions = Mapping[str, Any]

SCHEMAS = "schema_translate_map"
NO_OPTIONS: ExecutionOptions = MappingProxyType({})

_DIALECTS = frozenset({"postgresql", "mysql", "mariadb", "sqlite", "oracle", "mssql"})
_LEVEL, _READ_ONLY = "isolation_level", "postgresql_readonly"
# Of a connection and its transaction, whatever the dialect; a dialect's own ones begin with its name.
_OF_CONNECTIONS = frozenset({_LEVEL, "logging_token"})

_NO_PARAMETERS = (
    "The execution option no_parameters is not for facade's statements, which always have theirs."
)
_OF_A_BLOCK = "The execution option {name!r} belongs to a connection, not to a query: atomic(execution_options={{{name!r}: ...}})."
_OTHER_DIALECT = "The execution option {name!r} is not for database {alias!r}, which is {dialect}."
_NO_TIMEOUT = (
    "Database {alias!r} ({vendor}) cannot limit the time of a statement: timeout needs PostgreSQL or MariaDB."
)
_NO_SECONDS = "timeout is the number of seconds that a statement may take, more than 0, not {given!r}."


class Execution:
    """How statements are to be run. Never changed; `updated` makes another one.

    ``options`` are execution options as SQLAlchemy's `Connection` takes them, ``timeout`` is in seconds.
    """

    __slots__ = ("connection_options", "isolation_level", "names", "options", "read_only", "timeout")

    def __init__(self, options: ExecutionOptions | None = None, timeout: float | None = None) -> None:
        given = dict(options or NO_OPTIONS)
        if "no_parameters" in given:
            raise UnsupportedFeature(_NO_PARAMETERS)
        self.isolation_level: str | None = given.pop(_LEVEL, None)
        self.read_only = bool(given.pop(_READ_ONLY, False))
        self.options: ExecutionOptions = MappingProxyType(given)
        self.connection_options = {name: value for name, value in given.items() if of_connections(name)}
        self.timeout = None if timeout is None else _seconds(timeout)
        self.names: dict[str, str] = {}  # of databases under these options, by those without

    def __bool__(self) -> bool:
        return bool(self.options) or self.timeout is not None

    def __repr__(self) -> str:
        return f"<Execution: {dict(self.options)!r}, timeout={self.timeout!r}>"

    def __reduce__(self) -> Any:
        return type(self), (dict(self.options), self.timeout)

    @property
    def key(self) -> str:
        """What two that ask for the same have in common, in words."""
        named = [f"{name}={value!r}" for name, value in sorted(self.options.items())]
        return ", ".join([*named, *([] if self.timeout is None else [f"timeout={self.timeout!r}"])])

    def updated(self, options: ExecutionOptions, timeout: float | None = None) -> Execution:
        """Return one with these options added, and this limit in the place of the one before."""
        return Execution({**self.options, **options}, self.timeout if timeout is None else timeout)

    def of_schemas(self) -> Execution:
        """Return one that says where tables stand, and nothing else; itself if that is all it says."""
        if len(self.options) == 1 and self.timeout is None:
            return self
        return Execution({SCHEMAS: self.options[SCHEMAS]})

    def for_query(self) -> Execution:
        """Return this one; raises UnsupportedFeature where an option is one of a connection."""
        named = (_LEVEL,) if self.isolation_level else (_READ_ONLY,) if self.read_only else ()
        for name in (*named, *self.connection_options):
            raise UnsupportedFeature(_OF_A_BLOCK.format(name=name))
        return self

    def check(self, alias: str, vendor: str, dialect: str) -> None:
        """Raise UnsupportedFeature for what a database cannot do."""
        own = {dialect, vendor}
        for name in (*self.connection_options, *([_READ_ONLY] if self.read_only else ())):
            if (prefix := name.partition("_")[0]) in _DIALECTS and prefix not in own:
                raise UnsupportedFeature(_OTHER_DIALECT.format(name=name, alias=alias, dialect=dialect))
        known = vendor_named(vendor)
        limits = known.limits_single_statements or known.settings_end_with_transaction
        if self.timeout is not None and not limits:
            raise UnsupportedFeature(_NO_TIMEOUT.format(alias=alias, vendor=vendor))


AS_USUAL = Execution()


def key_of(execution: Execution | None) -> str | None:
    """Return the key of options; None where there are none."""
    return None if execution is None else execution.key


def of_connections(name: str) -> bool:
    return name in _OF_CONNECTIONS or name.partition("_")[0] in _DIALECTS


def _seconds(given: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(_NO_SECONDS.format(given=given))
    if not 0 < given < math.inf:
        raise ValueError(_NO_SECONDS.format(given=given))
    return given
