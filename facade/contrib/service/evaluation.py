"""What endpoints return: querysets are loaded before they are serialized, and nothing is loaded while they are."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeVar, cast

from facade.exceptions import ImproperlyConfigured
from facade.models import FETCH_RAISE, Model, QuerySet
from facade.orm.querysets.core_statements import StatementQuerySet
from facade.orm.querysets.manager import BaseManager
from facade.orm.querysets.raw import RawQuerySet

T = TypeVar("T")

_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes, decimal.Decimal, dt.date, dt.datetime})

_NO_SCHEMA = (
    "{endpoint} returned {what}, and says nothing of how that becomes JSON: {remedy}, or return dicts "
    "(`queryset.values(…)`)."
)


def is_lazy(value: object) -> bool:
    """Tell whether a value is a query that has not run, or a manager of one."""
    return isinstance(value, QuerySet | BaseManager | RawQuerySet | StatementQuerySet)


def loaded(value: T) -> T:
    """Return the rows of a queryset as a list, a dict with those of the querysets in it, and anything else as it is.

    What was not loaded with them, by ``select_related()`` or ``prefetch_related()``, raises FieldFetchBlocked when it is
    asked for: a serializer would make a query for each row.
    """
    if (named := _with_queries(value)) is not None:
        return cast("T", {name: loaded(one) for name, one in named.items()})
    return cast("T", list(cast("Iterable[object]", prepared(value)))) if is_lazy(value) else value


async def aloaded(value: T) -> T:
    """Return what `loaded` does."""
    if (named := _with_queries(value)) is not None:
        return cast("T", {name: await aloaded(one) for name, one in named.items()})
    return cast("T", await prepared(value)) if is_lazy(value) else value  # type: ignore[misc] # it is a queryset


def _with_queries(value: object) -> dict[object, object] | None:
    """Return a dict that has querysets among its values; None for anything else."""
    return value if type(value) is dict and any(map(is_lazy, value.values())) else None


def prepared(value: object) -> object:
    """Return a queryset, or that of a manager, whose objects fetch nothing later unless it says that they may."""
    queryset = value.all() if isinstance(value, BaseManager) else value
    if isinstance(queryset, QuerySet) and queryset._result_cache is None and queryset._fetch_mode is None:
        return queryset.fetch_mode(FETCH_RAISE)
    return queryset


def as_queryset(value: QuerySet[Any, Any], done: str) -> QuerySet[Any, Any]:
    """Return a queryset, or that of a manager, as `prepared` does. Raises TypeError for anything else, from which nothing can be `done`."""
    if not isinstance(value, QuerySet | BaseManager):
        raise TypeError(f"{done} from a queryset, not from {type(value).__name__}.")
    return prepared(value)  # type: ignore[return-value] # it stays a queryset


def check_described(value: object, endpoint: str, remedy: str) -> None:
    """Refuse objects of models where nothing says which of their values a client gets, however deep they are in an answer.

    Raises ImproperlyConfigured naming the endpoint and the remedy.
    """
    for one in _leaves(value):
        if isinstance(one, Model) or is_lazy(one):
            what = f"a {type(one).__name__}" if one is value else f"{type(one).__name__} objects"
            raise ImproperlyConfigured(_NO_SCHEMA.format(endpoint=endpoint, what=what, remedy=remedy))


def _leaves(value: object) -> Iterator[object]:
    """Yield what is in the containers of an answer, with those of dataclasses, as pages are."""
    waiting, seen = [value], set()
    while waiting:
        one = waiting.pop()
        if type(one) in _PLAIN:
            continue
        if (inner := _inside(one)) is None:
            yield one
        elif id(one) not in seen:
            seen.add(id(one))
            waiting.extend(inner)


def _inside(value: object) -> Iterable[object] | None:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | AbstractSet):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, own.name) for own in fields(value)]
    return None
