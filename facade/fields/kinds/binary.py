"""Bytes."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack, overload

from facade import types
from facade.fields.base import Field
from facade.fields.keywords import BytesValue, FieldOptions, Name
from facade.foundation.promises import kept
from facade.validators import MaxLengthValidator

if TYPE_CHECKING:
    from facade.checks import CheckMessage
    from facade.fields.columns import ColumnType, Declared
    from facade.fields.contracts import Instance


class BinaryField(Field[BytesValue]):
    """Bytes, up to `max_length` of them; as text, they are written in base 64."""

    describes = (bytes,)
    value_kind = "bytes"
    description = "Raw binary data"
    empty_values = (None, b"")
    default_error_messages: ClassVar[dict[str, str]] = {"invalid": "“%(value)s” is not a valid binary value."}

    @overload
    def __init__(
        self: BinaryField[bytes], *names: Name, null: Literal[False] = ..., **options: Unpack[FieldOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: BinaryField[bytes | None], *names: Name, null: Literal[True], **options: Unpack[FieldOptions]
    ) -> None: ...

    def __init__(self, *names: Any, editable: bool = False, **options: Any) -> None:
        super().__init__(*names, editable=editable, **options)

    def get_internal_type(self) -> str:
        return "BinaryField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.Binary()

    @cached_property
    def validators(self) -> list[Callable[[Any], object]]:
        limit = [] if self.max_length is None else [MaxLengthValidator(self.max_length)]
        return [*super().validators, *limit]

    def get_default(self) -> Any:
        default = super().get_default()
        return b"" if default == "" and not self.has_default() else default

    def to_python(self, value: object) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return memoryview(b64decode(value.encode("ascii"), validate=True))
        except (UnicodeEncodeError, binascii.Error):
            self._refuse("invalid", value)

    def get_prep_value(self, value: object) -> Any:
        value = kept(value)
        if value is None or type(value) is bytes:
            return value
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        raise TypeError(f"Field '{self.name}' expected bytes but got {value!r}.")

    def value_to_string(self, obj: Instance) -> str:
        return b64encode(self.value_from_object(obj)).decode("ascii")

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        options.pop("editable", None)
        if self.editable:
            options["editable"] = True
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        if isinstance(self.default, str):
            msg = "BinaryField's default cannot be a string. Use bytes content instead."
            found.append(self._error(msg, "E170"))
        return found
