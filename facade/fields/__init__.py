"""The fields of models."""

from __future__ import annotations

from facade.fields.auto import AutoField, AutoFieldMixin, BigAutoField, SmallAutoField
from facade.fields.base import (
    BLANK_CHOICE_DASH,
    BLANK_CHOICE_LABEL,
    NOT_PROVIDED,
    DeferredAttribute,
    Field,
    Operand,
)
from facade.fields.binary import BinaryField
from facade.fields.boolean import BooleanField
from facade.fields.files import FieldFile, FileField, ImageField, ImageFieldFile
from facade.fields.generated import GeneratedField
from facade.fields.json import JSONField
from facade.fields.network import GenericIPAddressField
from facade.fields.numbers import (
    BigIntegerField,
    DecimalField,
    FloatField,
    IntegerField,
    PositiveBigIntegerField,
    PositiveIntegerField,
    PositiveSmallIntegerField,
    SmallIntegerField,
)
from facade.fields.temporal import DateField, DateTimeField, DurationField, TimeField
from facade.fields.text import (
    CharField,
    CommaSeparatedIntegerField,
    EmailField,
    FilePathField,
    SlugField,
    TextField,
    URLField,
)
from facade.fields.uuid import UUIDField

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
    "URLField",
    "UUIDField",
]
