"""The public namespace for models, fields, querysets and expressions: `from facade import models`."""

from __future__ import annotations

from facade.choices import Choices, IntegerChoices, TextChoices
from facade.exceptions import ObjectDoesNotExist, ProtectedError, RestrictedError
from facade.expressions import json_lookups, pattern_lookups, related_lookups, temporal_lookups, uuid_lookups  # noqa: F401 - they register themselves
from facade.expressions.aggregates import Aggregate, AnyValue, Avg, Count, Max, Min, StdDev, Sum, Variance
from facade.expressions.base import Expression, ExpressionWrapper, OrderBy, Value
from facade.expressions.bit_aggregates import BitAnd, BitOr, BitXor
from facade.expressions.calls import Func, RawSQL
from facade.expressions.conditional import Case, When
from facade.expressions.functions.json import JSONNull
from facade.expressions.lookups import Lookup, Transform
from facade.expressions.ordered_aggregates import StringAgg
from facade.expressions.q import FilteredRelation, Q
from facade.expressions.references import F, OuterRef
from facade.expressions.subquery import Exists, Subquery
from facade.expressions.windows import RowRange, ValueRange, Window, WindowFrame, WindowFrameExclusion
from facade.fields import (
    NOT_PROVIDED,
    AutoField,
    BigAutoField,
    BigIntegerField,
    BinaryField,
    BooleanField,
    CharField,
    CommaSeparatedIntegerField,
    DateField,
    DateTimeField,
    DecimalField,
    DurationField,
    EmailField,
    Field,
    FileField,
    FilePathField,
    FloatField,
    GeneratedField,
    GenericIPAddressField,
    ImageField,
    IntegerField,
    JSONField,
    PositiveBigIntegerField,
    PositiveIntegerField,
    PositiveSmallIntegerField,
    SlugField,
    SmallAutoField,
    SmallIntegerField,
    TextField,
    TimeField,
    URLField,
    UUIDField,
)
from facade.fields.many_to_many import ManyToManyField
from facade.fields.related import ForeignKey, ForeignObject, OneToOneField
from facade.fields.relations import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel
from facade.meta.constraints import BaseConstraint, CheckConstraint, Deferrable, UniqueConstraint
from facade.meta.indexes import Index
from facade.orm import many_to_many  # noqa: F401 - it makes many-to-many fields work
from facade.orm.fetching import FETCH_ONE, FETCH_PEERS, FETCH_RAISE
from facade.orm.manager import Manager
from facade.orm.model import Model
from facade.orm.on_delete import (
    CASCADE,
    DB_CASCADE,
    DB_SET_DEFAULT,
    DB_SET_NULL,
    DO_NOTHING,
    PROTECT,
    RESTRICT,
    SET,
    SET_DEFAULT,
    SET_NULL,
)
from facade.orm.prefetch import Prefetch, aprefetch_related_objects, prefetch_related_objects
from facade.orm.queryset import QuerySet
from facade.sql import checking, standalone  # noqa: F401 - they register themselves

__all__ = [
    "CASCADE",
    "DB_CASCADE",
    "DB_SET_DEFAULT",
    "DB_SET_NULL",
    "DO_NOTHING",
    "FETCH_ONE",
    "FETCH_PEERS",
    "FETCH_RAISE",
    "NOT_PROVIDED",
    "PROTECT",
    "RESTRICT",
    "SET",
    "SET_DEFAULT",
    "SET_NULL",
    "Aggregate",
    "AnyValue",
    "AutoField",
    "Avg",
    "BaseConstraint",
    "BigAutoField",
    "BigIntegerField",
    "BinaryField",
    "BitAnd",
    "BitOr",
    "BitXor",
    "BooleanField",
    "Case",
    "CharField",
    "CheckConstraint",
    "Choices",
    "CommaSeparatedIntegerField",
    "Count",
    "DateField",
    "DateTimeField",
    "DecimalField",
    "Deferrable",
    "DurationField",
    "EmailField",
    "Exists",
    "Expression",
    "ExpressionWrapper",
    "F",
    "Field",
    "FileField",
    "FilePathField",
    "FilteredRelation",
    "FloatField",
    "ForeignKey",
    "ForeignObject",
    "ForeignObjectRel",
    "Func",
    "GeneratedField",
    "GenericIPAddressField",
    "ImageField",
    "Index",
    "IntegerChoices",
    "IntegerField",
    "JSONField",
    "JSONNull",
    "Lookup",
    "Manager",
    "ManyToManyField",
    "ManyToManyRel",
    "ManyToOneRel",
    "Max",
    "Min",
    "Model",
    "ObjectDoesNotExist",
    "OneToOneField",
    "OneToOneRel",
    "OrderBy",
    "OuterRef",
    "PositiveBigIntegerField",
    "PositiveIntegerField",
    "PositiveSmallIntegerField",
    "Prefetch",
    "ProtectedError",
    "Q",
    "QuerySet",
    "RawSQL",
    "RestrictedError",
    "RowRange",
    "SlugField",
    "SmallAutoField",
    "SmallIntegerField",
    "StdDev",
    "StringAgg",
    "Subquery",
    "Sum",
    "TextChoices",
    "TextField",
    "TimeField",
    "Transform",
    "URLField",
    "UUIDField",
    "UniqueConstraint",
    "Value",
    "ValueRange",
    "Variance",
    "When",
    "Window",
    "WindowFrame",
    "WindowFrameExclusion",
    "aprefetch_related_objects",
    "prefetch_related_objects",
]
