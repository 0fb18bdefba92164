"""What prefetching leaves on an instance: querysets that have their results, made when somebody looks at one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facade.orm.fetching import fetch_mode_of

if TYPE_CHECKING:
    from facade.fields import Field
    from facade.orm.model import Model
    from facade.orm.queryset import QuerySet


__all__ = ["PREFETCHED", "Alike", "PrefetchedAttribute", "Waiting", "alike", "prefetched_objects"]

#: The attribute, and the key in an instance's ``__dict__``, of the prefetched querysets by the name of the relation.
PREFETCHED = "_prefetched_objects_cache"

#: Makes the queryset of a related manager for an instance, which may be None, and the key that refers to it.
Alike = Callable[[Any, Any], Any]


def alike(
    queryset: QuerySet[Any, Any], instance: Model, key: object, field: Field[Any] | None = None
) -> Alike | None:
    """Return what makes the queryset of a related manager of `instance`, which `key` refers to, for others of its class.

    `field` is the foreign key by which the rows know the instance, if there is one. None where the querysets may differ in
    more than the key.
    """
    shape, common = queryset._shape, queryset._args[:-1]
    if queryset._args[-1:] != shape.bind((key,)):
        return None
    pattern, bind, mode = queryset._clone(), shape.bind, fetch_mode_of(instance)
    # The pattern must not keep the one instance alive as long as the others.
    hints = pattern._hints = {name: value for name, value in queryset._hints.items() if name != "instance"}
    pattern._known_related_objects = None

    def make(instance: Model | None, key: object) -> Any:
        queryset = pattern._clone()
        queryset._args = common + bind((key,))
        if instance is None:
            return queryset
        queryset._hints = {**hints, "instance": instance}
        if field is not None:
            queryset._known_related_objects = {field: {key: instance}}
        own_mode = fetch_mode_of(instance)
        return queryset if own_mode is mode else queryset.fetch_mode(own_mode)

    return make


class Waiting(tuple[Alike, Any, list[Any]]):
    """Stands for a queryset: what makes it, the instance's key, and the results."""

    __slots__ = ()

    def queryset(self, instance: Model | None) -> Any:
        make, key, rows = self
        queryset = make(instance, key)
        queryset._result_cache, queryset._prefetch_done = rows, True
        return queryset

    def __reduce__(self) -> tuple[Any, ...]:
        # Only a `__getstate__` that somebody has written for their model comes here.
        return _itself, (self.queryset(None),)


def _itself(queryset: object) -> object:
    return queryset


def prefetched_objects(instance: Model, name: str) -> Any:
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

    def __get__(self, instance: Model | None, owner: object = None) -> Any:
        if instance is None:
            return self
        cache = instance.__dict__.get(PREFETCHED)
        if cache is None:
            raise AttributeError(f"{type(instance).__name__!r} object has no attribute {PREFETCHED!r}")
        for name, found in cache.items():
            if type(found) is Waiting:
                cache[name] = found.queryset(instance)
        return cache

    def __set__(self, instance: Model, value: dict[str, Any]) -> None:
        instance.__dict__[PREFETCHED] = value

    def __delete__(self, instance: Model) -> None:
        try:
            del instance.__dict__[PREFETCHED]
        except KeyError:
            raise AttributeError(PREFETCHED) from None
