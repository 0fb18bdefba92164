"""What databases write differently: patterns, lists, arithmetic, locks."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import operators

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.arithmetic import durations
from facade.expressions.base import Placed
from facade.expressions.freezing import Arg
from facade.expressions.sqltext.fragments import Fragment, RawFragment, Whole, template
from facade.sql.core.constants import bound_type
from facade.types import JSON, IPAddress
from facade.types.base import is_mariadb

if TYPE_CHECKING:
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
    from facade.sql.query.query import Lock
    from facade.sql.query.query import Query as SQLQuery


class Random(Placed):
    """A random number: the `?` of order_by."""

    contains_aggregate = False

    def __init__(self) -> None:
        super().__init__(fields.FloatField())

    def get_group_by_cols(self) -> list[Any]:
        return []

    def as_core(self, compiler: Compiler) -> Any:
        return sa.func.rand() if compiler.vendor == "mysql" else sa.func.random()


class ListParameter(sa.types.TypeDecorator[Any]):
    """A list as one parameter: JSON on SQLite, an array on PostgreSQL."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, item: CoreType) -> None:
        super().__init__()
        self.item = item

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        if process is None:
            return _as_json
        return lambda values: _as_json([process(value) for value in values])


def _as_json(values: list[Any]) -> str:
    """Return a list as JSON for SQLite, to which NaN is NULL, and a number beyond its range infinity."""
    try:
        return json.dumps(values, allow_nan=False)
    except ValueError:
        return f"[{','.join(map(_item_as_json, values))}]"


def _item_as_json(value: object) -> str:
    if value != value:  # noqa: PLR0124 - only NaN is unequal to itself
        return "null"
    return json.dumps(value).replace("Infinity", "1e999") if isinstance(value, float) else json.dumps(value)


_TRUTH = sa.Boolean()
# Types whose values survive a trip through JSON on SQLite, as the column stores them.
_JSON_SAFE = (
    sa.Integer,
    sa.String,
    sa.Float,
    sa.Date,
    sa.DateTime,
    sa.Time,
    sa.Uuid,
    sa.Boolean,
    sa.Numeric,
    sa.Interval,
)


