"""How a field makes a clean value of what users give, or refuses it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from facade.choices import flatten_choices
from facade.exceptions import ValidationError
from facade.fields.keywords import NOT_PROVIDED
from facade.validators import EMPTY_VALUES

if TYPE_CHECKING:
    from facade.fields.contracts import Instance


class Cleaning:
    """The part of a field that converts and validates the values of users."""

    empty_values: Collection[Any] = list(EMPTY_VALUES)
    default_validators: Sequence[Callable[[Any], object]] = ()
    default_error_messages: ClassVar[dict[str, str]] = {
        "invalid_choice": "Value %(value)r is not a valid choice.",
        "null": "This field cannot be null.",
        "blank": "This field cannot be blank.",
        "unique": "%(model_name)s with this %(field_label)s already exists.",
        "unique_for_date": "%(field_label)s must be unique for %(date_field_label)s %(lookup_type)s.",
    }

    editable: bool
    choices: Any
    null: bool
    blank: bool
    _validators: list[Callable[[Any], object]]
    _error_messages: Mapping[str, Any] | None

    def to_python(self, value: object) -> Any:
        """Return `value` as the attribute holds it. Raises ValidationError."""
        return value

    @cached_property
    def error_messages(self) -> dict[str, Any]:
        """The texts of errors by their codes."""
        known = [vars(kind).get("default_error_messages", {}) for kind in reversed(type(self).__mro__)]
        return {code: text for texts in (*known, self._error_messages or {}) for code, text in texts.items()}

    @cached_property
    def validators(self) -> list[Callable[[Any], object]]:
        """What checks the values: those of the class and those given."""
        return [*self.default_validators, *self._validators]

    def run_validators(self, value: object) -> None:
        """Raise one ValidationError with all that the validators find wrong."""
        if value in self.empty_values:
            return
        errors = []
        for validator in self.validators:
            try:
                validator(value)
            except ValidationError as error:
                if getattr(error, "code", None) in self.error_messages:
                    error.message = self.error_messages[error.code]  # type: ignore[index]
                errors.extend(error.error_list)
        if errors:
            raise ValidationError(errors)

    def validate(self, value: object, model_instance: Instance | None) -> None:
        """Raise ValidationError for a value that is no choice, or missing. Fields nobody edits are not asked."""
        if not self.editable:
            return
        if self.choices is not None and value not in self.empty_values:
            if not any(value == choice for choice, _ in flatten_choices(self.choices)):
                self._refuse("invalid_choice", value)
        elif value is None and not self.null:
            self._refuse("null")
        elif not self.blank and value in self.empty_values:
            self._refuse("blank")

    def _refuse(self, code: str, value: object = NOT_PROVIDED) -> NoReturn:
        params = None if value is NOT_PROVIDED else {"value": value}
        raise ValidationError(self.error_messages[code], code=code, params=params)

    def clean(self, value: object, model_instance: Instance | None) -> Any:
        """Return `value` as the attribute holds it, converted and validated. Raises ValidationError."""
        value = self.to_python(value)
        self.validate(value, model_instance)
        self.run_validators(value)
        return value
