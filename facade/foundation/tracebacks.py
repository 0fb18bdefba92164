"""Tracebacks that end where the mistake is: in the user's line, not deep in what found it."""

from __future__ import annotations

import sys
from typing import TypeVar

__all__ = ["shortened"]

Error = TypeVar("Error", bound=BaseException)


def shortened(error: Error) -> Error:
    """Return the error without the frames that it has come through, if all of them are facade's own.

    Its text says what is wrong with the user's line; code of the user's that took part is shown. ``python -X dev`` leaves all.
    """
    step = error.__traceback__
    while step is not None:
        if not step.tb_frame.f_globals.get("__name__", "").startswith("facade."):
            return error
        step = step.tb_next
    return error if sys.flags.dev_mode else error.with_traceback(None)
