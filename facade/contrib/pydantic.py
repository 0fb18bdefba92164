"""pydantic models of facade's models: `schema_for(Book)`, or a class of your own that derives from `Schema`.

Needs ``pip install "sqlalchemy-facade[pydantic]"``. See https://docs.pydantic.dev/latest/concepts/models/
"""

from __future__ import annotations

try:
    import pydantic as _  # noqa: F401 - is it there?
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "facade.contrib.pydantic needs pydantic: pip install 'sqlalchemy-facade[pydantic]'", name=missing.name
    ) from missing

import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from facade.contrib.schemas.declared import declared_item
from facade.contrib.schemas.errors import Detail, InvalidData, details
from facade.contrib.schemas.generated import Generated, generated
from facade.contrib.schemas.methods import Item, SchemaMethods
from facade.contrib.schemas.reading import rows_of
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
from facade.contrib.schemas.values import Check, Values, default_of, needs_no_value
from facade.exceptions import ValidationError
from facade.orm.instances.model import Model

if TYPE_CHECKING:
    from typing import Unpack

    from pydantic import GetCoreSchemaHandler, ModelWrapValidatorHandler
    from pydantic_core import CoreSchema

    from facade.fields import Field as Field_
    from facade.foundation.generated import FunctionText

__all__ = ["Detail", "InvalidData", "Prefetched", "Schema", "details", "schema_for"]

T = TypeVar("T")

Prefetched = Annotated[list[T], BeforeValidator(rows_of)]
"""The annotation of a to-many relation in a pydantic model that is not a `Schema`: ``books: Prefetched[BookOut]``.

A checker reads `list[BookOut]`. It takes the prefetched objects, and raises FieldFetchBlocked where there are none.
"""


def _changes(said: object) -> bool:
    """Return whether what Annotated says of a type may make another value of one."""
    return hasattr(said, "__get_pydantic_core_schema__")


class _Declaration:
    """What the keywords of a class say, and the slots that are made of them and of its annotations."""

    def __init__(
        self, options: dict[str, Any], above: _Declaration | None = None, items: Iterable[Item] = ()
    ) -> None:
        self.options = options
        self.above = above
        self.known: dict[str, Item] = {item.field: item for item in items}
        self.is_settled = False

    def settle(self, cls: type[Schema]) -> None:
        """Check the annotations, give them the limits of the fields, and add the fields that are named."""
        if self.is_settled or cls._model is None:
            return
        self.is_settled = True
        fields, options = cls.__pydantic_fields__, self.options
        if options.keys() & ADDING:
            self._add(cls, cls._model)
        for name, info in fields.items():
            if (item := self._inherited(cls, name)) is None and name not in self.known:
                item = self._declared(cls, cls._model, name, info)
                if item.slot.kind == "column" and item.coerce is None:
                    _take_over(info, item.slot.values)
            self.known.setdefault(name, item)  # type: ignore[arg-type]
        for name in optional_names([*fields], options.get("optional", ()), cls._model):
            info = fields[name]
            info.default_factory, info.default = _unset, FieldInfo().default

    def _add(self, cls: type[Schema], model: type[Model]) -> None:
        slots = slots_of(model, Choice.of_keywords(self.options))
        lacking = [slot for slot in slots if slot.name not in cls.__pydantic_fields__]
        for one in generated(cls._plain_base(), model, lacking, (), cls.__name__, cls.__module__):
            field = one.item.field
            self.known[field] = one.item
            cls.__annotations__[field] = one.annotation
            cls.__pydantic_fields__[field] = FieldInfo.from_annotated_attribute(one.annotation, _info(one))

    def _computed(self) -> Mapping[str, Any]:
        return types_of(self.options.get("computed", ()))

    def _inherited(self, cls: type[Schema], name: str) -> Item | None:
        """Return what the class above makes of a field that this one does not declare anew."""
        is_anew = name in vars(cls).get("__annotations__", ())
        return None if is_anew or self.above is None else self.above.known.get(name)

    def items(self, cls: type[Schema], model: type[Any]) -> list[Item]:
        """Return the slots for instances of a model."""
        if cls._model is not None:
            self.settle(cls)
            return [self.known[name] for name in cls.__pydantic_fields__]
        return [self._declared(cls, model, name, info) for name, info in cls.__pydantic_fields__.items()]

    def _declared(self, cls: type[Schema], model: type[Any], name: str, info: FieldInfo) -> Item:
        annotation = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        return declared_item(
            cls,
            model,
            name,
            info.annotation,
            Schema,
            cls._coerced(annotation),
            is_computed=name in self._computed() or cls._model is None,
            changes=any(map(_changes, info.metadata)),
        )


