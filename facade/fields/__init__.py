"""The fields of models."""

from __future__ import annotations

from facade.fields.base import (
    BLANK_CHOICE_DASH,
    BLANK_CHOICE_LABEL,
    NOT_PROVIDED,
    DeferredAttribute,
    Field,
    Operand,
)
from facade.fields.kinds.auto import AutoField, AutoFieldMixin, BigAutoField, SmallAutoField
from facade.fields.kinds.binary import BinaryField
from facade.fields.kinds.boolean import BooleanField
from facade.fields.kinds.composite import CompositePrimaryKey
from facade.fields.kinds.files import FieldFile, FileField, ImageField, ImageFieldFile
from facade.fields.kinds.generated import GeneratedField
from facade.fields.kinds.json import JSONField
from facade.fields.kinds.network import GenericIPAddressField
from facade.fields.kinds.numbers import (
    BigIntegerField,
    DecimalField,
    FloatField,
    IntegerField,
    PositiveBigIntegerField,
    PositiveIntegerField,
    PositiveSmallIntegerField,
    SmallIntegerField,
)
from facade.fields.kinds.temporal import DateField, DateTimeField, DurationField, TimeField
from facade.fields.kinds.text import (
    CharField,
    CommaSeparatedIntegerField,
    EmailField,
    FilePathField,
    SlugField,
    TextField,
    URLField,
)
from facade.fields.kinds.typed import TypedField
from facade.fields.kinds.uuid import UUIDField

__all__ = [
    "BLANK_CHOICE_DASH",
    "BLANK_CHOICE_LABEL",
    "NOT_PROVIDED",
    "AutoField",
    "AutoFieldMixin",
    "BigAutoField",
    "BigIntegerField",
    "BinaryField",
    "BooleanField",
    "CharField",
    "CommaSeparatedIntegerField",
    "CompositePrimaryKey",
    "DateField",
    "DateTimeField",
    "DecimalField",
    "DeferredAttribute",
    "DurationField",
    "EmailField",
    "Field",
    "FieldFile",
    "FileField",
    "FilePathField",
    "FloatField",
    "GeneratedField",
    "GenericIPAddressField",
    "ImageField",
    "ImageFieldFile",
    "IntegerField",
    "JSONField",
    "Operand",
    "PositiveBigIntegerField",
    "PositiveIntegerField",
    "PositiveSmallIntegerField",
    "SlugField",
    "SmallAutoField",
    "SmallIntegerField",
    "TextField",
    "TimeField",
    "TypedField",
    "URLField",
    "UUIDField",
]
