"""Functions made of source text: debuggers, profilers and tracebacks know them by name and show their lines."""

from __future__ import annotations

import itertools
import linecache
import weakref
from typing import Any

_numbers = itertools.count(1)


class Source:
    """The text of a function under construction and the objects its names stand for."""

    def __init__(self, **names: object) -> None:
        self.names: dict[str, Any] = names
        self.lines: list[str] = []

    def name(self, prefix: str, value: object) -> str:
        """Return a new name for a value."""
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def build(self, title: str) -> Any:
        """Return the function that the lines define.

        Its file is called ``<facade {title} #1>``; `linecache` has the lines as long as the function lives.
        """
        text = "\n".join([*self.lines, ""])
        file = f"<facade {title} #{next(_numbers)}>"
        namespace, made = dict(self.names), dict[str, Any]()
        exec(compile(text, file, "exec"), namespace, made)  # noqa: S102
        (function,) = made.values()
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        weakref.finalize(function, linecache.cache.pop, file, None).atexit = False
        return function
