"""What binders do in line, instead of calling the processor of a type, gives what the processor gives."""

from __future__ import annotations

import datetime as dt
import functools
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from facade import configuration, types
from facade.types.base import written_of

NUMBERS = [
    "0",
    "-0",
    "0.00",
    "12.5",
    "-12.50",
    "1E+3",
    "1E-400",
    "-1E-400",
    "9007199254740993",
    "1E+18",
    "1E+300",
    "1E+500",
]
MOMENT = dt.datetime(2020, 2, 3, 4, 5, 6, 789)  # noqa: DTZ001 - a clock
MOMENTS = [
    MOMENT,
    MOMENT.replace(tzinfo=dt.UTC),
    MOMENT.replace(microsecond=0, tzinfo=dt.UTC),
    MOMENT.replace(tzinfo=ZoneInfo("Europe/Berlin")),
    MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=-7, minutes=-30))),
    dt.datetime.min.replace(tzinfo=dt.UTC),
    dt.datetime.max.replace(tzinfo=dt.UTC),
]
DAYS = [dt.date(2020, 2, 3), dt.date.min, dt.date.max]
ASYNCPG = postgresql.asyncpg.dialect()
CASES = [
    *(
        (types.Decimal(10, 2), Decimal(number), dialect)
        for number in NUMBERS
        for dialect in (sqlite.dialect(), ASYNCPG)
    ),
    *((types.DateTime(), moment, dialect) for moment in MOMENTS for dialect in (sqlite.dialect(), ASYNCPG)),
    *((types.DateTime(timezone=False), moment, ASYNCPG) for moment in MOMENTS),
    *((types.Date(), day, dialect) for day in DAYS for dialect in (sqlite.dialect(), ASYNCPG)),
]


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize(
    ("type_", "value", "dialect"), CASES, ids=lambda one: getattr(one, "name", None) or repr(one)
)
def test_what_is_written_does_what_is_called(type_, value, dialect, use_tz):
    with configuration.override(USE_TZ=use_tz):
        bind = type_.dialect_impl(dialect).bind_processor(dialect)
        written = written_of(bind)
        if written is None:
            pytest.skip("it is called")
        source = written.text.format(**{name: name for name in written.names})
        try:
            expected = bind(value)
        except ValueError as error:
            with pytest.raises(ValueError, match=str(error)):
                eval(source, {**written.names, "v": value})
            return
        found = eval(source, {**written.names, "v": value})
        assert (type(found), repr(found)) == (type(expected), repr(expected))


def test_a_wrapper_is_called_though_it_has_taken_over_attributes():
    bind = types.Date().bind_processor(sqlite.dialect())

    @functools.wraps(bind)
    def wrapped(value):
        return bind(value)[:4]

    assert written_of(bind) is not None
    assert written_of(wrapped) is None
