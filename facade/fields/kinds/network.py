"""IP addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack, overload

from facade import types
from facade.exceptions import ValidationError
from facade.fields.base import Field
from facade.fields.keywords import AddressOptions, Name, TextValue
from facade.fields.kinds.text import storable_text, text_of
from facade.foundation.promises import kept
from facade.parsing.addresses import MAX_IPV6_LENGTH, clean_ipv6_address
from facade.validators import ip_address_validators

if TYPE_CHECKING:
    from facade.checks import CheckMessage
    from facade.db.database import Database
    from facade.fields.columns import ColumnType, Declared


class GenericIPAddressField(Field[TextValue]):
    """IP addresses as text, IPv6 ones in their shortest form; an empty one is stored as NULL."""

    empty_strings_allowed = False
    value_kind = "address"
    cast_in_choices = True
    default_error_messages: ClassVar[dict[str, str]] = {"invalid": "Enter a valid %(protocol)s address."}
    description = "IP address"

    @overload
    def __init__(
        self: GenericIPAddressField[str],
        *names: Name,
        null: Literal[False] = ...,
        **options: Unpack[AddressOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: GenericIPAddressField[str | None],
        *names: Name,
        null: Literal[True],
        **options: Unpack[AddressOptions],
    ) -> None: ...

    def __init__(
        self, *names: Any, protocol: str = "both", unpack_ipv4: bool = False, **options: Any
    ) -> None:
        self.protocol, self.unpack_ipv4 = protocol, unpack_ipv4
        self.default_validators = ip_address_validators(protocol, unpack_ipv4)
        options["max_length"] = MAX_IPV6_LENGTH
        super().__init__(*names, **options)

    def get_internal_type(self) -> str:
        return "GenericIPAddressField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        made = types.IPAddress()
        if field.name:  # a constant's has none
            made.label = f"Field '{field.name}'"
        return made

    def to_python(self, value: object) -> Any:
        if value is None:
            return None
        value = str(value).strip()
        if ":" in value:
            return clean_ipv6_address(value, self.unpack_ipv4, self.error_messages["invalid"])
        return value

    def get_prep_value(self, value: object) -> Any:
        value = kept(value)
        if value is None:
            return None
        if value and isinstance(value, (int, float, bytes)):  # 0 is text, as in Django
            raise TypeError(f"Field '{self.name}' expected an IP address but got {value!r}.")
        value = text_of(self, value)
        if ":" in value:
            try:
                return clean_ipv6_address(value, self.unpack_ipv4)
            except ValidationError:
                pass  # a part of an address, to look for
        return storable_text(self, value)

    def get_db_prep_value(self, value: object, connection: Database, prepared: bool = False) -> Any:
        return super().get_db_prep_value(value, connection, prepared) or None

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.unpack_ipv4 is not False:
            options["unpack_ipv4"] = self.unpack_ipv4
        if self.protocol != "both":
            options["protocol"] = self.protocol
        del options["max_length"]
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        if self.blank and not self.null:
            msg = (
                "GenericIPAddressFields cannot have blank=True if null=False, "
                "as blank values are stored as nulls."
            )
            found.append(self._error(msg, "E150"))
        return found
