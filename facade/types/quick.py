"""Expressions that read most of a column's values without a call of a Python function, for the loops of loaders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy.engine.processors import int_to_boolean

from facade.configuration import settings
from facade.timezone import UTC
from facade.types.scalars import computed_integer
from facade.types.temporal import (
    date_of_text,
    datetime_of_moment,
    datetime_of_text,
    read_date,
    read_datetime,
    read_time,
    time_of_text,
)


class Quick(NamedTuple):
    """An expression of `{value}` and `{read}`, which reads an unusual value by `{called}`, the function it stands for.

    It raises TypeError or ValueError, or else gives what that function gives.
    """

    text: str
    read: Any


_READ = "None if {value} is None else {read}({value})"
_MOMENT = "None if {value} is None else {read}({value} + 'Z')"
_INTEGER = "{value} if type({value}) is {read} else {called}"
_MOMENT_IN_UTC = "{value} if {value} is None or {value}.tzinfo is {read} else {called}"
_TRUTH = "None if {value} is None else not not {value}"

_FORMS: list[tuple[object, Callable[[], Quick | None]]] = [
    (datetime_of_moment, lambda: Quick(_MOMENT_IN_UTC, UTC) if settings.USE_TZ else None),
    (date_of_text, lambda: Quick(_READ, read_date)),
    (datetime_of_text, lambda: Quick(_MOMENT if settings.USE_TZ else _READ, read_datetime)),
    (time_of_text, lambda: Quick(_READ, read_time)),
    (int_to_boolean, lambda: Quick(_TRUTH, bool)),
    (computed_integer, lambda: Quick(_INTEGER, int)),
]


def quick_form(convert: object) -> Quick | None:
    """Return the expression that may stand for a function of a type, as the settings are; None without one."""
    return next((form() for function, form in _FORMS if function is convert), None)
