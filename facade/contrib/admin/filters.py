"""The filters of lists: each is one lookup on one field, and groups of them become one Q."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.exceptions import HTTPException
from starlette_admin.filters import FilterRegistry, boolean, date, enum, generic, numeric, string
from starlette_admin.filters import filters as filters_of
from starlette_admin.filters.base import BaseFilter, FilterApplyContext, FilterGroup, FilterRule

from facade.contrib.admin import fields
from facade.contrib.service.errors import text_of
from facade.exceptions import ValidationError
from facade.models import Q

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette_admin.fields import BaseField

    from facade.contrib.admin.contracts import Filtered

    Applied = BaseFilter
else:
    Applied = object

__all__ = ["Filters", "condition"]


class Lookup(Applied):
    """What makes a filter a lookup."""

    lookup: ClassVar[str] = "exact"
    negated: ClassVar[bool] = False

    def apply(self, ctx: FilterApplyContext) -> Q:
        """Return the condition."""
        return self._negate(Q((f"{ctx.field_name}__{self.lookup}", self.wanted(ctx, ctx.value))))

    def wanted(self, ctx: FilterApplyContext, value: object) -> object:
        """Return what the field is compared with."""
        return _read(ctx, _whole(value))

    def _negate(self, found: Q) -> Q:
        return ~found if self.negated else found


class _InText(Lookup):
    def wanted(self, ctx: FilterApplyContext, value: object) -> object:
        return str(_whole(value))


class _Range(Lookup):
    lookup = "range"

    def apply(self, ctx: FilterApplyContext) -> Q:
        return Q((f"{ctx.field_name}__range", (_read(ctx, ctx.value), _read(ctx, ctx.value2))))


class _OneOf(Lookup):
    lookup = "in"

    def wanted(self, ctx: FilterApplyContext, value: object) -> object:
        values = value if isinstance(value, list) else [value]
        return [_read(ctx, one) for one in values]


class _True(Lookup):
    def wanted(self, ctx: FilterApplyContext, value: object) -> object:
        return True


class _AsWritten(Lookup):
    """A value that is checked, and stays the text of the URL until the field reads it: a float would lose digits of a decimal."""

    def parse_value(self, raw: object) -> Any:
        super().parse_value(str(raw))
        return str(raw).strip()


def _whole(value: object) -> object:
    """Return a text with commas, which the URL's reader takes for a list, in one piece."""
    if not isinstance(value, list):
        return value
    text = ",".join(map(str, value))
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return text


def _read(ctx: FilterApplyContext, value: object) -> object:
    """Return a value of the URL as the field has it; a wrong one is the client's fault."""
    view: Filtered = ctx.view  # type: ignore[assignment]
    return view.read_value(ctx.field_name, value)


class Equal(Lookup, generic.EqualFilter):
    """The value itself."""


class NotEqual(Lookup, generic.NotEqualFilter):
    """Any other value."""

    negated = True


class Contains(_InText, string.ContainsFilter):
    """A part of the text, in whatever case."""

    lookup = "icontains"


class NotContains(_InText, string.NotContainsFilter):
    """No part of the text, in whatever case."""

    lookup = "icontains"
    negated = True


class StartsWith(_InText, string.StartsWithFilter):
    """The beginning of the text, in whatever case."""

    lookup = "istartswith"


class EndsWith(_InText, string.EndsWithFilter):
    """The end of the text, in whatever case."""

    lookup = "iendswith"


class IsNull(_True, generic.IsNullFilter):
    """No value."""

    lookup = "isnull"


class IsNotNull(_True, generic.IsNotNullFilter):
    """Any value."""

    lookup = "isnull"
    negated = True


class NumberEqual(_AsWritten, numeric.EqualFilter):
    """The number itself."""


class NumberNotEqual(_AsWritten, numeric.NotEqualFilter):
    """Any other number."""

    negated = True


class Greater(_AsWritten, numeric.GreaterThanFilter):
    """A greater number."""

    lookup = "gt"


class GreaterOrEqual(_AsWritten, numeric.GreaterThanOrEqualFilter):
    """The number or a greater one."""

    lookup = "gte"


