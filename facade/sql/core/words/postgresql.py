"""What PostgreSQL says in words of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from facade import fields
from facade.configuration import settings
from facade.exceptions import UnsupportedFeature
from facade.expressions.documents import DOCUMENT
from facade.expressions.lookups.json_parts import INDEX
from facade.expressions.sqltext.fragments import template
from facade.sql.core.constants import bound_type, literal
from facade.sql.core.words.base import Keys, StandardWords, is_before, offset_text, on_conflict
from facade.timezone import get_default_timezone
from facade.types import JSON, DateTime, IPAddress
from facade.types.base import is_own, storage
from facade.types.shared import INTEGER, TEXT, TRUTH

if TYPE_CHECKING:
    from datetime import timedelta, tzinfo

    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Aggregation, Combined, Compiler, Convert, Core, CoreType, Valued
    from facade.expressions.freezing import Arg
    from facade.fields import Field
    from facade.fields.descriptions import Kind
    from facade.sql.core.conflict import Conflict

_LARGEST = ("Max", "Min")


class PostgreSQLWords(StandardWords):
    """The words of PostgreSQL."""

    filters_aggregates = True
    compares_parameters = True
    chooses_by_type = True
    shifts_uuids = True
    groups_by_position = True
    orders_by_position = True
    compares_documents = True
    text_aggregate = "STRING_AGG"
    orders_within_group = False
    remainder = "%s %% %s"
    operators = frozenset({"+", "-", "*", "/", "&", "|", "<<", ">>", "#"})
    extracts = StandardWords.extracts | {"quarter", "week"}
    json_functions: ClassVar[dict[str, str]] = {
        "JSON_ARRAY": "jsonb_build_array",
        "JSON_OBJECT": "jsonb_build_object",
    }

    def null(self, type_: CoreType | None) -> Core:
        """Return the NULL of a type, by which operators and functions are chosen: a bare one has none."""
        return sa.null() if type_ is None else sa.cast(sa.null(), type_)

    # -- lists ---------------------------------------------------------------------------------

    def in_list(
        self, compiler: Compiler, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None
    ) -> Any:
        if not _has_arrays(type_, compiler.dialect):
            return super().in_list(compiler, left, arg, type_, convert)
        return left == sa.any_(compiler.bind(arg, sa.ARRAY(_array_item(type_), dimensions=1), convert))

    def in_rows(
        self,
        compiler: Compiler,
        left: Sequence[Core],
        arg: Arg,
        types: Sequence[CoreType | None],
        convert: Convert,
    ) -> Any:
        if not all(_has_arrays(one, compiler.dialect) for one in types):
            return super().in_rows(compiler, left, arg, types, convert)
        arrays = []
        for position, item in enumerate(types):
            array = sa.ARRAY(_array_item(item))
            arrays.append(sa.cast(compiler.bind(arg, array, _column(position, convert)), array))
        names = [f"column{n}" for n in range(1, len(left) + 1)]
        rows = sa.func.unnest(*arrays).table_valued(*names).render_derived()
        return sa.tuple_(*left).in_(sa.select(*[rows.c[name] for name in names]))

    # -- text ----------------------------------------------------------------------------------

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        operator = self.text(left).op("~*" if ignore_case else "~", is_comparison=True)
        return operator(self.pattern(right))

    def text(self, value: Core) -> Any:
        """Return a value for pattern matching, which is done with text only."""
        if isinstance(value.type, sa.String):
            return value
        if isinstance(value.type, IPAddress):
            return sa.func.host(value, type_=TEXT)  # as text it has its network's width behind it
        return sa.cast(value, TEXT)

    def pattern(self, value: Core) -> Any:
        if isinstance(value.type, JSON):
            return template("(%s #>> '{}')", value, type_=TEXT)
        return self.text(value)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine_times(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        """Return days as an interval instead of their number, and say that a day and an interval make no moment."""
        days = [side.value_kind == "day" for side in (expression.lhs, expression.rhs)]
        if all(days) and expression.connector == "-":
            return template("(INTERVAL '1 day' * (%s - %s))", left, right, type_=type_)
        if any(days) and "duration" in (expression.lhs.value_kind, expression.rhs.value_kind):
            clock = DateTime(timezone=False)
            return template(f"(%s {expression.connector} %s)", left, right, type_=clock)
        return None

    # -- functions -----------------------------------------------------------------------------

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        measures = expression.calculates or expression.name in _LARGEST
        if measures and expression.get_source_expressions()[0].value_kind == "document":
            raise UnsupportedFeature(
                f"{expression.name} of JSON is not possible on PostgreSQL: Cast it to a field of numbers or texts."
            )
        return super().aggregate(expression, arguments, type_)

    def unified(self, core: Core, expression: Valued) -> Any:
        """Return the value of several branches as its column takes it, whose type would be that of plain texts."""
        field = expression.known_field
        told = field is not None and field.cast_in_choices
        return sa.cast(core, expression.column_type) if told else core

    def text_argument(self, core: Core, kind: Kind | None) -> Core:
        return core if kind == "text" else sa.cast(core, TEXT)

    def cast(self, core: Core, source: Kind | None, field: Field[Any]) -> Any:
        """Return a cast that does not depend on the time zone of the session."""
        target = field.value_kind
        if source == "moment" and target in ("day", "time") and not _is_naive(core):
            core = self._stored_clock(core)
        if (source, target) == ("moment", "moment") and _is_naive(core):
            return sa.type_coerce(self._stored_clock(core), field.column_type)
        if (source, target) == ("day", "moment"):
            return sa.type_coerce(self._stored_clock(sa.cast(core, sa.DateTime())), field.column_type)
        return sa.cast(core, field.column_type)

    def typed(self, core: Core, type_: CoreType) -> Core:
        """Return a constant text as a value of another type: a bare literal would be read as what the column holds."""
        return sa.cast(core, type_)

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        if version == 7 and is_before(dialect, (18,)):
            raise UnsupportedFeature("UUID7 requires PostgreSQL version 18 or later.")

    # -- documents -----------------------------------------------------------------------------

    def as_document(self, core: Core) -> Core:
        given = core.type
        is_other = getattr(given, "stored_as", None) is not None or (
            isinstance(given, sa.JSON) and not isinstance(given, postgresql.JSONB)
        )
        return sa.cast(core, postgresql.JSONB()) if is_other else core

    def comparable_document(self, core: Core) -> Any:
        return self.as_document(core)

    def json_of(self, core: Core, field: Field[Any] | None) -> Any:
        if field is None or type(field) is fields.Field:
            return core  # of a type that only the database knows
        if field.value_kind == "text":
            core = sa.cast(core, TEXT)
        return template("TO_JSONB(%s)", core, type_=DOCUMENT)

    def json_argument(self, core: Core, kind: Kind | None) -> Core:
        return sa.cast(core, TEXT) if kind == "text" else core

    def json_value(self, document: Core, keys: Keys, type_: CoreType | None) -> Any:
        return _part(document, keys, type_)

    def json_text(self, document: Core, keys: Keys) -> Any:
        return _part(document, keys, TEXT, "->>")

    def json_in(self, left: Core, values: Core) -> Any:
        text = "%s IN (SELECT JSONB_ARRAY_ELEMENTS(CAST(%s AS JSONB)))"
        return template(text, left, values, type_=TRUTH)

    def json_contains(self, left: Core, right: Core) -> Any:
        return template("%s @> %s", left, right, type_=TRUTH)

    def json_contained(self, left: Core, right: Core) -> Any:
        return template("%s <@ %s", left, right, type_=TRUTH)

    def has_key(self, document: Core, keys: Keys, key: str) -> Any:
        return template("%s ? %s", _part(document, keys, None), literal(key, TEXT), type_=TRUTH)

    def has_given_key(self, document: Core, keys: Keys, bind: Callable[[Convert | None], Core]) -> Any:
        return template("%s ? %s", _part(document, keys, None), bind(None), type_=TRUTH)

    def has_keys(self, document: Core, keys: Keys, bind: Callable[[CoreType], Core], every: bool) -> Any:
        wanted = bind(sa.ARRAY(TEXT))
        return template("%s ?& %s" if every else "%s ?| %s", _part(document, keys, None), wanted, type_=TRUTH)

    # -- clocks --------------------------------------------------------------------------------

    def zone(self, named: Callable[[Callable[[tzinfo], str]], Core]) -> Any:
        if settings.USE_TZ:
            return named(self.zone_name)
        return literal(self.zone_name(get_default_timezone()), TEXT)

    def offset_name(self, offset: timedelta) -> str:
        return f"UTC{offset_text(offset, '-+')}"  # POSIX counts the other way

    def _stored_clock(self, core: Core) -> Any:
        """Return a moment as the clock of UTC (with USE_TZ off: of TIME_ZONE) shows it, or the moment of such a clock."""
        name = "UTC" if settings.USE_TZ else self.zone_name(get_default_timezone())
        return template("(%s AT TIME ZONE %s)", core, literal(name, TEXT))

    def _moment(self, core: Core) -> Any:
        """Return a value as a moment: those without a time zone hold the clock that `_stored_clock` shows."""
        return self._stored_clock(core) if getattr(core.type, "timezone", True) is False else core

    def as_moment(self, core: Core) -> Core:
        return self._stored_clock(core) if _is_naive(core) else core

    parts: ClassVar[dict[str, str]] = {
        "week_day": "EXTRACT(DOW FROM %s) + 1",
        "iso_week_day": "EXTRACT(ISODOW FROM %s)",
        "iso_year": "EXTRACT(ISOYEAR FROM %s)",
        "second": "EXTRACT(SECOND FROM DATE_TRUNC('second', %s))",
    }

    def local(self, core: Core, zone: object) -> Any:
        return core if zone is None else template("(%s AT TIME ZONE %s)", self._moment(core), zone)

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        if result == "datetime" and zone is not None:
            return template(f"DATE_TRUNC('{kind}', %s, %s)", self._moment(core), zone)
        return super().trunc(kind, core, zone, result)

    def now(self, type_: CoreType) -> Any:
        return template("STATEMENT_TIMESTAMP()", type_=type_)

    # -- writes --------------------------------------------------------------------------------

    def insert(self, table: sa.Table, conflict: Conflict) -> Any:
        return on_conflict(postgresql.insert(table).inline(), table, conflict)

    # -- combinations and locks ------------------------------------------------------------------

    def distinct_on(self, statement: sa.Select[Any], columns: list[Any]) -> Any:
        if hasattr(postgresql, "distinct_on"):  # SQLAlchemy 2.1
            return statement.ext(postgresql.distinct_on(*columns))
        return statement.distinct(*columns)


_IN_ARRAYS = (
    *(sa.Boolean, sa.Integer, sa.Numeric, sa.Float, sa.String, sa.LargeBinary, sa.Uuid, sa.JSON),
    *(sa.Date, sa.DateTime, sa.Time, sa.Interval, postgresql.INTERVAL, postgresql.INET),
)


def _has_arrays(type_: CoreType | None, dialect: Dialect) -> bool:
    """Return whether both drivers send a list of values of a type as an array, in which they are compared as themselves."""
    if type_ is None or type_.dialect_impl(dialect)._has_bind_expression:
        return False
    found = storage(type_, dialect)
    return isinstance(found, _IN_ARRAYS) and is_own(found) and not isinstance(found, _NOT_IN_ARRAYS)


_NOT_IN_ARRAYS = (sa.Enum, postgresql.CITEXT)


def _array_item(type_: CoreType | None) -> Any:
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        return TEXT
    return bound_type(type_, None)


def _column(position: int, convert: Convert) -> Callable[[Any], list[Any]]:
    """Return what takes one value out of each row of a list."""
    return lambda rows: [row[position] for row in convert(rows)]


def _is_naive(core: Core) -> bool:
    """Return whether a value is a clock without a time zone: what a day and a duration make."""
    return isinstance(core.type, (DateTime, sa.DateTime)) and not core.type.timezone


def _part(document: Core, keys: Keys, type_: CoreType | None, arrow: str = "->") -> Any:
    """Return a part of a document: as jsonb, or as text with the arrow `->>`."""
    if not keys:
        return document
    if len(keys) > 1:
        path = literal(list(keys), sa.ARRAY(TEXT))
        return template(f"(%s {arrow.replace('-', '#')} %s)", document, path, type_=type_)
    (key,) = keys
    name = literal(int(key), INTEGER) if INDEX.fullmatch(key) else literal(key, TEXT)
    return template(f"(%s {arrow} %s)", document, name, type_=type_)


__all__ = ["PostgreSQLWords"]
