"""What the values of a field are in a schema: their Python type, and what is true of them."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from facade import fields, validators
from facade.choices import CallableChoiceIterator
from facade.expressions.names import referenced_names
from facade.fields.relations.reverse import final_target
from facade.types.base import is_own

if TYPE_CHECKING:
    from facade.fields import Field

__all__ = ["Check", "Values", "default_of", "needs_no_value", "values_of"]

Check = Callable[[Any], object]

_TYPES: tuple[tuple[type[Any], type[Any]], ...] = (
    (fields.BooleanField, bool),
    (fields.DecimalField, decimal.Decimal),
    (fields.FloatField, float),
    (fields.DateTimeField, dt.datetime),
    (fields.DateField, dt.date),
    (fields.TimeField, dt.time),
    (fields.DurationField, dt.timedelta),
    (fields.UUIDField, uuid.UUID),
    (fields.BinaryField, bytes),
    (fields.FileField, str),
    (fields.IntegerField, int),
    (fields.CharField, str),
    (fields.TextField, str),
    (fields.FilePathField, str),
    (fields.GenericIPAddressField, str),
)
_PLAIN = frozenset({kind for _, kind in _TYPES})
_LITERAL = (str, int, bool)
_EXACT = 2**53
# What a limit of a validator is called in schemas, and how the tighter one of two is found.
_LIMITS: tuple[tuple[type[validators.BaseValidator], str, Callable[..., Any]], ...] = (
    (validators.MaxLengthValidator, "max_length", min),
    (validators.MinLengthValidator, "min_length", max),
    (validators.MaxValueValidator, "le", min),
    (validators.MinValueValidator, "ge", max),
)
_FORMATS: tuple[tuple[type[Any], str], ...] = (
    (fields.EmailField, "email"),
    (fields.URLField, "uri"),
    (fields.FileField, "path"),
)


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a field, as far as its declaration tells."""

    kind: Any
    """Their Python type without None; Any where nobody knows it."""
    is_null: bool
    literals: tuple[Any, ...] = ()
    """All values that there may be, where the field has choices."""
    limits: dict[str, Any] = field(default_factory=dict)
    """By the names that pydantic and msgspec have for them: `max_length`, `ge`, `max_digits` …"""
    pattern: str | None = None
    """The regular expression that a text has to match somewhere."""
    format: str | None = None
    """What JSON schema calls such texts."""
    checks: tuple[Check, ...] = ()
    """The validators that say more than the limits do."""

    @property
    def type(self) -> Any:
        """The type without None and limits; of choices the Literal of them."""
        return Literal[self.literals] if self.literals else self.kind


def values_of(given: Field[Any]) -> Values:
    """Return what the values of a field are; of a relation those of its key, of a computed field those of its output."""
    own = final_target(given)
    is_null = given.null or _may_be_null(own)
    if own.generated:
        own = own.output_field
    kind = _type_of(own)
    found = _choices(given if given.choices is not None else own, kind)
    if found is not None:
        return Values(kind, is_null, literals=found)
    limits, pattern, checks = _limits(own, kind)
    if kind is str and "" in own.empty_values and given.editable and not (given.blank or given.is_relation):
        limits.setdefault("min_length", 1)
    if own.choices is not None:
        checks.append(_is_choice(own))
    form = next((name for known, name in _FORMATS if isinstance(own, known)), None)
    return Values(kind, is_null, (), limits, pattern, form, tuple(checks))


def needs_no_value(given: Field[Any]) -> bool:
    """Return whether a row may be made without a value for the field."""
    is_made = given.has_default() or given.has_db_default() or given.generated or not given.editable
    may_lack = given.null or (given.blank and given.empty_strings_allowed)
    return is_made or may_lack or isinstance(given, fields.AutoFieldMixin)


def default_of(given: Field[Any]) -> tuple[bool, Any]:
    """Return whether the value of a field that is not given is always the same one, and that value."""
    if given.has_default():
        return not callable(given.default) and not given.is_relation, given.default
    if given.has_db_default():
        return False, None
    return True, None if given.null or not given.empty_strings_allowed else given.get_default()


def _may_be_null(own: Field[Any]) -> bool:
    """Return whether a computed column may be NULL: as one of those that it is computed of may."""
    if not own.generated:
        return False
    opts = own.model._meta
    names = {*referenced_names(own.expression)}  # type: ignore[attr-defined]
    return bool(own.output_field.null) or any(opts.get_field(name).null for name in names)  # type: ignore[attr-defined]


# -- types ----------------------------------------------------------------------------------------------------------


def _type_of(own: Field[Any]) -> Any:
    if isinstance(own, fields.JSONField) or _converts(own):
        return Any
    for known, kind in _TYPES:
        if isinstance(own, known):
            return kind
    return _type_of_column(own.column_type)


