"""The SQL of dates and times in each database: parts, truncation, the present.

Moments are stored in UTC (PostgreSQL: as moments), so each function takes them to a time zone first; what is
cut to a unit of time goes back, so that it can be compared with stored moments.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from facade.configuration import settings
from facade.expressions.functions import mysql_zones
from facade.expressions.sqltext.fragments import template
from facade.timezone import get_current_timezone, get_default_timezone, timezone_name
from facade.types import DateTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.expressions.contracts import Compiler, Core, CoreType, Valued
    from facade.fields import Field

    Zone = Core | mysql_zones.Zone | None  # as parameters of a statement


# -- zones --------------------------------------------------------------------------------


def zone(compiler: Compiler, tzinfo: dt.tzinfo | None) -> Any:
    """Return a time zone as parameters; None for `tzinfo` means the zone that is current when the query runs."""
    vendor = compiler.vendor
    if not settings.USE_TZ:
        return (
            sa.literal(zone_name(get_default_timezone(), vendor), sa.Text())
            if vendor == "postgresql"
            else None
        )
    name = _zone_parameter(compiler, tzinfo, lambda zone: zone_name(zone, vendor))
    if vendor != "mysql":
        return name
    tables = (mysql_zones.offsets_by_utc, mysql_zones.offsets_by_clock)
    return mysql_zones.Zone(name, *[_zone_parameter(compiler, tzinfo, table) for table in tables])


def _zone_parameter(compiler: Compiler, tzinfo: dt.tzinfo | None, text: Callable[[dt.tzinfo], str]) -> Any:
    if tzinfo is not None:
        return sa.literal(text(tzinfo), sa.Text())
    return compiler.binds.add(None, sa.Text(), lambda _: text(get_current_timezone()))


def zone_name(tzinfo: dt.tzinfo, vendor: str) -> str:
    """Return what a database calls a time zone; zones of a fixed offset have no name but the offset."""
    name = getattr(tzinfo, "key", None) or getattr(tzinfo, "zone", None)
    if name is None:
        offset = tzinfo.utcoffset(None)
        return timezone_name(tzinfo) if offset is None else _offset_name(offset, vendor)
    return "+00:00" if vendor == "mysql" and name == "UTC" else str(name)


def _offset_name(offset: dt.timedelta, vendor: str) -> str:
    minutes = offset // dt.timedelta(minutes=1)
    sign = "-" if (minutes < 0) != (vendor == "postgresql") else "+"  # POSIX counts the other way
    text = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    return f"UTC{text}" if vendor == "postgresql" else text


def _local(compiler: Compiler, core: Core, zone: Zone) -> Any:
    """Return a stored moment as the clocks of a zone show it."""
    if zone is None:
        return core
    if compiler.vendor == "postgresql":
        return template("(%s AT TIME ZONE %s)", _moment(core), zone)
    if compiler.vendor == "mysql":
        return mysql_zones.to_local(core, cast("mysql_zones.Zone", zone))
    return core


def at_stored_zone(core: Core) -> Any:
    """Return a moment of PostgreSQL as the clock of UTC (with USE_TZ off: of TIME_ZONE) shows it, or the moment of such a clock."""
    name = "UTC" if settings.USE_TZ else zone_name(get_default_timezone(), "postgresql")
    return template("(%s AT TIME ZONE %s)", core, sa.literal(name, sa.Text()))


def is_naive(core: Core) -> bool:
    """Return whether a value of PostgreSQL is a clock without a time zone: what a day and a duration make."""
    return isinstance(core.type, DateTime) and not core.type.timezone


def _moment(core: Core) -> Any:
    """Return a value of PostgreSQL as a moment: those without a time zone hold the clock that `at_stored_zone` shows."""
    return at_stored_zone(core) if getattr(core.type, "timezone", True) is False else core


# -- parts --------------------------------------------------------------------------------

_POSTGRESQL_PARTS = {
    "week_day": "EXTRACT(DOW FROM %s) + 1",
    "iso_week_day": "EXTRACT(ISODOW FROM %s)",
    "iso_year": "EXTRACT(ISOYEAR FROM %s)",
    "second": "EXTRACT(SECOND FROM DATE_TRUNC('second', %s))",
}
_MYSQL_PARTS = {
    "week_day": "DAYOFWEEK(%s)",
    "iso_week_day": "WEEKDAY(%s) + 1",
    "week": "WEEK(%s, 3)",
    "iso_year": "(YEARWEEK(%s, 3) DIV 100)",
}


def extract(compiler: Compiler, part: str, core: Core, zone: Zone) -> Any:
    """Return a part of a date, time, moment or duration; `part` is of a closed list."""
    local = _local(compiler, core, zone)
    if compiler.vendor == "sqlite":
        return template(f"FACADE_EXTRACT('{part}', %s, %s)", core, _or_null(zone), type_=sa.Integer())
    if compiler.vendor == "mysql":
        return template(_MYSQL_PARTS.get(part, f"EXTRACT({part.upper()} FROM %s)"), local, type_=sa.Integer())
    text = _POSTGRESQL_PARTS.get(part, f"EXTRACT({part.upper()} FROM %s)")
    return template(f"CAST({text} AS INTEGER)", local, type_=sa.Integer())


def once(compiler: Compiler, source: Valued, zone: Zone, make: Callable[[Core], Core]) -> Any:
    """Return what `make` makes of a value; where that repeats it, by a name, which aggregates and windows cannot have."""
    core = compiler.process(source)
    named = compiler.vendor == "mysql" and zone is not None
    if not named or source.contains_aggregate or source.contains_over_clause:
        return make(core)
    return mysql_zones.once(core, make)


def _or_null(zone: Zone) -> Any:
    return sa.null() if zone is None else zone


# -- truncation -----------------------------------------------------------------------------


def result_kind(field: Field[Any]) -> str:
    """Return whether a field holds a datetime, a date or a time."""
    return {"moment": "datetime", "day": "date"}.get(field.value_kind or "", "time")


def trunc(compiler: Compiler, kind: str, core: Core, zone: Zone, result: str) -> Any:
    """Return a date, time or moment cut to a unit; `kind` and `result` are of closed lists."""
    if compiler.vendor == "sqlite":
        return template(f"FACADE_TRUNC('{kind}', '{result}', %s, %s)", core, _or_null(zone))
    make = _mysql_trunc if compiler.vendor == "mysql" else _postgresql_trunc
    return make(compiler, kind, core, zone, result)


def _postgresql_trunc(compiler: Compiler, kind: str, core: Core, zone: Zone, result: str) -> Any:
    if result == "datetime" and zone is not None:
        return template(f"DATE_TRUNC('{kind}', %s, %s)", _moment(core), zone)
    local = _local(compiler, core, zone)
    if kind in ("date", "time"):
        return template(f"CAST(%s AS {kind.upper()})", local)
    cast = {"datetime": "TIMESTAMP", "date": "DATE", "time": "TIME"}[result]
    return template(f"CAST(DATE_TRUNC('{kind}', %s) AS {cast})", local)


_MYSQL_FORMATS = {
    "year": "%%Y-01-01 00:00:00",
    "month": "%%Y-%%m-01 00:00:00",
    "day": "%%Y-%%m-%%d 00:00:00",
    "hour": "%%Y-%%m-%%d %%H:00:00",
    "minute": "%%Y-%%m-%%d %%H:%%i:00",
    "second": "%%Y-%%m-%%d %%H:%%i:%%s",
}


def _mysql_trunc(compiler: Compiler, kind: str, core: Core, zone: Zone, result: str) -> Any:
    local = _local(compiler, core, zone)
    if kind in ("date", "time"):
        return template(f"{kind.upper()}(%s)", local)
    if result == "time":
        return template(f"CAST(DATE_FORMAT(%s, '{_MYSQL_FORMATS[kind][12:]}') AS TIME)", local)
    cut = _mysql_cut(kind, local)
    if result == "date":
        return template("DATE(%s)", cut)
    return cut if zone is None else mysql_zones.to_utc(cut, core, cast("mysql_zones.Zone", zone))


def _mysql_cut(kind: str, local: Field[Any]) -> Any:
    if kind == "week":
        return template("CAST(DATE(DATE_SUB(%s, INTERVAL WEEKDAY(%s) DAY)) AS DATETIME)", local, local)
    if kind == "quarter":
        text = "CAST(MAKEDATE(YEAR(%s), 1) + INTERVAL QUARTER(%s) QUARTER - INTERVAL 1 QUARTER AS DATETIME)"
        return template(text, local, local)
    return template(f"CAST(DATE_FORMAT(%s, '{_MYSQL_FORMATS[kind]}') AS DATETIME)", local)


# -- the present -----------------------------------------------------------------------------


def now(compiler: Compiler, type_: CoreType) -> Any:
    """Return the time at which the statement began, as moments are stored."""
    if compiler.vendor == "postgresql":
        return template("STATEMENT_TIMESTAMP()", type_=type_)
    if compiler.vendor == "mysql":
        return template("UTC_TIMESTAMP(6)" if settings.USE_TZ else "CURRENT_TIMESTAMP(6)", type_=type_)
    if compiler.vendor == "sqlite":
        return template("STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", type_=type_)
    return template("CURRENT_TIMESTAMP", type_=type_)
