"""Lookups, to compare with or to derive new ones from."""

from facade.expressions.comparisons import *  # noqa: F403
from facade.expressions.lookups.json_documents import *  # noqa: F403
from facade.expressions.lookups.json_parts import *  # noqa: F403
from facade.expressions.lookups.moments import *  # noqa: F403
from facade.expressions.lookups.objects import *  # noqa: F403
from facade.expressions.lookups.patterns import *  # noqa: F403
from facade.expressions.lookups.tuples import *  # noqa: F403
