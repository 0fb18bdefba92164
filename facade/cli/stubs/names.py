"""The names that a stub uses, and the imports that bring them."""

from __future__ import annotations

import sys
from typing import Any

STANDARD = {"datetime": "_dt", "decimal": "_decimal", "uuid": "_uuid"}


class Names:
    """What a stub of one module calls the classes of others."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.imports: dict[str, str] = {}

    def of(self, kind: type[Any]) -> str:
        """Return the name of a class in the stub; its module is imported where it is another one."""
        if kind.__module__ in (self.module, "builtins"):
            return kind.__qualname__
        alias = STANDARD.get(kind.__module__, "_" + kind.__module__.replace(".", "_"))
        self.imports[kind.__module__] = alias
        return f"{alias}.{kind.__qualname__}"

    def lines(self) -> list[str]:
        """Return the imports."""
        return [f"import {module} as {alias}" for module, alias in sorted(self.imports.items())]


def is_importable(kind: type[Any]) -> bool:
    """Return whether a class is found under its own name in its own module."""
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind
