"""What DuckDB says in words of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from facade.configuration import settings
from facade.exceptions import UnsupportedFeature
from facade.expressions.documents import DOCUMENT
from facade.expressions.lookups.json_parts import INDEX
from facade.expressions.sqltext.fragments import template
from facade.sql.core.constants import bound_type, literal
from facade.sql.core.words import durations
from facade.sql.core.words.base import Keys, StandardWords, on_conflict
from facade.timezone import get_default_timezone
from facade.types import JSON
from facade.types.shared import TEXT, TRUTH

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Combined, Compiler, Convert, Core, CoreType
    from facade.expressions.freezing import Arg
    from facade.fields import Field
    from facade.fields.descriptions import Kind
    from facade.sql.core.conflict import Conflict


class DuckDBWords(StandardWords):
    """The words of DuckDB."""

    filters_aggregates = True
    compares_parameters = True
    groups_by_position = True
    orders_by_position = True
    compares_documents = True
    sorts_documents = False
    text_aggregate = "STRING_AGG"
    orders_within_group = False
    remainder = "%s %% %s"
    operators = StandardWords.operators | {"&", "|", "<<", ">>"}
    extracts = StandardWords.extracts | {"quarter", "week"}
    parts: ClassVar[dict[str, str]] = {
        "week_day": "EXTRACT(DOW FROM %s) + 1",
        "iso_week_day": "EXTRACT(ISODOW FROM %s)",
        "iso_year": "EXTRACT(ISOYEAR FROM %s)",
    }
    functions: ClassVar[dict[str, str | None]] = {
        "Ord": "UNICODE({0})",
        "SHA224": None,
        "SHA384": None,
        "SHA512": None,
        "UUID4": "GEN_RANDOM_UUID()",
    }
    json_functions: ClassVar[dict[str, str]] = {"JSON_ARRAY": "json_array", "JSON_OBJECT": "json_object"}

    # -- lists ---------------------------------------------------------------------------------

    def in_list(
        self, compiler: Compiler, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None
    ) -> Any:
        if type_ is None:
            return super().in_list(compiler, left, arg, type_, convert)
        item = TEXT if isinstance(type_, sa.String) else bound_type(type_, None)
        return left == sa.any_(compiler.bind(arg, sa.ARRAY(item), convert))  # type: ignore[arg-type]

    # -- text ----------------------------------------------------------------------------------

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        options = "'i'" if ignore_case else "'c'"
        return template(
            f"REGEXP_MATCHES(%s, %s, {options})", self.text(left), self.pattern(right), type_=TRUTH
        )

    def text(self, value: Core) -> Any:
        return value if isinstance(value.type, sa.String) else sa.cast(value, TEXT)

    def pattern(self, value: Core) -> Any:
        return self.json_text(value, ()) if isinstance(value.type, JSON) else self.text(value)

    def text_argument(self, core: Core, kind: Kind | None) -> Core:
        return core if kind == "text" else sa.cast(core, TEXT)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine_times(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        return durations.combine(_TIMES, expression, left, right, type_)

    def calculate(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        if expression.connector == "#":
            return sa.func.xor(left, right, type_=type_)
        if expression.connector == "/" and expression.value_kind == "integer":
            return template("(%s // %s)", left, right, type_=type_)
        return super().calculate(expression, left, right, type_)

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        """Take them: there are both."""

    # -- documents -----------------------------------------------------------------------------

    def comparable_document(self, core: Core) -> Any:
        if isinstance(core, sa.BindParameter) and isinstance(core.type, JSON):
            core = sa.type_coerce(core, ComparedDocument(core.type))
        return template("JSON(CAST(%s AS JSON))", core)

    def sortable_document(self, core: Core) -> Any:
        """Return JSON so that numbers are sorted as numbers, and kinds of values as PostgreSQL sorts them."""
        kind = "CASE JSON_TYPE(d) WHEN 'NULL' THEN 0 WHEN 'VARCHAR' THEN 1 WHEN 'BOOLEAN' THEN 3 "
        kind += "WHEN 'ARRAY' THEN 4 WHEN 'OBJECT' THEN 5 ELSE 2 END"
        number = "CASE WHEN JSON_TYPE(d) IN ('BIGINT', 'UBIGINT', 'DOUBLE') THEN CAST(d AS DOUBLE) END"
        text = "CASE WHEN JSON_TYPE(d) NOT IN ('BIGINT', 'UBIGINT', 'DOUBLE') THEN d ->> '$' END"
        made = f"{{'kind': {kind}, 'number': {number}, 'text': {text}}}"
        return template(f"(SELECT {made} FROM (SELECT CAST(%s AS JSON) AS d) WHERE d IS NOT NULL)", core)

    def json_of(self, core: Core, field: Field[Any] | None) -> Any:
        return template("TO_JSON(%s)", core, type_=DOCUMENT)

    def json_value(self, document: Core, keys: Keys, type_: CoreType | None) -> Any:
        if not keys:
            return document
        return template("JSON_EXTRACT(%s, %s)", document, literal(_path(keys), TEXT), type_=type_)

    def json_text(self, document: Core, keys: Keys) -> Any:
        path = literal(_path(keys) if keys else "$", TEXT)
        return template("JSON_EXTRACT_STRING(%s, %s)", document, path, type_=TEXT)

    def json_in(self, left: Core, values: Core) -> Any:
        text = "JSON(%s) IN (SELECT JSON(UNNEST(CAST(%s AS JSON[]))))"
        return template(text, left, values, type_=TRUTH)

    def has_key(self, document: Core, keys: Keys, key: str) -> Any:
        return template("JSON_EXISTS(%s, %s)", document, literal(_path((*keys, key)), TEXT), type_=TRUTH)

    def has_given_key(self, document: Core, keys: Keys, bind: Callable[[Convert | None], Core]) -> Any:
        path = bind(lambda key: _path((*keys, key)))
        return template("JSON_EXISTS(%s, %s)", document, path, type_=TRUTH)

    def has_keys(self, document: Core, keys: Keys, bind: Callable[[CoreType], Core], every: bool) -> Any:
        wanted, function = bind(sa.ARRAY(TEXT)), "LIST_HAS_ALL" if every else "LIST_HAS_ANY"
        return template(
            f"{function}(JSON_KEYS(%s), %s)", self.json_value(document, keys, None), wanted, type_=TRUTH
        )

    # -- clocks --------------------------------------------------------------------------------

    def zone(self, named: Callable[[Callable[[Any], str]], Core]) -> Any:
        return named(self.zone_name) if settings.USE_TZ else None

    def local(self, core: Core, zone: object) -> Any:
        return core if zone is None else template("((%s AT TIME ZONE 'UTC') AT TIME ZONE %s)", core, zone)

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        if result == "time" and kind != "time":
            core = template("(DATE '2000-01-01' + CAST(%s AS TIME))", self.local(core, zone))
            return super().trunc(kind, core, None, result)
        cut = super().trunc(kind, core, zone, result)
        if zone is None or result != "datetime":
            return cut
        return template("((%s AT TIME ZONE %s) AT TIME ZONE 'UTC')", cut, zone)

    def now(self, type_: CoreType) -> Any:
        name = "UTC" if settings.USE_TZ else self.zone_name(get_default_timezone())
        return template("(NOW() AT TIME ZONE %s)", literal(name, TEXT), type_=type_)

    # -- writes, combinations --------------------------------------------------------------------

    def insert(self, table: sa.Table, conflict: Conflict) -> Any:
        return on_conflict(postgresql.insert(table).inline(), table, conflict)

    def distinct_on(self, statement: sa.Select[Any], columns: list[Any]) -> Any:
        if hasattr(postgresql, "distinct_on"):  # SQLAlchemy 2.1
            return statement.ext(postgresql.distinct_on(*columns))
        return statement.distinct(*columns)


class ComparedDocument(sa.types.TypeDecorator[Any]):
    """A document that is compared with others, which are equal for DuckDB if their keys stand in one order, too."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, given: JSON) -> None:
        super().__init__()
        self.given = given

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        write: Any = self.given.bind_processor(dialect)

        def process(value: object) -> Any:
            if _has_order(value):
                raise UnsupportedFeature(
                    f"DuckDB compares objects in documents by the order of their keys as well: {value!r}. "
                    "Compare the values of its keys."
                )
            return write(value)

        return process


