"""Annotations of hand-written schemas, checked against the model that the schema is of."""

from __future__ import annotations

import datetime as dt
import decimal
import types
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from facade.contrib.schemas.methods import Item
from facade.contrib.schemas.slots import (
    Annotation,
    Choice,
    Kind,
    Slot,
    attributes_of,
    computed_slot,
    unknown_name,
)

if TYPE_CHECKING:
    from facade.contrib.schemas.methods import SchemaMethods
    from facade.contrib.schemas.reading import Reader
    from facade.orm.instances.model import Model

__all__ = ["declared_item", "parts_of"]

_BASIC = frozenset(
    {bool, int, float, str, bytes, decimal.Decimal, uuid.UUID, dt.date, dt.datetime, dt.time, dt.timedelta}
)
# Values of the first type become the second one without a loss that anybody would mind.
_BECOMES = frozenset({(int, float), (decimal.Decimal, float), (int, decimal.Decimal)})
_ID: Choice = Choice(is_root=False)


def parts_of(annotation: Annotation) -> Iterator[Any]:
    """Yield the types that a union consists of, without what Annotated says of them."""
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        yield from parts_of(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from parts_of(part)
    else:
        yield annotation


def schema_in(annotation: Annotation, base: type[Any]) -> tuple[Any, bool] | None:
    """Return the schema that an annotation names, and whether it is for a list of them; None where there is none."""
    for part in parts_of(annotation):
        if isinstance(part, type) and issubclass(part, base):
            return part, False
        if get_origin(part) is list:
            for item in parts_of(get_args(part)[0]):
                if isinstance(item, type) and issubclass(item, base):
                    return item, True
    return None


def declared_slot(
    model: type[Model], name: str, annotation: Annotation, nested: tuple[Any, bool] | None, is_computed: bool
) -> Slot:
    """Return the slot that an annotation declares; FieldError for what the model has not, TypeError for another kind of value."""
    known = attributes_of(model)
    if name not in known:
        if not is_computed and not hasattr(model, name):
            raise unknown_name(
                model, name, known, f" What the query adds is named in the class: computed=[{name!r}]."
            )
        return computed_slot(model, name, annotation)
    kind, source = known[name]
    wanted: dict[Kind, Kind] = {"one": "key", "many": "keys"}
    if kind in wanted and nested is None and _holds_keys(annotation):
        if kind == "one" and source.concrete:
            return Slot(name, "column", model, source)
        return Slot(name, wanted[kind], model, source)
    if kind in wanted and nested is not None and nested[1] is not (kind == "many"):
        is_list = "a list of them" if kind == "many" else "one of them"
        raise TypeError(f"{model.__name__}.{name} leads to {is_list}, which {_shown(annotation)} is not.")
    return Slot(name, kind, model, source, choice=_ID if kind in wanted else None)


def declared_item(
    owner: type[SchemaMethods],
    model: type[Model],
    name: str,
    annotation: Annotation,
    base: type[Any],
    coerce: Reader,
    *,
    is_computed: bool,
    changes: bool = False,
) -> Item:
    """Return the item of a declared attribute of `owner`; schemas of related objects derive from `base`.

    `coerce` makes values those of the annotation, where they are not that already. `changes`: the annotation says that it makes others of them.
    """
    nested = schema_in(annotation, base)
    slot = declared_slot(model, name, annotation, nested, is_computed)
    if slot.kind == "computed":
        return Item(name, slot, None, coerce)
    is_own = is_as_declared(owner.__name__, slot, annotation)
    if slot.kind in ("one", "many"):
        return Item(name, slot, nested[0]) if nested else Item(name, slot, None, coerce)
    if changes or not is_own:
        return Item(name, slot, None, (None if changes else becoming(slot, annotation)) or coerce)
    return Item(name, slot)


def _holds_keys(annotation: Annotation) -> bool:
    """Return whether an annotation is of plain values, or lists of them."""
    inner = [
        item
        for part in parts_of(annotation)
        for item in (parts_of(get_args(part)[0]) if get_origin(part) is list else (part,))
    ]
    return all(item in _BASIC or item is type(None) or get_origin(item) in (Literal, tuple) for item in inner)


def is_as_declared(owner: str, slot: Slot, annotation: Annotation) -> bool:
    """Return whether the model's own values are those that an annotation says, so that none has to be converted.

    TypeError where it can be told that they never are: another type, or no None where there may be one.
    """
    parts = [*parts_of(annotation)]
    if Any in parts or object in parts:
        return True
    if slot.is_null and type(None) not in parts:
        raise TypeError(
            f"{owner}.{slot.name} is declared as {_shown(annotation)}, but {_path(slot)} may be None: {_shown(annotation)} | None"
        )
    if slot.kind == "column":
        return _agrees(owner, slot, annotation, parts)
    return slot.kind in ("key", "keys", "one", "many")


def _agrees(owner: str, slot: Slot, annotation: Annotation, parts: list[Any]) -> bool:
    values = slot.values
    kind = values.kind
    if kind is Any or not isinstance(kind, type):  # Any is a class, too
        return False
    literals = [value for part in parts if get_origin(part) is Literal for value in get_args(part)]
    if values.literals and literals:
        if missing := [value for value in values.literals if value not in literals]:
            raise TypeError(
                f"{owner}.{slot.name} is declared as {_shown(annotation)}, but {_path(slot)} may be {missing[0]!r}."
            )
        return True
    if kind in parts:
        return True
    known = [part for part in parts if part is not type(None)]
    if all(part in _BASIC for part in known) and not any((kind, part) in _BECOMES for part in known):
        raise TypeError(
            f"{owner}.{slot.name} is declared as {_shown(annotation)}, but the values of {_path(slot)} are of type {kind.__name__}."
        )
    return False


def becoming(slot: Slot, annotation: Annotation) -> Callable[[Any], Any] | None:
    """Return what makes a value of the field's type one of the declared type, where that is a matter of numbers."""
    if slot.kind != "column":
        return None
    kinds = [part for part in parts_of(annotation) if (slot.values.kind, part) in _BECOMES]
    return None if not kinds else lambda value: None if value is None else kinds[0](value)


def _path(slot: Slot) -> str:
    return f"{slot.model.__name__}.{slot.attribute}"


def _shown(annotation: Annotation) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
