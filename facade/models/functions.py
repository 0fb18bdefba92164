"""Database functions: `from facade.models.functions import Lower`."""

from facade.expressions.functions import *  # noqa: F403
from facade.expressions.functions import __all__  # noqa: F401
