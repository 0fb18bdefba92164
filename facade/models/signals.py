"""The signals that models send."""

from facade.signals import *  # noqa: F403
from facade.signals import __all__  # noqa: F401
