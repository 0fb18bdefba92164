"""Objects that can tell how they were made, for migrations to write them down."""

from __future__ import annotations

import sys
from typing import Any, Self


class Deconstructible:
    """Base of objects that remember the arguments they were made with.

    >>> class Limit(Deconstructible):
    ...     def __init__(self, high, low=0): ...
    >>> Limit(3, low=1)._constructor_args
    ((3,), {'low': 1})
    """

    _constructor_args: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **options: Any) -> Self:
        made = super().__new__(cls)
        made._constructor_args = (args, options)
        return made

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return (import path of the class, positional arguments, keyword arguments).

        Raises ValueError for a class that cannot be imported, such as one inside a function.
        """
        module, name = type(self).__module__, type(self).__name__
        if getattr(sys.modules.get(module), name, None) is not type(self):
            raise ValueError(
                f"Could not find object {name} in {module}. Move the class to the top level of its module, "
                "so that migrations can import it."
            )
        args, options = self._constructor_args
        return f"{module}.{name}", args, options
