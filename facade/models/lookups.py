"""Lookups, to compare with or to derive new ones from."""

from facade.expressions.json_lookups import *  # noqa: F403
from facade.expressions.json_paths import *  # noqa: F403
from facade.expressions.lookups import *  # noqa: F403
from facade.expressions.pattern_lookups import *  # noqa: F403
from facade.expressions.related_lookups import *  # noqa: F403
from facade.expressions.temporal_lookups import *  # noqa: F403
