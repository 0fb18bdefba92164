"""What MySQL and MariaDB say in words of their own, and where these two differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import operators

from facade.configuration import settings
from facade.exceptions import UnsupportedFeature
from facade.expressions.documents import AS_IT_IS, DOCUMENT
from facade.expressions.lookups.json_parts import INDEX
from facade.expressions.sqltext.fragments import Whole, template
from facade.sql.core.constants import literal
from facade.sql.core.words import durations
from facade.sql.core.words import mysql_zones as zones
from facade.sql.core.words.base import Keys, StandardWords, is_before, zone_key
from facade.sql.core.words.mysql_zones import Zone
from facade.sql.core.words.parameters import KeyList
from facade.types.shared import INTEGER, TEXT, TRUTH

if TYPE_CHECKING:
    from datetime import tzinfo

    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Aggregation, Combined, Convert, Core, CoreType
    from facade.fields import Field
    from facade.fields.descriptions import Kind
    from facade.sql.core.conflict import Conflict
    from facade.sql.query.state import RowLock


class MySQLWords(StandardWords):
    """The words of MySQL."""

    separates_texts = True
    reads_json_text_exactly = True
    groups_conditions = True
    groups_by_position = True

    def random(self) -> Core:
        return sa.func.rand()

    # -- lists ---------------------------------------------------------------------------------

    def listed(self, select: sa.Select[Any], apart: bool) -> Any:
        """Return a select as the list of values that IN takes, `apart` in a table of its own.

        There it may have a LIMIT, and read the table that is written.
        """
        return sa.select(*select.subquery().c) if apart else select

    # -- text ----------------------------------------------------------------------------------

    def like(self, left: Core, right: Core, *, ignore_case: bool) -> Any:
        right = right if ignore_case else template("BINARY %s", right, type_=TEXT)
        return template("%s LIKE %s", left, right, type_=TRUTH)

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        if ignore_case:
            return super().regex(left, right, ignore_case)
        return left.op("REGEXP BINARY", is_comparison=True)(right)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine_times(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        return durations.combine(_TIMES, expression, left, right, type_)

    def calculate(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        if (special := _COMBINE.get(expression.connector)) is not None:
            return special(left, right, type_)
        return super().calculate(expression, left, right, type_)

    # -- functions -----------------------------------------------------------------------------

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        if expression.calculates:
            durations.check_counted(expression, *arguments)
        call = super().aggregate(expression, arguments, type_)
        return Whole(call, type_) if expression.calculates and expression.value_kind == "duration" else call

    def nulls(self, term: Core, core: Core, first: bool) -> Any:
        """Return a term of an order with the NULLs at one end; they are smaller than any value."""
        if first == (term.modifier is operators.asc_op):
            return term
        return template("%s IS NOT NULL, %s" if first else "%s IS NULL, %s", core, term)

    def concatenated(self, texts: list[Any], type_: CoreType | None) -> Any:
        return sa.func.concat_ws(sa.literal_column("''"), *texts, type_=type_)

    def cast(self, core: Core, source: Kind | None, field: Field[Any]) -> Any:
        kind = field.value_kind
        if source == "uuid" and kind == "text":
            core = _hyphenated(core)
        if kind == "float":
            return template("(%s + 0.0)", core, type_=field.column_type)
        if kind == "truth":
            return template("(%s <> 0)", core, type_=field.column_type)
        if kind == "document":
            return template("JSON_EXTRACT(%s, '$')", core, type_=field.column_type)
        return sa.cast(core, field.column_type)

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        raise UnsupportedFeature(f"{name} is not supported on MySQL.")

    # -- writes --------------------------------------------------------------------------------

    def insert(self, table: sa.Table, conflict: Conflict) -> Any:
        if not conflict.update:
            return sa.insert(table).inline().prefix_with("IGNORE")
        statement = mysql.insert(table).inline()
        keys = [field.column_key for field in conflict.update]
        return statement.on_duplicate_key_update({key: statement.inserted[key] for key in keys})

    # -- documents -----------------------------------------------------------------------------

    def comparable_document(self, core: Core) -> Any:
        return template("JSON_EXTRACT(%s, '$')", core)

    def json_of(self, core: Core, field: Field[Any] | None) -> Any:
        kind = None if field is None else field.value_kind
        if kind == "truth":
            text = "(CASE %s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
        elif kind in ("integer", "float", "decimal"):
            text = "CONCAT(%s)"
        else:
            text = "JSON_QUOTE(CONCAT(%s))"
        return template(text, core, type_=DOCUMENT)

    def json_scalar(self, core: Core) -> Any:
        return template("JSON_UNQUOTE(%s)", core, type_=AS_IT_IS)

    def json_value(self, document: Core, keys: Keys, type_: CoreType | None) -> Any:
        return _found("JSON_EXTRACT", document, keys, type_)

    def json_text(self, document: Core, keys: Keys) -> Any:
        return template("JSON_UNQUOTE(%s)", self.json_value(document, keys, None), type_=TEXT)

    def json_in(self, left: Core, values: Core) -> Any:
        text = (
            f"%s IN (SELECT {self._item} FROM JSON_TABLE(%s, '$[*]' COLUMNS (item JSON PATH '$')) AS items)"
        )
        return template(text, self.comparable_document(left), values, type_=TRUTH)

    _item = "item"  # of the list, in the form in which equal values are equal

    def json_contains(self, left: Core, right: Core) -> Any:
        return template("JSON_CONTAINS(%s, %s)", left, right, type_=TRUTH)

    def has_key(self, document: Core, keys: Keys, key: str) -> Any:
        return _has_path(document, *map(sa.literal, _paths(keys, key)))

    def has_given_key(self, document: Core, keys: Keys, bind: Callable[[Convert | None], Core]) -> Any:
        return _has_path(document, *[bind(partial(_path_to, keys, form)) for form in (0, -1)])

    def has_keys(self, document: Core, keys: Keys, bind: Callable[[CoreType], Core], every: bool) -> Any:
        there = _found("JSON_KEYS", document, keys)
        found = template("IF(%s IS NULL, NULL, COALESCE(%s, '[]'))", document, there)
        forms = [bind(KeyList(ascii_only)) for ascii_only in (True, False)]
        asked = "JSON_CONTAINS" if every else "JSON_OVERLAPS"
        return template(
            f"({asked}(%s, %s) OR {asked}(%s, %s))", found, forms[0], found, forms[1], type_=TRUTH
        )

    # -- clocks --------------------------------------------------------------------------------

    def zone(self, named: Callable[[Callable[[tzinfo], str]], Core]) -> Any:
        if not settings.USE_TZ:
            return None
        return Zone(named(self.zone_name), named(zones.offsets_by_utc), named(zones.offsets_by_clock))

    def zone_name(self, zone: tzinfo) -> str:
        return "+00:00" if zone_key(zone) == "UTC" else super().zone_name(zone)

    def once(self, core: Core, make: Callable[[Core], Core]) -> Any:
        """Return what `make` makes of a moment: by a name, where it would repeat what is computed."""
        return zones.once(core, make)

    parts: ClassVar[dict[str, str]] = {
        "week_day": "DAYOFWEEK(%s)",
        "iso_week_day": "WEEKDAY(%s) + 1",
        "week": "WEEK(%s, 3)",
        "iso_year": "(YEARWEEK(%s, 3) DIV 100)",
    }

    def extract(self, part: str, core: Core, zone: object) -> Any:
        text = self.parts.get(part, f"EXTRACT({part.upper()} FROM %s)")
        return template(text, self.local(core, zone), type_=INTEGER)

    def local(self, core: Core, zone: object) -> Any:
        return zones.to_local(core, zone) if isinstance(zone, Zone) else core

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        local = self.local(core, zone)
        if kind in ("date", "time"):
            return template(f"{kind.upper()}(%s)", local)
        if result == "time":
            return template(f"CAST(DATE_FORMAT(%s, '{_FORMATS[kind][12:]}') AS TIME)", local)
        cut = _cut(kind, local)
        if result == "date":
            return template("DATE(%s)", cut)
        return zones.to_utc(cut, core, zone) if isinstance(zone, Zone) else cut

    def now(self, type_: CoreType) -> Any:
        return template("UTC_TIMESTAMP(6)" if settings.USE_TZ else "CURRENT_TIMESTAMP(6)", type_=type_)


class MariaDBWords(MySQLWords):
    """The words of MariaDB."""

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        if is_before(dialect, (11, 7)):
            raise UnsupportedFeature(f"{name} requires MariaDB version 11.7 or later.")

    def comparable_document(self, core: Core) -> Any:
        return template("JSON_NORMALIZE(%s)", core)

    _item = "JSON_NORMALIZE(item)"

    def for_update(self, statement: sa.Select[Any], lock: RowLock, tables: list[Any]) -> Any:
        statement = super().for_update(statement, lock, tables)
        if tables:
            raise UnsupportedFeature("FOR UPDATE OF is not supported on MariaDB.")
        return statement


_BITWISE = {"&": "%s & %s", "|": "%s | %s", "#": "%s ^ %s", "<<": "%s << %s"}


def _signed(text: str) -> Callable[[Any, Any, Any], Any]:
    """Return what makes a number of bits: those of MySQL have no sign, and do not fit into a column that has one."""
    return lambda left, right, type_: template(f"CAST({text} AS SIGNED)", left, right, type_=type_)


def _shifted_right(left: Core, right: Core, type_: CoreType | None) -> Any:
    """Return a number shifted to the right, a negative one as others shift it."""
    text = "CAST(CASE WHEN %s < 0 THEN ~(~%s >> %s) ELSE %s >> %s END AS SIGNED)"
    return template(text, left, left, right, left, right, type_=type_)


_COMBINE: dict[str, Callable[[Any, Any, Any], Any]] = {
    ">>": _shifted_right,
    **{connector: _signed(text) for connector, text in _BITWISE.items()},
}


def _difference(left: Core, right: Core, type_: CoreType | None) -> Any:
    moments = (
        template("TIMESTAMP('2000-01-01', %s)", side) if _holds_time(side) else side for side in (left, right)
    )
    later, earlier = moments
    return template("TIMESTAMPDIFF(MICROSECOND, %s, %s)", earlier, later, type_=type_)


def _holds_time(core: Core) -> bool:
    return isinstance(getattr(core.type, "impl", core.type), sa.Time)


def _add(left: Core, right: Core, type_: CoreType | None) -> Any:
    return _moment("%s + INTERVAL (%s) MICROSECOND", left, right, type_)


def _moment(text: str, left: Core, right: Core, type_: CoreType | None) -> Any:
    """Return a sum as a moment, also where MySQL took a parameter for a text."""
    if _holds_time(left):
        return template(f"({text})", left, right, type_=type_)
    return template(f"CAST({text} AS DATETIME(6))", left, right, type_=type_)


def _product(operator: str) -> Any:
    return lambda left, right, t: template(f"CAST(ROUND(%s {operator} %s) AS SIGNED)", left, right, type_=t)


_TIMES: dict[durations.Operation, durations.Make] = {
    ("moment", "+", "duration"): _add,
    ("duration", "+", "moment"): lambda left, right, t: _add(right, left, t),
    ("moment", "-", "duration"): lambda left, right, t: _moment(
        "%s - INTERVAL (%s) MICROSECOND", left, right, t
    ),
    ("moment", "-", "moment"): _difference,
    ("duration", "*", "number"): _product("*"),
    ("number", "*", "duration"): _product("*"),
    ("duration", "/", "number"): _product("/"),
}


def _hyphenated(core: Core) -> Any:
    """Return the text of a UUID as PostgreSQL writes it; MariaDB's own type has the hyphens already."""
    digits = template("REPLACE(%s, '-', '')", core)
    for position in (9, 14, 19, 24):
        digits = template(f"INSERT(%s, {position}, 0, '-')", digits)
    return digits


