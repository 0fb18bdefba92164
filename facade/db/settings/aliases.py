"""What databases are called: aliases, and names for one connection, session or set of options on a database."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.db.database import Database
    from facade.fields.contracts import Instance


class Bound(str):
    """The name of a database on one connection or session of somebody else's, or under the options of a query.

    ``alias`` is the database's own; a pickle of an object that was loaded from a connection or session knows only that.
    ``blocks`` is the name under which its open blocks are kept, ``home`` the name that objects from here remember, and
    ``remade`` makes the name of the same schemas again, elsewhere.
    """

    __slots__ = ("alias", "blocks", "database", "home", "remade")

    alias: str
    blocks: str
    home: str
    database: Database
    remade: tuple[Callable[..., str], tuple[object, ...]] | None

    def __reduce__(self) -> tuple[Callable[..., str], tuple[object, ...]]:
        return self.remade or (str, (self.alias,))

    def __copy__(self) -> Bound:
        return self

    def __deepcopy__(self, memo: object) -> Bound:
        return self


def alias_behind(name: str | None) -> str | None:
    """Return the alias of the database that a name stands for: its own, unless it is a connection's or session's."""
    return name.alias if isinstance(name, Bound) else name


class Moved:
    """The blocks, of all databases, in which tables may stand elsewhere: how many are open, and what looks at objects in them."""

    blocks = 0
    names = 0  # of schemas; objects that are from there have one

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.check: Callable[[Instance, str], None]

    def count(self, more: int) -> None:
        """Note that there are more, or fewer, of them."""
        with self._lock:
            self.blocks += more


moved = Moved()


def in_schemas(name: object) -> TypeGuard[Bound]:
    """Tell whether a name says where tables stand, which an object from there remembers wherever it goes."""
    return isinstance(name, Bound) and name.remade is not None
