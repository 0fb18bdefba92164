"""Fields and relations."""

from facade.fields import *  # noqa: F403
from facade.fields.related import ForeignKey, ForeignObject, OneToOneField
from facade.fields.relations import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel

__all__ = [
    "ForeignKey",
    "ForeignObject",
    "ForeignObjectRel",
    "ManyToManyRel",
    "ManyToOneRel",
    "OneToOneField",
    "OneToOneRel",
]
