"""The Python types of fields, and the lookups that each has, as a stub writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from facade import fields
from facade.cli.stubs.names import is_importable
from facade.expressions.base import Value
from facade.expressions.comparisons import Transform

if TYPE_CHECKING:
    from facade.cli.stubs.names import Names
    from facade.fields import Field

# Class of a field -> what an attribute is, and what may be given for it.
_TYPES: tuple[tuple[type[Any], str, str], ...] = (
    (fields.BooleanField, "bool", "bool"),
    (fields.DecimalField, "_decimal.Decimal", "_decimal.Decimal | float | str"),
    (fields.FloatField, "float", "float"),
    (fields.DateTimeField, "_dt.datetime", "_dt.date | str"),
    (fields.DateField, "_dt.date", "_dt.date | str"),
    (fields.TimeField, "_dt.time", "_dt.time | str"),
    (fields.DurationField, "_dt.timedelta", "_dt.timedelta"),
    (fields.UUIDField, "_uuid.UUID", "_uuid.UUID | str"),
    (fields.BinaryField, "bytes", "bytes"),
    (fields.FileField, "_fields.FieldFile", "_Any"),
    (fields.JSONField, "_Any", "_Any"),
    (fields.IntegerField, "int", "int"),
    (fields.AutoFieldMixin, "int", "int"),
    (fields.CharField, "str", "str"),
    (fields.TextField, "str", "str"),
    (fields.FilePathField, "str", "str"),
    (fields.GenericIPAddressField, "str", "str"),
)
_OWN = "facade.fields."
_ORDERED = ("exact", "gt", "gte", "lt", "lte")
_OF_TEXTS = (
    "iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex", "iregex",
)  # fmt: skip
_PLAIN = (*_ORDERED, "in", "range", "isnull", *_OF_TEXTS)


def stored(field: Field[Any]) -> Field[Any]:
    """Return the field that says what the values of a relation, or of a computed field, are."""
    while field.is_relation or field.generated:
        field = field.target_field if field.is_relation else field.output_field  # type: ignore[attr-defined]
    return field


def types_of(field: Field[Any], names: Names) -> tuple[str, str]:
    """Return the type of a field's values, and what may be given for them; both without None."""
    field = stored(field)
    for kind, value, given in _TYPES:
        if isinstance(field, kind):
            return value, given
    try:
        kind = field.column_type.python_type
    except (NotImplementedError, AttributeError):
        return "_Any", "_Any"
    if not is_importable(kind) or kind in (dict, list, object):
        return "_Any", "_Any"
    return names.of(kind), names.of(kind)


def is_of_ones_own(field: Field[Any]) -> bool:
    """Return whether a field's class is not facade's, so that its declaration tells the type of its attribute."""
    return not type(field).__module__.startswith(_OWN) and is_importable(type(field))


def or_none(field: Field[Any], type_: str) -> str:
    """Return the type with None where the column may have NULL."""
    return f"{type_} | None" if field.null and type_ != "_Any" else type_


def lookups(field: Field[Any], given: str, plain: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what may follow a field's name in a keyword of `filter()`, and the types of the values; `plain` without transforms."""
    yield "", f"{or_none(field, given)} | _Expression"
    for name, kind in field.get_lookups().items():
        if not issubclass(kind, Transform):
            yield f"__{name}", _value_of(name, or_none(field, given) if name == "exact" else given)
        elif not plain:
            yield from _transformed(field, name, kind)


def _value_of(lookup: str, given: str) -> str:
    if lookup in _ORDERED:
        return f"{given} | _Expression"
    if lookup in _OF_TEXTS:
        return "str | _Expression" if given == "str" else "_Any"
    if lookup == "in":
        return f"_Iterable[{given} | _Expression | None] | _Expression"
    if lookup == "range":
        return f"_Sequence[{given} | _Expression]"
    return "bool" if lookup == "isnull" else "_Any"


def _transformed(field: Field[Any], name: str, kind: type[Any]) -> Iterator[tuple[str, str]]:
    """Yield what begins with a transform: `__year`, `__year__gte`."""
    output = kind(Value(None, output_field=field))._output_field_or_none
    given = next((given for known, _, given in _TYPES if isinstance(output, known)), None)
    if given is None:
        yield from ((f"__{name}{rest}", "_Any") for rest in ("", *(f"__{lookup}" for lookup in _PLAIN)))
        return
    yield from ((f"__{name}{rest}", type_) for rest, type_ in lookups(output, given, plain=True))