class Operations:
    """The part of the compiler that depends on the database."""

    vendor: str
    dialect: Any
    binds: Any
    offset: int

    def bind(self, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        raise NotImplementedError

    @property
    def supports_aggregate_filter(self) -> bool:
        return self.vendor in ("postgresql", "sqlite")

    # -- lists -----------------------------------------------------------------------------

    def in_list(self, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        """Return `left IN (list)`, the list one parameter of any length."""
        if self.vendor == "postgresql" and type_ is not None:
            return left == sa.any_(self.bind(arg, sa.ARRAY(_array_item(type_, self.dialect)), convert))
        if (
            self.vendor == "sqlite"
            and type_ is not None
            and isinstance(_storage(type_, self.dialect), _JSON_SAFE)
        ):
            each = sa.func.json_each(self.bind(arg, ListParameter(type_), convert)).table_valued("value")
            return left.in_(sa.select(each.c.value))
        return left.in_(self.binds.add(self.offset + arg.index, type_, convert, expanding=True))

    def listed(self, select: sa.Select[Any], apart: bool) -> Any:
        """Return a select as the list of values that IN takes, `apart` in a table of its own on MySQL.

        There it may have a LIMIT, and read the table that is written.
        """
        if self.vendor == "mysql" and apart:
            return sa.select(*select.subquery().c)
        return select

    # -- text --------------------------------------------------------------------------------

    def like(self, left: Core, right: Core, *, ignore_case: bool) -> Any:
        left = self._text(left)
        if self.vendor == "postgresql":
            if ignore_case:
                left, right = sa.func.upper(left), sa.func.upper(right)
        elif self.vendor == "mysql" and not ignore_case:
            right = template("BINARY %s", right, type_=sa.Text())
        return template(
            "%s LIKE %s ESCAPE '\\'" if self.vendor != "mysql" else "%s LIKE %s", left, right, type_=_TRUTH
        )

    def _text(self, value: Core) -> Any:
        """Return a value for pattern matching: PostgreSQL does that with text only."""
        if self.vendor != "postgresql" or isinstance(value.type, sa.String):
            return value
        if isinstance(value.type, IPAddress):
            return sa.func.host(value, type_=sa.Text())  # as text it has its network's width behind it
        return sa.cast(value, sa.Text())

    def _pattern(self, value: Core) -> Any:
        """Return what a pattern is made of as text: the text that a document consists of, not its JSON."""
        if self.vendor == "postgresql" and isinstance(value.type, JSON):
            return template("(%s #>> '{}')", value, type_=sa.Text())
        return self._text(value)

    def like_pattern(self, before: str, right: Core, after: str) -> Any:
        """Return an expression's value as a LIKE pattern, its own wildcards escaped."""
        pattern = self._pattern(right)
        for character in ("\\", "%", "_"):
            pattern = sa.func.replace(pattern, character, "\\" + character, type_=sa.Text())
        if before:
            pattern = sa.literal(before) + pattern
        if after:
            pattern = pattern + sa.literal(after)
        return pattern

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        left, right = self._text(left), self._pattern(right)
        if self.vendor == "postgresql":
            return left.op("~*" if ignore_case else "~", is_comparison=True)(right)
        if ignore_case:
            right = template("('(?i)' || %s)" if self.vendor == "sqlite" else "CONCAT('(?i)', %s)", right)
        if self.vendor == "mysql":
            return left.op("REGEXP BINARY" if not ignore_case else "REGEXP", is_comparison=True)(right)
        return left.op("REGEXP", is_comparison=True)(right)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        """Return `left connector right`, in parentheses."""
        temporal = durations.combine(self.vendor, expression, left, right, type_)
        if temporal is not None:
            return temporal
        connector = expression.connector
        if (
            self.vendor == "sqlite"
            and connector == "/"
            and isinstance(expression.known_field, fields.DecimalField)
        ):
            left = left * sa.literal_column("1.0")  # whole decimals are stored as integers
        if (special := _COMBINE.get((self.vendor, connector))) is not None:
            return special(left, right, type_)
        if connector == "^":
            return sa.func.power(left, right, type_=type_)
        if connector not in _OPERATORS:
            raise UnsupportedFeature(f"The operator {connector!r} is not supported on {self.vendor}.")
        return _chained(left, "%" if connector == "%%" else connector, right, type_)

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
        if self.vendor == "sqlite" and expression.calculates:
            self._check_computable(expression)
        if self.vendor == "postgresql" and (expression.calculates or expression.name in _LARGEST):
            self._check_no_document(expression.name, expression.get_source_expressions()[0])
        function = getattr(sa.func, str(expression.function).lower())
        call = function(*arguments, type_=type_) if type_ is not None else function(*arguments)
        counted = expression.calculates and isinstance(expression.known_field, fields.DurationField)
        return Whole(call, type_) if counted and self.vendor == "mysql" else call

    def _check_computable(self, expression: Aggregation) -> None:
        source = expression.get_source_expressions()[0].known_field  # values of mixed types are numbers
        if isinstance(source, (fields.DateField, fields.TimeField)):
            raise UnsupportedFeature(
                f"{expression.name} of dates and times is not possible on SQLite, which saves them as text."
            )

    def _check_no_document(self, name: str, source: Valued) -> None:
        if isinstance(source.known_field, fields.JSONField):
            raise UnsupportedFeature(
                f"{name} of JSON is not possible on PostgreSQL: Cast it to a field of numbers or texts."
            )

    def raw(self, sql: str, params: tuple[Any, ...]) -> Any:
        given = [self.bind(item, None) if isinstance(item, Arg) else sa.literal(item) for item in params]
        return RawFragment(template(f"({sql})", *given).parts)

    def unified(self, core: Core, expression: Valued) -> Any:
        """Return the value of several branches as its column takes it: PostgreSQL takes their type from plain texts."""
        casts = (fields.GenericIPAddressField, fields.TimeField, fields.UUIDField)
        if self.vendor != "postgresql" or not isinstance(expression.known_field, casts):
            return core
        return sa.cast(core, expression.column_type)

    def nulls(self, term: Core, core: Core, first: bool) -> Any:
        """Return a term of an order with the NULLs at one end; those of MySQL are smaller than any value."""
        if self.vendor != "mysql":
            return term.nulls_first() if first else term.nulls_last()
        if first == (term.modifier is operators.asc_op):
            return term
        return template("%s IS NOT NULL, %s" if first else "%s IS NULL, %s", core, term)

    # -- combinations and locks -------------------------------------------------------------------

    def combinable(self, select: sa.Select[Any], query: SQLQuery) -> Any:
        """Return a select as a part of UNION; SQLite takes no parentheses there."""
        if self.vendor != "sqlite":
            return select
        if query.is_sliced or query.order_by or query.combinator:
            return sa.select(*select.subquery().c)
        return select

    def distinct_on(self, statement: sa.Select[Any], columns: list[Any]) -> Any:
        """Keep the first of the rows that agree in these columns."""
        if self.vendor != "postgresql":
            raise UnsupportedFeature("DISTINCT ON fields is not supported by this database backend")
        self.binds.compares = True
        if hasattr(postgresql, "distinct_on"):  # SQLAlchemy 2.1
            return statement.ext(postgresql.distinct_on(*columns))
        return statement.distinct(*columns)

    def for_update(self, statement: sa.Select[Any], lock: Lock, tables: list[Any]) -> Any:
        if self.vendor == "sqlite":
            return statement
        if lock.no_key and self.vendor != "postgresql":
            raise UnsupportedFeature("FOR NO KEY UPDATE is not supported on this database backend.")
        if tables and is_mariadb(self.dialect):
            raise UnsupportedFeature("FOR UPDATE OF is not supported on MariaDB.")
        return statement.with_for_update(
            nowait=lock.nowait, skip_locked=lock.skip_locked, key_share=lock.no_key, of=tables or None
        )


_LARGEST = ("Max", "Min")
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


def _xor_with_and_or(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("((%s | %s) - (%s & %s))", left, right, left, right, type_=type_)


_BITWISE = {"&": "%s & %s", "|": "%s | %s", "#": "%s ^ %s", "<<": "%s << %s"}


def _signed(text: str) -> Callable[[Any, Any, Any], Any]:
    """Return what makes a number of bits: those of MySQL have no sign, and do not fit into a column that has one."""
    return lambda left, right, type_: template(f"CAST({text} AS SIGNED)", left, right, type_=type_)


def _shifted_right(left: Core, right: Core, type_: CoreType | None) -> Any:
    """Return a number of MySQL's shifted to the right, a negative one as others shift it."""
    text = "CAST(CASE WHEN %s < 0 THEN ~(~%s >> %s) ELSE %s >> %s END AS SIGNED)"
    return template(text, left, left, right, left, right, type_=type_)


_COMBINE: dict[tuple[str, str], Callable[[Any, Any, Any], Any]] = {
    ("sqlite", "#"): _xor_with_and_or,
    ("mysql", ">>"): _shifted_right,
    **{("mysql", connector): _signed(text) for connector, text in _BITWISE.items()},
}


@functools.lru_cache(maxsize=256)  # every expression may bring a type of its own
def _storage(type_: CoreType, dialect: Dialect) -> Any:
    impl = type_.dialect_impl(dialect)
    return getattr(impl, "impl_instance", None) or impl


def _array_item(type_: CoreType | None, dialect: Dialect) -> Any:
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        return sa.Text()
    return bound_type(type_, None)


__all__ = ["ListParameter", "Operations", "Random"]