def _has_order(value: object) -> bool:
    """Return whether a document has an object whose keys could stand in another order."""
    if isinstance(value, dict):
        return len(value) > 1 or any(map(_has_order, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_has_order, value))


def _path(keys: Keys) -> str:
    """Return the way to a part of a document: as a pointer, which takes any key, or as a path if it counts from the end."""
    if not any(key.startswith("-") and INDEX.fullmatch(key) for key in keys):
        return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys)
    path = "$"
    for key in keys:
        if '"' in key:
            raise UnsupportedFeature(
                f"The key {key!r} beside an index from the end is not supported on DuckDB."
            )
        path += (f"[#{key}]" if key.startswith("-") else f"[{key}]") if INDEX.fullmatch(key) else f'."{key}"'
    return path


def _difference(left: Core, right: Core, type_: CoreType | None) -> Any:
    return template("DATE_DIFF('microsecond', %s, %s)", right, left, type_=type_)


def _moved(text: str) -> durations.Make:
    return lambda left, right, type_: template(text, left, right, type_=type_)


_TIMES: dict[durations.Operation, durations.Make] = {
    ("moment", "+", "duration"): _moved("(%s + TO_MICROSECONDS(%s))"),
    ("duration", "+", "moment"): _moved("(TO_MICROSECONDS(%s) + %s)"),
    ("moment", "-", "duration"): _moved("(%s - TO_MICROSECONDS(%s))"),
    ("moment", "-", "moment"): _difference,
    ("duration", "*", "number"): _moved("CAST(ROUND(%s * %s) AS BIGINT)"),
    ("number", "*", "duration"): _moved("CAST(ROUND(%s * %s) AS BIGINT)"),
    ("duration", "/", "number"): _moved("CAST(ROUND(%s / %s) AS BIGINT)"),
}

__all__ = ["DuckDBWords"]
