"""Prefetched rows by their owners' keys, and what they leave on an instance: querysets that are made when one is looked at."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from facade.fields.relations.foreign_objects import StoredValue
from facade.orm.instances.fetching import FETCH_ONE, fetch_mode_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.fields import Field
    from facade.fields.contracts import Instance
    from facade.orm.querysets.queryset import QuerySet


__all__ = [
    "PREFETCHED",
    "Alike",
    "Grouped",
    "PrefetchedAttribute",
    "Waiting",
    "grouped",
    "prefetched_objects",
]

#: The attribute, and the key in an instance's ``__dict__``, of the prefetched querysets by the name of the relation.
PREFETCHED = "_prefetched_objects_cache"


def grouped(key: Callable[[Any], Any], rows: list[Any]) -> dict[Any, list[Any]]:
    """Return the rows by their keys."""
    groups = defaultdict[Any, list[Any]](list)
    if type(key) is StoredValue:  # as nearly always: without a call for each row
        name = key.name
        for row in rows:
            data = row.__dict__
            groups[data[name] if name in data else key(row)].append(row)
        return groups
    for row in rows:
        groups[key(row)].append(row)
    return groups


class Grouped:
    """Tells the key of a row, and has the rows of one query by their keys already."""

    __slots__ = ("groups", "key", "rows")

    def __init__(self, key: Callable[[Any], Any], rows: list[Any]) -> None:
        self.key, self.rows, self.groups = key, rows, grouped(key, rows)

    def __call__(self, row: Instance) -> Any:
        return self.key(row)


class Alike:
    """Makes the querysets of a related manager for many instances: they are alike but for a key and the instance.

    `objects` are all that there may be, `lookup` is the condition that the key is for; `sticky` is said of the relations that
    a further condition is to follow along the same rows. `field` is the foreign key by which rows know the instance.
    """

    __slots__ = ("common", "field", "fit", "hints", "lookup", "objects", "pattern")

    def __init__(
        self, objects: QuerySet[Any, Any], lookup: str, sticky: bool = False, field: Field[Any] | None = None
    ) -> None:
        self.objects = objects._next_is_sticky() if sticky else objects
        self.lookup, self.field = lookup, field
        # What waits must not keep the first instance alive.
        self.hints = {name: value for name, value in objects._hints.items() if name != "instance"}
        self.pattern: QuerySet[Any, Any] | None = None

    def queryset(self, instance: Instance | None, key: object, rows: list[Any]) -> QuerySet[Any, Any]:
        """Return the queryset of an instance, or of none that may be known, with its results."""
        if (pattern := self.pattern) is None:
            queryset = self._first(key)
        else:
            queryset = pattern._clone()
            queryset._args = (*self.common, key if self.fit is None else self.fit(key))
        state = queryset.__dict__
        state["_result_cache"], state["_prefetch_done"] = rows, True
        if instance is None:
            state["_hints"] = self.hints
            return queryset
        state["_hints"] = {**self.hints, "instance": instance}
        state["_fetch_mode"] = None if (mode := fetch_mode_of(instance)) is FETCH_ONE else mode
        if self.field is not None:
            state["_known_related_objects"] = {self.field: {key: instance}}
        return queryset

    def _first(self, key: object) -> QuerySet[Any, Any]:
        made = self.objects.filter(**{self.lookup: key})
        before, prepare = self.objects._args, made._shape.prepare
        self.common, self.fit = made._args[:-1], prepare[0] if prepare else None
        if made._args == (*before, *made._shape.bind((key,))):  # the key is one argument, and the last
            self.pattern = made._clone()
        return made


class Waiting(tuple[Alike, Any, list[Any]]):
    """Stands for a queryset: what makes it, the instance's key, and the results."""

    __slots__ = ()

    def queryset(self, instance: Instance | None) -> Any:
        return self[0].queryset(instance, *self[1:])

    def __reduce__(self) -> tuple[Any, ...]:
        # Only a `__getstate__` that somebody has written for their model comes here.
        return _itself, (self.queryset(None),)


def _itself(queryset: object) -> object:
    return queryset


def prefetched_objects(instance: Instance, name: str) -> Any:
    """Return the prefetched queryset of a relation, None if there is none."""
    cache = instance.__dict__.get(PREFETCHED)
    if not cache:
        return None
    found = cache.get(name)
    if type(found) is Waiting:
        found = cache[name] = found.queryset(instance)
    return found


class PrefetchedAttribute:
    """``instance._prefetched_objects_cache``: whoever reads it gets a dict of querysets and nothing that waits."""

    def __get__(self, instance: Instance | None, owner: object = None) -> Any:
        if instance is None:
            return self
        cache = instance.__dict__.get(PREFETCHED)
        if cache is None:
            raise AttributeError(f"{type(instance).__name__!r} object has no attribute {PREFETCHED!r}")
        for name, found in cache.items():
            if type(found) is Waiting:
                cache[name] = found.queryset(instance)
        return cache

    def __set__(self, instance: Instance, value: dict[str, Any]) -> None:
        instance.__dict__[PREFETCHED] = value

    def __delete__(self, instance: Instance) -> None:
        try:
            del instance.__dict__[PREFETCHED]
        except KeyError:
            raise AttributeError(PREFETCHED) from None
