"""msgspec Structs of facade's models: `schema_for(Book)`, or a class of your own that derives from `Schema`.

Needs ``pip install "sqlalchemy-facade[msgspec]"``. See https://jcristharif.com/msgspec/structs.html
"""

from __future__ import annotations

try:
    import msgspec as _  # noqa: F401 - is it there?
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "facade.contrib.msgspec needs msgspec: pip install 'sqlalchemy-facade[msgspec]'", name=missing.name
    ) from missing

import datetime as dt
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Union, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, StructMeta, UnsetType
from typing_extensions import dataclass_transform

from facade.contrib.schemas.declared import declared_item, parts_of
from facade.contrib.schemas.errors import Detail, InvalidData, details
from facade.contrib.schemas.methods import Item, SchemaMethods
from facade.contrib.schemas.slots import (
    Annotation,
    Choice,
    Slot,
    check_model,
    free_name,
    inner_name,
    optional_names,
    slots_of,
    types_of,
)
from facade.contrib.schemas.values import Values, default_of, needs_no_value

if TYPE_CHECKING:
    from types import FrameType

    from facade.foundation.generated import FunctionText
    from facade.orm.instances.model import Model

__all__ = ["Detail", "InvalidData", "Schema", "details", "schema_for"]

# msgspec leaves them out where it does not matter whether there is a zone.
_FORMATS: dict[Any, str] = {dt.datetime: "date-time", dt.time: "time"}
_OPTIONS = ("fields", "exclude", "depth", "optional", "computed")


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class SchemaMeta(StructMeta):
    """Makes Structs that know their model."""

    if TYPE_CHECKING:

        def __new__(
            mcs,
            name: str,
            bases: tuple[type, ...],
            namespace: dict[str, Any],
            *,
            model: type[Any] | None = None,
            fields: Iterable[str] | None = None,
            exclude: Iterable[str] = (),
            depth: int = 0,
            optional: Iterable[str] | bool = (),
            computed: Mapping[str, Any] | Iterable[str] = (),
            **config: Any,
        ) -> Any: ...

    else:

        def __new__(mcs, name, bases, namespace, *, model=None, items=None, **config):  # noqa: ANN001, ANN003, ANN204 - typed in Schema
            own = {word: config.pop(word) for word in _OPTIONS if word in config}
            above = next((base for base in bases if isinstance(base, SchemaMeta)), None)
            if above is None:
                return super().__new__(mcs, name, bases, namespace, **config)
            model = above._model if model is None else model
            annotations = namespace.setdefault("__annotations__", {})
            declared = [*annotations]
            if own.keys() & {"fields", "exclude", "depth"} and model is not None:
                items = _added(name, namespace, above, model, own)
            left = own.get("optional", ())
            for field in optional_names(declared, left, model or above):
                namespace.setdefault(field, UNSET)
            unset = {field for field in declared if namespace.get(field) is UNSET}
            cls = super().__new__(mcs, name, bases, namespace, **{"kw_only": True, **config})
            cls._begin(model)
            cls._generated = above._generated | {item.field: item for item in items or ()}
            cls._computed = above._computed | dict(types_of(own.get("computed", ())))
            if model is not None:
                _settle(
                    cls,
                    model,
                    [field for field in declared if field not in cls._generated],
                    unset,
                    sys._getframe(1),
                )
            return cls


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))  # mypy looks here
class Schema(SchemaMethods, Struct, metaclass=SchemaMeta):
    """Base of Structs that read instances of facade's models.

    With ``model=`` the annotations are checked against the model's fields, and take over their limits; names of `fields`, or all but
    those of `exclude`, are added for those that have no annotation. `depth`, `optional` and `computed` are those of `schema_for`.
    Without ``model=`` the class reads any instance that has the attributes.

    Raises FieldError for names that the model has not, TypeError for annotations that its values do not agree with.
    """

    _generated: ClassVar[dict[str, Item]] = {}
    _computed: ClassVar[dict[str, Any]] = {}
    _model: ClassVar[type[Any] | None] = None

    if TYPE_CHECKING:

        def __init_subclass__(
            cls,
            *,
            model: type[Any] | None = None,
            fields: Iterable[str] | None = None,
            exclude: Iterable[str] = (),
            depth: int = 0,
            optional: Iterable[str] | bool = (),
            computed: Mapping[str, Any] | Iterable[str] = (),
            **config: Any,
        ) -> None: ...

    @classmethod
    def _items_of(cls, model: type[Any]) -> Sequence[Item]:
        hints = get_type_hints(cls, include_extras=True)
        return [_item(cls, model, name, hints[name]) for name in cls.__struct_fields__]

    @classmethod
    def _made(cls, text: FunctionText, names: dict[str, str]) -> Iterator[str]:
        values = ", ".join(f"{name}={variable}" for name, variable in names.items())
        yield f"return {text.name('made', cls)}({values})"

    def _given(self) -> dict[str, Any]:
        found = ((name, getattr(self, name)) for name in type(self).__struct_fields__)
        return {name: value for name, value in found if value is not UNSET}

    @classmethod
    def _needed(cls) -> set[str]:
        return {item.name for item in msgspec.structs.fields(cls) if item.required}

    @classmethod
    def _keys(cls) -> dict[str, str]:
        return dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))


