"""Errors in one line."""

from __future__ import annotations

import traceback

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from facade.exceptions import ImproperlyConfigured
from facade.foundation.texts import one_line

__all__ = ["at_fault", "said"]

_SAID_WELL = (CommandError, SQLAlchemyError, ImproperlyConfigured)


def said(error: BaseException) -> str:
    """Return an error's text in one line, that of the driver where it is one of a database.

    >>> said(CommandError("There is no revision '0003'"))
    "There is no revision '0003'."
    """
    cause = getattr(error, "orig", None) or error
    text = one_line(cause)
    if not isinstance(error, _SAID_WELL):
        text = f"{type(cause).__name__}: {text}" if text else type(cause).__name__
    return text if text.endswith((".", "?", "!", ")")) else f"{text}."


def at_fault(error: BaseException) -> str:
    """Return the place that an error was raised at, as "models.py, line 9"."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{last.filename}, line {last.lineno}"
