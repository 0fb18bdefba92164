"""Column types whose Python values are the same on every database.

SQLAlchemy's types give floats that were never decimals on SQLite, UUIDs as text on MySQL, datetimes in the
session's time zone on PostgreSQL. Each type here names the column type of a dialect and, where the driver's values
are not the wanted ones, one function per direction: no chain of wrappers runs per value.

`bind_processor(dialect)` and `result_processor(dialect, None)` of a type's `dialect_impl(dialect)` give these functions,
or None where there is nothing to do. They follow the setting ``USE_TZ``; one is None because of it (where the driver gives moments in UTC).
"""

from __future__ import annotations

from facade.types.decimals import Decimal
from facade.types.json import JSON
from facade.types.scalars import UUID, Binary, Boolean, Float, IPAddress
from facade.types.temporal import Date, DateTime, Duration, Time

__all__ = [
    "JSON",
    "UUID",
    "Binary",
    "Boolean",
    "Date",
    "DateTime",
    "Decimal",
    "Duration",
    "Float",
    "IPAddress",
    "Time",
]
