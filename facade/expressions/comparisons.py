"""Comparisons: what follows the last `__` in `filter(price__lt=10)`."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import sqlalchemy as sa

from facade import fields
from facade.exceptions import EmptyResultSet, FullResultSet, UnsupportedFeature
from facade.expressions.base import Expression, Value
from facade.expressions.calls import Func
from facade.expressions.documents import beside, selected_beside, unknown_if_null
from facade.expressions.freezing import Arg, BeyondColumn, Empty, OutOfRange, PreparedNone, Values, freeze
from facade.expressions.references import Col, F
from facade.expressions.subquery import Embedded
from facade.fields import Field
from facade.fields.columns import DialectView
from facade.fields.lookup_registry import RegisterLookupMixin
from facade.fields.relations.reverse import final_target
from facade.fields.usual_values import HIGHEST, LOWEST, list_quickly, quickly
from facade.types import Duration
from facade.types.shared import BIG_INTEGER

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.expressions.contracts import Compiler, Core, Query, Valued
    from facade.expressions.sqltext.written import SQL, Texts
    from facade.expressions.tree import Change


_TRUTH = fields.BooleanField()


class Lookup(Expression):
    """A comparison of an expression (`lhs`) with a value (`rhs`).

    `rhs` is an :class:`Arg` when a plain value was given: then :meth:`prepare` makes the user's value fit the column when
    the filter is written, and :meth:`convert`, if there is one, makes the driver's parameter of it when the query runs.
    """

    lookup_name: ClassVar[str | None] = None
    prepare_rhs = True
    can_use_none_as_rhs = False
    skips_none: ClassVar[bool] = False
    bilateral_transforms: tuple[Any, ...] = ()
    convert: Callable[[Any], Any] | None = None

    lhs: Any
    rhs: Any

    def __init__(self, lhs: object, rhs: object) -> None:
        self.lhs, self.rhs = lhs, rhs

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lhs!r}, {self.rhs!r})"

    conditional = True
    is_condition = True

    @classmethod
    def constant_for(cls, left: Valued) -> Callable[[Any], Any] | None:
        """Return what makes a part of the SQL of a value that is compared with `left`; None where it is an argument."""
        return None

    def get_source_expressions(self) -> list[Any]:
        items = self.rhs if isinstance(self.rhs, tuple) else (self.rhs,)
        return [self.lhs, *[item for item in items if _is_expression(item)]]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.lhs, *rest = exprs
        if isinstance(self.rhs, tuple):
            left = iter(rest)
            self.rhs = tuple([next(left) if _is_expression(item) else item for item in self.rhs])
        elif rest:
            (self.rhs,) = rest

    def with_parts(self, change: Change) -> Self:
        changed = self.with_sources(change)
        if isinstance(self.rhs, Arg):
            changed.rhs = change(self.rhs)
        return changed

    def freeze(self, values: Values) -> Any:
        if not hasattr(self.lhs, "resolve_expression"):
            return type(self)(Value(self.lhs), self.rhs).freeze(values)
        frozen = super().freeze(values)
        if not isinstance(self.rhs, (Expression, F)):
            frozen.rhs = freeze(self.rhs, values) if not isinstance(self.rhs, bool) else self.rhs
        return frozen

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        if not hasattr(self.lhs, "resolve_expression"):
            written = type(self)(Value(self.lhs), self.rhs)
            return written.resolve_expression(query, allow_joins, reuse, summarize, for_save)
        resolved = super().resolve_expression(query, allow_joins, reuse, summarize, for_save)
        if query is None or isinstance(self.rhs, (Expression, F)):
            return resolved
        rhs = resolved.rhs
        if hasattr(rhs, "resolve_expression"):
            rhs = rhs.resolve_expression(query, allow_joins, reuse)
        return query.place_lookup(type(self), resolved.lhs, rhs)

    def _resolve_output_field(self) -> Field[Any] | None:
        return _TRUTH

    @property
    def allowed_default(self) -> bool:
        return all(getattr(side, "allowed_default", True) for side in (self.lhs, self.rhs))

    def get_group_by_cols(self) -> list[Any]:
        sources = (source for source in self._sources() if isinstance(source, Expression))
        return [column for source in sources for column in source.get_group_by_cols()]

    # -- the value -----------------------------------------------------------------------

    @property
    def compared_field(self) -> Any:
        """The field whose values the left side has."""
        return self.lhs._output_field_or_none

    def prepare(self, value: object) -> Any:
        """Return the user's value as the column's type takes it. Raises ValueError or TypeError for a bad one."""
        field = self.compared_field
        if not self.prepare_rhs or field is None:
            return value
        return field.get_prep_value(value)

    @property
    def preparation(self) -> Callable[[Any], Any]:
        """What a shape keeps to prepare values with: `prepare`, or a function that is quicker for the usual type."""
        return self.prepare

    @property
    def bind_type(self) -> Any:
        found = self.lhs.column_type
        # A value may be too large for the column, and compares all the same.
        return BIG_INTEGER if isinstance(found, sa.Integer) else found

    def converter(self, compiler: Compiler) -> Callable[[Any], Any] | None:
        """Return what makes the driver's parameter of a prepared value on the compiler's database."""
        return self.convert

    def of_field(self, compiler: Compiler) -> Callable[[Any], Any] | None:
        """Return what a field of one's own does to values before they are compared with its column."""
        field = self.compared_field
        return None if field is None else field.db_preparation(DialectView(compiler.dialect))

    # -- SQL -------------------------------------------------------------------------------

    def right(self, compiler: Compiler) -> Any:
        """Return the Core form of the right side."""
        if isinstance(self.rhs, Arg):
            return compiler.bind(self.rhs, self.bind_type, self.converter(compiler))
        if isinstance(self.rhs, (Expression, F)):
            value: Any = self.rhs
            return unknown_if_null(self.formed(compiler, value))
        if self.rhs is None:
            return unknown_if_null(sa.null())
        return compiler.literal(self.prepare(self.rhs), self.bind_type)

    def left(self, compiler: Compiler) -> Any:
        return self.formed(compiler, self.lhs)

    def formed(self, compiler: Compiler, side: Expression) -> Any:
        """Return the Core form of one of the sides in which it can be compared with the others."""
        others = self.rhs if isinstance(self.rhs, tuple) else (self.rhs,)
        return beside(compiler, side, (self.lhs, *others)) if self.prepare_rhs else compiler.process(side)

    def process_lhs(self, compiler: Texts, connection: Database, lhs: Valued | None = None) -> SQL:
        """Return (SQL, parameters) of the left side, for `as_sql()`."""
        return "%s", [self.left(compiler.core) if lhs is None else compiler.core.process(lhs)]

    def process_rhs(self, compiler: Texts, connection: Database) -> SQL:
        """Return (SQL, parameters) of the right side, for `as_sql()`."""
        return "%s", [self.right(compiler.core)]

    def as_core(self, compiler: Compiler) -> Any:
        left, right = self.left(compiler), self.right(compiler)
        check_durations(compiler, self, left, right)
        self._check_clocks()
        return self.compare(left, right, compiler)

    def _check_clocks(self) -> None:
        """Refuse to compare moments with clocks without a zone: a database would take that of the session, or any."""
        sides = [getattr(side, "known_field", None) for side in (self.lhs, self.rhs)]
        if len({side.is_zoned for side in sides if side is not None and side.value_kind == "moment"}) > 1:
            raise UnsupportedFeature(
                f"{self!r} compares a moment with a clock that has no time zone. Give the moment as a naive value, or make one of them "
                "the other in a Func that names the zone."
            )

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        """Return the Core condition of two Core expressions."""
        raise NotImplementedError(f"{type(self).__name__} must implement compare().")


