"""Time zones on MySQL: its own conversion where that works, elsewhere a table of the zone's offsets as a parameter.

CONVERT_TZ gives NULL on a server whose time zone tables are empty, and leaves what lies outside of 1970 to 2038 as it is.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from facade.expressions.sqltext.fragments import template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from facade.expressions.contracts import Core

_CONVERTIBLE = "%s BETWEEN '1970-01-03' AND '2038-01-17'"
# A year before 2066 whose days are those of a later one: their pattern returns after 28 years, but for the leap days
# that centuries skip.
_SKIPPED = "FLOOR(YEAR(%s - INTERVAL 2 MONTH) / 100) - FLOOR(YEAR(%s - INTERVAL 2 MONTH) / 400) - 15"
_LATER = f"YEAR(%s) - 2038 - MOD(YEAR(%s) - 12 * ({_SKIPPED}) - 2038, 28)"
_EARLY = f"IF(%s < '2066-01-01', %s, %s - INTERVAL ({_LATER}) YEAR)"
# DISTINCT lets the server read the table once, not once per row.
_OFFSET = (
    "(SELECT zone.seconds FROM (SELECT DISTINCT begun, seconds FROM JSON_TABLE(%s, '$[*]' COLUMNS ("
    "begun BIGINT PATH '$[0]', seconds INT PATH '$[1]')) AS offsets) AS zone "
    "WHERE zone.begun <= TO_SECONDS({moment}) ORDER BY zone.begun DESC LIMIT 1)"
)
_TO_LOCAL = (
    f"COALESCE(IF({_CONVERTIBLE}, CONVERT_TZ(%s, '+00:00', %s), NULL), "
    f"%s + INTERVAL {_OFFSET.format(moment=_EARLY)} SECOND)"
)
_TO_UTC = (
    f"COALESCE(IF({_CONVERTIBLE}, CONVERT_TZ(%s, %s, '+00:00'), NULL), "
    f"%s - INTERVAL {_OFFSET.format(moment='%s')} SECOND)"
)

_YEAR_ONE = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_SECONDS_BEFORE = 366 * 24 * 60 * 60  # MySQL counts from the year 0
_FIRST = dt.datetime(1840, 1, 1, tzinfo=dt.UTC)
_LAST_BY_UTC, _LAST_BY_CLOCK = dt.datetime(2066, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
_STEP = dt.timedelta(days=4)
_SECOND = dt.timedelta(seconds=1)
# A value that is computed: by name in what follows, which would repeat all of its text several times.
_ONCE = (
    "(SELECT %s FROM JSON_TABLE(JSON_ARRAY(%s), '$[*]' COLUMNS (clock DATETIME(6) PATH '$')) AS facade_once)"
)


class Zone(NamedTuple):
    """A time zone in a statement: its name, and its offsets by the clock of UTC and by its own clocks."""

    name: Core
    by_utc: Core
    by_clock: Core


def once(core: Core, make: Callable[[Core], Core]) -> Any:
    """Return what `make` makes of a moment; one that is computed is named for it, or texts that are nested would grow by powers."""
    plain = core.clause if isinstance(core, sa.sql.elements.TypeCoerce) else core
    if isinstance(plain, (sa.ColumnClause, sa.BindParameter)):
        return make(core)
    return template(_ONCE, make(sa.literal_column("facade_once.clock", core.type)), core)


def to_local(core: Core, zone: Zone) -> Any:
    """Return a moment, which is stored as the clock of UTC, as the clocks of a zone show it."""
    copies = [core] * _EARLY.count("%s")
    return template(_TO_LOCAL, core, core, zone.name, core, zone.by_utc, *copies)


def to_utc(local: Core, moment: Core, zone: Zone) -> Any:
    """Return when the clocks of a zone show `local`, which is near a moment, as the clock of UTC."""
    return template(_TO_UTC, moment, local, zone.name, local, zone.by_clock, local)


def offsets_by_utc(tzinfo: dt.tzinfo) -> str:
    """Return the offsets of a zone until 2066 as JSON, `[[since when, seconds], ...]`, by the clock of UTC.

    Since when: in seconds, as TO_SECONDS counts them.
    """
    return _offsets(tzinfo)[0]


def offsets_by_clock(tzinfo: dt.tzinfo) -> str:
    """Return the same by the zone's own clocks until 2100; an hour that they show twice is the first one."""
    return _offsets(tzinfo)[1]


@functools.lru_cache(maxsize=64)
def _offsets(tzinfo: dt.tzinfo) -> tuple[str, str]:
    first = (0, _offset(tzinfo, _FIRST))
    changes = list(_changes(tzinfo))
    by_utc = [(_count(moment), after) for moment, _, after in changes if moment < _LAST_BY_UTC]
    by_clock = [(_count(moment) + max(before, after), after) for moment, before, after in changes]
    return _text([first, *by_utc]), _text([first, *by_clock])


_text = json.JSONEncoder(separators=(",", ":")).encode


def _count(moment: dt.datetime) -> int:
    return (moment - _YEAR_ONE) // _SECOND + _SECONDS_BEFORE


def _changes(tzinfo: dt.tzinfo) -> Iterator[tuple[dt.datetime, int, int]]:
    """Yield when the offset changes, from what, and to what."""
    if tzinfo.utcoffset(None) is not None:
        return  # it never does
    moment, before = _FIRST, _offset(tzinfo, _FIRST)
    while moment < _LAST_BY_CLOCK:
        later = moment + _STEP
        after = _offset(tzinfo, later)
        if after != before:
            yield _first_with(tzinfo, moment, later), before, after
        moment, before = later, after


def _first_with(tzinfo: dt.tzinfo, early: dt.datetime, late: dt.datetime) -> dt.datetime:
    """Return the first second at which the offset is that of `late`."""
    wanted = _offset(tzinfo, late)
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        early, late = (early, middle) if _offset(tzinfo, middle) == wanted else (middle, late)
    return late


def _offset(tzinfo: dt.tzinfo, moment: dt.datetime) -> int:
    offset = moment.astimezone(tzinfo).utcoffset()
    return 0 if offset is None else offset // _SECOND
