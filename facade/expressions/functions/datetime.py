"""Parts of dates and times, dates and times cut to a unit, and the present."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import sqlalchemy as sa

from facade import fields
from facade.configuration import settings
from facade.expressions.calls import Func
from facade.expressions.comparisons import Transform
from facade.expressions.functions import clocks
from facade.expressions.functions.clocks import MOMENTS
from facade.expressions.references import F
from facade.fields.kinds.temporal import ClockField
from facade.timezone import get_current_timezone

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from facade.db.database import Database
    from facade.expressions.contracts import Compiler, Query
    from facade.fields import Field

DATE_PARTS = frozenset({"year", "iso_year", "quarter", "month", "week", "week_day", "iso_week_day", "day"})
TIME_PARTS = frozenset({"hour", "minute", "second"})
DATE_KINDS = frozenset({"year", "quarter", "month", "week", "day", "date"})
TIME_KINDS = frozenset({"hour", "minute", "second", "time"})
_NOT_IN_DURATIONS = DATE_PARTS - {"day"}


def current_timezone() -> dt.tzinfo:
    """Return the time zone that dates are read in when no other is named."""
    return get_current_timezone()


class Zoned(Transform):
    """A function of a moment that depends on the time zone in which it is looked at."""

    tzinfo: dt.tzinfo | None = None

    def zone(self, compiler: Compiler) -> Any:
        """Return the name of the zone as a parameter: a given one, or the one that is current when the query runs."""
        if not self.lhs.output_field.is_zoned:
            if self.tzinfo is not None:
                raise ValueError("tzinfo can only be used with DateTimeField.")
            return None
        return clocks.zone(compiler, self.tzinfo)


class Extract(Zoned):
    """A part of a date, a time or a duration, as an integer: `Extract("published", "year")`.

    Moments are taken to the current time zone first, or to `tzinfo`.
    Raises ValueError for a part that the field does not have.

    >>> Extract("published", "year").lookup_name
    'year'
    """

    _output_field = fields.IntegerField()
    lookup_name: ClassVar[Any] = None

    def __init__(
        self,
        expression: object,
        lookup_name: str | None = None,
        tzinfo: dt.tzinfo | None = None,
        **extra: Any,
    ) -> None:
        self.lookup_name = self.lookup_name or lookup_name  # type: ignore[misc]
        if self.lookup_name is None:
            raise ValueError("lookup_name must be provided")
        self.tzinfo = tzinfo
        super().__init__(expression, **extra)

    def with_sources(self, change: Callable[[Any], Any]) -> Self:
        changed = super().with_sources(change)
        field = getattr(changed.lhs, "_output_field_or_none", None)
        if field is not None:
            _check_extraction(field, str(changed.lookup_name))
        return changed

    def as_core(self, compiler: Compiler) -> Any:
        assert self.lookup_name is not None
        if self.lookup_name not in DATE_PARTS | TIME_PARTS:
            raise ValueError(f"Invalid lookup type: {self.lookup_name!r}")
        field = self.lhs.output_field
        if field.value_kind == "duration" and not compiler.features.has_native_duration_field:
            raise ValueError("Extract requires native DurationField database support.")
        zone = self.zone(compiler)
        part, words = self.lookup_name, compiler.words
        return clocks.once(compiler, self.lhs, zone, lambda core: words.extract(part, core, zone))


def _check_extraction(field: Field[Any], part: str) -> None:
    if field.value_kind not in (*MOMENTS, "duration"):
        raise ValueError(
            "Extract input expression must be DateField, DateTimeField, TimeField, or DurationField."
        )
    if field.value_kind == "day" and part in TIME_PARTS:
        raise ValueError(f"Cannot extract time component '{part}' from DateField '{field.name}'.")
    if field.value_kind == "duration" and part in _NOT_IN_DURATIONS:
        raise ValueError(f"Cannot extract component '{part}' from DurationField '{field.name}'.")


class ExtractYear(Extract):
    """The year."""

    lookup_name = "year"


class ExtractIsoYear(Extract):
    """The year that the ISO 8601 week belongs to."""

    lookup_name = "iso_year"


class ExtractMonth(Extract):
    """The month, from 1 to 12."""

    lookup_name = "month"


class ExtractDay(Extract):
    """The day of the month."""

    lookup_name = "day"


class ExtractWeek(Extract):
    """The ISO 8601 week, from 1 to 53."""

    lookup_name = "week"


class ExtractWeekDay(Extract):
    """The day of the week, from 1 for Sunday to 7 for Saturday."""

    lookup_name = "week_day"


class ExtractIsoWeekDay(Extract):
    """The day of the week, from 1 for Monday to 7 for Sunday."""

    lookup_name = "iso_week_day"


class ExtractQuarter(Extract):
    """The quarter of the year, from 1 to 4."""

    lookup_name = "quarter"


class ExtractHour(Extract):
    """The hour, from 0 to 23."""

    lookup_name = "hour"


class ExtractMinute(Extract):
    """The minute."""

    lookup_name = "minute"


class ExtractSecond(Extract):
    """The whole second."""

    lookup_name = "second"


class Now(Func):
    """The present, by the clock of the database, when the statement begins."""

    _output_field = fields.DateTimeField()
    arity = 0
    allowed_default = True

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.words.now(self.output_field.column_type)


class LocalDateTimeField(fields.DateTimeField):  # type: ignore[type-arg,unused-ignore]
    """Moments that are shown in one time zone (None: the current one) when they are loaded."""

    counts_as = fields.DateTimeField  # beside other moments

    def __init__(self, tzinfo: dt.tzinfo | None = None) -> None:
        super().__init__()
        self.tzinfo = tzinfo

    def get_internal_type(self) -> str:
        return "DateTimeField"

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "tzinfo": self.tzinfo}

    def zone(self, compiler: Compiler) -> Any:
        """Return the name of the zone as a parameter."""
        return clocks.zone(compiler, self.tzinfo)

    def from_db_value(
        self, value: dt.datetime | None, expression: object, connection: Database
    ) -> dt.datetime | None:
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(self.tzinfo or get_current_timezone())


class TruncBase(Zoned):
    """A date or time cut to a unit; the parts below it are the smallest possible.

    Moments are cut by the clock of the current time zone, or of `tzinfo`, and come back as moments in that zone.
    """

    kind: ClassVar[str | None] = None

    def __init__(
        self,
        expression: object,
        output_field: Field[Any] | None = None,
        tzinfo: dt.tzinfo | None = None,
        **extra: Any,
    ) -> None:
        self.tzinfo = tzinfo
        super().__init__(expression, output_field=output_field, **extra)

    def resolve_expression(self, query: Query | None = None, *args: Any, **kwargs: Any) -> Any:
        resolved = super().resolve_expression(query, *args, **kwargs)
        source, result = resolved.lhs.output_field, resolved.output_field
        own = type(self)._output_field
        target = own or (result if type(source) is not type(result) else fields.DateTimeField())
        _check_truncation(source, result, resolved.kind, type(target).__name__)
        if result.value_kind == "moment" and source.value_kind == "moment" and not source.is_zoned:
            resolved = resolved.copy()
            resolved._output_field = ClockField()
        elif type(result) in (fields.DateTimeField, LocalDateTimeField) and settings.USE_TZ:
            resolved = resolved.copy()
            resolved._output_field = LocalDateTimeField(self.tzinfo)
        return resolved

    def as_core(self, compiler: Compiler) -> Any:
        zone = self.zone(compiler)
        result = clocks.result_kind(self.output_field)
        cut = partial(compiler.words.trunc, str(self.kind), zone=zone, result=result)
        core = clocks.once(compiler, self.lhs, zone, cut)
        return sa.type_coerce(core, self.output_field.column_type)


def _check_truncation(source: Field[Any], result: Field[Any], kind: str | None, target: str) -> None:
    if source.value_kind not in MOMENTS:
        raise TypeError(f"{source.name!r} isn't a DateField, TimeField, or DateTimeField.")
    if result.value_kind not in MOMENTS:
        raise ValueError("output_field must be either DateField, TimeField, or DateTimeField")
    if kind not in DATE_KINDS | TIME_KINDS:
        raise ValueError(f"Unsupported lookup type: {kind!r}")
    moment = result.value_kind == "moment"
    for wrong, name, kinds in (
        (source.value_kind == "day", "DateField", TIME_KINDS),
        (source.value_kind == "time", "TimeField", DATE_KINDS),
    ):
        if wrong and (moment or kind in kinds):
            raise ValueError(f"Cannot truncate {name} '{source.name}' to {target}.")


class Trunc(TruncBase):
    """`Trunc("created", "month")`; the kinds are year, quarter, month, week, day, hour, minute and second."""

    def __init__(
        self,
        expression: object,
        kind: str,
        output_field: Field[Any] | None = None,
        tzinfo: dt.tzinfo | None = None,
        **extra: Any,
    ) -> None:
        self.kind = kind  # type: ignore[misc]
        super().__init__(expression, output_field=output_field, tzinfo=tzinfo, **extra)


class TruncYear(TruncBase):
    """The first day of the year."""

    kind = "year"


class TruncQuarter(TruncBase):
    """The first day of the quarter."""

    kind = "quarter"


class TruncMonth(TruncBase):
    """The first day of the month."""

    kind = "month"


class TruncWeek(TruncBase):
    """The Monday of the week."""

    kind = "week"


class TruncDay(TruncBase):
    """The beginning of the day."""

    kind = "day"


class TruncHour(TruncBase):
    """The beginning of the hour."""

    kind = "hour"


class TruncMinute(TruncBase):
    """The beginning of the minute."""

    kind = "minute"


class TruncSecond(TruncBase):
    """The whole second."""

    kind = "second"


class TruncDate(TruncBase):
    """The date of a moment."""

    kind = "date"
    lookup_name = "date"
    _output_field = fields.DateField()


class TruncTime(TruncBase):
    """The time of day of a moment."""

    kind = "time"
    lookup_name = "time"
    _output_field = fields.TimeField()


def trunc(kind: str, field_name: str, output_field: Field[Any], tzinfo: dt.tzinfo | None = None) -> Trunc:
    """Return the expression of dates() and datetimes(): the field cut to `kind`."""
    return Trunc(F(field_name), kind, output_field=output_field, tzinfo=tzinfo)


__all__ = [
    "Extract",
    "ExtractDay",
    "ExtractHour",
    "ExtractIsoWeekDay",
    "ExtractIsoYear",
    "ExtractMinute",
    "ExtractMonth",
    "ExtractQuarter",
    "ExtractSecond",
    "ExtractWeek",
    "ExtractWeekDay",
    "ExtractYear",
    "Now",
    "Trunc",
    "TruncDate",
    "TruncDay",
    "TruncHour",
    "TruncMinute",
    "TruncMonth",
    "TruncQuarter",
    "TruncSecond",
    "TruncTime",
    "TruncWeek",
    "TruncYear",
]
