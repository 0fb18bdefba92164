"""What is asked of many instances at once: the same questions to each of them would cost more than their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from facade.db.settings.moved import moved
from facade.orm.instances.persistence import Saved
from facade.orm.instances.state import UNSET

if TYPE_CHECKING:
    from facade.fields import Field

__all__ = ["are_keys_set", "mark_stored", "prepare_related"]


def are_keys_set(objs: Sequence[Any]) -> list[bool]:
    """Return of each instance whether it has a primary key."""
    kinds: set[type[Any]] = {*map(type, objs)}
    pk = kinds.pop()._meta.pk if len(kinds) == 1 else None
    if pk is None or not pk.concrete:
        return [obj._is_pk_set() for obj in objs]
    return [not isinstance(key, UNSET) for key in map(attrgetter(pk.attname), objs)]


def prepare_related(
    objs: Sequence[Any], operation: str, using: str, fields: Iterable[Field[Any]] | None = None
) -> None:
    """Take over the keys of related objects saved since they were assigned; refuse those that are not saved.

    Those are refused, too, that are rows of other schemas than `using` stores in.
    """
    kinds: set[type[Any]] = {*map(type, objs)}
    if not any(kind._meta.derived[Saved].has_relations for kind in kinds):
        return
    for obj in objs:
        # One whose state nobody has looked at yet remembers no object.
        state = obj.__dict__.get("_state")
        if state is not None and state.fields_cache:
            obj._prepare_related_fields_for_save(operation_name=operation, fields=fields)
            if moved.names or moved.blocks:
                obj._check_related_places(using, fields)


def mark_stored(objs: Sequence[Any], home: str) -> None:
    """Note on instances that the database `home` has their rows. Without a key, nobody knows whether it has."""
    for obj, known in zip(objs, are_keys_set(objs), strict=True):
        if known:
            state = obj._state
            state.adding, state.db = False, home