def check_durations(compiler: Compiler, of: object, one: Core, other: Core) -> None:
    """Refuse to put durations of SQLAlchemy's Interval beside those that are numbers, where a database has no type for them."""
    mixed = {type(one.type), type(other.type)} == {sa.Interval, Duration}
    if mixed and not compiler.features.has_native_duration_field:
        raise UnsupportedFeature(
            f"{of!r}: a column of the type Interval holds moments after 1970 on {compiler.features.display_name}, and what facade "
            "computes is a number of microseconds. Compute in Python."
        )


def _is_expression(item: object) -> bool:
    return isinstance(item, (Expression, F))


class Transform(RegisterLookupMixin, Func):
    """A function in a lookup path: the `year` of `published__year__gte=2000`. It is a `Func` of one argument with a `lookup_name`."""

    bilateral = False
    arity: int | None = 1
    lookup_name: ClassVar[str]

    @property
    def lhs(self) -> Any:
        return self.get_source_expressions()[0]

    def get_bilateral_transforms(self) -> list[Any]:
        inner = self.lhs.get_bilateral_transforms() if isinstance(self.lhs, Transform) else []
        return [*inner, type(self)] if self.bilateral else inner


class BuiltinLookup(Lookup):
    """Base of the lookups that come with facade."""


def registered(*kinds: type[Field[Any]]) -> Callable[[type[Lookup]], type[Lookup]]:
    def register(lookup: type[Lookup]) -> type[Lookup]:
        for kind in kinds or (Field,):
            kind.register_lookup(lookup)
        return lookup

    return register