def schema_for(
    model: type[Model],
    fields: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    depth: int = 0,
    optional: Iterable[str] | bool = (),
    computed: Mapping[str, Any] | Iterable[str] = (),
    *,
    name: str | None = None,
    base: type[Schema] = Schema,
) -> type[Schema]:
    """Return a Struct of the fields of a model.

    The arguments are those of `facade.contrib.pydantic.schema_for`. What may be missing, and is, is `msgspec.UNSET`. Limits that msgspec
    has no words for, as the digits of a Decimal and validators of one's own, are checked by `create()` and `update()`.

    Raises FieldError for names that the model has not.

    >>> from facade import models
    >>> from facade.testing import isolate_apps
    >>> with isolate_apps("library"):
    ...     class Book(models.Model):
    ...         title = models.CharField(max_length=20)
    ...         price = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    ...         class Meta:
    ...             app_label = "library"
    >>> BookOut = schema_for(Book, exclude=["id"])
    >>> msgspec.json.encode(BookOut.from_instance(Book(title="Emma", price="9.50")))
    b'{"title":"Emma","price":"9.50"}'
    >>> msgspec.json.decode(b'{"title": "A title of more than twenty"}', type=BookOut)
    Traceback (most recent call last):
    msgspec.ValidationError: Expected `str` of length <= 20 - at `$.title`
    """
    module = sys._getframe(1).f_globals.get("__name__", __name__)
    check_model(model)
    choice = Choice.of(fields, exclude, depth, computed)
    return _built(model, choice, optional, name or f"{model.__name__}Schema", base, module)


def _built(
    model: type[Model],
    choice: Choice,
    optional: Iterable[str] | bool,
    name: str,
    base: type[Schema],
    module: str,
) -> type[Schema]:
    namespace: dict[str, Any] = {"__module__": module, "__qualname__": name, "__annotations__": {}}
    items = [*_generated(slots_of(model, choice), model, optional, name, base, module, namespace)]
    make: Any = SchemaMeta
    made: type[Schema] = make(name, (base,), namespace, model=model, items=items)
    return made


def _generated(
    slots: Iterable[Slot],
    model: type[Model],
    optional: Iterable[str] | bool,
    name: str,
    base: type[Schema],
    module: str,
    namespace: dict[str, Any],
) -> Iterator[Item]:
    """Yield the item of each slot, and put its annotation and default into the namespace of the class."""
    given = [*slots]
    left = optional_names([slot.name for slot in given], optional, model)
    for slot in given:
        schema = None
        if slot.choice is not None:
            schema = _built(slot.related, slot.choice, (), inner_name(name, slot), base, module)
        field = free_name(base, slot.name)
        annotation, said = _annotation(slot, schema), _default(slot, slot.name in left)
        if field != slot.name:
            said["name"] = slot.name
        if said.get("default") is UNSET:
            annotation = annotation | UnsetType if annotation is not Any else Any
        namespace["__annotations__"][field] = annotation
        if said:
            namespace[field] = msgspec.field(**said)
        coerce = _coerced(annotation) if slot.kind == "computed" and slot.given is not Any else None
        yield Item(field, slot, schema, coerce)


def _added(
    name: str, namespace: dict[str, Any], above: type[Schema], model: type[Model], own: dict[str, Any]
) -> list[Item]:
    """Return the items of fields that the keywords of a class name, and that it has no annotation for."""
    choice = Choice.of(
        own.get("fields"),
        own.get("exclude", ()),
        own.get("depth", 0),
        dict(types_of(own.get("computed", ()))),
    )
    known = {*namespace["__annotations__"], *above.__struct_fields__}
    slots = [slot for slot in slots_of(model, choice) if slot.name not in known]
    base = next(kind for kind in above.__mro__ if issubclass(kind, Schema) and kind._model is None)
    return [*_generated(slots, model, (), name, base, namespace["__module__"], namespace)]


