"""Fields and relations."""

from facade.fields import *  # noqa: F403
from facade.fields.relations.foreign_keys import ForeignKey, ForeignObject, OneToOneField
from facade.fields.relations.reverse import ForeignObjectRel, ManyToManyRel, ManyToOneRel, OneToOneRel

__all__ = [
    "ForeignKey",
    "ForeignObject",
    "ForeignObjectRel",
    "ManyToManyRel",
    "ManyToOneRel",
    "OneToOneField",
    "OneToOneRel",
]