class Less(_AsWritten, numeric.LessThanFilter):
    """A smaller number."""

    lookup = "lt"


class LessOrEqual(_AsWritten, numeric.LessThanOrEqualFilter):
    """The number or a smaller one."""

    lookup = "lte"


class Between(_Range, _AsWritten, numeric.BetweenFilter):
    """A number from one to another."""


class DateEqual(_AsWritten, date.DateEqualFilter):
    """That day."""


class DateBetween(_Range, _AsWritten, date.DateBetweenFilter):
    """A day from one to another."""


class MomentEqual(_AsWritten, date.DateTimeEqualFilter):
    """That moment."""


class MomentBetween(_Range, _AsWritten, date.DateTimeBetweenFilter):
    """A moment from one to another."""


class TimeEqual(_AsWritten, date.TimeEqualFilter):
    """That time of the day."""


class TimeBetween(_Range, _AsWritten, date.TimeBetweenFilter):
    """A time of the day from one to another."""


class IsTrue(_True, boolean.IsTrueFilter):
    """True."""


class IsFalse(_True, boolean.IsFalseFilter):
    """Not true."""

    negated = True


class OneOf(_OneOf, enum.InFilter):
    """One of some values."""


class NotOneOf(_OneOf, enum.NotInFilter):
    """None of some values."""

    negated = True


_NULLS = (IsNull, IsNotNull)


class Filters(FilterRegistry):
    """Which filters there are for which fields; derive from it, and let `get_filter_registry` of a view return yours."""

    @filters_of(fields.Text, fields.LongText)
    def texts(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of texts."""
        return [Contains, NotContains, Equal, NotEqual, StartsWith, EndsWith, *_NULLS]

    @filters_of(fields.Integer, fields.Decimal, fields.Float)
    def numbers(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of numbers."""
        return [NumberEqual, NumberNotEqual, Greater, GreaterOrEqual, Less, LessOrEqual, Between, *_NULLS]

    @filters_of(fields.Date)
    def days(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of days."""
        return [DateEqual, DateBetween, *_NULLS]

    @filters_of(fields.Moment)
    def moments(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of moments."""
        return [MomentBetween, MomentEqual, *_NULLS]

    @filters_of(fields.Time)
    def times(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of times of the day."""
        return [TimeEqual, TimeBetween, *_NULLS]

    @filters_of(fields.Flag)
    def flags(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of truth values."""
        return [IsTrue, IsFalse]

    @filters_of(fields.Choice)
    def choices(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of values that are chosen from a list."""
        return [OneOf, NotOneOf, *_NULLS]

    @filters_of(fields.ToOne)
    def relations(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of related objects, by their keys."""
        return [Equal, NotEqual, *_NULLS]

    @filters_of(fields.Json, fields.File, fields.ToMany)
    def presence(self, field: BaseField) -> Sequence[type[BaseFilter]]:
        """Those of fields of which only can be asked whether they have anything."""
        return list(_NULLS)


def condition(
    group: FilterGroup, view: Filtered, named: Mapping[str, BaseField], request: Request
) -> Q | None:
    """Return the condition of a group of filters, None for a group that filters nothing.

    Raises an `HTTPException` of status 400 for a value that its field cannot have.
    """
    parts = []
    for rule in group.rules:
        part = (
            condition(rule, view, named, request)
            if isinstance(rule, FilterGroup)
            else _of_rule(rule, view, named, request)
        )
        if part is not None:
            parts.append(part)
    if not parts:
        return None
    found = parts[0]
    for part in parts[1:]:
        found = found | part if group.logic == "or" else found & part
    return found


def _of_rule(rule: FilterRule, view: Filtered, named: Mapping[str, BaseField], request: Request) -> Q | None:
    kind = view.get_filter_registry().get_filter(named[rule.field], rule.filter)
    if kind is None:  # checked when the URL was read
        return None
    try:
        made: Q = kind().apply(
            FilterApplyContext(None, rule.field, rule.value, rule.value2, request=request, view=view)  # type: ignore[arg-type]
        )
    except (ValidationError, ValueError, TypeError) as error:
        raise HTTPException(
            400, f"The filter of {rule.field!r} has a wrong value: {text_of(error)}"
        ) from error
    return made
