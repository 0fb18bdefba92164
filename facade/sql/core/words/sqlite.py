"""What SQLite says in words of its own. `FACADE_…` are functions that facade gives to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from facade.exceptions import UnsupportedFeature
from facade.expressions.documents import AS_IT_IS, DOCUMENT
from facade.expressions.functions.clocks import MOMENTS, result_kind
from facade.expressions.lookups.json_parts import INDEX
from facade.expressions.sqltext.fragments import template
from facade.sql.core.constants import literal
from facade.sql.core.words import durations
from facade.sql.core.words.base import Keys, StandardWords, on_conflict
from facade.sql.core.words.parameters import KeyList, ListParameter
from facade.types.base import survives_json
from facade.types.shared import INTEGER, TEXT, TRUTH

if TYPE_CHECKING:
    from facade.expressions.contracts import Aggregation, Combined, Compiler, Convert, Core, CoreType
    from facade.expressions.freezing import Arg
    from facade.fields import Field
    from facade.fields.descriptions import Kind
    from facade.sql.core.conflict import Conflict
    from facade.sql.query.query import Query as SQLQuery
    from facade.sql.query.state import RowLock


class SQLiteWords(StandardWords):
    """The words of SQLite."""

    filters_aggregates = True
    rounds_before_point = False
    cuts_ends = False
    arguments_max = 100  # of 127; the greatest of the greatest is the greatest
    groups_by_position = True
    nests_conditions = True
    has_documents = False

    # -- lists ---------------------------------------------------------------------------------

    def in_list(
        self, compiler: Compiler, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None
    ) -> Any:
        if type_ is None or not survives_json(type_, compiler.dialect):
            return super().in_list(compiler, left, arg, type_, convert)
        each = sa.func.json_each(compiler.bind(arg, ListParameter(type_), convert)).table_valued("value")
        return left.in_(sa.select(each.c.value))

    # -- text ----------------------------------------------------------------------------------

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        right = template("('(?i)' || %s)", right) if ignore_case else right
        return left.op("REGEXP", is_comparison=True)(right)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine_times(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        return durations.combine(_TIMES, expression, left, right, type_)

    def calculate(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        if expression.connector == "#":  # there is no XOR of bits
            return template("((%s | %s) - (%s & %s))", left, right, left, right, type_=type_)
        if expression.connector == "/" and expression.value_kind == "decimal":
            left = left * sa.literal_column("1.0")  # whole decimals are stored as integers
        return super().calculate(expression, left, right, type_)

    # -- functions -----------------------------------------------------------------------------

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        if expression.calculates:
            durations.check_counted(expression, *arguments)
        # Values of mixed types are numbers.
        if expression.calculates and expression.get_source_expressions()[0].value_kind in MOMENTS:
            raise UnsupportedFeature(
                f"{expression.name} of dates and times is not possible on SQLite, which saves them as text."
            )
        return super().aggregate(expression, arguments, type_)

    def cast(self, core: Core, source: Kind | None, field: Field[Any]) -> Any:
        if field.value_kind not in MOMENTS:
            return super().cast(core, source, field)
        core = template(f"FACADE_TRUNC('date', '{result_kind(field)}', %s, NULL)", core)
        return sa.type_coerce(core, field.column_type)

    # -- documents -----------------------------------------------------------------------------

    def comparable_document(self, core: Core) -> Any:
        return template("FACADE_JSON(%s)", core)

    def json_of(self, core: Core, field: Field[Any] | None) -> Any:
        kind = None if field is None else field.value_kind
        if kind == "truth":
            text = "(CASE %s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
        elif kind == "decimal":
            text = "NULLIF(JSON_QUOTE(CAST(%s AS NUMERIC)), 'null')"
        elif kind == "text":
            text = "NULLIF(JSON_QUOTE(%s || ''), 'null')"  # a text from a document is no document
        else:
            text = "NULLIF(JSON_QUOTE(%s), 'null')"  # the text "null" is quoted
        return template(text, core, type_=DOCUMENT)

    def json_scalar(self, core: Core) -> Any:
        return template("JSON_EXTRACT(%s, '$')", core, type_=AS_IT_IS)

    def beside_document(self, core: Core, kind: Kind | None) -> Core:
        return sa.cast(core, sa.Numeric()) if kind == "decimal" else core

    def json_argument(self, core: Core, kind: Kind | None) -> Core:
        """Return an argument: what is JSON, and what is true or false, has to be said."""
        if kind == "document":
            return sa.func.json(core)
        if kind == "truth":
            text = "JSON(CASE WHEN %s IS NULL THEN 'null' WHEN %s THEN 'true' ELSE 'false' END)"
            return template(text, core, core)
        return core

    def json_value(self, document: Core, keys: Keys, type_: CoreType | None) -> Any:
        """Return the number, or the text, that a part is."""
        pair = _path(document, keys)
        text = "(CASE WHEN JSON_TYPE(%s, %s) IN ('false', 'true', 'null') THEN JSON_TYPE(%s, %s) ELSE JSON_EXTRACT(%s, %s) END)"
        return template(text, *pair, *pair, *pair, type_=type_)

    def json_text(self, document: Core, keys: Keys) -> Any:
        pair = _path(document, keys)
        text = "(CASE WHEN JSON_TYPE(%s, %s) IN ('false', 'true') THEN JSON_TYPE(%s, %s) "
        text += "ELSE CAST(JSON_EXTRACT(%s, %s) AS TEXT) END)"
        return template(text, *pair, *pair, *pair, type_=TEXT)

    def json_part(self, document: Core, keys: Keys, type_: CoreType | None) -> Any:
        return template("(%s -> %s)", *_path(document, keys), type_=type_)

    def json_presence(self, document: Core, keys: Keys) -> Any:
        return template("JSON_TYPE(%s, %s)", *_path(document, keys))

    def json_in(self, left: Core, values: Core) -> Any:
        text = "FACADE_JSON(%s) IN (SELECT FACADE_JSON(value) FROM JSON_EACH(%s))"
        return template(text, left, values, type_=TRUTH)

    def has_key(self, document: Core, keys: Keys, key: str) -> Any:
        return self._has_key(document, keys, literal(key, TEXT))

    def has_given_key(self, document: Core, keys: Keys, bind: Callable[[Convert | None], Core]) -> Any:
        return self._has_key(document, keys, bind(None))

    def _has_key(self, document: Core, keys: Keys, key: Core) -> Any:
        text = "EXISTS (SELECT 1 FROM JSON_EACH(%s, %s) WHERE key = %s)"
        return template(text, *_path(document, keys), key, type_=TRUTH)

    def has_keys(self, document: Core, keys: Keys, bind: Callable[[CoreType], Core], every: bool) -> Any:
        wanted, pair = bind(KeyList()), _path(document, keys)
        if every:
            text = "NOT EXISTS (SELECT 1 FROM JSON_EACH(%s) AS wanted WHERE wanted.value NOT IN "
            text += "(SELECT key FROM JSON_EACH(%s, %s) WHERE key IS NOT NULL))"
            return template(text, wanted, *pair, type_=TRUTH)
        text = "EXISTS (SELECT 1 FROM JSON_EACH(%s, %s) WHERE key IN (SELECT value FROM JSON_EACH(%s)))"
        return template(text, *pair, wanted, type_=TRUTH)

    # -- clocks --------------------------------------------------------------------------------

    def extract(self, part: str, core: Core, zone: object) -> Any:
        return template(f"FACADE_EXTRACT('{part}', %s, %s)", core, _or_null(zone), type_=INTEGER)

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        return template(f"FACADE_TRUNC('{kind}', '{result}', %s, %s)", core, _or_null(zone))

    def now(self, type_: CoreType) -> Any:
        return template("STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", type_=type_)

    # -- writes --------------------------------------------------------------------------------

    def insert(self, table: sa.Table, conflict: Conflict) -> Any:
        """Return the INSERT; `OR IGNORE` passes over a row for whatever constraint it breaks."""
        if not conflict.update:
            return sa.insert(table).inline().prefix_with("OR IGNORE")
        return on_conflict(sqlite.insert(table).inline(), table, conflict)

    # -- combinations and locks ------------------------------------------------------------------

    def combinable(self, select: sa.Select[Any], query: SQLQuery) -> Any:
        """Return a select as a part of UNION, which takes no parentheses."""
        if query.is_sliced or query.order.order_by or query.source.combinator:
            return sa.select(*select.subquery().c)
        return select

    def for_update(self, statement: sa.Select[Any], lock: RowLock, tables: list[Any]) -> Any:
        """Return the select as it is: there are no row locks."""
        return statement


# -- paths ---------------------------------------------------------------------------------------

# Paths give wrong answers for quotes, backslashes and whatever JSON may write as an escape.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_]+")


def _path(document: Core, keys: Keys) -> tuple[Any, Any]:
    """Return a document and a path in it, as a parameter.

    What a path cannot express is looked for among the keys of the object.
    """
    path = "$"
    for key in keys:
        if INDEX.fullmatch(key):
            path += f"[#{key}]" if key.startswith("-") else f"[{int(key)}]"
        elif _PLAIN_KEY.fullmatch(key):
            path += f'."{key}"'
        else:
            document, path = _behind_key(document, path, key), "$"
    return document, literal(path, TEXT)


def _behind_key(document: Core, path: str, key: str) -> Any:
    value = "CASE type WHEN 'text' THEN JSON_QUOTE(value) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
    value += "WHEN 'null' THEN 'null' ELSE value END"
    return template(
        f"(SELECT {value} FROM JSON_EACH(%s, %s) WHERE key = %s)",
        document,
        literal(path, TEXT),
        literal(key, TEXT),
    )


# -- dates, times and durations ------------------------------------------------------------------


def _or_null(zone: object) -> Any:
    return sa.null() if zone is None else zone


def _over(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("(%s * 1.0 / %s)", left, right, type_=type_)


def _add(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("FACADE_ADD(%s, %s)", left, right, type_=type_)


def _add_to_right(left: Core, right: Core, type_: CoreType | None) -> Any:
    return _add(right, left, type_)


def _subtract(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("FACADE_ADD(%s, -(%s))", left, right, type_=type_)


# A text may hold a moment; if it does not, its sum is NULL.
_TIMES: dict[durations.Operation, durations.Make] = {
    ("moment", "+", "duration"): _add,
    ("duration", "+", "moment"): _add_to_right,
    ("moment", "-", "duration"): _subtract,
    ("text", "+", "duration"): _add,
    ("duration", "+", "text"): _add_to_right,
    ("text", "-", "duration"): _subtract,
    ("moment", "-", "moment"): lambda left, right, t: template(
        "FACADE_DIFFERENCE(%s, %s)", left, right, type_=t
    ),
    ("duration", "/", "number"): _over,
}

__all__ = ["SQLiteWords"]