# -- paths ---------------------------------------------------------------------------------------


def _paths(keys: tuple[str, ...], *names: str) -> list[str]:
    """Return the path to a part, in each form that finds it; `names` are keys at its end that are no indexes.

    MariaDB compares keys as they are written: those of a document may be escaped, as Python's json writes them, or not.
    """
    forms = []
    for ascii_only in (True, False):
        steps = [_step(key, ascii_only) for key in keys]
        steps += [_key(name, ascii_only) for name in names]
        forms.append("$" + "".join(steps))
    return forms[:1] if forms[0] == forms[1] else forms


def _step(key: str, ascii_only: bool) -> str:
    if not INDEX.fullmatch(key):
        return _key(key, ascii_only)
    if key.startswith("-"):
        raise UnsupportedFeature(
            "Using negative JSON array indices is not supported on this database backend."
        )
    return f"[{int(key)}]"


def _key(key: str, ascii_only: bool) -> str:
    return f".{json.dumps(key, ensure_ascii=ascii_only)}"


def _found(function: str, document: Core, keys: Keys, type_: CoreType | None = None) -> Any:
    """Return what a function finds in the part of a document."""
    texts = [literal(path, TEXT) for path in _paths(keys)]
    found = [template(f"{function}(%s, %s)", document, text, type_=type_) for text in texts]
    return found[0] if len(found) == 1 else template("COALESCE(%s, %s)", *found, type_=type_)


