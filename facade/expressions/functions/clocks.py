"""Dates and times in SQL: the zone in which moments are looked at, and what is computed of them there.

Moments are stored in UTC (PostgreSQL: as moments), so each function takes them to a time zone first; what is
cut to a unit of time goes back, so that it can be compared with stored moments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.timezone import get_current_timezone
from facade.types.shared import TEXT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from facade.expressions.contracts import Compiler, Core, Valued
    from facade.fields import Field

MOMENTS = ("day", "moment", "time")  # kinds of values that have a place on a calendar or a clock


def zone(compiler: Compiler, tzinfo: dt.tzinfo | None) -> Any:
    """Return a time zone as parameters; None for `tzinfo` means the zone that is current when the query runs."""

    def named(text: Callable[[dt.tzinfo], str]) -> Core:
        if tzinfo is not None:
            return sa.literal(text(tzinfo), TEXT)
        return compiler.binds.add(None, TEXT, lambda _: text(get_current_timezone()))

    return compiler.words.zone(named)


def once(compiler: Compiler, source: Valued, zone: object, make: Callable[[Core], Core]) -> Any:
    """Return what `make` makes of a value; where that repeats it, by a name, which aggregates and windows cannot have."""
    core = compiler.process(source)
    if zone is None or source.contains_aggregate or source.contains_over_clause:
        return make(core)
    return compiler.words.once(core, make)


def result_kind(field: Field[Any]) -> str:
    """Return whether a field holds a datetime, a date or a time."""
    return {"moment": "datetime", "day": "date"}.get(field.value_kind or "", "time")
