"""Messages about declarations that will not work, or may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50


@dataclass
class CheckMessage:
    """One finding: how bad, what, what to do about it, where, and a name to silence it by."""

    level: int
    msg: str
    hint: str | None = None
    obj: Any = None
    id: str | None = None

    def __str__(self) -> str:
        name = f"({self.id}) " if self.id else ""
        hint = f"\n\tHINT: {self.hint}" if self.hint else ""
        return f"{self._place()}: {name}{self.msg}{hint}"

    def _place(self) -> object:
        if self.obj is None:
            return "?"
        return self.obj._meta.label if isinstance(self.obj, type) and hasattr(self.obj, "_meta") else self.obj

    def is_serious(self, level: int = ERROR) -> bool:
        """Return whether the message is of `level` or worse."""
        return self.level >= level


class Error(CheckMessage):
    """Something that will not work."""

    def __init__(self, msg: str, hint: str | None = None, obj: object = None, id: str | None = None) -> None:
        super().__init__(ERROR, msg, hint, obj, id)


class Warning(CheckMessage):
    """Something that may not do what was meant."""

    def __init__(self, msg: str, hint: str | None = None, obj: object = None, id: str | None = None) -> None:
        super().__init__(WARNING, msg, hint, obj, id)
