"""What goes along when objects are deleted, told before anything is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facade.exceptions import ProtectedError, RestrictedError
from facade.models import FETCH_PEERS, Q
from facade.models.deletion import Collector
from facade.orm.instances.deletion import RelatedRows

if TYPE_CHECKING:
    from facade.models import Model, QuerySet

__all__ = ["Company", "Kind", "company_of", "kept_by"]

NAMED = 10
"""How many objects of a kind are named; of the others only the number is told."""


@dataclass
class Kind:
    """The objects of one model among those that go, or that stand in the way."""

    name: str
    count: int
    named: list[str]

    @property
    def more(self) -> int:
        """How many objects are not named."""
        return self.count - len(self.named)


@dataclass
class Company:
    """What a deletion would do."""

    going: list[Kind] = field(default_factory=list)
    """What is deleted along with the objects."""
    kept_by: list[Kind] = field(default_factory=list)
    """What refers to the objects and forbids the deletion."""
    in_its_own_way: bool = False
    """Whether the model has a `delete()` of its own, of which nobody else knows what it does."""


def company_of(objs: Sequence[Model], using: str) -> Company:
    """Return what goes along with objects of one model, or what stands in the way; nothing is deleted."""
    collector = Collector(using=using, origin=objs[0])
    try:
        collector.collect(objs)
    except (ProtectedError, RestrictedError) as error:
        return Company(kept_by=kept_by(error, using))
    kinds = []
    chosen, links = set(objs), set(type(objs[0])._meta.all_parents)
    for model, found in collector.data.items():
        others = [] if model in links else [one for one in found if one not in chosen]
        if others:
            some = _rows(model, using).filter(pk__in=[one.pk for one in others[:NAMED]])
            kinds.append(_kind(model, len(others), list(some)))
    for rows in collector.fast_deletes:
        matching = _matching(rows, using)
        if count := matching.count():
            kinds.append(_kind(rows.model, count, list(matching[:NAMED])))
    return Company(going=_merged(kinds))


def _rows(model: type[Model], using: str) -> Any:
    return model._base_manager.using(using).fetch_mode(FETCH_PEERS)


def _matching(rows: RelatedRows | QuerySet[Any], using: str) -> Any:
    """Return the query for the rows that the collector would delete unread."""
    if not isinstance(rows, RelatedRows):
        return rows
    refers = Q()
    for one in rows.fields:
        refers |= Q((f"{one.name}__in", list(rows.objs)))
    return _rows(rows.model, using).filter(refers)


def kept_by(error: ProtectedError | RestrictedError, using: str) -> list[Kind]:
    """Return the objects that forbid a deletion."""
    found: Iterable[Any] = (
        error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects
    )
    by_model: dict[type[Model], list[Any]] = {}
    for one in found:
        by_model.setdefault(type(one), []).append(one.pk)
    return [
        _kind(model, len(keys), list(_rows(model, using).filter(pk__in=keys[:NAMED])))
        for model, keys in by_model.items()
    ]


def _kind(model: type[Model], count: int, named: Sequence[Model]) -> Kind:
    opts = model._meta
    name = str(opts.verbose_name if count == 1 else opts.verbose_name_plural)
    between = bool(opts.auto_created)  # the rows of a many-to-many relation have no names
    return Kind(name, count, [] if between else sorted(str(one) for one in named))


def _merged(kinds: Iterable[Kind]) -> list[Kind]:
    found: dict[str, Kind] = {}
    for kind in kinds:
        if kind.name in found:
            known = found[kind.name]
            known.count += kind.count
            known.named = (known.named + kind.named)[:NAMED]
        else:
            found[kind.name] = kind
    return list(found.values())
