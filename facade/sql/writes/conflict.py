"""What an INSERT does about rows that break a unique constraint, in each database's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from facade.exceptions import UnsupportedFeature

if TYPE_CHECKING:
    from facade.fields import Field

# Databases whose conflict clause names the unique columns, and the one that takes any constraint.
_TARGETED: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_UNTARGETED = "mysql"

_IGNORE = {"sqlite": "OR IGNORE", _UNTARGETED: "IGNORE"}
"""The word that passes over a row for whatever constraint it breaks; PostgreSQL does so for unique constraints alone."""


class Conflict(NamedTuple):
    """Ignore such rows (no `update` fields) or update the rows that are there."""

    update: tuple[Field[Any], ...] = ()
    unique: tuple[Field[Any], ...] = ()


def can_ignore(vendor: str) -> bool:
    """Return whether the database can skip conflicting rows."""
    return vendor in _TARGETED or vendor == _UNTARGETED


def check_ignore(vendor: str) -> None:
    """Raise `NotSupportedError` where the database cannot skip conflicting rows."""
    if not can_ignore(vendor):
        raise UnsupportedFeature("This database backend does not support ignoring conflicts.")


def check_update(vendor: str, has_unique: bool) -> None:
    """Raise the error for an update on conflict that the database cannot express."""
    if vendor == _UNTARGETED:
        if has_unique:
            raise UnsupportedFeature(
                "This database backend does not support updating conflicts with specifying unique fields "
                "that can trigger the upsert."
            )
    elif vendor not in _TARGETED:
        raise UnsupportedFeature("This database backend does not support updating conflicts.")
    elif not has_unique:
        raise ValueError("Unique fields that can trigger the upsert must be provided.")


def insert_into(table: sa.Table, vendor: str, conflict: Conflict | None) -> Any:
    """Return the Core INSERT with its conflict clause."""
    if conflict is None:
        return sa.insert(table).inline()
    if not conflict.update and (word := _IGNORE.get(vendor)):
        return sa.insert(table).inline().prefix_with(word)
    if vendor == _UNTARGETED:
        return _mysql_update(table, conflict)
    statement = _TARGETED[vendor](table).inline()
    if not conflict.update:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(
        index_elements=[table.c[field.column] for field in conflict.unique],
        set_={
            table.c[field.column].key: statement.excluded[table.c[field.column].key]
            for field in conflict.update
        },
    )


def _mysql_update(table: sa.Table, conflict: Conflict) -> Any:
    statement = mysql.insert(table).inline()
    keys = [table.c[field.column].key for field in conflict.update]
    return statement.on_duplicate_key_update({key: statement.inserted[key] for key in keys})
