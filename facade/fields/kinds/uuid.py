"""UUIDs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack, overload

from facade import types
from facade.fields.base import Field
from facade.fields.descriptions import Plain
from facade.fields.keywords import FieldOptions, Name, UUIDValue
from facade.foundation.promises import kept

if TYPE_CHECKING:
    from facade.fields.columns import ColumnType, Declared


class UUIDField(Field[UUIDValue]):
    """UUIDs, given as such, as text in any of their spellings, or as an integer; ValidationError for others.

    >>> UUIDField().to_python("{12345678-1234-5678-1234-567812345678}")
    UUID('12345678-1234-5678-1234-567812345678')
    """

    empty_strings_allowed = False
    describes = (uuid.UUID,)
    value_kind = "uuid"
    cast_in_choices = True
    default_error_messages: ClassVar[dict[str, str]] = {"invalid": "“%(value)s” is not a valid UUID."}
    description = "Universally unique identifier"

    @overload
    def __init__(
        self: UUIDField[uuid.UUID], *names: Name, null: Literal[False] = ..., **options: Unpack[FieldOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: UUIDField[uuid.UUID | None], *names: Name, null: Literal[True], **options: Unpack[FieldOptions]
    ) -> None: ...

    def __init__(self, *names: Any, **options: Any) -> None:
        options["max_length"] = 32
        super().__init__(*names, **options)

    def get_internal_type(self) -> str:
        return "UUIDField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.UUID()

    def to_python(self, value: object) -> Any:
        if value is None or isinstance(value, uuid.UUID):
            return value
        try:
            if isinstance(value, int):
                return uuid.UUID(int=value)
            if isinstance(value, str):
                return uuid.UUID(hex=value)
        except ValueError:
            pass
        return self._refuse("invalid", value)

    def get_prep_value(self, value: object) -> Any:
        return value if type(value) is uuid.UUID else self.to_python(kept(value))

    def plain_values(self, vendor: str) -> Plain:
        return Plain(uuid.UUID)

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        del options["max_length"]
        return name, path, args, options
