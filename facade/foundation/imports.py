"""Modules that are imported when something of them is first used: what a program does not use costs it nothing.

The one place where a module is imported later than at the head of another. Whoever defers one names it to type checkers, too:

    if TYPE_CHECKING:
        from sqlalchemy.dialects import mysql
    else:
        mysql = later("sqlalchemy.dialects.mysql")
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

__all__ = ["is_imported", "later"]


class _Later(ModuleType):
    """Stands for a module, and takes what is asked of it from there; each name once."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what tools look for in every object
            raise AttributeError(name)
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


def later(name: str) -> ModuleType:
    """Return what stands for a module, which is imported as soon as something of it is used.

    >>> colors = later("colorsys")
    >>> colors.rgb_to_yiq(0, 0, 0)
    (0.0, 0.0, 0.0)
    """
    return _Later(name)


def is_imported(module: ModuleType) -> bool:
    """Return whether somebody has imported a module: where nobody has, there is no object of its classes."""
    return module.__name__ in sys.modules
