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
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, Union, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, StructMeta, UnsetType
from typing_extensions import dataclass_transform

from facade.contrib.schemas.declared import declared_item, parts_of
from facade.contrib.schemas.errors import Detail, InvalidData, details
from facade.contrib.schemas.generated import Generated, generated
from facade.contrib.schemas.methods import Item, SchemaMethods
from facade.contrib.schemas.slots import (
    ADDING,
    KEYWORDS,
    Annotation,
    Choice,
    Slot,
    check_model,
    optional_names,
    slots_of,
    types_of,
)
from facade.contrib.schemas.values import default_of, needs_no_value

if TYPE_CHECKING:
    from types import FrameType

    from facade.foundation.generated import FunctionText
    from facade.orm.instances.model import Model

__all__ = ["Detail", "InvalidData", "Schema", "details", "schema_for"]

# msgspec leaves them out where it does not matter whether there is a zone.
_FORMATS: dict[Any, str] = {dt.datetime: "date-time", dt.time: "time"}


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
            own = {word: config.pop(word) for word in KEYWORDS if word in config}
            above = next((base for base in bases if isinstance(base, SchemaMeta)), None)
            if above is None:
                return super().__new__(mcs, name, bases, namespace, **config)
            model = above._model if model is None else model
            annotations = namespace.setdefault("__annotations__", {})
            declared = [*annotations]
            if own.keys() & ADDING and model is not None:
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

    >>> from facade import models
    >>> from facade.testing import isolate_apps
    >>> with isolate_apps("library"):
    ...     class Book(models.Model):
    ...         title = models.CharField(max_length=20)
    ...         class Meta:
    ...             app_label = "library"
    >>> class BookOut(Schema, model=Book):
    ...     title: str
    >>> BookOut.from_instance(Book(title="Emma"))
    BookOut(title='Emma')
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
    def _built(
        cls, model: type[Any], choice: Choice, optional: Iterable[str] | bool, name: str, module: str
    ) -> type[Self]:
        namespace: dict[str, Any] = {"__module__": module, "__qualname__": name, "__annotations__": {}}
        fields = generated(cls, model, slots_of(model, choice), optional, name, module)
        make: Any = SchemaMeta
        made: type[Self] = make(name, (cls,), namespace, model=model, items=[*_filled(namespace, fields)])
        return made

    @staticmethod
    def _limited(slot: Slot) -> Annotation:
        values = slot.values
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
        words |= slot.descriptions
        return Annotated[values.type, Meta(**words)] if words else values.type

    @staticmethod
    def _coerced(annotation: Annotation) -> Callable[[Any], Any]:
        def coerce(value: object) -> object:
            if type(value) is annotation:
                return value
            return msgspec.convert(value, annotation, strict=False, from_attributes=True)

        return coerce

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
    return base._built(model, choice, optional, name or f"{model.__name__}Schema", module)


def _filled(namespace: dict[str, Any], fields: Iterable[Generated]) -> Iterator[Item]:
    """Put the annotations and the defaults of fields into the namespace of a class, and yield their items."""
    for item, annotation, is_optional in fields:
        said = _default(item.slot, is_optional)
        if item.field != item.slot.name:
            said["name"] = item.slot.name
        is_left = said.get("default") is UNSET and annotation is not Any
        namespace["__annotations__"][item.field] = annotation | UnsetType if is_left else annotation
        if said:
            namespace[item.field] = msgspec.field(**said)
        yield item


def _added(
    name: str, namespace: dict[str, Any], above: type[Schema], model: type[Model], own: dict[str, Any]
) -> list[Item]:
    """Return the items of fields that the keywords of a class name, and that it has no annotation for."""
    known = {*namespace["__annotations__"], *above.__struct_fields__}
    slots = [slot for slot in slots_of(model, Choice.of_keywords(own)) if slot.name not in known]
    fields = generated(above._plain_base(), model, slots, (), name, namespace["__module__"])
    return [*_filled(namespace, fields)]


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
    return Union[(Schema._limited(slot), *kept)]


def _item(cls: type[Schema], model: type[Any], name: str, hint: Annotation) -> Item:
    """Return the item of a field, as it is for instances of a model."""
    if cls._model is not None and (item := cls._generated.get(name)) is not None:
        return item
    parts = [part for part in parts_of(hint) if part is not UnsetType]
    annotation = hint if UnsetType not in parts_of(hint) else Union[tuple(parts)]  # noqa: UP007 - of a list
    is_computed = name in cls._computed or cls._model is None
    return declared_item(
        cls, model, name, annotation, Schema, cls._coerced(annotation), is_computed=is_computed
    )