End = TypeVar("End", float, dt.timedelta)


def check_range(field: Field[Any], value: object) -> Any:
    """Return `value`; raise OutOfRange where no row of an integer column can hold it, whatever the database."""
    if type(value) is not int or LOWEST <= value <= HIGHEST or not getattr(field, "integer_range", None):
        return value
    if not LOWEST <= value <= getattr(final_target(field), "highest", HIGHEST):
        raise OutOfRange(high=value > HIGHEST)
    return value


Ends = tuple[float, float] | tuple[dt.timedelta, dt.timedelta]


def column_range(left: Valued, vendor: str) -> Ends | None:
    """Return what a column holds in a vendor's database, None where that is anything, or 64 bits say it already.

    Computed values are bounded, too, where their field says so.
    """
    field = left._output_field_or_none
    if field is None or not field.bounded_when_computed:
        if (column := getattr(left, "target", None)) is None:
            return None
        field = final_target(column)
    held = None if field.prepares_itself() else field.range_on(vendor)
    return None if held == (LOWEST, HIGHEST) else held


class RangeChecked(BuiltinLookup):
    """Comparison of integers: a value outside the column's range compares with every row alike, NULL excepted."""

    below_all = False  # whether the comparison holds with a value smaller than any row's
    above_all = False  # and with one that is larger

    def converter(self, compiler: Compiler) -> Callable[[Any], Any] | None:
        convert = self.convert or self.of_field(compiler)
        if convert is not None or (held := column_range(self.lhs, compiler.vendor)) is None:
            return convert
        number = compiler.number(self.rhs)
        return None if number is None else functools.partial(_within, number, *held)

    def prepare(self, value: object) -> Any:
        prepared = super().prepare(value)
        if prepared is None and value is not None:
            raise PreparedNone
        return check_range(self.compared_field, prepared)

    @property
    def preparation(self) -> Callable[[Any], Any]:
        quick = self.prepare_rhs and _is_ours(self)
        return quickly(self.prepare, self.compared_field) if quick else self.prepare

    def as_core(self, compiler: Compiler) -> Any:
        beyond = self.rhs if isinstance(self.rhs, OutOfRange) else compiler.beyond(self.rhs)
        if beyond is not None:
            if self.above_all if beyond.high else self.below_all:
                return compiler.present(self.lhs, self.left(compiler))
            raise EmptyResultSet
        return super().as_core(compiler)


def _is_ours(lookup: Lookup) -> bool:
    """Return whether values are prepared by facade's own lookups: a class of somebody else's decides for itself."""
    return type(lookup).prepare.__module__.startswith("facade.")


def _within(number: int, low: End, high: End, value: object) -> Any:
    """Return the argument; raise BeyondColumn where no row can hold it."""
    if isinstance(value, type(low)) and not low <= value <= high:
        if value != value:  # noqa: PLR0124 - only NaN is unequal to itself
            return None
        raise BeyondColumn(number, value > high)
    return value


