"""Days, moments, times of day, and lengths of time."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack, overload

import sqlalchemy as sa

from facade import types
from facade.bridge import add_with_twin
from facade.configuration import settings
from facade.drivers import driver_of
from facade.exceptions import ImproperlyConfigured, NumericValueOutOfRange
from facade.fields.base import Field
from facade.fields.descriptions import DatabaseReader, Plain
from facade.fields.keywords import (
    AnyValue,
    DateOptions,
    DateTimeValue,
    DateValue,
    DurationValue,
    FieldOptions,
    Name,
    TimeValue,
)
from facade.fields.kinds.numbers import DecimalField, FloatField, IntegerField
from facade.foundation.promises import kept
from facade.parsing.dates import duration_string, parse_date, parse_datetime, parse_duration, parse_time
from facade.timezone import get_default_timezone, is_naive, make_aware, make_naive, now
from facade.types.own import is_clock
from facade.types.temporal import LONGEST, datetime_of_moment
from facade.vendors import vendor_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect

    from facade.checks import CheckMessage
    from facade.db.database import Database
    from facade.fields.columns import ColumnType, Declared, DialectView
    from facade.fields.contracts import Instance
    from facade.fields.descriptions import Kind, Reader, ValueDescription


class _Clocked(Field[AnyValue]):
    """A field that can take the present by itself: whenever a row is saved, or when it is added."""

    empty_strings_allowed = False

    def __init__(
        self, *names: Any, auto_now: bool = False, auto_now_add: bool = False, **options: Any
    ) -> None:
        self.auto_now, self.auto_now_add = auto_now, auto_now_add
        if auto_now or auto_now_add:
            options |= {"editable": False, "blank": True}
        super().__init__(*names, **options)

    def present(self) -> Any:
        """Return the present as a value of this field."""
        raise NotImplementedError

    def pre_save(self, model_instance: Instance, add: bool) -> Any:
        if self.auto_now or (self.auto_now_add and add):
            setattr(model_instance, self.attname, self.present())
        return super().pre_save(model_instance, add)

    @property
    def sets_itself(self) -> bool:
        if type(self).pre_save is not _Clocked.pre_save:
            return super().sets_itself
        return self.auto_now or self.auto_now_add or self.on_update is not None

    def get_prep_value(self, value: object) -> Any:
        return self.to_python(kept(value))

    def _read(self, parse: Callable[..., Any], value: object, wrong: str) -> Any:
        """Return what a text says; its form may be right (error `wrong`) or not ("invalid")."""
        found = self._parsed(parse, value, wrong)
        return self._refuse("invalid", value) if found is None else found

    def _parsed(self, parse: Callable[..., Any], value: object, wrong: str) -> Any:
        """Return what a text says, None where its form is another one."""
        try:
            return parse(value)
        except ValueError:
            self._refuse(wrong, value)
        except TypeError:
            self._refuse("invalid", value)

    def value_to_string(self, obj: Instance) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else value.isoformat()

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.auto_now or self.auto_now_add:
            del options["editable"], options["blank"]
        options |= {key: True for key in ("auto_now", "auto_now_add") if getattr(self, key)}
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        if [bool(self.auto_now), bool(self.auto_now_add), self.has_default()].count(True) > 1:
            msg = (
                "The options auto_now, auto_now_add, and default are mutually exclusive. "
                "Only one of these options may be present."
            )
            found.append(self._error(msg, "E160"))
        elif self.has_default() and self._is_present(self.default):
            hint = (
                "It seems you set a fixed date / time / datetime value as default for this field. This may "
                "not be what you want. If you want to have the current date as default, use "
                "`facade.timezone.now`"
            )
            found.append(self._warning("Fixed default value provided.", "W161", hint))
        return found

    def _is_present(self, default: object) -> bool:
        """Return whether a default is the moment in which the class was made, surely by mistake."""
        return False


def _naive_utc(value: dt.datetime) -> dt.datetime:
    return value if is_naive(value) else make_naive(value, dt.UTC)


def _is_near(value: dt.date, present: dt.datetime) -> bool:
    margin = dt.timedelta(seconds=10)
    low, high = present - margin, present + margin
    if isinstance(value, dt.datetime):
        return low <= _naive_utc(value) <= high
    return low.date() <= value <= high.date()


class DateField(_Clocked[DateValue]):
    """Days; `auto_now` and `auto_now_add` take today, by the default time zone, when a row is saved, or added.

    A datetime is cut to its day. Texts are read as ISO 8601; ValidationError for others.
    """

    describes = (dt.date,)
    value_kind: ClassVar[Kind | None] = "day"
    default_error_messages: ClassVar[dict[str, str]] = {
        "invalid": "“%(value)s” value has an invalid date format. It must be in YYYY-MM-DD format.",
        "invalid_date": "“%(value)s” value has the correct format (YYYY-MM-DD) but it is an invalid date.",
    }
    description = "Date (without time)"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: DateField[dt.date], *names: Name, null: Literal[False] = ..., **options: Unpack[DateOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: DateField[dt.date | None], *names: Name, null: Literal[True], **options: Unpack[DateOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "DateField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.Date()

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        if not self.null:
            add_with_twin(cls, f"get_next_by_{self.name}", self._neighbour(is_next=True))
            add_with_twin(cls, f"get_previous_by_{self.name}", self._neighbour(is_next=False))

    def _neighbour(self, *, is_next: bool) -> Callable[..., Instance]:
        """Return the method that finds the object after, or before, another one by this field."""

        def neighbour(self_: Instance, **conditions: Any) -> Any:
            return self_._get_next_or_previous_by_FIELD(self, is_next, **conditions)

        return neighbour

    def present(self) -> Any:
        return dt.datetime.now(get_default_timezone()).date()

    def to_python(self, value: object) -> Any:
        if value is None:
            return None
        if isinstance(value, dt.datetime):
            if settings.USE_TZ and not is_naive(value):
                value = make_naive(value, get_default_timezone())
            return value.date()
        return value if isinstance(value, dt.date) else self._read(parse_date, value, "invalid_date")

    def plain_values(self, vendor: str) -> Plain:
        return Plain(dt.date)

    def combined(self, connector: str, right: ValueDescription) -> Any:
        if isinstance(right, DurationField):
            return DateTimeField() if connector in ("+", "-") else None
        return DurationField() if isinstance(right, DateField) and connector == "-" else None

    def _is_present(self, default: object) -> bool:
        if isinstance(default, dt.datetime):
            default = _naive_utc(default).date()
        return isinstance(default, dt.date) and _is_near(default, _naive_utc(now()))


class DateTimeField(DateField[DateTimeValue]):
    """Moments: aware datetimes in UTC, naive ones when ``USE_TZ`` is off.

    `auto_now` takes the present whenever a row is saved, `auto_now_add` when it is added; not in `update()`. A naive value
    under ``USE_TZ`` is one of the default time zone, with a RuntimeWarning. Texts are read as ISO 8601; ValidationError for others.

    >>> DateTimeField().to_python("2024-05-01T12:00:00+02:00").isoformat()
    '2024-05-01T12:00:00+02:00'
    """

    describes = (dt.datetime,)
    value_kind = "moment"
    is_clock = False
    """Whether values are clocks without a zone: those of a column of somebody else's that has none."""
    default_error_messages: ClassVar[dict[str, str]] = {
        "invalid": (
            "“%(value)s” value has an invalid format. It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format."
        ),
        "invalid_date": "“%(value)s” value has the correct format (YYYY-MM-DD) but it is an invalid date.",
        "invalid_datetime": (
            "“%(value)s” value has the correct format (YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ]) "
            "but it is an invalid date/time."
        ),
    }
    description = "Date (with time)"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: DateTimeField[dt.datetime],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[DateOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: DateTimeField[dt.datetime | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[DateOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "DateTimeField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.DateTime()

    def stand_on(self, column: sa.Column[Any]) -> None:
        super().stand_on(column)
        self.is_clock = is_clock(column.type)
        if self.is_clock and (self.auto_now or self.auto_now_add):
            raise ImproperlyConfigured(
                f"{self} cannot have auto_now or auto_now_add: the column {column.name!r} has no time zone, and whose clock is meant "
                "nobody says. Give the field a default, and the Column an onupdate, that do."
            )

    @property
    def is_zoned(self) -> bool:
        return not self.is_clock

    def present(self) -> Any:
        return now()

    def to_python(self, value: object) -> Any:
        if value is None or isinstance(value, dt.datetime):
            return value
        if isinstance(value, dt.date):
            midnight = dt.datetime.combine(value, dt.time.min)
            return self._located(midnight) if settings.USE_TZ and not self.is_clock else midnight
        found = self._parsed(parse_datetime, value, "invalid_datetime")
        if found is None:
            return dt.datetime.combine(self._read(parse_date, value, "invalid_date"), dt.time.min)
        return found

    def get_prep_value(self, value: object) -> Any:
        prepared = super().get_prep_value(value)
        if self.is_clock:
            return self._clock(prepared)
        if isinstance(prepared, dt.datetime) and prepared.tzinfo is not None:
            return self._in_reach(prepared)
        if prepared is not None and prepared.tzinfo is None and settings.USE_TZ:
            return self._located(prepared)
        return prepared

    def plain_values(self, vendor: str) -> Plain:
        if self.is_clock:
            return Plain(dt.datetime, "v.tzinfo is None")
        return Plain(dt.datetime, "v.tzinfo is not None and 1 < v.year < 9999")

    def combined(self, connector: str, right: ValueDescription) -> Any:
        if isinstance(right, DateTimeField) and right.is_clock is not self.is_clock:
            return None  # nobody knows which moment a clock without a zone shows
        found = super().combined(connector, right)
        return ClockField() if self.is_clock and type(found) is DateTimeField else found

    def _clock(self, value: dt.datetime | None) -> dt.datetime | None:
        if value is not None and value.tzinfo is not None:
            raise ValueError(
                f"Field '{self.name}' cannot hold {value}: its column holds clocks without a time zone. Give it a naive datetime: "
                "the clock of the zone that is meant there."
            )
        return value

    def computed_reader(self, convert: Reader, dialect: Dialect) -> Reader:
        if self.is_clock or not driver_of(dialect).gives_utc:
            return convert
        custom = getattr(self, "from_db_value", None)
        if custom is None:
            return datetime_of_moment
        return DatabaseReader(custom, datetime_of_moment)

    def _in_reach(self, value: dt.datetime) -> dt.datetime:
        """Return a moment that has a place in UTC; others could be stored, and never be read again."""
        if not 1 < value.year < dt.MAXYEAR:
            try:
                value.astimezone(dt.UTC)
            except OverflowError:
                raise NumericValueOutOfRange(
                    f"Field '{self.name}' cannot hold {value}: in UTC it lies beyond the years 1 to {dt.MAXYEAR}."
                ) from None
        return value

    def _located(self, value: dt.datetime) -> dt.datetime:
        """Return a naive value as a time of the default zone, with a warning."""
        model = getattr(self, "model", None)
        name = "(unbound)" if model is None else f"{model.__name__}.{self.name}"
        warnings.warn(
            f"DateTimeField {name} received a naive datetime ({value}) while time zone support is active.",
            RuntimeWarning,
            stacklevel=4,
        )
        return self._in_reach(make_aware(value, get_default_timezone()))

    def _is_present(self, default: object) -> bool:
        return isinstance(default, dt.date) and _is_near(default, _naive_utc(now()))


class ClockField(DateTimeField[DateTimeValue]):
    """What is computed of clocks without a time zone."""

    is_clock = True

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return _CLOCK


_CLOCK = sa.DateTime()


class TimeField(_Clocked[TimeValue]):
    """Times of day, to the microsecond, without a time zone; `auto_now` and `auto_now_add` as of `DateTimeField`."""

    describes = (dt.time,)
    value_kind = "time"
    cast_in_choices = True
    default_error_messages: ClassVar[dict[str, str]] = {
        "invalid": "“%(value)s” value has an invalid format. It must be in HH:MM[:ss[.uuuuuu]] format.",
        "invalid_time": (
            "“%(value)s” value has the correct format (HH:MM[:ss[.uuuuuu]]) but it is an invalid time."
        ),
    }
    description = "Time"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: TimeField[dt.time], *names: Name, null: Literal[False] = ..., **options: Unpack[DateOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: TimeField[dt.time | None], *names: Name, null: Literal[True], **options: Unpack[DateOptions]
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "TimeField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.Time()

    def present(self) -> Any:
        return dt.datetime.now(get_default_timezone()).time()

    def to_python(self, value: object) -> Any:
        if value is None or isinstance(value, dt.time):
            return value
        if isinstance(value, dt.datetime):
            return value.time()
        return self._read(parse_time, value, "invalid_time")

    def combined(self, connector: str, right: ValueDescription) -> Any:
        if isinstance(right, DurationField):
            return TimeField() if connector in ("+", "-") else None
        return DurationField() if isinstance(right, TimeField) and connector == "-" else None

    def _is_present(self, default: object) -> bool:
        present = _naive_utc(now())
        if isinstance(default, dt.time):
            default = dt.datetime.combine(present.date(), default)
        return isinstance(default, dt.datetime) and _is_near(default, present)


_NUMBERS = (IntegerField, FloatField, DecimalField)


class DurationField(Field[DurationValue]):
    """Lengths of time, to the microsecond.

    PostgreSQL has a type for them; elsewhere they are stored as microseconds in 64 bits.

    >>> DurationField().to_python("1 02:00:00")
    datetime.timedelta(days=1, seconds=7200)
    """

    empty_strings_allowed = False
    describes = (dt.timedelta,)
    value_kind = "duration"
    bounded_when_computed = True
    default_error_messages: ClassVar[dict[str, str]] = {
        "invalid": (
            "“%(value)s” value has an invalid format. It must be in [DD] [[HH:]MM:]ss[.uuuuuu] format."
        )
    }
    description = "Duration"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: DurationField[dt.timedelta],
            *names: Name,
            null: Literal[False] = ...,
            **options: Unpack[FieldOptions],
        ) -> None: ...
        @overload
        def __init__(
            self: DurationField[dt.timedelta | None],
            *names: Name,
            null: Literal[True],
            **options: Unpack[FieldOptions],
        ) -> None: ...
        def __init__(self, *names: Any, **options: Any) -> None: ...

    def get_internal_type(self) -> str:
        return "DurationField"

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        return types.Duration()

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, dt.timedelta):
            return value
        try:
            found = parse_duration(value)
        except (TypeError, ValueError, ArithmeticError):  # a length beyond what Python counts, among others
            found = None
        return self._refuse("invalid", value) if found is None else found

    def get_prep_value(self, value: object) -> Any:
        return self.to_python(kept(value))

    def range_on(self, vendor: str | None) -> tuple[dt.timedelta, dt.timedelta] | None:
        native = vendor is None or vendor_named(vendor).has_native_duration_field
        return None if native else (-LONGEST, LONGEST)

    def storable(self, given: object, prepared: object, connection: Database | DialectView | None) -> object:
        held = None if connection is None else self.range_on(connection.vendor)
        if held is not None and isinstance(prepared, dt.timedelta) and not held[0] <= prepared <= held[1]:
            raise NumericValueOutOfRange(
                f"Field '{self.name}' cannot hold {prepared}: its lengths are 64 bits of microseconds, "
                f"up to {LONGEST}."
            )
        return prepared

    def combined(self, connector: str, right: ValueDescription) -> Any:
        if isinstance(right, DurationField):
            return DurationField() if connector in ("+", "-") else None
        if isinstance(right, (DateField, TimeField)):
            return right.combined(connector, self) if connector == "+" else None
        return DurationField() if isinstance(right, _NUMBERS) and connector in ("*", "/") else None

    def combined_behind(self, connector: str, left: ValueDescription) -> Any:
        return DurationField() if isinstance(left, _NUMBERS) and connector == "*" else None

    def value_to_string(self, obj: Instance) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else duration_string(value)
