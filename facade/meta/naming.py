"""The names of indexes and constraints: those that Django gives them, so that both find the same in a database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.sql.naming import conv

if TYPE_CHECKING:
    from sqlalchemy import (
        ForeignKeyConstraint,
        Index,
        MetaData,
        PrimaryKeyConstraint,
        Table,
        UniqueConstraint,
    )

__all__ = ["NAMING_CONVENTION", "follows_django", "names_digest", "object_name", "server_name", "shortened"]

MAX_NAME = 63  # the shortest limit of the databases: PostgreSQL's, in bytes


def names_digest(*names: str, length: int) -> str:
    """Return a short digest that tells objects with truncated names apart."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in names:
        digest.update(name.encode())
    return digest.hexdigest()[:length]


def shortened(name: str) -> str:
    """Return a name that every database takes: a long one is cut, and ends with a digest."""
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - 4]}{names_digest(name, length=4)}"


def object_name(table: str, columns: Sequence[str], suffix: str = "", limit: int = MAX_NAME) -> conv:
    """Return the name of an index or constraint on columns: table, columns, a digest of them, and a suffix for its kind.

    >>> object_name("shop_book", ["author_id"])
    'shop_book_author_id_82b8ab51'
    """
    end = f"{names_digest(table, *columns, length=8)}{suffix}"
    name = f"{table}_{'_'.join(columns)}_{end}"
    if len(name) > limit:
        end = end[: limit // 3] if len(end) > limit / 3 else end
        room = (limit - len(end)) // 2 - 1
        name = f"{table[:room]}_{'_'.join(columns)[:room]}_{end}"
        if name[0] == "_" or name[0].isdigit():
            name = f"D{name[:-1]}"
    # PostgreSQL counts bytes, and cuts a name that Django leaves as it is.
    return conv(_cut(name, MAX_NAME) if limit == MAX_NAME else name)


def server_name(table: str, column: str, kind: str) -> conv:
    """Return the name that PostgreSQL gives a constraint which is declared without one.

    >>> server_name("shop_book", "isbn", "key"), server_name("shop_book", "", "pkey")
    ('shop_book_isbn_key', 'shop_book_pkey')
    """
    end = f"_{kind}"
    room = MAX_NAME - len(end) - (1 if column else 0)
    lengths = [len(table.encode()), len(column.encode())]
    # The longer of the two gives way.
    while sum(lengths) > room:
        lengths[0 if lengths[0] > lengths[1] else 1] -= 1
    parts = [_cut(table, lengths[0]), _cut(column, lengths[1])] if column else [_cut(table, lengths[0])]
    return conv("_".join(parts) + end)


def _cut(name: str, length: int) -> str:
    """Return as many whole characters as have room in so many bytes."""
    return name.encode()[:length].decode(errors="ignore")


# -- as a naming convention of SQLAlchemy's ---------------------------------------------------------


def _index_name(index: Index, table: Table) -> str:
    return object_name(table.name, [getattr(one, "name", None) or "expr" for one in index.expressions])


def _unique_name(constraint: UniqueConstraint, table: Table) -> str:
    names = [column.name for column in constraint.columns]
    return (
        server_name(table.name, names[0], "key")
        if len(names) == 1
        else object_name(table.name, names, "_uniq")
    )


def _foreign_key_name(constraint: ForeignKeyConstraint, table: Table) -> str:
    *_, target, column = constraint.elements[0].target_fullname.split(".")
    return object_name(table.name, constraint.column_keys, f"_fk_{target}_{column}")


def _primary_key_name(constraint: PrimaryKeyConstraint, table: Table) -> str:
    return server_name(table.name, "", "pkey")


#: What facade's own MetaData has. A MetaData of somebody else's (``Meta.metadata``) keeps its own.
NAMING_CONVENTION: Mapping[Any, Any] = {
    "ix": "%(facade_index)s",
    "uq": "%(facade_unique)s",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(facade_foreign_key)s",
    "pk": "%(facade_primary_key)s",
    "facade_index": _index_name,
    "facade_unique": _unique_name,
    "facade_foreign_key": _foreign_key_name,
    "facade_primary_key": _primary_key_name,
}


def follows_django(home: MetaData) -> bool:
    """Return whether unnamed objects of this MetaData get Django's names."""
    return bool(home.naming_convention.get("ix") == NAMING_CONVENTION["ix"])