def _some_within(number: int, low: End, high: End, values: list[Any]) -> Any:
    """Return the items of a list that rows can hold; raise BeyondColumn where there are none."""
    found = [value for value in values if not isinstance(value, type(low)) or low <= value <= high]
    if values and not found:
        raise BeyondColumn(number, high=True)
    return found


@registered()
class Exact(RangeChecked):
    """Equality."""

    lookup_name = "exact"
    can_use_none_as_rhs = False

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        return left == right

    def as_core(self, compiler: Compiler) -> Any:
        if (
            isinstance(self.rhs, bool)
            and getattr(self.lhs, "conditional", False)
            and not isinstance(self.lhs, Value)
        ):
            return self._condition(compiler)
        return super().as_core(compiler)

    def _condition(self, compiler: Compiler) -> Any:
        try:
            condition = compiler.condition(self.lhs)
        except (EmptyResultSet, FullResultSet) as error:
            holds = isinstance(error, FullResultSet) is self.rhs
            raise (FullResultSet if holds else EmptyResultSet) from error
        return condition if self.rhs else sa.not_(condition)

    @classmethod
    def constant_for(cls, left: Valued) -> Callable[[Any], Any] | None:
        # The condition itself: what is compared with TRUE finds no index, and no plan for EXISTS but a row by row one.
        if cls is not Exact or not getattr(left, "is_condition", False):
            return None
        return fields.BooleanField().get_prep_value


@registered()
class GreaterThan(RangeChecked):
    """Greater."""

    lookup_name = "gt"
    below_all = True

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        return left > right


class _WholeNumber(RangeChecked):
    """On integers `gte 1.5` means `gte 2`, and `lt 1.5` means `lt 2`."""

    def prepare(self, value: object) -> Any:
        if isinstance(value, float) and isfinite(value):
            field = self.compared_field
            if field is not None and field.value_kind == "integer":
                value = -int(-value // 1)
        return super().prepare(value)


@registered()
class GreaterThanOrEqual(_WholeNumber):
    """Greater or equal."""

    lookup_name = "gte"
    below_all = True

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        return left >= right


@registered()
class LessThan(_WholeNumber):
    """Less."""

    lookup_name = "lt"
    above_all = True

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        return left < right


@registered()
class LessThanOrEqual(RangeChecked):
    """Less or equal."""

    lookup_name = "lte"
    above_all = True

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        return left <= right


@registered(fields.IntegerField)
class IntegerGreaterThanOrEqual(GreaterThanOrEqual):
    """On an integer column."""


@registered(fields.IntegerField)
class IntegerLessThan(LessThan):
    """On an integer column."""


@registered()
class In(BuiltinLookup):
    """Membership: in a list, which is one parameter however long, or in a queryset."""

    lookup_name = "in"
    skips_none = True

    @property
    def preparation(self) -> Callable[[Any], Any]:
        quick = self.prepare_rhs and _is_ours(self)
        return list_quickly(self.prepare, self.compared_field) if quick else self.prepare

    def prepare(self, value: object) -> Any:
        field = self.compared_field
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise TypeError(f"The value of an 'in' lookup must be a list or a queryset, not {value!r}.")
        prepared = [self._prepare_item(item) for item in value if item is not None]
        return [item for item in _different(prepared) if _fits(field, item)]

    def _prepare_item(self, item: object) -> Any:
        return super().prepare(item)

    def converter(self, compiler: Compiler) -> Callable[[Any], Any] | None:
        own = self.of_field(compiler)
        if own is not None:
            return lambda values: [own(value) for value in values]
        held, number = column_range(self.lhs, compiler.vendor), compiler.number(self.rhs)
        return None if held is None or number is None else functools.partial(_some_within, number, *held)

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Empty) or compiler.beyond(self.rhs):
            raise EmptyResultSet
        left = self.left(compiler)
        if isinstance(self.rhs, Arg):
            return compiler.in_list(left, self.rhs, self.bind_type, self.converter(compiler))
        if isinstance(self.rhs, Embedded):
            if self.rhs.query.is_empty:
                raise EmptyResultSet
            compiler.require_database(self.rhs.query.database)
            return left.in_(
                compiler.words.listed(self.selected(compiler, self.rhs), self.rhs.query.is_sliced)
            )
        if isinstance(self.rhs, tuple):
            return left.in_([self.formed(compiler, item) for item in self.rhs if item is not None])
        if isinstance(self.rhs, Col):
            raise TypeError(f"The value of an 'in' lookup must be a list or a queryset, not {self.rhs!r}.")
        return left.in_(self.formed(compiler, self.rhs))

    def selected(self, compiler: Compiler, queryset: Embedded) -> Any:
        """Return the select whose values they are."""
        return selected_beside(compiler, queryset, self.lhs)


