"""prefetch_related: related objects of many instances, with one query per relation.

The relations' own descriptors and managers know how to find their objects (`get_prefetch_querysets`); this module walks the paths
and hands the objects out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from facade.bridge import function_twin
from facade.db.settings.aliases import in_schemas
from facade.db.settings.moved import moved
from facade.fields.declarations import LOOKUP_SEP
from facade.fields.relations.foreign_objects import values_of
from facade.orm.querysets.prefetched import PREFETCHED, Alike, Grouped, Waiting, grouped, prefetched_objects

if TYPE_CHECKING:
    from facade.db.channels.execution import Execution
    from facade.fields.contracts import Instance
    from facade.orm.querysets.queryset import QuerySet

_SCHEMAS = (
    "prefetch_related_objects() was given objects from several schemas, whose keys may be the same: call it for those of each "
    "schema."
)


class Prefetcher(Protocol):
    """What loads a relation for many instances: the descriptor of one object, or a manager of many."""

    def get_prefetch_querysets(
        self, instances: list[Any], querysets: Sequence[Any] | None = None, execution: Execution | None = None
    ) -> tuple[Any, ...]:
        """Return the query for the objects of many instances, and how to tell which is whose.

        ``execution`` are the options of the query that the instances are from; left out where it has none.
        """


class Prefetching:
    """The part of a queryset that keeps its rows, with what they are to bring along."""

    _result_cache: list[Any] | None = None
    _prefetch_related_lookups: tuple[Any, ...] = ()
    _prefetch_done = False
    _execution: Execution | None = None

    def _load(self) -> list[Any]:
        """Run the query and return its rows, without what prefetch_related() asks for."""
        raise NotImplementedError

    def _fetch_all(self) -> None:
        """Fill the result cache: with a whole list, since other tasks may ask for it meanwhile."""
        results = self._result_cache
        if results is None:
            results = self._load()
        if self._prefetch_related_lookups and not self._prefetch_done:
            prefetch_under(self._execution, results, *self._prefetch_related_lookups)
            self._prefetch_done = True
        if self._result_cache is None:
            self._result_cache = results

    def _results(self) -> list[Any]:
        self._fetch_all()
        return self._result_cache  # type: ignore[return-value]


class Prefetch:
    """One path of prefetch_related() with a queryset of its own, or another attribute for the result.

    The queryset may be filtered, ordered, annotated and sliced: a slice is one for each object. `to_attr` names an attribute that
    gets a list. ValueError for a queryset of values.
    See https://docs.djangoproject.com/en/6.1/ref/models/querysets/#prefetch-objects

    >>> longest = Prefetch("books", Book.objects.order_by("-pages")[:1], to_attr="longest")
    >>> [author.longest for author in Author.objects.prefetch_related(longest).order_by("name")]
    [[<Book: Notes>], [<Book: Trees>], []]
    """

    def __init__(
        self, lookup: str, queryset: QuerySet[Any, Any] | None = None, to_attr: str | None = None
    ) -> None:
        self.prefetch_through = lookup
        self.prefetch_to = lookup
        if queryset is not None and (
            getattr(queryset, "_kind", "instances") != "instances" or not hasattr(queryset, "_chain")
        ):
            raise ValueError("Prefetch querysets cannot use raw(), values(), and values_list().")
        if to_attr:
            self.prefetch_to = LOOKUP_SEP.join([*lookup.split(LOOKUP_SEP)[:-1], to_attr])
        self.queryset = queryset
        self.to_attr = to_attr

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self.queryset is not None:
            queryset = self.queryset._chain()
            queryset._result_cache = []
            queryset._prefetch_done = True
            state["queryset"] = queryset
        return state

    def add_prefix(self, prefix: str) -> None:
        self.prefetch_to = f"{prefix}{LOOKUP_SEP}{self.prefetch_to}"
        self.prefetch_through = f"{prefix}{LOOKUP_SEP}{self.prefetch_through}"

    def get_current_prefetch_to(self, level: int) -> str:
        return LOOKUP_SEP.join(self.prefetch_to.split(LOOKUP_SEP)[: level + 1])

    def get_current_to_attr(self, level: int) -> tuple[str, bool]:
        parts = self.prefetch_to.split(LOOKUP_SEP)
        return parts[level], bool(self.to_attr) and level == len(parts) - 1

    def get_current_querysets(self, level: int) -> list[Any] | None:
        if self.get_current_prefetch_to(level) == self.prefetch_to and self.queryset is not None:
            return [self.queryset]
        return None

    def __eq__(self, other: object) -> bool:
        return self.prefetch_to == other.prefetch_to if isinstance(other, Prefetch) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.prefetch_to))


def normalized(lookups: Iterable[Any], prefix: str | None = None) -> list[Any]:
    """Return names and Prefetch objects as Prefetch objects, below `prefix`."""
    found = []
    for lookup in lookups:
        prefetch = copy.copy(lookup) if isinstance(lookup, Prefetch) else Prefetch(lookup)
        if prefix:
            prefetch.add_prefix(prefix)
        found.append(prefetch)
    return found


def prefetch_related_objects(model_instances: Iterable[Any], *related_lookups: Any) -> None:
    """Load related objects for instances that are there already.

    Raises AttributeError for a name that is no attribute, ValueError for one that cannot be prefetched, and for instances that
    are not from the same schemas.
    """
    if moved.names:
        model_instances = list(model_instances)
        _check_schemas(model_instances)
    prefetch_under(None, model_instances, *related_lookups)


def _check_schemas(instances: list[Any]) -> None:
    homes = {obj._state.db for obj in instances if hasattr(obj, "_state")}
    if len(homes) > 1 and any(map(in_schemas, homes)):
        raise ValueError(_SCHEMAS)


def prefetch_under(
    execution: Execution | None, model_instances: Iterable[Any], *related_lookups: Any
) -> None:
    """Load related objects under the options of a query, unless querysets of their own have others."""
    if not model_instances:
        return
    todo = list(reversed(normalized(related_lookups)))
    done: dict[str, Any] = {}
    automatic: set[Any] = set()
    followed: set[Any] = set()
    while todo:
        lookup = todo.pop()
        if lookup.prefetch_to in done:
            if lookup.queryset is not None:
                raise ValueError(
                    f"'{lookup.prefetch_to}' lookup was already seen with a different queryset. You may need to adjust the "
                    "ordering of your lookups."
                )
            continue
        _walk(lookup, list(model_instances), todo, done, automatic, followed, execution)


aprefetch_related_objects = function_twin(prefetch_related_objects)


def _walk(
    lookup: Prefetch,
    objects: list[Any],
    todo: list[Any],
    done: dict[str, Any],
    automatic: set[Any],
    followed: set[Any],
    execution: Execution | None,
) -> None:
    """Follow one path level by level."""
    parts = lookup.prefetch_through.split(LOOKUP_SEP)
    for level, name in enumerate(parts):
        if not objects:
            return
        path = lookup.get_current_prefetch_to(level)
        if path in done:
            objects = done[path]
            continue
        if not _make_ready(objects):
            return
        first = objects[0]
        to_attr = lookup.get_current_to_attr(level)[0]
        prefetcher, descriptor, found = _prefetcher(first, name)
        if not found:
            raise AttributeError(
                f"Cannot find '{name}' on {type(first).__name__} object, '{lookup.prefetch_through}' is an invalid parameter to "
                "prefetch_related()"
            )
        if level == len(parts) - 1 and prefetcher is None:
            raise ValueError(
                f"'{lookup.prefetch_through}' does not resolve to an item that supports prefetching - this is an invalid parameter to "
                "prefetch_related()."
            )
        pending = [] if prefetcher is None else _pending(objects, prefetcher, name, to_attr)
        if pending:
            objects, additional = _prefetch_one_level(pending, prefetcher, lookup, level, execution)
            if not (path in done and lookup in automatic and descriptor in followed):
                done[path] = objects
                more = normalized(reversed(additional), path)
                automatic.update(more)
                todo.extend(more)
            followed.add(descriptor)
        else:
            objects = list(_loaded(objects, name, to_attr))


def _make_ready(objects: list[Any]) -> bool:
    """Give each instance its cache; False where the objects are no instances."""
    for obj in objects:
        if hasattr(type(obj), "_meta"):
            obj.__dict__.setdefault(PREFETCHED, {})
        elif not hasattr(obj, PREFETCHED):
            try:
                setattr(obj, PREFETCHED, {})
            except (AttributeError, TypeError):
                return False
    return True


def _loaded(objects: list[Any], name: str, to_attr: str) -> Iterator[Any]:
    """Yield the objects of the next level where this one needed no query."""
    for obj in objects:
        value = prefetched_objects(obj, name)
        if value is None:
            value = getattr(obj, to_attr if to_attr != name and hasattr(obj, to_attr) else name, None)
        if value is None:
            continue
        if isinstance(value, list) or hasattr(value, "_result_cache"):
            yield from value
        elif hasattr(value, "all") and not hasattr(value, "_meta"):
            yield from value.all()
        else:
            yield value


def _prefetcher(instance: Instance, name: str) -> tuple[Any, Any, bool]:
    """Return who can prefetch, the descriptor, and whether the attribute exists."""
    descriptor = getattr(type(instance), name, None)
    if descriptor is None:
        return None, None, hasattr(instance, name)
    prefetcher = descriptor if hasattr(descriptor, "get_prefetch_querysets") else getattr(instance, name)
    return prefetcher if hasattr(prefetcher, "get_prefetch_querysets") else None, descriptor, True


def _pending(objects: list[Any], prefetcher: Prefetcher, name: str, to_attr: str) -> list[Any]:
    """Return those of the objects that have not got the related objects yet."""
    if to_attr != name:
        if isinstance(getattr(type(objects[0]), to_attr, None), property):
            return [obj for obj in objects if to_attr not in obj.__dict__]
        return [obj for obj in objects if not hasattr(obj, to_attr)]
    if (is_cached := getattr(prefetcher, "is_cached", None)) is not None:
        return [obj for obj in objects if not is_cached(obj)]
    return [obj for obj in objects if name not in obj.__dict__[PREFETCHED]]


def _prefetch_one_level(
    instances: list[Any], prefetcher: Prefetcher, lookup: Prefetch, level: int, execution: Execution | None
) -> tuple[list[Any], list[Any]]:
    """Load one relation of all instances; return the related objects and the prefetches their queryset asks for."""
    queryset, related_key, own_key, single, cache_name, is_descriptor = prefetcher.get_prefetch_querysets(
        instances, lookup.get_current_querysets(level), *([] if execution is None else [execution])
    )
    additional = [copy.copy(item) for item in getattr(queryset, "_prefetch_related_lookups", ())]
    if additional:
        queryset._prefetch_related_lookups = ()
    related = list(queryset)
    if type(related_key) is Grouped and related_key.rows is queryset._result_cache:
        by_key = related_key.groups
    else:
        by_key = grouped(related_key, related)
    to_attr, as_attr = lookup.get_current_to_attr(level)
    if as_attr and instances:
        _check_to_attr(instances[0], to_attr)
    if single:
        for obj in instances:
            found = by_key.get(own_key(obj))
            value = found[0] if found else None
            _give_one(obj, value, cache_name, to_attr if as_attr else None, is_descriptor)
    elif as_attr:
        for obj in instances:
            setattr(obj, to_attr, by_key.get(own_key(obj), []))
    else:
        rows_of = [
            (obj, key, by_key.get(key))
            for obj, key in zip(instances, values_of(own_key, instances), strict=True)
        ]
        _give_many(prefetcher, rows_of, cache_name, to_attr, lookup.get_current_querysets(level))
    return related, additional


def _check_to_attr(instance: Instance, to_attr: str) -> None:
    if any(field.name == to_attr for field in instance._meta.get_fields()):
        raise ValueError(f"to_attr={to_attr} conflicts with a field on the {type(instance).__name__} model.")


def _give_one(
    obj: Instance, value: object, cache_name: str, to_attr: str | None, is_descriptor: bool
) -> None:
    if to_attr is not None:
        setattr(obj, to_attr, value)
    elif is_descriptor:
        setattr(obj, cache_name, value)
    else:
        obj._state.fields_cache[cache_name] = value


def _give_many(
    prefetcher: object,
    instances: list[tuple[Any, Any, list[Any] | None]],
    cache_name: str,
    name: str,
    given: list[Any] | None,
) -> None:
    """Give instances, which come with their keys and related objects, the prefetched querysets of their managers.

    Where those of all instances are alike they are made when somebody looks at them.
    """
    whole = _whole(given[0]) if given else None
    kind, alike = _alike(prefetcher, whole)
    for obj, key, found in instances:
        rows = [] if found is None else found
        if alike is not None and type(obj) is kind and key is not None:
            obj.__dict__[PREFETCHED][cache_name] = Waiting((alike, key, rows))
            continue
        manager = getattr(obj, name)
        by_hand = whole is not None and hasattr(manager, "_apply_rel_filters")
        queryset = manager._apply_rel_filters(whole) if by_hand else manager.get_queryset()
        queryset._result_cache, queryset._prefetch_done = rows, True
        obj.__dict__[PREFETCHED][cache_name] = queryset


def _alike(manager: Any, given: object) -> tuple[type[Any] | None, Alike | None]:
    """Return a class, and what makes the querysets of the related managers of its instances if one way serves all."""
    if not hasattr(manager, "_querysets_alike"):
        return None, None
    return type(manager.instance), manager._querysets_alike(given)


def _whole(queryset: QuerySet[Any, Any]) -> Any:
    return queryset._unsliced() if hasattr(queryset, "_unsliced") else queryset
