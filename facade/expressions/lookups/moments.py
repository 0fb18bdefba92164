"""The parts of dates and times in lookups: `filter(published__year=2024, published__hour__gte=8)`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facade import fields
from facade.configuration import settings
from facade.expressions.comparisons import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Lookup,
)
from facade.expressions.freezing import Arg, OutOfRange
from facade.expressions.functions.datetime import (
    Extract,
    ExtractDay,
    ExtractHour,
    ExtractIsoWeekDay,
    ExtractIsoYear,
    ExtractMinute,
    ExtractMonth,
    ExtractQuarter,
    ExtractSecond,
    ExtractWeek,
    ExtractWeekDay,
    ExtractYear,
    TruncDate,
    TruncTime,
)
from facade.fields.relations.reverse import final_target
from facade.timezone import get_current_timezone

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Core


for _part in (
    ExtractYear,
    ExtractIsoYear,
    ExtractQuarter,
    ExtractMonth,
    ExtractDay,
    ExtractWeek,
    ExtractWeekDay,
    ExtractIsoWeekDay,
):
    fields.DateField.register_lookup(_part)

for _time_part in (ExtractHour, ExtractMinute, ExtractSecond):
    fields.TimeField.register_lookup(_time_part)
    fields.DateTimeField.register_lookup(_time_part)

fields.DateTimeField.register_lookup(TruncDate)
fields.DateTimeField.register_lookup(TruncTime)

_LAST_MOMENT = dt.time(23, 59, 59, 999999)


class YearLookup(Lookup):
    """A comparison of a year with a number: one of the column with the ends of that year, which an index can serve."""

    ends: tuple[str, ...] = ("first",)

    def prepare(self, value: object) -> Any:
        year = super().prepare(value)
        if not dt.MINYEAR <= year <= dt.MAXYEAR:
            raise OutOfRange(high=year > dt.MAXYEAR)
        return year

    @property
    def preparation(self) -> Callable[[Any], Any]:
        return self.prepare

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, (Arg, int)):
            ends = (self._end(compiler, end) for end in self.ends)
            return self.enclose(compiler, compiler.process(self.lhs.lhs), *ends)
        return super().as_core(compiler)

    def _end(self, compiler: Compiler, end: str) -> Any:
        bound, type_ = year_bound(self.lhs, end), self.lhs.lhs.column_type
        if isinstance(self.rhs, Arg):
            return compiler.bind(self.rhs, type_, bound)
        return compiler.literal(bound(self.rhs), type_)

    def enclose(self, compiler: Compiler, column: Core, end: Core) -> Any:
        """Return the condition on the column itself."""
        return self.compare(column, end, compiler)


def year_bound(year_of: Extract, end: str) -> Callable[[int], dt.date]:
    """Return a function from a year to its first or last day, or moment; the current time zone is that of the call."""
    field, iso = final_target(year_of.lhs.output_field), isinstance(year_of, ExtractIsoYear)
    moments, zoned = field.value_kind == "moment", settings.USE_TZ and field.is_zoned
    day_of = _first_day if end == "first" else _last_day

    def bound(year: int) -> dt.date:
        day = day_of(year, iso)
        if not moments:
            return day
        clock = dt.datetime.combine(day, dt.time() if end == "first" else _LAST_MOMENT)
        return _in_zone(clock, year_of.tzinfo or get_current_timezone()) if zoned else clock

    return bound


def _in_zone(clock: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    try:
        return clock.replace(tzinfo=zone).astimezone(dt.UTC)
    except OverflowError:  # the first or last hours of all time
        return clock.replace(tzinfo=dt.UTC)


def _first_day(year: int, iso: bool) -> dt.date:
    return dt.date.fromisocalendar(year, 1, 1) if iso else dt.date(year, 1, 1)


def _last_day(year: int, iso: bool) -> dt.date:
    if not iso or year == dt.MAXYEAR:
        return dt.date(year, 12, 31)
    return dt.date.fromisocalendar(year + 1, 1, 1) - dt.timedelta(days=1)


@ExtractYear.register_lookup
@ExtractIsoYear.register_lookup
class YearExact(YearLookup, Exact):
    """In this year."""

    ends = ("first", "last")

    def enclose(self, compiler: Compiler, column: Core, *ends: Any) -> Any:
        return column.between(*ends)


@ExtractYear.register_lookup
@ExtractIsoYear.register_lookup
class YearGt(YearLookup, GreaterThan):
    """After this year."""

    ends = ("last",)


@ExtractYear.register_lookup
@ExtractIsoYear.register_lookup
class YearGte(YearLookup, GreaterThanOrEqual):
    """In this year or later."""


@ExtractYear.register_lookup
@ExtractIsoYear.register_lookup
class YearLt(YearLookup, LessThan):
    """Before this year."""


@ExtractYear.register_lookup
@ExtractIsoYear.register_lookup
class YearLte(YearLookup, LessThanOrEqual):
    """In this year or earlier."""

    ends = ("last",)


__all__ = ["YearExact", "YearGt", "YearGte", "YearLookup", "YearLt", "YearLte"]
