"""What a stub says of schemas: the fields that `schema_for` and the keywords of a class make."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

from facade.cli.stubs.names import is_importable
from facade.contrib.schemas.methods import SchemaMethods

if TYPE_CHECKING:
    from facade.cli.stubs.names import Names
    from facade.contrib.schemas.slots import Annotation

__all__ = ["added_fields", "is_schema", "made_schema"]


def is_schema(kind: object) -> TypeGuard[type[SchemaMethods]]:
    """Return whether something is a schema of a model."""
    return (
        isinstance(kind, type)
        and issubclass(kind, SchemaMethods)
        and getattr(kind, "_model", None) is not None
    )


def made_schema(name: str, schema: type[SchemaMethods], names: Names) -> Iterator[str]:
    """Yield the lines of a class in the place of ``name = schema_for(…)``, behind those of its related objects' schemas."""
    inner: dict[type[Any], str] = {}
    for item in schema._items(_model_of(schema)):
        if item.schema is not None and item.schema not in inner and not is_importable(item.schema):
            inner[item.schema] = f"_{name.lstrip('_')}_{item.slot.attribute}"
            yield from made_schema(inner[item.schema], item.schema, names)
    base = next(kind for kind in schema.__mro__[1:] if is_importable(kind))
    yield f"class {name}({names.of(base)}):"
    yield from (f"    {line}" for line in _fields(schema, names, inner) if line)


def added_fields(schema: type[SchemaMethods], names: Names, told: set[str]) -> Iterator[str]:
    """Yield the fields that a class has by its keywords, besides those that it declares (`told`)."""
    for line in _fields(schema, names, {}):
        if line.partition(":")[0] not in told | {*_inherited(schema)}:
            yield line


def _inherited(schema: type[SchemaMethods]) -> Iterator[str]:
    for above in schema.__mro__[1:]:
        if is_schema(above):
            yield from (item.field for item in above._items(_model_of(above)))


def _model_of(schema: type[SchemaMethods]) -> type[Any]:
    model = schema._model
    assert model is not None
    return model


def _fields(schema: type[SchemaMethods], names: Names, inner: Mapping[type[Any], str]) -> Iterator[str]:
    hints = get_type_hints(schema)
    needed = schema._needed()
    for item in schema._items(_model_of(schema)):
        default = "" if item.field in needed else " = ..."
        yield f"{item.field}: {_text(hints[item.field], names, inner)}{default}"


def _text(annotation: Annotation, names: Names, inner: Mapping[type[Any], str]) -> str:
    """Return a type as a stub writes it; what nobody can import is Any."""
    origin: Any = get_origin(annotation)
    arguments = get_args(annotation)
    if annotation is Any:
        return "_Any"
    if annotation is None or annotation is type(None):
        return "None"
    if origin in (Union, types.UnionType):
        return " | ".join(_text(part, names, inner) for part in arguments)
    if origin is Literal:
        return f"_Literal[{', '.join(map(repr, arguments))}]"
    if annotation in inner:
        return inner[annotation]
    if isinstance(origin, type) and is_importable(origin):
        return f"{names.of(origin)}[{', '.join(_text(part, names, inner) for part in arguments)}]"
    return names.of(annotation) if isinstance(annotation, type) and is_importable(annotation) else "_Any"
