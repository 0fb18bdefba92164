"""What databases are called: aliases, and names for one connection or session on a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facade.db.database import Database


class Bound(str):
    """The name of a database on one connection or session of somebody else's.

    ``alias`` is the database's own. A copy or a pickle of an object that was loaded from here knows only that.
    """

    __slots__ = ("alias", "database")

    alias: str
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
