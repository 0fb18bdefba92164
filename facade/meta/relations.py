"""Who points at whom: the graph of relations of one registry."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from facade.fields.relations.reverse import (
    FieldCacheMixin,
    ForeignObjectRel,
    Hop,
    ManyToManyRel,
    ManyToOneRel,
    OneToOneRel,
)

if TYPE_CHECKING:
    from facade.meta.registry import Apps

__all__ = [
    "NO_RELATIONS",
    "FieldCacheMixin",
    "ForeignObjectRel",
    "Hop",
    "ManyToManyRel",
    "ManyToOneRel",
    "OneToOneRel",
    "related_fields",
]

NO_RELATIONS: tuple[Any, ...] = ()


def related_fields(registry: Apps) -> dict[Any, list[Any]]:
    """Map each concrete model to the fields of the registry's models that point at it."""
    registry.settle()
    graph: dict[Any, list[Any]] = defaultdict(list)
    for model in registry.get_models(include_auto_created=True, include_swapped=True):
        opts = model._meta
        if not opts.is_reflected:  # to look all tables up would be a long way for one relation
            continue
        for field in (*opts.local_fields, *opts.local_many_to_many, *opts.private_fields):
            target = getattr(field.remote_field, "model", None) if field.is_relation else None
            if target is not None and not isinstance(target, str) and not opts.swapped:
                graph[target._meta.concrete_model].append(field)
    return graph