def _path_to(keys: Keys, form: int, key: str) -> str:
    return _paths(keys, key)[form]


def _has_path(document: Core, *paths: Core) -> Any:
    text = f"JSON_CONTAINS_PATH(%s, 'one', {', '.join(['%s'] * len(paths))})"
    return template(text, document, *paths, type_=TRUTH)


# -- clocks --------------------------------------------------------------------------------------

_FORMATS = {
    "year": "%%Y-01-01 00:00:00",
    "month": "%%Y-%%m-01 00:00:00",
    "day": "%%Y-%%m-%%d 00:00:00",
    "hour": "%%Y-%%m-%%d %%H:00:00",
    "minute": "%%Y-%%m-%%d %%H:%%i:00",
    "second": "%%Y-%%m-%%d %%H:%%i:%%s",
}


def _cut(kind: str, local: Core) -> Any:
    if kind == "week":
        return template("CAST(DATE(DATE_SUB(%s, INTERVAL WEEKDAY(%s) DAY)) AS DATETIME)", local, local)
    if kind == "quarter":
        text = "CAST(MAKEDATE(YEAR(%s), 1) + INTERVAL QUARTER(%s) QUARTER - INTERVAL 1 QUARTER AS DATETIME)"
        return template(text, local, local)
    return template(f"CAST(DATE_FORMAT(%s, '{_FORMATS[kind]}') AS DATETIME)", local)


__all__ = ["MariaDBWords", "MySQLWords"]
