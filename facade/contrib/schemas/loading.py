"""What a schema needs to be loaded: as a queryset, and as the words of an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from facade.contrib.schemas.reading import NotLoaded
from facade.fields.declarations import LOOKUP_SEP
from facade.orm.querysets.prefetch import Prefetch

if TYPE_CHECKING:
    from facade.contrib.schemas.slots import Slot, Source
    from facade.orm.instances.model import Model
    from facade.orm.querysets.queryset import QuerySet

__all__ = ["Node", "prefetched", "recursion", "told"]


Q = TypeVar("Q", bound="QuerySet[Any, Any]")


@dataclass(frozen=True, slots=True)
class Node:
    """A slot, and the nodes of the related objects that are shown whole."""

    slot: Slot
    below: Sequence[Node] | None = None

    @property
    def is_relation(self) -> bool:
        """Whether something beyond the row has to be loaded."""
        return self.slot.kind in ("one", "key", "many", "keys")

    @property
    def needs_all(self) -> bool:
        """Whether any column may be looked at: by a property, or by a class that reads whole objects in its own way."""
        is_whole = self.below is None and self.slot.kind == "one"
        return is_whole or self.slot.kind == "computed"

    @property
    def is_single(self) -> bool:
        """Whether it comes with the row by a join."""
        return self.slot.kind in ("one", "key")


def prefetched(queryset: Q, nodes: Sequence[Node]) -> Q:
    """Return a queryset of the same rows with just the columns and related objects that nodes show."""
    joined = [*_joined(nodes)]
    names = _names(nodes)
    if joined:
        queryset = queryset.select_related(*joined)
    if names is not None:
        queryset = queryset.only(*names)
    lookups = [*_lookups(nodes, "")]
    return queryset.prefetch_related(*lookups) if lookups else queryset


def _joined(nodes: Sequence[Node], prefix: str = "") -> Iterator[str]:
    """Yield the paths that `select_related()` follows."""
    for node in nodes:
        if node.is_single:
            path = f"{prefix}{_lookup_name(node.slot)}"
            yield path
            yield from _joined(node.below or (), f"{path}{LOOKUP_SEP}")


def _lookups(nodes: Sequence[Node], prefix: str) -> Iterator[Prefetch]:
    """Yield what `prefetch_related()` follows, each with the queryset of what is needed there."""
    for node in nodes:
        path = f"{prefix}{node.slot.attribute}"
        if node.is_single:
            yield from _lookups(node.below or (), f"{path}{LOOKUP_SEP}")
        elif node.is_relation:
            yield Prefetch(path, _objects_of(node))


def _objects_of(node: Node) -> Any:
    source = node.slot.source
    objects = node.slot.related._default_manager.all()
    if node.below is None and node.slot.kind == "many":
        return objects
    found = prefetched(objects, node.below or ())
    kept = _names(node.below or ())
    if kept is None:
        return found
    keys = [own.name for own in source.field.local_related_fields] if source.one_to_many else []
    return found.only(*dict.fromkeys([*kept, *keys]))


def _lookup_name(slot: Slot) -> str:
    """Return what a relation is called in a path."""
    return str(slot.source.name)


def _names(nodes: Sequence[Node], prefix: str = "") -> list[str] | None:
    """Return what `only()` names; None where all columns are needed: by a property, or because all are shown."""
    if nodes and not prefix and not _leaves_out(nodes):
        return None
    names: list[str] = []
    for node in nodes:
        slot = node.slot
        if slot.kind == "column":
            names.append(f"{prefix}{slot.source.name}")
        elif node.is_single:
            path = f"{prefix}{_lookup_name(slot)}"
            if slot._is_forward:
                names.append(path)
            names += _names(node.below or (), f"{path}{LOOKUP_SEP}") or [f"{path}{LOOKUP_SEP}pk"]
        elif node.is_relation:
            names += [f"{prefix}{own.name}" for own in _near_keys(slot.source)]
    return names or [f"{prefix}pk"]


def _near_keys(source: Source) -> Sequence[Any]:
    """Return the fields by which the objects of a relation to many are told apart, at this end."""
    if not source.many_to_many:
        return source.field.foreign_related_fields  # type: ignore[no-any-return]
    link = source.field.reverse_link_field if source.auto_created else source.link_field
    return link.foreign_related_fields  # type: ignore[no-any-return]


def _leaves_out(nodes: Sequence[Node]) -> bool:
    """Return whether there is a column that nodes do not show, and no property that might need it."""
    if _needs_all(nodes):
        return False
    return any(_shows_less(level) for level in _levels(nodes))


def _needs_all(nodes: Sequence[Node]) -> bool:
    return any(node.needs_all or (node.is_single and _needs_all(node.below or ())) for node in nodes)


def _levels(nodes: Sequence[Node]) -> Iterator[Sequence[Node]]:
    """Yield the nodes of the row, and of those that come with it."""
    yield nodes
    for node in nodes:
        if node.is_single and node.below is not None:
            yield from _levels(node.below)


def _shows_less(nodes: Sequence[Node]) -> bool:
    shown = {node.slot.source.attname for node in nodes if node.slot.kind == "column"}
    return any(
        own.attname not in shown and not own.primary_key for own in nodes[0].slot.model._meta.concrete_fields
    )


# -- errors -----------------------------------------------------------------------------------------------------------


def told(error: NotLoaded, schema: type[Any], model: type[Any], nodes: Sequence[Node]) -> NotLoaded:
    """Return the error with the methods that load all that a schema shows."""
    name, label = schema.__name__, model._meta.object_name
    what = f"{name} shows {error.model._meta.object_name}.{error.name}, which is not loaded"
    if error.what:
        made = f"{what}: {error.what}."
    else:
        made = f"{what}. Load it with the query: {label}.objects{_calls(nodes)}, or {name}.prefetched({label}.objects.all()); "
        made += f"for objects at hand: prefetch_related_objects(objects, {_quoted(paths(nodes))})."
    new = NotLoaded(error.model, error.name, error.what)
    new.args = (made,)
    return new


def _calls(nodes: Sequence[Node]) -> str:
    joined, many = _outermost(_joined(nodes)), _outermost(paths(nodes, many=True))
    selects = f".select_related({_quoted(joined)})" if joined else ""
    return f"{selects}.prefetch_related({_quoted(many)})" if many else selects


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths that no other one goes on from: it brings them along."""
    found = [*paths]
    return [path for path in found if not any(other.startswith(f"{path}{LOOKUP_SEP}") for other in found)]


def _quoted(paths: Sequence[str]) -> str:
    return ", ".join(map(repr, paths))


def paths(nodes: Sequence[Node], prefix: str = "", many: bool = False) -> list[str]:
    """Return the paths to related objects; with `many` only those that no join brings."""
    found: list[str] = []
    for node in nodes:
        if not node.is_relation:
            continue
        path = f"{prefix}{node.slot.attribute}"
        inner = paths(node.below or (), f"{path}{LOOKUP_SEP}", many and node.is_single)
        found += inner if many and node.is_single else [path, *inner]
    return found if prefix else _outermost(found)


def recursion(schema: type[Any], instance: Model) -> RecursionError:
    """Return the error for related objects that lead back to themselves, or go on too far."""
    return RecursionError(
        f"{schema.__name__} of {type(instance).__name__} {instance.pk!r} does not end: its objects show objects that show it again. "
        "Let one of the schemas show the key, such as author_id, in place of the object."
    )
