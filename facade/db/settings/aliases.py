"""What databases are called: aliases, and names for one connection, session or set of options on a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.db.database import Database


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


def in_schemas(name: object) -> TypeGuard[Bound]:
    """Tell whether a name says where tables stand, which an object from there remembers wherever it goes."""
    return isinstance(name, Bound) and name.remade is not None
