"""Refusing to block an event loop, with an error that names the way out."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

from facade.bridge.workers import in_worker, running_loop
from facade.exceptions import SynchronousOnlyOperation

if TYPE_CHECKING:
    from types import CodeType, FrameType

_ASYNC_FORMS = {
    "__iter__": "use `async for`, or `await` it",
    "_iterator": "use `async for` with aiterator()",
    "__len__": "`await` it first",
    "__bool__": "`await` it first, or use aexists()",
    "__contains__": "`await` it first, or use acontains()",
    "__getitem__": "`await` it first",
    "__enter__": "use `async with`",
    "__exit__": "use `async with`",
}


def check_blocking(what: str = "", instead: str = "", permit: str = "") -> None:
    """Raise SynchronousOnlyOperation where waiting would block the event loop that runs in this thread.

    ``what`` names the operation and ``instead`` the way out; both are found from the call stack where they are empty.
    ``permit`` says what would allow it.
    """
    if running_loop() is not None and not in_worker():
        found, way_out = _blamed(sys._getframe(1))
        raise SynchronousOnlyOperation(
            f"{what or found} would block the running event loop: {instead or way_out}, "
            f"or run the code around it with facade.run().{permit}"
        )


def _blamed(frame: FrameType | None) -> tuple[str, str]:
    """Name the outermost call into the library, and its async form."""
    package = __name__.partition(".")[0]
    found = "This operation", "await its async form"
    while frame is not None:
        module = str(frame.f_globals.get("__name__")).partition(".")[0]
        if module == "asyncio":
            break  # what is outside started the event loop
        if module == package:
            found = _async_form(frame) or found
        frame = frame.f_back
    return found


def _async_form(frame: FrameType) -> tuple[str, str] | None:
    code = frame.f_code
    name = code.co_name
    target = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    if name in _ASYNC_FORMS:
        return _known_as(target, code), _ASYNC_FORMS[name]
    if inspect.getattr_static(target, f"a{name}", None) is None and f"a{name}" not in frame.f_globals:
        return None
    return f"{_known_as(target, code)}()", f"await a{name}() instead"


def _known_as(target: object, code: CodeType) -> str:
    """Name a method by the class of the object it was called on: the one it is written in may be no more than a part."""
    is_method = "." in code.co_qualname and inspect.getattr_static(target, code.co_name, None) is not None
    if not is_method or isinstance(target, type):
        return code.co_qualname
    return f"{type(target).__name__}.{code.co_name}"