def _converts(own: Field[Any]) -> bool:
    """Return whether a class of the user's makes values of its own, of which only that class knows."""
    kind = type(own)
    if kind.__module__.startswith("facade.fields."):
        return False
    return hasattr(own, "from_db_value") or not kind.to_python.__module__.startswith("facade.fields.")


def _type_of_column(type_: sa.types.TypeEngine[Any]) -> Any:
    """Return the Python type of a SQLAlchemy type's values; a type of somebody else's may make anything of them."""
    if not is_own(type_):
        return Any
    if isinstance(type_, sa.ARRAY):
        item = _type_of_column(type_.item_type)
        return list[item] if type_.dimensions in (None, 1) else Any  # type: ignore[valid-type]
    if isinstance(type_, sa.Enum):
        return type_.enum_class or (Literal[tuple(type_.enums)] if type_.enums else str)
    try:
        kind = type_.python_type
    except NotImplementedError:
        return Any
    return kind if kind in _PLAIN and not isinstance(type_, (sa.PickleType, sa.JSON)) else Any


# -- limits ---------------------------------------------------------------------------------------------------------


def _choices(given: Field[Any], kind: type[Any]) -> tuple[Any, ...] | None:
    """Return all values that there may be; None where no type can list them."""
    if given.choices is None or isinstance(given.choices, CallableChoiceIterator) or kind not in _LITERAL:
        return None
    values = [value for value, _ in given.flatchoices if value is not None]
    if not values or any(not isinstance(value, kind) for value in values):
        return None
    plain = [kind(value) for value in values]  # of the members of an enumeration the values
    return tuple(dict.fromkeys(["", *plain] if given.blank and kind is str else plain))


def _is_choice(own: Field[Any]) -> Check:
    return lambda value: own.validate(value, None)


def _limits(own: Field[Any], kind: object) -> tuple[dict[str, Any], str | None, list[Check]]:
    """Return the limits of a field's values, a pattern, and the validators that say more.

    Those that a field adds itself are looked up anew: `validators` asks which database there is, and keeps the answer.
    """
    limits = dict(_of_field(own, kind))
    pattern: str | None = None
    checks: list[Check] = []
    for validator in (*own.default_validators, *own._validators):
        name, limit, tighter = _limit(validator, kind)
        if name is not None:
            limits[name] = limit if name not in limits else tighter(limits[name], limit)
            continue
        if pattern is None and kind is str:
            pattern = _pattern(validator)
        checks.append(_unless_empty(own, validator))
    return limits, pattern, checks


def _of_field(own: Field[Any], kind: object) -> Iterator[tuple[str, Any]]:
    """Yield the limits that the field's own options and its column set."""
    if isinstance(own, (fields.CharField, fields.BinaryField)) and own.max_length is not None:
        yield "max_length", own.max_length
    if isinstance(own, fields.DecimalField):
        if own.max_digits is not None:
            yield "max_digits", own.max_digits
        if own.decimal_places is not None:
            yield "decimal_places", own.decimal_places
    if kind is int and (bounds := own.range_on(None)) is not None:
        # Numbers that no double holds exactly are none for JSON schema; full_clean() knows what the column takes.
        yield from (
            (name, bound) for name, bound in zip(("ge", "le"), bounds, strict=True) if abs(bound) < _EXACT
        )


def _limit(validator: object, kind: object) -> tuple[str | None, Any, Callable[..., Any]]:
    for known, name, tighter in _LIMITS:
        if type(validator) is known:
            limit = validator.limit_value
            fits = isinstance(limit, int) if name.endswith("length") else _compares(limit, kind)
            if fits:
                return name, limit, tighter
    return None, None, max


def _compares(limit: object, kind: object) -> bool:
    numbers = (
        (int, decimal.Decimal) if kind is decimal.Decimal else (int, float) if kind is float else (kind,)
    )
    return not isinstance(limit, bool) and type(limit) in numbers


def _pattern(validator: object) -> str | None:
    """Return the expression of a validator as JSON schema writes it, without flags that it could not say."""
    if not isinstance(validator, validators.RegexValidator) or validator.inverse_match:
        return None
    if type(validator) is not validators.RegexValidator or validator.regex.flags & ~0x20:  # but for Unicode
        return None
    written = str(validator.regex.pattern).replace(r"\A", "^").replace(r"\Z", "$")
    return None if "(?P" in written or "(?#" in written else written


def _unless_empty(own: Field[Any], validator: Check) -> Check:
    """Return a validator as fields run it: not on empty values."""
    empty: Sequence[Any] = tuple(own.empty_values)

    def check(value: object) -> None:
        if not any(value is item or value == item for item in empty):
            validator(value)

    return check