def _different(items: list[Any]) -> Iterable[Any]:
    """Return the items once each; all of them where they have no hash, as lists, which are values of some types."""
    try:
        return dict.fromkeys(items)
    except TypeError:
        return items


def _fits(field: Field[Any], value: object) -> bool:
    try:
        check_range(field, value)
    except OutOfRange:
        return False
    return True


def _storable(end: object) -> object:
    """Return an end of a range that a parameter can hold; other ones are those of no integers, or unknown."""
    return min(max(end, LOWEST), HIGHEST) if type(end) is int else end


@registered()
class Range(BuiltinLookup):
    """BETWEEN: both ends included."""

    lookup_name = "range"

    def prepare(self, value: Any) -> Any:
        low, high = value
        return self._comparable(super().prepare(low), super().prepare(high))

    def _comparable(self, low: object, high: object) -> tuple[Any, Any]:
        """Return the ends of a range of integers so that a parameter can hold them, no value between those of a range beyond."""
        if not isinstance(self.bind_type, sa.Integer):
            return low, high
        if type(low) is int and type(high) is int and (low > HIGHEST or high < LOWEST):
            return HIGHEST, LOWEST
        return _storable(low), _storable(high)

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Empty) or self.rhs is None:
            raise EmptyResultSet
        return self.left(compiler).between(*self._ends(compiler))

    def _ends(self, compiler: Compiler) -> tuple[Any, Any]:
        if isinstance(self.rhs, Arg):
            ends = self._pair(compiler)
            low = compiler.bind(self.rhs, self.bind_type, _end(0, ends))
            return low, compiler.bind(self.rhs, self.bind_type, _end(1, ends))
        low, high = self.rhs
        return self.formed(compiler, low), self.formed(compiler, high)

    def _pair(self, compiler: Compiler) -> Callable[[Any], Any] | None:
        """Return what makes the ends that the compiler's database takes of prepared ones."""
        if (own := self.of_field(compiler)) is not None:
            return lambda ends: [own(end) for end in ends]
        field = self.compared_field
        if field is not None and field.bounded_when_computed:
            held = column_range(self.lhs, compiler.vendor)
            return None if held is None else functools.partial(_bounded, *held)
        return None


def _end(position: int, pair: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    return itemgetter(position) if pair is None else lambda ends: pair(ends)[position]


def _bounded(lowest: End, highest: End, ends: tuple[End | None, End | None]) -> Any:
    """Return the ends of a range between values that there are, no value between those of a range beyond."""
    low, high = ends
    if low is None or high is None:
        return ends
    if low > highest or high < lowest:
        return highest, lowest
    return max(low, lowest), min(high, highest)


@registered()
class IsNull(BuiltinLookup):
    """Whether there is no value."""

    lookup_name = "isnull"
    prepare_rhs = False

    def __init__(self, lhs: object, rhs: object) -> None:
        rhs = rhs.value if isinstance(rhs, Value) else rhs
        super().__init__(lhs, rhs if rhs is None and self.can_use_none_as_rhs else _truth(rhs))

    @classmethod
    def constant_for(cls, left: Valued) -> Callable[[Any], Any] | None:
        return _truth

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.lhs, Value) and self.lhs.value is not None:
            raise EmptyResultSet if self.rhs else FullResultSet
        return compiler.null_test(self.left(compiler), self.rhs)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("The QuerySet value for an isnull lookup must be True or False.")
    return value


__all__ = [
    name
    for name, item in list(globals().items())
    if isinstance(item, type) and issubclass(item, (Lookup, Transform))
]
