"""Truth values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack, overload

from facade import types
from facade.fields.base import Field
from facade.fields.descriptions import Plain
from facade.fields.keywords import BooleanValue, FieldOptions, Name
from facade.fields.kinds.numbers import IntegerField
from facade.foundation.promises import kept

if TYPE_CHECKING:
    from facade.fields.columns import ColumnType, Declared

_TRUE, _FALSE = ("t", "True", "1"), ("f", "False", "0")


class BooleanField(Field[BooleanValue]):
    """True or False; with `null=True`, None as well. Texts such as ``"true"``, ``"f"``, ``"1"`` are read; ValidationError for others.

    >>> BooleanField().to_python("f")
    False
    """

    empty_strings_allowed = False
    describes = (bool,)
    value_kind = "truth"
    default_error_messages: ClassVar[dict[str, str]] = {
        "invalid": "“%(value)s” value must be either True or False.",
        "invalid_nullable": "“%(value)s” value must be either True, False, or None.",
    }
    description = "Boolean (Either True or False)"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: BooleanField[bool],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: BooleanField[bool | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "BooleanField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.Boolean()

    def to_python(self, value: object) -> Any:
        if value is True or value is False:
            return value
        if self.null and value in self.empty_values:
            return None
        if value in (True, False):  # numbers
            return bool(value)
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        return self._refuse("invalid_nullable" if self.null else "invalid", value)

    def get_prep_value(self, value: object) -> Any:
        if value is None or value is True or value is False:
            return value
        return self.to_python(kept(value))

    def plain_values(self, vendor: str) -> Plain:
        return Plain(bool)

    def of_total(self) -> Any:
        return IntegerField()
