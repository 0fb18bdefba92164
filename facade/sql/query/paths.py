"""Names such as `author__publisher__name`: from a path of names to hops between tables, a field and what follows it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldDoesNotExist, FieldError
from facade.fields.declarations import LOOKUP_SEP
from facade.fields.kinds.composite import CompositePrimaryKey
from facade.fields.relations.reverse import final_target

if TYPE_CHECKING:
    from facade.expressions.contracts import Valued
    from facade.fields import Field
    from facade.meta.options import Options
    from facade.meta.relations import Hop


class ManyValues(Exception):
    """The path meets a relation with several rows where only one is allowed; `position` counts the names up to it."""

    def __init__(self, position: int) -> None:
        self.position = position


NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class Path:
    """A resolved path: the hops, the field it ends on, the fields that hold the value, and the names left over."""

    hops: list[Hop] = field(default_factory=list)
    final_field: Any = None
    targets: tuple[Any, ...] = ()
    rest: list[str] = field(default_factory=list)
    named: dict[int, Any] = field(default_factory=dict)
    """The filtered relations by the position of the hop that leads to their rows."""

    @property
    def value_field(self) -> Any:
        """The field that describes the value: that of the column where it is one."""
        return final_target(self.targets[0]) if len(self.targets) == 1 else self.final_field


def unknown_name(name: str, choices: Iterable[str], owner: str = "") -> FieldError:
    """Return the error for a name that is no field."""
    known = sorted(set(choices))
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return FieldError(
        f"Cannot resolve keyword '{name}' into field. Choices are: {', '.join(known)}{'.' + hint if hint else ''}"
    )


def referred(found: Valued) -> Any:
    """Return what F() refers to; raise FieldError where that is a relation over several columns."""
    if found.is_composite and getattr(found.output_field, "from_fields", None):
        raise FieldError("Referencing multicolumn fields with F() objects isn't supported")
    return found


def field_names(opts: Options) -> set[str]:
    """Return every name a path may begin with on this model."""
    names: set[str] = set()
    for item in opts.get_fields():
        names.add(item.name)
        if hasattr(item, "attname"):
            names.add(item.attname)
    return names


def no_join(names: list[str], path: Path) -> FieldError:
    """Return the error for a name behind a field that is no transform of the field's."""
    if path.final_field.is_relation:
        return unknown_name(path.rest[0], field_names(path.hops[-1].target._meta))
    before = names[-len(path.rest) - 1]
    return FieldError(
        f"Cannot resolve keyword '{path.rest[0]}' into field. Join on '{before}' not permitted."
    )


def split(name: str) -> list[str]:
    return name.split(LOOKUP_SEP)


def resolve(
    names: list[str],
    opts: Options | None,
    *,
    annotations: Mapping[str, Any] = NOTHING,
    relations: Mapping[str, Any] = NOTHING,
    allow_many: bool = True,
    complete: bool = False,
) -> Path:
    """Walk `names` from the model `opts` belongs to.

    `annotations` and `relations` (filtered relations by alias) are names the query adds. With `complete` every name must be a
    field; otherwise the names behind the last field are left in `rest`. Raises FieldError and, without `allow_many`, ManyValues.
    """
    path = Path()
    for position, name in enumerate(names):
        found = _find(name, opts, position, annotations, relations, path)
        if found is None:
            if position == 0 or complete:
                raise unknown_name(name, [*(field_names(opts) if opts else ()), *annotations, *relations])
            path.rest = names[position:]
            return path
        is_named = position == 0 and name in relations
        if not is_named:
            assert opts is not None
            opts = _to_parent(found, opts, path)
        hops = getattr(found, "hops", None)
        if not hops:
            path.final_field, path.targets = found, _parts(found)
            if complete and position + 1 != len(names):
                raise FieldError(
                    f"Cannot resolve keyword {names[position + 1]!r} into field. Join on '{name}' not permitted."
                )
            path.rest = names[position + 1 :]
            return path
        path.hops.extend(hops)
        if not allow_many and any(hop.many for hop in path.hops):
            raise ManyValues(position + 1)
        if is_named:
            path.named[len(path.hops) - 1] = relations[name]
        path.final_field, path.targets = hops[-1].join_field, target_fields(hops[-1])
        opts = hops[-1].target._meta
    return path


def _find(
    name: str,
    opts: Options | None,
    position: int,
    annotations: Mapping[str, Any],
    relations: Mapping[str, Any],
    path: Path,
) -> Any:
    """Return the field `name` stands for, None where there is none."""
    if opts is None:
        return None
    try:
        found = opts.pk if name == "pk" else opts.get_field(name)
    except FieldDoesNotExist:
        found = _added(name, opts, position, annotations, relations, path)
    if found is not None and found.is_relation and not found.related_model:
        raise FieldError(
            f"Field {name!r} does not generate an automatic reverse relation and therefore cannot be used for reverse "
            "querying. If it is a GenericForeignKey, consider adding a GenericRelation."
        )
    return found


def _added(
    name: str,
    opts: Options,
    position: int,
    annotations: Mapping[str, Any],
    relations: Mapping[str, Any],
    path: Path,
) -> Any:
    if position == 0 and name in annotations:
        return annotations[name].output_field
    if position == 0 and name in relations:
        inner = resolve(split(relations[name].relation_name), opts, relations=relations, complete=True)
        path.hops.extend(inner.hops[:-1])
        path.named.update(inner.named)
        return inner.final_field
    return None


def _to_parent(found: object, opts: Options, path: Path) -> Any:
    """Add the hops to the parent model that holds the field's column (multi-table inheritance)."""
    model = getattr(found, "model", None)
    if model is None or opts is None:
        return opts
    concrete = model._meta.concrete_model
    if concrete is opts.model or concrete is opts.concrete_model:
        return opts
    hops = opts.get_path_to_parent(concrete)
    path.hops.extend(hops)
    return hops[-1].target._meta if hops else opts


def target_fields(hop: Hop) -> tuple[Any, ...]:
    """Return the fields, on the model a hop leads to, that hold the relation's value."""
    if hop.direct:
        return tuple(far for _, far in hop.columns)
    return tuple(hop.target._meta.pk_fields)


def _parts(field: Field[Any]) -> tuple[Any, ...]:
    """Return the fields that hold the value of one: itself, or the parts of a composite key."""
    return field.fields if isinstance(field, CompositePrimaryKey) else (field,)
