"""What databases are called: aliases, and names for one connection, session or set of options on a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facade.db.database import Database


class Bound(str):
    """The name of a database on one connection or session of somebody else's, or under the options of a query.

    ``alias`` is the database's own; a copy or a pickle of an object that was loaded from here knows only that. ``blocks``
    is the name under which its open blocks are kept, ``home`` the name that objects from here remember.
    """

    __slots__ = ("alias", "blocks", "database", "home")

    alias: str
    blocks: str
    home: str
    database: Database

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self.alias,)

    def __copy__(self) -> Bound:
        return self

    def __deepcopy__(self, memo: object) -> Bound:
        return self


def alias_behind(name: str | None) -> str | None:
    """Return the alias of the database that a name stands for: its own, unless it is a connection's or session's."""
    return name.alias if isinstance(name, Bound) else name


def home_of(name: str) -> str:
    """Return what an object remembers of the database that it came from by this name."""
    return name.home if isinstance(name, Bound) else name