class Schema(SchemaMethods, BaseModel):
    """Base of pydantic models that read instances of facade's models.

    With ``model=`` the annotations are checked against the model's fields, and take over their limits and validators; names of
    `fields`, or all but those of `exclude`, are added for those that have no annotation. `depth`, `optional` and `computed` are those of `schema_for`.
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

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
        ser_json_inf_nan="strings",
        serialize_by_alias=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    _declaration: ClassVar[_Declaration] = _Declaration({})
    _model: ClassVar[type[Model] | None] = None

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
            **config: Unpack[ConfigDict],
        ) -> None: ...

    else:

        def __init_subclass__(cls, *, model=None, declaration=None, **options) -> None:  # noqa: ANN001, ANN003 - typed above
            own = {name: options.pop(name) for name in KEYWORDS if name in options}
            super().__init_subclass__(**options)
            above = cls._declaration if model in (None, cls._model) else None
            cls._begin(cls._model if model is None else model)
            cls._declaration = _Declaration(own, above) if declaration is None else declaration

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        if cls.__pydantic_fields_complete__:
            cls._declaration.settle(cls)
        return handler(source)

    @model_validator(mode="wrap")
    @classmethod
    def _read_instance(cls, value: object, handler: ModelWrapValidatorHandler[Any]) -> Any:
        if not isinstance(value, Model):
            return handler(value)
        try:
            return cls.from_instance(value)
        except TypeError as error:
            raise PydanticCustomError("model_type", "{reason}", {"reason": str(error)}) from None

    # -- what the methods ask -------------------------------------------------------------------------------

    @classmethod
    def _items_of(cls, model: type[Any]) -> Sequence[Item]:
        if not cls.__pydantic_complete__:
            cls.model_rebuild()
        return cls._declaration.items(cls, model)

    @classmethod
    def _built(
        cls, model: type[Any], choice: Choice, optional: Iterable[str] | bool, name: str, module: str
    ) -> type[Self]:
        fields = [*generated(cls, model, slots_of(model, choice), optional, name, module)]
        definitions: dict[str, Any] = {one.item.field: (one.annotation, _info(one)) for one in fields}
        keywords = {"model": model, "declaration": _Declaration({}, items=[one.item for one in fields])}
        return create_model(name, __base__=cls, __module__=module, __cls_kwargs__=keywords, **definitions)

    @staticmethod
    def _limited(slot: Slot) -> Annotation:
        said = _metadata(slot.values)
        return Annotated[(slot.values.type, *said)] if said else slot.values.type

    @staticmethod
    def _coerced(annotation: Annotation) -> Callable[[Any], Any]:
        adapter: list[TypeAdapter[Any]] = []

        def coerce(value: object) -> object:
            if type(value) is annotation:
                return value
            if not adapter:
                adapter.append(TypeAdapter(annotation))
            return adapter[0].validate_python(value, from_attributes=True)

        return coerce

    @classmethod
    def _made(cls, text: FunctionText, names: dict[str, str]) -> Iterator[str]:
        """Make the model without validation, as `model_construct` does, unless it has validators of its own."""
        values = ", ".join(f"{name!r}: {variable}" for name, variable in names.items())
        if _validates(cls):
            yield f"return {text.name('validate', cls.model_validate)}({{{values}}})"
            return
        slots = vars(BaseModel)
        extra = "{}" if cls.model_config.get("extra") == "allow" else None
        text.names |= {"new": object.__new__, "cls": cls, "shown": set(names)}
        yield "m = new(cls)"
        yield f"{text.name('set', slots['__dict__'].__set__)}(m, {{{values}}})"
        yield f"{text.name('set', slots['__pydantic_fields_set__'].__set__)}(m, shown.copy())"
        yield f"{text.name('set', slots['__pydantic_extra__'].__set__)}(m, {extra})"
        yield f"{text.name('set', slots['__pydantic_private__'].__set__)}(m, None)"
        yield "return m"

    def _given(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name in type(self).__pydantic_fields__
            if name in self.model_fields_set
        }

    @classmethod
    def _needed(cls) -> set[str]:
        return {name for name, info in cls.__pydantic_fields__.items() if info.is_required()}

    @classmethod
    def _keys(cls) -> dict[str, str]:
        found = cls.__pydantic_fields__.items()
        return {
            name: info.validation_alias if isinstance(info.validation_alias, str) else name
            for name, info in found
        }


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
    """Return a pydantic model of the fields of a model.

    `fields` names them; None are all that the model declares itself. Names lead over relations by ``__``, ``"author__name"``, and those of
    `exclude` are left out. `depth` is how many relations are followed; behind that they are shown by their keys. Those of `optional`, or with True
    all, may be missing, as in a PATCH. `computed` names properties, methods without arguments and annotations of the query, with their types where they
    do not say them. The class is called `name`, and derives from `base`.

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
    >>> BookOut.from_instance(Book(title="Emma", price="9.50")).model_dump_json()
    '{"title":"Emma","price":"9.50"}'
    >>> BookOut.model_validate({"title": "A title of more than twenty"})
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: 1 validation error for BookSchema
    ...
    """
    module = sys._getframe(1).f_globals.get("__name__", __name__)
    check_model(model)
    choice = Choice.of(fields, exclude, depth, computed)
    return base._built(model, choice, optional, name or f"{model.__name__}Schema", module)


# -- annotations ------------------------------------------------------------------------------------------------------


def _metadata(values: Values) -> list[Any]:
    said: list[Any] = []
    if values.kind is bytes:
        said += _BASE64
    extra: dict[str, Any] = {
        name: value for name, value in (("pattern", values.pattern), ("format", values.format)) if value
    }
    if values.limits or extra:
        said.append(Field(**values.limits, json_schema_extra=extra or None))
    return [*said, *(AfterValidator(_raising(check)) for check in values.checks)]


def _from_base64(value: object) -> object:
    return b64decode(value, validate=True) if isinstance(value, str) else value


# As the field itself and msgspec write bytes; pydantic's own way is another alphabet.
_BASE64 = (
    BeforeValidator(_from_base64),
    PlainSerializer(lambda value: b64encode(value).decode(), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
)


def _raising(check: Check) -> Callable[[Any], Any]:
    """Return a validator of the model's as pydantic calls it."""

    def validate(value: object) -> object:
        if value is not None:
            try:
                check(value)
            except ValidationError as error:
                raise PydanticCustomError(
                    error.error_list[0].code or "invalid", "{reason}", {"reason": " ".join(error.messages)}
                ) from None
        return value

    return validate


