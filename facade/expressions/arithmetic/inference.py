"""Which field describes the values of an arithmetic expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade import fields
from facade.exceptions import FieldError

if TYPE_CHECKING:
    from facade.fields import Field


class OutputFieldIsNoneError(FieldError):
    """An expression whose type cannot be told."""


def combined_field(connector: str, left: Field[Any] | None, right: Field[Any] | None) -> Field[Any] | None:
    """Return the field of `left connector right`, None where the pair has no rule."""
    if left is None or right is None:
        return left or right
    numbers = (fields.IntegerField, fields.FloatField, fields.DecimalField)
    if isinstance(left, numbers) and isinstance(right, numbers):
        return _number_field(connector, left, right)
    return _temporal_field(connector, left, right)


_GROWING = ("+", "*", "/", "%%", "^")  # what keeps positive numbers positive


def _number_field(connector: str, left: object, right: object) -> Field[Any] | None:
    kinds = {
        kind
        for kind in (fields.DecimalField, fields.FloatField)
        if isinstance(left, kind) or isinstance(right, kind)
    }
    if len(kinds) == 2:
        return None
    if kinds:
        return kinds.pop()()
    positive = isinstance(left, fields.PositiveIntegerField) and isinstance(
        right, fields.PositiveIntegerField
    )
    return fields.PositiveIntegerField() if positive and connector in _GROWING else fields.IntegerField()


_TEMPORAL: list[tuple[str, type, type, type]] = [
    ("+-", fields.DateTimeField, fields.DurationField, fields.DateTimeField),
    ("+-", fields.DateField, fields.DurationField, fields.DateTimeField),
    ("+-", fields.TimeField, fields.DurationField, fields.TimeField),
    ("+-", fields.DurationField, fields.DurationField, fields.DurationField),
    ("+", fields.DurationField, fields.DateTimeField, fields.DateTimeField),
    ("+", fields.DurationField, fields.DateField, fields.DateTimeField),
    ("+", fields.DurationField, fields.TimeField, fields.TimeField),
    ("-", fields.DateTimeField, fields.DateTimeField, fields.DurationField),
    ("-", fields.DateField, fields.DateField, fields.DurationField),
    ("-", fields.TimeField, fields.TimeField, fields.DurationField),
    ("*/", fields.DurationField, fields.IntegerField, fields.DurationField),
    ("*/", fields.DurationField, fields.FloatField, fields.DurationField),
    ("*/", fields.DurationField, fields.DecimalField, fields.DurationField),
    ("*", fields.IntegerField, fields.DurationField, fields.DurationField),
    ("*", fields.FloatField, fields.DurationField, fields.DurationField),
    ("*", fields.DecimalField, fields.DurationField, fields.DurationField),
]


def _temporal_field(connector: str, left: Field[Any], right: Field[Any]) -> Field[Any] | None:
    for connectors, first, second, result in _TEMPORAL:
        if connector in connectors and isinstance(left, first) and isinstance(right, second):
            return result()  # type: ignore[no-any-return]
    return None
