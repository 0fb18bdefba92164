"""The public namespace for models, fields, querysets and expressions: `from facade import models`."""

from __future__ import annotations

from facade.choices import Choices, IntegerChoices, TextChoices
from facade.exceptions import ObjectDoesNotExist, ProtectedError, RestrictedError
from facade.expressions.aggregates.bits import BitAnd, BitOr, BitXor
from facade.expressions.aggregates.ordered import StringAgg
from facade.expressions.aggregates.plain import (
    Aggregate,
    AnyValue,
    Avg,
    Count,
    Max,
    Min,
    StdDev,
    Sum,
    Variance,
)
from facade.expressions.base import Expression, ExpressionWrapper, OrderBy, Value
from facade.expressions.calls import Func, RawSQL
from facade.expressions.comparisons import Lookup, Transform
from facade.expressions.conditional import Case, When
from facade.expressions.core import clauses  # noqa: F401 - it fills a seam
from facade.expressions.core.comparators import Comparator
from facade.expressions.functions.json import JSONNull
from facade.expressions.lookups import json_documents, moments, objects, patterns, tuples, uuids  # noqa: F401 - they register themselves
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
    CompositePrimaryKey,
    DateField,
    DateTimeField,
    DecimalField,
    DeferredAttribute,
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
    TypedField,
    URLField,
    UUIDField,
)
from facade.fields.relations.foreign_keys import ForeignKey, ForeignObject, OneToOneField
from facade.fields.relations.reverse import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel
from facade.meta.constraints import BaseConstraint, CheckConstraint, Deferrable, UniqueConstraint
from facade.meta.indexes import Index
from facade.orm.instances.fetching import FETCH_ONE, FETCH_PEERS, FETCH_RAISE
from facade.orm.instances.model import Model
from facade.orm.instances.on_delete import (
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
from facade.orm.querysets.manager import Manager
from facade.orm.querysets.prefetch import Prefetch, aprefetch_related_objects, prefetch_related_objects
from facade.orm.querysets.queryset import QuerySet
from facade.orm.relations import many_to_many_managers  # noqa: F401 - it makes many-to-many fields work
from facade.orm.relations.related_managers import RelatedManager
from facade.orm.relations.typed_fields import ManyToManyField
from facade.sql.plan import clause, condition_check  # noqa: F401 - they register themselves
from facade.sql.writes import standalone  # noqa: F401 - it registers itself

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
    "Comparator",
    "CompositePrimaryKey",
    "Count",
    "DateField",
    "DateTimeField",
    "DecimalField",
    "Deferrable",
    "DeferredAttribute",
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
    "RelatedManager",
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
    "TypedField",
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


def __dir__() -> list[str]:
    """What prompts complete: the public names."""
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
