"""`connections`: the configured databases by alias, and what is done to all of them."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any, cast

from facade import bridge, configuration
from facade.db.database import Database
from facade.db.routing import DEFAULT_DB_ALIAS
from facade.db.settings import config
from facade.db.settings.aliases import Bound
from facade.exceptions import ConnectionDoesNotExist

_AFFECTING = frozenset({"DATABASES", "FACADE_FAST_ROADS"})


class Connections(Mapping[str, Database]):
    """The databases of ``settings.DATABASES``, each made when it is first asked for.

    >>> from facade import configure, connections
    >>> configure(DATABASES={"default": "sqlite://"})
    >>> connections["default"].vendor
    'sqlite'
    >>> connections["other"]
    Traceback (most recent call last):
    facade.exceptions.ConnectionDoesNotExist: The connection 'other' doesn't exist. DATABASES has 'default'.
    """

    def __init__(self) -> None:
        self._made: dict[str, Database] = {}
        self._lock = threading.Lock()
        self._inherited: list[object] = []  # of a parent process: must not be closed, so never collected

    @property
    def databases(self) -> Mapping[str, Any]:
        """The setting ``DATABASES``."""
        return configuration.settings.DATABASES

    settings = databases

    def __getitem__(self, alias: str) -> Database:
        try:
            return self._made[alias]
        except KeyError:
            return self._make(alias)

    def _make(self, alias: str) -> Database:
        if isinstance(alias, Bound):
            return alias.database
        if alias not in self.databases:
            raise ConnectionDoesNotExist(f"The connection '{alias}' doesn't exist. {self._way_out()}")
        with self._lock:
            if alias not in self._made:
                self._made[alias] = Database(alias, config.read(alias, self.databases[alias]))
            return self._made[alias]

    def _way_out(self) -> str:
        if not self.databases:
            return 'No database is configured: facade.configure(DATABASES={"default": "sqlite:///library.sqlite3"}).'
        return f"DATABASES has {', '.join(map(repr, self.databases))}."

    def stand_in(self, alias: str, database: Database | None) -> Database | None:
        """Let another database, or the configured one again, have the alias; return the one that had it, if it was made."""
        with self._lock:
            before = self._made.pop(alias, None)
            if database is not None:
                self._made[alias] = database
        return before

    def __iter__(self) -> Iterator[str]:
        return iter(self.databases)

    def __len__(self) -> int:
        return len(self.databases)

    def all(self, initialized_only: bool = False) -> list[Database]:
        """Return the databases; ``initialized_only`` leaves out those that nobody has asked for yet."""
        return list(self._made.values()) if initialized_only else [self[alias] for alias in self]

    def close_all(self) -> None:
        """Close the connections of all databases: see `close_all`."""
        for database in self.all(initialized_only=True):
            database.close()

    close_all_async = aclose_all = bridge.twin(close_all)

    def forget(self) -> None:
        """Drop the databases, whose settings have changed."""
        with self._lock:
            made, self._made = self._made, {}
        for database in made.values():
            database.dispose()

    def abandon(self) -> None:
        """Leave the parent's connections alone in a forked child."""
        self._lock = threading.Lock()
        for database in self._made.values():
            self._inherited.append(database.abandon())


connections = Connections()
"""The databases by their aliases: `connections["default"]` is a `Database`, made when it is first asked for. ConnectionDoesNotExist for others."""


class DefaultConnection:
    """Stands for ``connections["default"]``, whichever database that is at the time."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # who looks at modules asks every object for those
            raise AttributeError(name)
        return getattr(connections[DEFAULT_DB_ALIAS], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(connections[DEFAULT_DB_ALIAS], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(connections[DEFAULT_DB_ALIAS], name)

    def __eq__(self, other: object) -> bool:
        return connections[DEFAULT_DB_ALIAS] == other

    def __hash__(self) -> int:
        return hash(connections[DEFAULT_DB_ALIAS])


connection = cast("Database", DefaultConnection())
"""The database with the alias `default`, whichever that is at the moment."""


def close_all() -> None:
    """Close all idle connections of the sync face; connections in use are closed when they come back.

    The aliases stay usable: the next statement connects again. In-memory SQLite databases keep their data. Under
    asyncio, await `close_all_async`, which closes the connections of the running event loop as well.
    """
    connections.close_all()


async def close_all_async() -> None:
    """Close all idle connections of the running event loop and of the sync face; see `close_all`."""
    await bridge.spawn(connections.close_all)


aclose_all = close_all_async


@configuration.on_change
def _forget_databases(changed: frozenset[str]) -> None:
    if changed & _AFFECTING:
        connections.forget()


atexit.register(connections.forget)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=connections.abandon)
