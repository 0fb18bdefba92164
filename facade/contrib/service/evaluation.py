"""What endpoints return: querysets are loaded before they are serialized, and nothing is loaded while they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from facade.exceptions import ImproperlyConfigured
from facade.models import FETCH_RAISE, Model, QuerySet
from facade.orm.querysets.core_statements import StatementQuerySet
from facade.orm.querysets.manager import BaseManager
from facade.orm.querysets.raw import RawQuerySet

T = TypeVar("T")

_NO_SCHEMA = (
    "{endpoint} returned {what}, and says nothing of how that becomes JSON: {remedy}, or return dicts "
    "(`queryset.values(…)`)."
)


def is_lazy(value: object) -> bool:
    """Tell whether a value is a query that has not run, or a manager of one."""
    return isinstance(value, QuerySet | BaseManager | RawQuerySet | StatementQuerySet)


def loaded(value: T) -> T:
    """Return the rows of a queryset as a list, and anything else as it is.

    What was not loaded with them, by ``select_related()`` or ``prefetch_related()``, raises FieldFetchBlocked when it is
    asked for: a serializer would make a query for each row.
    """
    return cast("T", list(cast("Iterable[object]", prepared(value)))) if is_lazy(value) else value


async def aloaded(value: T) -> T:
    """Return what `loaded` does."""
    return cast("T", await prepared(value)) if is_lazy(value) else value  # type: ignore[misc] # it is a queryset


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
    """Refuse objects of models where nothing says which of their values a client gets.

    Raises ImproperlyConfigured naming the endpoint and the remedy.
    """
    one = value[0] if isinstance(value, Sequence) and value and not isinstance(value, str | bytes) else value
    if isinstance(one, Model):
        what = f"{type(one).__name__} objects" if one is not value else f"a {type(one).__name__}"
        raise ImproperlyConfigured(_NO_SCHEMA.format(endpoint=endpoint, what=what, remedy=remedy))
