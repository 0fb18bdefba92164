"""Lookups, to compare with or to derive new ones from."""

from facade.expressions.lookups import *  # noqa: F403
from facade.expressions.lookups import __all__  # noqa: F401, PLC0414
