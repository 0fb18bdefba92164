"""The keyword options that fields take, for type checkers, and the Python types of their values."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from typing_extensions import TypeVar

Name = str | None

# The type of an attribute: what a subclass without type parameters gets is the default.
AnyValue = TypeVar("AnyValue", default=Any)
TextValue = TypeVar("TextValue", default=str)
IntegerValue = TypeVar("IntegerValue", default=int)
FloatValue = TypeVar("FloatValue", default=float)
DecimalValue = TypeVar("DecimalValue", default=decimal.Decimal)
BooleanValue = TypeVar("BooleanValue", default=bool)
BytesValue = TypeVar("BytesValue", default=bytes)
DateValue = TypeVar("DateValue", default=dt.date)
DateTimeValue = TypeVar("DateTimeValue", default=dt.datetime)
TimeValue = TypeVar("TimeValue", default=dt.time)
DurationValue = TypeVar("DurationValue", default=dt.timedelta)
UUIDValue = TypeVar("UUIDValue", default=uuid.UUID)


class NOT_PROVIDED:  # noqa: N801 - a constant
    """Stands for the absence of a default."""


class FieldOptions(TypedDict, total=False):
    """Options of every field; `null` stands in the signatures, for it decides the type of the attribute."""

    verbose_name: Name
    name: Name
    primary_key: bool
    max_length: int | None
    unique: bool
    blank: bool
    db_index: bool
    rel: Any
    default: Any
    editable: bool
    serialize: bool
    unique_for_date: str | None
    unique_for_month: str | None
    unique_for_year: str | None
    choices: Any
    help_text: str
    db_column: str | None
    db_tablespace: str | None
    auto_created: bool
    validators: Iterable[Callable[[Any], object]]
    error_messages: Mapping[str, Any] | None
    db_comment: str | None
    db_default: Any


class TextOptions(FieldOptions, total=False):
    db_collation: str | None


class SlugOptions(TextOptions, total=False):
    allow_unicode: bool


class DateOptions(FieldOptions, total=False):
    auto_now: bool
    auto_now_add: bool


class DecimalOptions(FieldOptions, total=False):
    max_digits: int | None
    decimal_places: int | None


class AddressOptions(FieldOptions, total=False):
    protocol: str
    unpack_ipv4: bool


class FilePathOptions(FieldOptions, total=False):
    path: Any
    match: str | None
    recursive: bool
    allow_files: bool
    allow_folders: bool


class FileOptions(FieldOptions, total=False):
    upload_to: Any
    storage: Any


class ImageOptions(FileOptions, total=False):
    width_field: str | None
    height_field: str | None


class JSONOptions(FieldOptions, total=False):
    encoder: Any
    decoder: Any
