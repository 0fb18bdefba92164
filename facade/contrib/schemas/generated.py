"""Fields of schemas that are made of the model's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from facade.contrib.schemas.methods import Item
from facade.contrib.schemas.slots import free_name, inner_name, optional_names

if TYPE_CHECKING:
    from facade.contrib.schemas.methods import SchemaMethods
    from facade.contrib.schemas.slots import Annotation, Slot
    from facade.orm.instances.model import Model

__all__ = ["Generated", "generated"]


class Generated(NamedTuple):
    """A field that a schema gets: its item, its type, and whether it may be missing."""

    item: Item
    annotation: Annotation
    is_optional: bool


def generated(
    base: type[SchemaMethods],
    model: type[Model],
    slots: Iterable[Slot],
    optional: Iterable[str] | bool,
    name: str,
    module: str,
) -> Iterator[Generated]:
    """Yield a field for each slot of the schema `name`; related objects have schemas of their own, which derive from `base`."""
    given = [*slots]
    left = optional_names([slot.name for slot in given], optional, model)
    for slot in given:
        schema = None
        if slot.choice is not None:
            schema = base._built(slot.related, slot.choice, (), inner_name(name, slot), module)
        annotation = _annotation(slot, schema, base)
        coerce = base._coerced(annotation) if slot.kind == "computed" and slot.given is not Any else None
        yield Generated(Item(free_name(base, slot.name), slot, schema, coerce), annotation, slot.name in left)


def _annotation(slot: Slot, schema: type[SchemaMethods] | None, base: type[SchemaMethods]) -> Annotation:
    if slot.kind == "computed":
        return slot.given
    one: Annotation = base._limited(slot) if schema is None else schema
    if slot.kind in ("many", "keys"):
        return list[one]
    return one | None if slot.is_null and one is not Any else one