# -- annotations ------------------------------------------------------------------------------------------------------


def _annotation(slot: Slot, schema: type[Schema] | None) -> Annotation:
    if slot.kind == "computed":
        return slot.given
    inner: Annotation = schema if schema is not None else _limited(slot.values, _described(slot))
    if slot.kind in ("many", "keys"):
        return list[inner]
    return inner | None if slot.is_null and inner is not Any else inner


def _described(slot: Slot) -> dict[str, Any]:
    own = slot.source
    if slot.kind != "column":
        return {}
    said = (("title", own._verbose_name), ("description", own.help_text))
    return {key: str(value) for key, value in said if value}


def _limited(values: Values, said: Mapping[str, Any]) -> Annotation:
    """Return the type of values with what msgspec can say of them."""
    if values.literals:
        return values.kind if values.kind is bool else values.type
    words = {
        name: limit
        for name, limit in values.limits.items()
        if (name.endswith("length") and values.kind in (str, bytes))
        or (name in ("ge", "le") and values.kind in (int, float))
    }
    if values.pattern:
        words["pattern"] = values.pattern
    if form := values.format or _FORMATS.get(values.kind):
        words["extra_json_schema"] = {"format": form}
    words |= said
    return Annotated[values.type, Meta(**words)] if words else values.type


def _default(slot: Slot, is_optional: bool) -> dict[str, Any]:
    """Return what stands for a value that is not given, as `msgspec.field()` takes it."""
    if is_optional or slot.may_lack_keys:
        return {"default": UNSET}
    own = slot.source
    if slot.kind != "column" or not slot.is_written or own.primary_key or not needs_no_value(own):
        return {}
    is_known, default = default_of(own)
    is_plain = is_known and isinstance(default, (str, int, float, bool, type(None)))
    return {"default": default if is_plain else UNSET}


def _coerced(annotation: Annotation) -> Callable[[Any], Any]:
    """Return what makes a value one of an annotated type, as msgspec does."""

    def coerce(value: object) -> object:
        if type(value) is annotation:
            return value
        return msgspec.convert(value, annotation, strict=False, from_attributes=True)

    return coerce


# -- classes that are written by hand ---------------------------------------------------------------------------------


def _settle(
    cls: type[Schema], model: type[Model], names: Iterable[str], unset: Collection[str], frame: FrameType
) -> None:
    """Check the annotations of a class, and give them the limits of the fields.

    One that names what is not there yet is checked when an instance is read.
    """
    for name in names:
        try:
            hint = _resolved(name, cls, frame)
        except NameError:
            continue
        if get_origin(hint) is ClassVar or hint is ClassVar:
            continue
        cls.__annotations__[name] = hint
        item = _item(cls, model, name, hint)
        if name in unset:
            hint = cls.__annotations__[name] = hint | UnsetType
        is_plain = get_origin(hint) is not Annotated and item.slot.kind == "column" and item.coerce is None
        if is_plain and item.slot.values.kind is not Any:
            cls.__annotations__[name] = _taken_over(item.slot, hint)


def _resolved(name: str, cls: type[Schema], frame: FrameType) -> Any:
    """Return what an annotation names where the class is made."""
    only = SimpleNamespace(__annotations__={name: cls.__annotations__[name]})
    return get_type_hints(only, frame.f_globals, {**frame.f_locals, cls.__name__: cls}, include_extras=True)[
        name
    ]


def _taken_over(slot: Slot, hint: Annotation) -> Annotation:
    parts = [*parts_of(hint)]
    if any(get_origin(part) is not None for part in parts):
        return hint
    kept = [part for part in parts if part in (type(None), UnsetType)]
    return Union[(_limited(slot.values, _described(slot)), *kept)]


def _item(cls: type[Schema], model: type[Any], name: str, hint: Annotation) -> Item:
    """Return the item of a field, as it is for instances of a model."""
    if cls._model is not None and (item := cls._generated.get(name)) is not None:
        return item
    parts = [part for part in parts_of(hint) if part is not UnsetType]
    annotation = hint if UnsetType not in parts_of(hint) else Union[tuple(parts)]  # noqa: UP007 - of a list
    is_computed = name in cls._computed or cls._model is None
    return declared_item(cls, model, name, annotation, Schema, _coerced(annotation), is_computed=is_computed)
