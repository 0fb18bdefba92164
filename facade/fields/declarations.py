"""What can be wrong with the declaration of a field."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from facade.checks import CheckMessage, Error, Warning
from facade.foundation.promises import is_promise

LOOKUP_SEP = "__"


class FieldChecks:
    """The part of a field that judges its declaration."""

    name: Any
    choices: Any
    db_index: Any
    db_default: Any
    existing: Any
    primary_key: bool
    null: bool
    max_length: int | None
    validators: Any

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Return what is wrong with the declaration."""
        found = (
            self._check_field_name(),
            self._check_choices(),
            self._check_db_index(),
            self._check_db_default(),
            self._check_null_allowed_for_primary_keys(),
            self._check_validators(),
        )
        return [message for messages in found for message in messages]

    def _error(self, msg: str, id: str, hint: str | None = None) -> Error:
        return Error(msg, hint, self, f"fields.{id}")

    def _warning(self, msg: str, id: str, hint: str | None = None) -> Warning:
        return Warning(msg, hint, self, f"fields.{id}")

    def _check_field_name(self) -> Iterator[CheckMessage]:
        if self.name is None:
            return
        if self.name.endswith("_"):
            yield self._error("Field names must not end with an underscore.", "E001")
        elif LOOKUP_SEP in self.name:
            yield self._error(f'Field names must not contain "{LOOKUP_SEP}".', "E002")
        elif self.name != unicodedata.normalize("NFKC", self.name):
            hint = f"Python reads it as {unicodedata.normalize('NFKC', self.name)!r} in a program: use that name."
            yield self._error(f"The field name {self.name!r} is not in the normal form NFKC.", "E904", hint)
        elif self.name == "pk":
            yield self._error("'pk' is a reserved word that cannot be used as a field name.", "E003")

    def _check_choices(self) -> Iterator[CheckMessage]:
        if not self.choices:
            return
        if not isinstance(self.choices, Iterable) or isinstance(self.choices, (str, set, frozenset)):
            yield self._error(
                "'choices' must be a mapping (e.g. a dictionary) or an ordered iterable "
                "(e.g. a list or tuple, but not a set).",
                "E004",
            )
        elif (values := _values(self.choices)) is None:
            yield self._error(
                "'choices' must be a mapping of actual values to human readable names "
                "or an iterable containing (actual value, human readable name) tuples.",
                "E005",
            )
        elif self.max_length is not None:
            yield from self._check_choice_lengths(values, self.max_length)

    def _check_choice_lengths(self, values: list[Any], limit: int) -> Iterator[CheckMessage]:
        longest = max((len(value) for value in values if isinstance(value, str)), default=0)
        if longest > limit:
            yield self._error(
                f"'max_length' is too small to fit the longest value in 'choices' ({longest} characters).",
                "E009",
            )

    def _check_db_index(self) -> Iterator[CheckMessage]:
        if self.db_index not in (None, True, False):
            yield self._error("'db_index' must be None, True or False.", "E006")

    def _check_db_default(self) -> Iterator[CheckMessage]:
        if self.existing is None and not getattr(self.db_default, "allowed_default", True):
            yield self._error(f"{self.db_default} cannot be used in db_default.", "E012")

    def _check_null_allowed_for_primary_keys(self) -> Iterator[CheckMessage]:
        if self.primary_key and self.null:
            hint = "Set null=False on the field, or remove primary_key=True argument."
            yield self._error("Primary keys must not have null=True.", "E007", hint)

    def _check_validators(self) -> Iterator[CheckMessage]:
        for place, validator in enumerate(self.validators):
            if not callable(validator):
                hint = (
                    f"validators[{place}] ({validator!r}) isn't a function or instance of a validator class."
                )
                yield self._error("All 'validators' must be callable.", "E008", hint)


def _values(choices: Iterable[Any]) -> list[Any] | None:
    """Return the values of all choices, None if they are not pairs of values and texts, or groups of those."""
    values: list[Any] = []
    for pair in choices:
        if isinstance(pair, str) or not _is_pair(pair):
            return None
        value, label = pair
        group = [(value, label)] if _is_single(label) else list(label)
        if not all(_is_pair(one) and _is_single(one[0]) and _is_single(one[1]) for one in group):
            return None
        values.extend(one for one, _ in group)
    return values


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _is_single(value: object) -> bool:
    return isinstance(value, str) or is_promise(value) or not isinstance(value, Iterable)
