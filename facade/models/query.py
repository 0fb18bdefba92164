"""Querysets and what belongs to them."""

from facade.orm.instances.fetching import FETCH_ONE, FETCH_PEERS, FETCH_RAISE
from facade.orm.querysets.prefetch import Prefetch, aprefetch_related_objects, prefetch_related_objects
from facade.orm.querysets.queryset import EmptyQuerySet, QuerySet
from facade.orm.querysets.raw import RawQuerySet
from facade.orm.querysets.reading import REPR_OUTPUT_SIZE
from facade.sql.plan.plan import MAX_GET_RESULTS

__all__ = [
    "FETCH_ONE",
    "FETCH_PEERS",
    "FETCH_RAISE",
    "MAX_GET_RESULTS",
    "REPR_OUTPUT_SIZE",
    "EmptyQuerySet",
    "Prefetch",
    "QuerySet",
    "RawQuerySet",
    "aprefetch_related_objects",
    "prefetch_related_objects",
]
