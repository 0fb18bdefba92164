"""SQL as the standard has it: what every database says that does not say it otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade.configuration import settings
from facade.exceptions import UnsupportedFeature
from facade.expressions.documents import DOCUMENT
from facade.expressions.sqltext.fragments import Fragment, template
from facade.timezone import timezone_name
from facade.types.shared import INTEGER, TEXT, TRUTH

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import (
        Aggregation,
        Call,
        Combined,
        Compiler,
        Convert,
        Core,
        CoreType,
        Valued,
    )
    from facade.expressions.freezing import Arg
    from facade.fields import Field
    from facade.fields.descriptions import Kind
    from facade.sql.core.conflict import Conflict
    from facade.sql.query.query import Query as SQLQuery
    from facade.sql.query.state import RowLock
    from facade.vendors import Vendor

Keys = tuple[str, ...]


class StandardWords:
    """The words of a database; `vendor` tells what it can do."""

    filters_aggregates = False
    """Whether an aggregate may have a FILTER clause."""
    separates_texts = False
    """Whether an aggregate of texts has the word SEPARATOR before what stands between them."""
    compares_parameters = False
    """Whether expressions are the same only if their parameters are."""
    chooses_by_type = False
    """Whether functions are chosen by the types of numbers, and some are there for decimals only."""
    rounds_before_point = True
    """Whether ROUND takes a negative number of digits."""
    cuts_ends = True
    """Whether there are LEFT and RIGHT."""
    shifts_uuids = False
    """Whether UUIDs of version 7 may be those of another time."""
    arguments_max: int | None = None
    """How many arguments a function of any number of them takes, where that is limited."""
    groups_conditions = False
    """Whether conditions on groups know the columns that rows are grouped by from the grouping alone."""
    groups_by_position = False
    """Whether GROUP BY takes positions of what is selected."""
    orders_by_position = False
    """Whether ORDER BY knows an expression that is selected only by its position."""
    nests_conditions = False
    """Whether a long `a AND b AND …` is taken for a tree as deep as it is long."""
    has_documents = True
    """Whether JSON is a kind of value of its own, not text."""
    compares_documents = False
    """Whether JSON is compared with nothing but JSON."""
    reads_json_text_exactly = False
    """Whether text of JSON is compared letter by letter where other texts are not."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor

    def random(self) -> Core:
        """Return a random number: the `?` of order_by."""
        return sa.func.random()

    def null(self, type_: CoreType | None) -> Core:
        """Return the NULL of a type."""
        return sa.null()

    # -- lists ---------------------------------------------------------------------------------

    def in_list(
        self, compiler: Compiler, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None
    ) -> Any:
        """Return `left IN (list)`, the list an argument of any length."""
        return left.in_(compiler.bind_each(arg, type_, convert))

    def listed(self, select: sa.Select[Any], apart: bool) -> Any:
        """Return a select as the list of values that IN takes, `apart` from the statement around it where that matters."""
        return select

    # -- text ----------------------------------------------------------------------------------

    def like(self, left: Core, right: Core, *, ignore_case: bool) -> Any:
        r"""Return `left LIKE right`, wildcards escaped by `\`."""
        return template("%s LIKE %s ESCAPE '\\'", self.text(left), right, type_=TRUTH)

    def like_pattern(self, before: str, right: Core, after: str) -> Any:
        """Return an expression's value as a LIKE pattern, its own wildcards escaped."""
        pattern = self.pattern(right)
        for character in ("\\", "%", "_"):
            pattern = sa.func.replace(pattern, character, "\\" + character, type_=TEXT)
        if before:
            pattern = sa.literal(before) + pattern
        if after:
            pattern = pattern + sa.literal(after)
        return pattern

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        """Return whether a text matches a regular expression of the database's own dialect."""
        right = self.pattern(right)
        if ignore_case:
            right = template("CONCAT('(?i)', %s)", right)
        return self.text(left).op("REGEXP", is_comparison=True)(right)

    def text(self, value: Core) -> Any:
        """Return a value as pattern matching takes it."""
        return value

    def pattern(self, value: Core) -> Any:
        """Return what a pattern is made of as text: the text that a document consists of, not its JSON."""
        return self.text(value)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        """Return `left connector right`, in parentheses."""
        temporal = self.combine_times(expression, left, right, type_)
        return self.calculate(expression, left, right, type_) if temporal is None else temporal

    def combine_times(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        """Return the same for dates, times and durations; None where the operator itself will do."""
        return None

    def calculate(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        """Return the same for numbers."""
        connector = expression.connector
        if connector == "^":
            return sa.func.power(left, right, type_=type_)
        if connector not in _OPERATORS:
            raise UnsupportedFeature(f"The operator {connector!r} is not supported on {self.vendor.name}.")
        return _chained(left, "%" if connector == "%%" else connector, right, type_)

    # -- functions -----------------------------------------------------------------------------

    def function(self, expression: Call, arguments: list[Any], type_: CoreType | None) -> Any:
        """Return the call of a Func: its `template` with `function` and the arguments filled in."""
        data = {**vars(type(expression)), **expression.extra}
        text = data.get("template", expression.template)
        function: Any = data.get("function", expression.function) or expression.function
        if text == "%(function)s(%(expressions)s)":
            return getattr(sa.func, function)(*arguments, type_=type_)
        joined = data.get("arg_joiner", expression.arg_joiner).join(["%s"] * len(arguments))
        filled = text % {
            **{k: v for k, v in data.items() if isinstance(v, (str, int))},
            "function": function,
            "expressions": joined,
        }
        return template(filled, *arguments, type_=type_)

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        """Return the call of an aggregate function."""
        function = getattr(sa.func, str(expression.function).lower())
        return function(*arguments, type_=type_) if type_ is not None else function(*arguments)

    def unified(self, core: Core, expression: Valued) -> Any:
        """Return the value of several branches, cast where their types would not tell the database which it is."""
        return core

    def nulls(self, term: Core, core: Core, first: bool) -> Any:
        """Return a term of an order with the NULLs at one end."""
        return term.nulls_first() if first else term.nulls_last()

    def text_argument(self, core: Core, kind: Kind | None) -> Core:
        """Return an argument of a function that takes texts."""
        return core

    def concatenated(self, texts: list[Any], type_: CoreType | None) -> Any:
        """Return texts one after the other; NULL counts as the empty text."""
        return _side_by_side([template("COALESCE(%s, '')", text) for text in texts], type_)

    def cast(self, core: Core, source: Kind | None, field: Field[Any]) -> Any:
        """Return a value of some kind as the type of a field."""
        return sa.cast(core, field.column_type)

    def typed(self, core: Core, type_: CoreType) -> Core:
        """Return a constant text as a value of another type, for a column of it."""
        return core

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        """Raise UnsupportedFeature for a function `name` if the database makes no UUIDs of a version."""

    # -- documents -----------------------------------------------------------------------------

    def as_document(self, core: Core) -> Core:
        """Return JSON as the database's own type for it, also where the column is stored as another type."""
        return core

    def comparable_document(self, core: Core) -> Any:
        """Return JSON in the form in which equal values are equal."""
        return core

    def json_of(self, core: Core, field: Field[Any] | None) -> Any:
        """Return a number, a text, a truth value, ... as JSON."""
        raise self._without_json()

    def json_scalar(self, core: Core) -> Any:
        """Return JSON in the form in which it is sorted: a number or a text."""
        raise self._without_json()

    def beside_document(self, core: Core, kind: Kind | None) -> Core:
        """Return another value in the form in which it is compared with what `json_scalar` returns."""
        return core

    def json_argument(self, core: Core, kind: Kind | None) -> Core:
        """Return an argument of a function that makes a document of it."""
        return core

    def json_value(self, document: Core, keys: Keys, type_: CoreType | None) -> Any:
        """Return a part of a document as functions of the database use it."""
        raise self._without_json()

    def json_text(self, document: Core, keys: Keys) -> Any:
        """Return a part of a document as text."""
        raise self._without_json()

    def json_part(self, document: Core, keys: Keys, type_: CoreType | None) -> Any:
        """Return a part of a document as JSON."""
        return self.as_document(self.json_value(document, keys, type_))

    def json_presence(self, document: Core, keys: Keys) -> Any:
        """Return what is NULL where a document has no such part."""
        return self.json_value(document, keys, DOCUMENT)

    def json_in(self, left: Core, values: Core) -> Any:
        """Return whether JSON is equal to one of the values of an array."""
        raise self._without_json()

    def json_contains(self, left: Core, right: Core) -> Any:
        """Return whether a document has all that another one has."""
        raise self._without_json()

    def json_contained(self, left: Core, right: Core) -> Any:
        """Return whether another document has all that a document has."""
        return self.json_contains(right, left)

    def has_key(self, document: Core, keys: Keys, key: str) -> Any:
        """Return whether the object in a document has a key that is known."""
        raise self._without_json()

    def has_given_key(self, document: Core, keys: Keys, bind: Callable[[Convert | None], Core]) -> Any:
        """Return whether the object has the key that an argument gives; `bind(convert)` is the parameter for it."""
        raise self._without_json()

    def has_keys(self, document: Core, keys: Keys, bind: Callable[[CoreType], Core], every: bool) -> Any:
        """Return whether the object has every key of a list, or any of them; `bind(type)` is the parameter for it."""
        raise self._without_json()

    def _without_json(self) -> UnsupportedFeature:
        return UnsupportedFeature(f"JSON is not supported on {self.vendor.display_name}.")

    # -- clocks --------------------------------------------------------------------------------

    def zone(self, named: Callable[[Callable[[tzinfo], str]], Core]) -> Any:
        """Return a time zone as parameters; `named(text)` is the parameter with the text that stands for it."""
        return named(self.zone_name) if settings.USE_TZ else None

    def zone_name(self, zone: tzinfo) -> str:
        """Return what the database calls a time zone; zones of a fixed offset have no name but the offset."""
        if (name := zone_key(zone)) is not None:
            return str(name)
        offset = zone.utcoffset(None)
        return timezone_name(zone) if offset is None else self.offset_name(offset)

    def offset_name(self, offset: timedelta) -> str:
        """Return what the database calls the zone whose clocks are `offset` before those of UTC."""
        return offset_text(offset, "+-")

    def as_moment(self, core: Core) -> Core:
        """Return a value as columns of moments take it."""
        return core

    def once(self, core: Core, make: Callable[[Core], Core]) -> Any:
        """Return what `make` makes of a moment, which it may repeat."""
        return make(core)

    def extract(self, part: str, core: Core, zone: object) -> Any:
        """Return a part of a date, time, moment or duration; `part` is of a closed list."""
        text = self.parts.get(part, f"EXTRACT({part.upper()} FROM %s)")
        return template(f"CAST({text} AS INTEGER)", self.local(core, zone), type_=INTEGER)

    parts: ClassVar[dict[str, str]] = {}
    """How parts are taken that have another name or another meaning than those of EXTRACT."""

    def local(self, core: Core, zone: object) -> Any:
        """Return a stored moment as the clocks of a zone show it."""
        return core

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        """Return a date, time or moment cut to a unit; `kind` and `result` are of closed lists."""
        local = self.local(core, zone)
        if kind in ("date", "time"):
            return template(f"CAST(%s AS {kind.upper()})", local)
        cast = {"datetime": "TIMESTAMP", "date": "DATE", "time": "TIME"}[result]
        return template(f"CAST(DATE_TRUNC('{kind}', %s) AS {cast})", local)

    def now(self, type_: CoreType) -> Any:
        """Return the time at which the statement began, as moments are stored."""
        return template("CURRENT_TIMESTAMP", type_=type_)

    # -- writes --------------------------------------------------------------------------------

    def insert(self, table: sa.Table, conflict: Conflict) -> Any:
        """Return the Core INSERT that passes over rows that are there, or updates them."""
        raise UnsupportedFeature("This database backend does not support ignoring conflicts.")

    # -- combinations and locks ------------------------------------------------------------------

    def combinable(self, select: sa.Select[Any], query: SQLQuery) -> Any:
        """Return a select as a part of UNION."""
        return select

    def distinct_on(self, statement: sa.Select[Any], columns: list[Any]) -> Any:
        """Keep the first of the rows that agree in these columns."""
        raise UnsupportedFeature("DISTINCT ON fields is not supported by this database backend")

    def for_update(self, statement: sa.Select[Any], lock: RowLock, tables: list[Any]) -> Any:
        """Return a select that locks its rows."""
        if lock.no_key and not self.vendor.has_select_for_no_key_update:
            raise UnsupportedFeature("FOR NO KEY UPDATE is not supported on this database backend.")
        return statement.with_for_update(
            nowait=lock.nowait, skip_locked=lock.skip_locked, key_share=lock.no_key, of=tables or None
        )


_OPERATORS = {"+", "-", "*", "/", "%%", "&", "|", "<<", ">>", "#"}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}


class _Chain(Fragment):
    """Operands joined from left to right by operators of one precedence, in one pair of parentheses."""

    inherit_cache = False

    def __init__(self, parts: list[Any], type_: CoreType | None, precedence: int | None) -> None:
        super().__init__(["(", *parts, ")"], type_)
        self.precedence = precedence


def _chained(left: Core, operator: str, right: Core, type_: CoreType | None) -> Fragment:
    """Return `(left operator right)`; a long chain is as deep as any other expression without parentheses of its own."""
    precedence = _PRECEDENCE.get(operator)
    goes_on = isinstance(left, _Chain) and precedence is not None and left.precedence == precedence
    before = left.parts[1:-1] if goes_on else [left]
    return _Chain([*before, f" {operator} ", right], type_, precedence)


def offset_text(offset: timedelta, signs: str) -> str:
    """Return hours and minutes with the sign of what is ahead of UTC, or behind it."""
    minutes = offset // timedelta(minutes=1)
    return f"{signs[minutes < 0]}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def zone_key(zone: tzinfo) -> str | None:
    """Return the name that a time zone has in the IANA database, None where it has none."""
    return getattr(zone, "key", None) or getattr(zone, "zone", None)


def is_before(dialect: Dialect, version: tuple[int, ...]) -> bool:
    """Return whether the server is known to be older than that."""
    known: tuple[int, ...] | None = getattr(dialect, "server_version_info", None)
    return known is not None and known < version


_SIDE_BY_SIDE = 100  # databases take `a || b || c` for a tree as deep as it is long


def _side_by_side(texts: list[Any], type_: CoreType | None) -> Any:
    """Return texts one after the other; many of them as a tree of groups."""
    while len(texts) > _SIDE_BY_SIDE:
        starts = range(0, len(texts), _SIDE_BY_SIDE)
        texts = [_side_by_side(texts[start : start + _SIDE_BY_SIDE], type_) for start in starts]
    return template(f"({' || '.join(['%s'] * len(texts))})", *texts, type_=type_)


def on_conflict(statement: Any, table: sa.Table, conflict: Conflict) -> Any:
    """Return an INSERT with ON CONFLICT, as PostgreSQL and SQLite have it."""
    if not conflict.update:
        return statement.on_conflict_do_nothing()
    keys = [field.column_key for field in conflict.update]
    return statement.on_conflict_do_update(
        index_elements=[field.column_in(table) for field in conflict.unique],
        set_={key: statement.excluded[key] for key in keys},
    )


__all__ = ["Keys", "StandardWords", "is_before", "offset_text", "on_conflict", "zone_key"]
