"""Functions made of source text: debuggers, profilers and tracebacks know them by name and show their lines."""

from __future__ import annotations

import functools
import itertools
import linecache
import weakref
from types import CodeType
from typing import Any

_numbers = itertools.count(1)


@functools.lru_cache(maxsize=256)
def _compiled(title: str, text: str) -> CodeType:
    """Compile a text once, however many functions are made of it; `linecache` has its lines as long as one of them lives."""
    file = f"<facade {title} #{next(_numbers)}>"
    code = compile(text, file, "exec")
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    weakref.finalize(_code_of_function(code), linecache.cache.pop, file, None).atexit = False
    return code


def _code_of_function(module: CodeType) -> CodeType:
    (code,) = (constant for constant in module.co_consts if isinstance(constant, CodeType))
    return code


class FunctionText:
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
        namespace, made = dict(self.names), dict[str, Any]()
        exec(_compiled(title, "\n".join([*self.lines, ""])), namespace, made)  # noqa: S102
        (function,) = made.values()
        return function
