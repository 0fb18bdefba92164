"""Which field a column of somebody else's table makes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, get_args

import sqlalchemy as sa

from facade import fields
from facade.fields.descriptions import Kind
from facade.fields.kinds.typed import TypedField
from facade.foundation.imports import is_imported, later

if TYPE_CHECKING:
    from sqlalchemy.dialects import mysql, postgresql
else:
    mysql = later("sqlalchemy.dialects.mysql")
    postgresql = later("sqlalchemy.dialects.postgresql")

__all__ = ["field_for", "field_name", "kinds_of"]

Make = Callable[[Any], tuple[type[fields.Field[Any]], dict[str, Any]]]

_COUNTING = {
    fields.SmallIntegerField: fields.SmallAutoField,
    fields.IntegerField: fields.AutoField,
    fields.BigIntegerField: fields.BigAutoField,
}


def field_for(column: sa.Column[Any], counts: bool, **options: object) -> fields.Field[Any]:
    """Return the field of a column; the column's own type binds and reads its values in any case.

    `counts`: the database makes the column's numbers.
    """
    kind, arguments = _kind_of(column.type)
    if counts:
        kind = _COUNTING.get(kind, kind)
    arguments |= options
    if kind is TypedField:
        return TypedField(column.type, **arguments)
    made: fields.Field[Any] = kind(**arguments)
    return made


def kinds_of(column: sa.Column[Any]) -> tuple[Any, ...]:
    """Return the kinds of values that a column's type binds: of one that is not SQLAlchemy's any."""
    type_ = column.type
    if not type(type_).__module__.startswith("sqlalchemy."):
        return get_args(Kind)
    is_text = isinstance(type_, sa.String) and getattr(type_, "enum_class", None) is None
    return ("text", "address") if is_text else (field_for(column, False).value_kind,)


def _kind_of(type_: sa.types.TypeEngine[Any]) -> tuple[Any, dict[str, Any]]:
    if not type(type_).__module__.startswith("sqlalchemy."):  # what it binds is its own affair
        return TypedField, {}
    for known, make in (*_kinds_of_dialects(), *_KINDS):
        if isinstance(type_, known):
            return make(type_)
    return TypedField, {}


def _plainly(kind: type[fields.Field[Any]]) -> Make:
    return lambda type_: (kind, {})


def _text(type_: sa.String) -> tuple[type[fields.Field[Any]], dict[str, Any]]:
    if isinstance(type_, sa.Text) or type_.length is None:
        return fields.TextField, {}
    return fields.CharField, {"max_length": type_.length}


def _number(type_: sa.Numeric[Any]) -> tuple[type[fields.Field[Any]], dict[str, Any]]:
    if not type_.asdecimal:
        return fields.FloatField, {}
    return fields.DecimalField, {"max_digits": type_.precision, "decimal_places": type_.scale}


def _float(type_: sa.Float[Any]) -> tuple[type[fields.Field[Any]], dict[str, Any]]:
    return (TypedField if type_.asdecimal else fields.FloatField), {}


def _uuid(type_: sa.Uuid[Any]) -> tuple[type[fields.Field[Any]], dict[str, Any]]:
    return (fields.UUIDField if type_.as_uuid else TypedField), {}


# The first that fits; a type that is not here is bound and read as it is.
_KINDS: tuple[tuple[Any, Make], ...] = (
    (sa.Enum, _plainly(TypedField)),
    (sa.String, _text),
    (sa.Boolean, _plainly(fields.BooleanField)),
    (sa.SmallInteger, _plainly(fields.SmallIntegerField)),
    (sa.BigInteger, _plainly(fields.BigIntegerField)),
    (sa.Integer, _plainly(fields.IntegerField)),
    (sa.Float, _float),
    (sa.Numeric, _number),
    (sa.DateTime, _plainly(fields.DateTimeField)),
    (sa.Date, _plainly(fields.DateField)),
    (sa.Time, _plainly(fields.TimeField)),
    (sa.Interval, _plainly(fields.DurationField)),
    (sa.LargeBinary, _plainly(fields.BinaryField)),
    (sa.Uuid, _uuid),
    (sa.JSON, _plainly(fields.JSONField)),
)


def _kinds_of_dialects() -> Iterator[tuple[Any, Make]]:
    """Yield what comes before the types that dialects derive theirs from; of one that nobody imported there are none."""
    if is_imported(postgresql):
        yield postgresql.CITEXT, _plainly(TypedField)
        yield postgresql.INTERVAL, _plainly(fields.DurationField)
    if is_imported(mysql):
        yield (mysql.SET, mysql.YEAR, mysql.BIT), _plainly(TypedField)


def field_name(key: str, reserved: Callable[[str], bool]) -> str:
    """Return the name of the field that stands for an attribute or a column.

    >>> field_name("first name", str.isdigit), field_name("a__b_", str.isdigit), field_name("class", str.isdigit)
    ('first_name', 'a_b', 'class_field')
    """
    name = re.sub(r"_{2,}", "_", re.sub(r"\W", "_", key))
    name = name.rstrip("_") or "column"
    if name[0].isdigit():
        name = f"number_{name}"
    if keyword.iskeyword(name) or name == "pk" or reserved(name):
        name = f"{name}_field"
    return name