def _unset() -> Any:
    return None


def _info(given: Generated) -> FieldInfo:
    """Return what is said of a field besides its type: what it is called, how it is described, and what stands for it."""
    slot = given.item.slot
    said: dict[str, Any] = {**slot.descriptions}
    own = slot.source if slot.kind == "column" else None
    if given.item.field != slot.name:
        said["alias"] = slot.name
    if given.is_optional:
        said["default_factory"] = _unset
    elif slot.may_lack_keys:
        said["default_factory"] = list
    elif own is not None and slot.is_written and needs_no_value(own) and not own.primary_key:
        is_known, default = default_of(own)
        if is_known:
            said["default"] = default
        else:
            said["default_factory"] = _unset if own.has_db_default() else _defaulting(own)
    return Field(**said)  # type: ignore[no-any-return]


def _defaulting(own: Field_[Any]) -> Callable[[], Any]:
    return lambda: own.get_default()  # noqa: PLW0108 - pydantic looks at the function's parameters


def _validates(cls: type[BaseModel]) -> bool:
    """Return whether a class has validators of its own, or makes more of its values when it is made."""
    found = cls.__pydantic_decorators__
    own = found.validators or found.field_validators or found.root_validators
    return bool(
        own
        or found.model_validators.keys() - {"_read_instance"}
        or cls.__private_attributes__
        or cls.__pydantic_post_init__
    )


# -- classes that are written by hand ---------------------------------------------------------------------------------


def _take_over(info: FieldInfo, values: Values) -> None:
    """Give a declared field the limits of the model's."""
    if values.literals and info.annotation in (values.kind, values.kind | None):
        info.annotation = values.type | None if values.is_null else values.type
    for said in _metadata(values):
        info.metadata += said.metadata if isinstance(said, FieldInfo) else [said]
        if isinstance(said, FieldInfo) and said.json_schema_extra and info.json_schema_extra is None:
            info.json_schema_extra = said.json_schema_extra
