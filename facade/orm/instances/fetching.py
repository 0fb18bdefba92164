"""Fetch modes: what reading a value that was not loaded does; and what a queryset puts on the objects it loaded."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from facade.exceptions import FieldFetchBlocked

if TYPE_CHECKING:
    from facade.fields.contracts import Instance
    from facade.fields.relations.foreign_objects import ForeignObject
    from facade.orm.instances.model import Model
    from facade.orm.querysets.reading import Reading


class Fetcher(Protocol):
    """What loads one attribute: of a field that was left out, or of a relation."""

    @property
    def field(self) -> Any:
        """The field or relation whose attribute it is."""

    @property
    def beforehand(self) -> str:
        """How a query loads the attribute at once, for error messages."""

    def fetch_one(self, instance: Model) -> None:
        """Load it for one instance."""

    def fetch_many(self, instances: list[Any]) -> None:
        """Load it for all of them."""


class FetchMode:
    """Base of the fetch modes. See https://docs.djangoproject.com/en/6.1/topics/db/fetch-modes/"""

    __slots__ = ()

    track_peers = False
    name = ""

    def fetch(self, fetcher: Fetcher, instance: Model) -> None:
        """Load what `fetcher` stands for."""
        raise NotImplementedError("Subclasses must implement this method.")

    def __reduce__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name


class FetchOne(FetchMode):
    """Load the value for this instance."""

    __slots__ = ()
    name = "FETCH_ONE"

    def fetch(self, fetcher: Fetcher, instance: Model) -> None:
        fetcher.fetch_one(instance)


class FetchPeers(FetchMode):
    """Load the value for all instances that came with this one."""

    __slots__ = ()
    track_peers = True
    name = "FETCH_PEERS"

    def fetch(self, fetcher: Fetcher, instance: Model) -> None:
        peers = [peer for reference in instance._state.peers if (peer := reference()) is not None]
        if len(peers) > 1:
            fetcher.fetch_many(peers)
        else:
            fetcher.fetch_one(instance)


class FetchRaise(FetchMode):
    """Refuse: everything must have been loaded before."""

    __slots__ = ()
    name = "FETCH_RAISE"

    def fetch(self, fetcher: Fetcher, instance: Model) -> None:
        path = f"{type(instance).__qualname__}.{fetcher.field.name}"
        raise FieldFetchBlocked(
            f"Fetching of {path} blocked. Load it beforehand: {fetcher.beforehand}."
        ) from None


FETCH_ONE = FetchOne()
"""What was not loaded is loaded when it is read, for this object alone: one statement each time. The mode if none is given."""

FETCH_PEERS = FetchPeers()
"""What was not loaded is loaded when it is read, for all objects of the same result at once: one statement for all of them."""

FETCH_RAISE = FetchRaise()
"""What was not loaded raises `FieldFetchBlocked`, which names what to load beforehand."""


def fetch_mode_of(instance: Instance) -> FetchMode:
    """Return how an instance fetches what was not loaded; an instance without a state is left without one."""
    state = instance.__dict__.get("_state")
    return FETCH_ONE if state is None else state.fetch_mode


def adopt(queryset: Reading[Any, Any], rows: list[Any]) -> None:
    """Give freshly loaded objects what the queryset knows: its fetch mode, their peers, the objects they belong to."""
    if queryset._kind != "instances" or not rows:
        return
    if (mode := queryset._fetch_mode) is not None:
        _set_mode(mode, rows)
    for field, known in (queryset._known_related_objects or {}).items():
        _relate(field, known, rows)


def _relate(field: ForeignObject[Any], known: dict[Any, Any], rows: list[Any]) -> None:
    """Put the object a row refers to on it, where the key is loaded and nothing better is there."""
    names = [own.attname for own in field.local_related_fields]
    remote, name = field.remote_field, field.cache_name
    for row in rows:
        values, cache = row.__dict__, row._state.fields_cache
        if name in cache or any(own not in values for own in names):
            continue
        key = values[names[0]] if len(names) == 1 else tuple([values[own] for own in names])
        if (related := known.get(key)) is not None:
            cache[name] = related
            if not remote.multiple:
                remote.set_cached_value(related, row)


def _set_mode(mode: FetchMode, rows: list[Any]) -> None:
    for group in _groups(rows):
        peers = tuple(weakref.ref(row) for row in group) if mode.track_peers else ()
        for row in group:
            row._state.fetch_mode = mode
            if peers:
                row._state.peers = peers


def _groups(rows: Iterable[Any], origin: frozenset[int] = frozenset()) -> Iterator[list[Any]]:
    """Yield the objects that were loaded together, by the relation that led to them, never back to where they hang."""
    group = list({id(row): row for row in rows}.values())
    yield group
    known = origin | {id(row) for row in group}
    related: dict[str, list[Any]] = {}
    for row in group:
        for name, item in row._state.fields_cache.items():
            if hasattr(item, "_state") and id(item) not in known:
                related.setdefault(name, []).append(item)
    for items in related.values():
        yield from _groups(items, known)
