"""CompositePrimaryKey: a primary key that consists of several columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, overload

from facade.exceptions import FieldDoesNotExist, ImproperlyConfigured
from facade.fields.base import NOT_PROVIDED, Field

if TYPE_CHECKING:
    from typing import Unpack

    from facade.checks import CheckMessage
    from facade.fields.contracts import Instance
    from facade.fields.keywords import FieldOptions

__all__ = ["CompositePrimaryKey"]

#: What is computed from the model's fields, and must not travel with a copy.
_RESOLVED = ("attnames", "fields")

#: Options that make no sense here, each with its only value and what is said of any other one.
_FIXED: tuple[tuple[str, Any, str], ...] = (
    ("default", NOT_PROVIDED, "cannot have a default."),
    ("db_default", NOT_PROVIDED, "cannot have a database default."),
    ("db_column", None, "cannot have a db_column."),
    ("editable", False, "cannot be editable."),
    ("primary_key", True, "must be a primary key."),
    ("blank", True, "must be blank."),
)


class CompositePrimaryKey(Field[tuple[Any, ...]]):
    """A primary key of several fields of the model, declared as its attribute ``pk``.

    It is given the fields' names, in the order that the key shall have, and has no column of its own: ``pk`` is the tuple
    of their values, and setting it sets them. ValueError for less than two names, or names that are repeated.

    >>> CompositePrimaryKey("order_id", "product_id").field_names
    ('order_id', 'product_id')
    """

    description = "Primary key of several columns"

    def __init__(self, *field_names: str, **options: Unpack[FieldOptions]) -> None:
        if not field_names or {*map(type, field_names)} != {str} or len({*field_names}) != len(field_names):
            raise ValueError("CompositePrimaryKey args must be unique strings.")
        if len(field_names) == 1:
            raise ValueError("CompositePrimaryKey must include at least two fields.")
        for name, value, problem in _FIXED:
            if options.setdefault(name, value) != value:  # type: ignore[misc]
                raise ValueError(f"CompositePrimaryKey {problem}")
        self.field_names = field_names
        super().__init__(**options)

    def __copy__(self) -> Self:
        new = super().__copy__()
        for name in _RESOLVED:
            new.__dict__.pop(name, None)
        return new

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, _, options = super().deconstruct()
        return name, path, list(self.field_names), options

    @classmethod
    def get_class_lookups(cls) -> dict[str, type[Any]]:
        """Return what is registered for composite keys; what columns know makes no sense for several."""
        return cls.lookups_since(CompositePrimaryKey)

    # -- its fields -----------------------------------------------------------------------------------

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only=private_only)
        cls._meta.replace_pk(self)
        setattr(cls, self.attname, self)

    def get_attname_column(self) -> tuple[str, str | None]:
        return self.get_attname(), None

    @cached_property
    def fields(self) -> tuple[Any, ...]:
        """The fields that the key consists of; ``ImproperlyConfigured`` for a name that is no column of the table."""
        opts = self.model._meta.concrete_model._meta
        found = []
        for name in self.field_names:
            try:
                field = opts.get_field(name)
            except FieldDoesNotExist:
                field = None
            if field is None or not getattr(field, "concrete", False) or field not in opts.local_fields:
                raise ImproperlyConfigured(
                    f"The CompositePrimaryKey of {opts.label} names {name!r}, which is no column of its table. "
                    f"Columns are: {', '.join(one.name for one in opts.local_concrete_fields)}."
                )
            found.append(field)
        return tuple(found)

    @cached_property
    def attnames(self) -> tuple[str, ...]:
        """The attributes that hold the parts of the key."""
        return tuple(field.attname for field in self.fields)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the key's columns."""
        return tuple(field.column for field in self.fields)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.field_names)

    # -- the attribute --------------------------------------------------------------------------------

    @overload  # type: ignore[override]  # it is no column, but several
    def __get__(self, instance: None, owner: type[object] | None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[object] | None = None) -> tuple[Any, ...]: ...
    def __get__(self, instance: object, owner: object = None) -> Any:
        if not isinstance(instance, self.__dict__.get("model", ())):
            return self
        return tuple([getattr(instance, name) for name in self.attnames])

    def __set__(self, instance: object, value: object) -> None:
        if value is None:
            value = (None,) * len(self)
        elif not isinstance(value, (list, tuple)):
            raise ValueError(f"{self.name!r} must be a list or a tuple.")
        if len(value) != len(self):
            raise ValueError(f"{self.name!r} must have {len(self)} elements.")
        for name, part in zip(self.attnames, value, strict=True):
            setattr(instance, name, part)

    def get_pk_value_on_save(self, instance: Instance) -> Any:
        """Return the key for an instance that is saved, with a default for each part that it has not."""
        return tuple(
            field.get_pk_value_on_save(instance) if part is None else part
            for field, part in zip(self.fields, self.value_from_object(instance), strict=True)
        )

    def to_python(self, value: object) -> Any:
        """Return a key as a tuple; a text is the JSON that `value_to_string` makes."""
        if isinstance(value, str):
            parts = zip(self.fields, json.loads(value), strict=True)
            return tuple(field.to_python(part) for field, part in parts)
        return value

    def value_to_string(self, obj: Instance) -> Any:
        return json.dumps([field.value_to_string(obj) for field in self.fields], ensure_ascii=False)

    # -- its declaration ------------------------------------------------------------------------------

    def _check_field_name(self) -> Iterator[CheckMessage]:
        if self.name != "pk":
            yield self._error("'CompositePrimaryKey' must be named 'pk'.", "E013")
