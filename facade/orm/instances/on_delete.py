"""The choices for ``on_delete``: what happens to the rows that refer to a deleted object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.db.connection import connections
from facade.exceptions import ProtectedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from facade.fields import Field
    from facade.fields.contracts import Collector, Instance, Objects, OnDelete


__all__ = [
    "CASCADE",
    "DB_CASCADE",
    "DB_SET_DEFAULT",
    "DB_SET_NULL",
    "DO_NOTHING",
    "PROTECT",
    "RESTRICT",
    "SET",
    "SET_DEFAULT",
    "SET_NULL",
    "DatabaseOnDelete",
]


def CASCADE(collector: Collector, field: Field[Any], sub_objs: Objects, using: str) -> None:  # noqa: N802 - a constant to who uses it
    """Delete the rows that refer to the object, too."""
    collector.collect(
        sub_objs, source=field.remote_field.model, nullable=field.null, fail_on_restricted=False
    )
    if field.null and not connections[using].features.can_defer_constraint_checks:
        collector.add_field_update(field, None, sub_objs)


def PROTECT(collector: object, field: Field[Any], sub_objs: Sequence[Instance], using: str) -> None:  # noqa: N802 - a constant to who uses it
    """Refuse to delete an object that rows refer to: raise ``ProtectedError``."""
    target, source = field.remote_field.model.__name__, type(sub_objs[0]).__name__
    raise ProtectedError(
        f"Cannot delete some instances of model '{target}' because they are referenced through a protected "
        f"foreign key: '{source}.{field.name}'",
        sub_objs,
    )


def RESTRICT(collector: Collector, field: Field[Any], sub_objs: Sequence[Any], using: str) -> None:  # noqa: N802 - a constant to who uses it
    """Refuse, with ``RestrictedError``, unless the rows that refer to the object are themselves deleted with it."""
    collector.add_restricted_objects(field, sub_objs)
    collector.add_dependency(field.remote_field.model, field.model)


def SET(value: object) -> OnDelete:  # noqa: N802 - a constant to who uses it
    """Give the rows that refer to the object another value; a callable is called for it each time."""

    def set_on_delete(collector: Collector, field: Field[Any], sub_objs: Sequence[Any], using: str) -> None:
        collector.add_field_update(field, value() if callable(value) else value, sub_objs)

    set_on_delete.lazy_sub_objs = not callable(value)  # type: ignore[attr-defined]
    set_on_delete.deconstruct = lambda: ("facade.models.SET", (value,), {})  # type: ignore[attr-defined]
    return set_on_delete


def SET_NULL(collector: Collector, field: Field[Any], sub_objs: Sequence[Any], using: str) -> None:  # noqa: N802 - a constant to who uses it
    """Set the foreign key of the rows that refer to the object to NULL."""
    collector.add_field_update(field, None, sub_objs)


SET_NULL.lazy_sub_objs = True  # type: ignore[attr-defined]


def SET_DEFAULT(collector: Collector, field: Field[Any], sub_objs: Iterable[Any], using: str) -> None:  # noqa: N802 - a constant to who uses it
    """Set the foreign key of the rows that refer to the object to its default."""
    collector.add_field_update(field, field.get_default(), sub_objs)


def DO_NOTHING(collector: object, field: Field[Any], sub_objs: Iterable[Any], using: str) -> None:  # noqa: N802 - a constant to who uses it
    """Leave it to the database, which raises ``IntegrityError`` if rows refer to the object."""


class DatabaseOnDelete:
    """An ``ON DELETE`` that the database itself carries out, unseen by the program."""

    def __init__(self, operation: str, name: str, forced_collector: OnDelete | None = None) -> None:
        #: The SQL behind ON DELETE.
        self.operation = operation
        #: What a collector does that wants to see every object.
        self.forced_collector = forced_collector
        self.__name__ = name

    def __call__(self, collector: object, field: Field[Any], sub_objs: Iterable[Any], using: str) -> None:
        """Do nothing: the database does it."""

    def __str__(self) -> str:
        return self.__name__

    def __repr__(self) -> str:
        return self.__name__


DB_CASCADE = DatabaseOnDelete("CASCADE", "DB_CASCADE", CASCADE)
"""``ON DELETE CASCADE``: the database deletes the rows that refer to the object; no signals, no objects are loaded."""

DB_SET_DEFAULT = DatabaseOnDelete("SET DEFAULT", "DB_SET_DEFAULT")
"""``ON DELETE SET DEFAULT``: the database sets the foreign key to its `db_default`."""

DB_SET_NULL = DatabaseOnDelete("SET NULL", "DB_SET_NULL")
"""``ON DELETE SET NULL``: the database sets the foreign key to NULL."""

SKIP_COLLECTION: frozenset[Any] = frozenset([DO_NOTHING, DB_CASCADE, DB_SET_DEFAULT, DB_SET_NULL])
