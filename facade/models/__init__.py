"""The public namespace for models, fields, querysets and expressions: `from facade import models`."""

from __future__ import annotations

from facade.choices import Choices, IntegerChoices, TextChoices
from facade.exceptions import ObjectDoesNotExist, ProtectedError, RestrictedError
from facade.expressions.aggregates import Aggregate, AnyValue, Avg, Count, Max, Min, StdDev, Sum, Variance
from facade.expressions.base import Expression, ExpressionWrapper, F, Func, OrderBy, OuterRef, RawSQL, Value
from facade.expressions.conditional import Case, When
from facade.expressions.lookups import Lookup, Transform
from facade.expressions.q import Q
from facade.expressions.subquery import Exists, Subquery
from facade.fields import *  # noqa: F403
from facade.fields import NOT_PROVIDED, Field
from facade.fields.related import ForeignKey, ForeignObject, OneToOneField
from facade.meta.constraints import BaseConstraint, CheckConstraint, Deferrable, UniqueConstraint
from facade.meta.indexes import Index
from facade.fields.relations import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel
from facade.orm.deletion import (
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
from facade.orm.fetching import FETCH_ONE, FETCH_PEERS, FETCH_RAISE
from facade.orm.manager import Manager
from facade.orm.model import Model
from facade.orm.prefetch import Prefetch, aprefetch_related_objects, prefetch_related_objects
from facade.orm.queryset import QuerySet
