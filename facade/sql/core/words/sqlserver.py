"""What SQL Server says in words of its own, from 2022 on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.sql import operators
from sqlalchemy.sql.selectable import _OffsetLimitParam

from facade.configuration import settings
from facade.exceptions import UnsupportedFeature
from facade.expressions.sqltext.fragments import template
from facade.sql.core.words.base import StandardWords, zone_key
from facade.types import UUID
from facade.types.shared import INTEGER, TEXT

if TYPE_CHECKING:
    from datetime import timedelta, tzinfo

    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Aggregation, Combined, Core, CoreType


class SQLServerWords(StandardWords):
    """The words of SQL Server."""

    slices_combinations = False
    like_wildcards = "\\%_["
    text_aggregate = "STRING_AGG"
    joins_distinct_texts = False
    remainder = "%s %% %s"
    operators = StandardWords.operators | {"&", "|", "<<", ">>"}
    aggregates: ClassVar[dict[str, str]] = {
        "STDDEV_POP": "STDEVP",
        "STDDEV_SAMP": "STDEV",
        "VAR_POP": "VARP",
        "VAR_SAMP": "VAR",
    }
    functions: ClassVar[dict[str, str | None]] = {
        "ATan2": "ATN2({0}, {1})",
        "Chr": "NCHAR({0})",
        "Length": "(LEN({0} + '.') - 1)",
        "Ln": "LOG({0})",
        "Log": "LOG({1}, {0})",
        "LPad": None,
        "MD5": None,
        "Mod": "({0} % {1})",
        "NthValue": None,
        "Ord": "UNICODE({0})",
        "Random": "RAND(CHECKSUM(NEWID()))",
        "Repeat": "REPLICATE({0}, {1})",
        "RPad": None,
        "SHA1": None,
        "SHA224": None,
        "SHA256": None,
        "SHA384": None,
        "SHA512": None,
        "StrIndex": "CHARINDEX({1}, {0})",
        "UUID4": "NEWID()",
    }

    def random(self) -> Core:
        return template("NEWID()")

    # -- text ----------------------------------------------------------------------------------

    def text(self, value: Core) -> Any:
        if isinstance(value.type, UUID):
            return template("LOWER(CAST(%s AS CHAR(36)))", value, type_=TEXT)
        return value if isinstance(value.type, sa.String) else sa.cast(value, TEXT)

    def text_argument(self, core: Core, kind: str | None) -> Core:
        return core if kind == "text" else sa.cast(core, TEXT)

    def concatenated(self, texts: list[Any], type_: CoreType | None) -> Any:
        return sa.func.concat(*texts, type_=type_)

    # -- arithmetic, functions -------------------------------------------------------------------

    def calculate(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        if expression.connector == "#":
            return template("(%s ^ %s)", left, right, type_=type_)
        return super().calculate(expression, left, right, type_)

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        if expression.function == "AVG" and expression.get_source_expressions()[0].value_kind == "integer":
            arguments = [_as_float(arguments[0])]  # the mean of integers would be one
        return super().aggregate(expression, arguments, type_)

    def nulls(self, term: Core, core: Core, first: bool) -> Any:
        """Return a term of an order with the NULLs at one end; they are smaller than any value."""
        if first == (term.modifier is operators.asc_op):
            return term
        text = (
            "CASE WHEN %s IS NULL THEN 0 ELSE 1 END, %s"
            if first
            else "CASE WHEN %s IS NULL THEN 1 ELSE 0 END, %s"
        )
        return template(text, core, term)

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        if version != 4:
            super().check_uuids(name, version, dialect)

    # -- clocks --------------------------------------------------------------------------------

    parts: ClassVar[dict[str, str]] = {
        **{
            part: f"DATEPART({part}, %s)"
            for part in ("year", "quarter", "month", "day", "hour", "minute", "second")
        },
        "week": "DATEPART(iso_week, %s)",
        "week_day": "((DATEPART(weekday, %s) + @@DATEFIRST - 1) %% 7 + 1)",
        "iso_week_day": "((DATEPART(weekday, %s) + @@DATEFIRST - 2) %% 7 + 1)",
    }

    def extract(self, part: str, core: Core, zone: object) -> Any:
        return template(self.parts.get(part) or self._extraction(part), self.local(core, zone), type_=INTEGER)

    def zone_name(self, zone: tzinfo) -> str:
        """Return the name of UTC: others are those of Windows, which nobody knows who names zones by their places."""
        if zone_key(zone) == "UTC":
            return "UTC"
        return super().zone_name(zone)

    def offset_name(self, offset: timedelta) -> str:
        if not offset:
            return "UTC"
        raise UnsupportedFeature(
            "SQL Server knows time zones by the names that Windows gives them: have it compute in UTC (tzinfo=UTC)."
        )

    def local(self, core: Core, zone: object) -> Any:
        if zone is None:
            return core
        return template("CAST(%s AT TIME ZONE 'UTC' AT TIME ZONE %s AS DATETIME2)", core, zone)

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        local = self.local(core, zone)
        if kind in ("date", "time"):
            return template(f"CAST(%s AS {kind.upper()})", local)
        cut = template(f"DATETRUNC({'iso_week' if kind == 'week' else kind}, %s)", local)
        if result != "datetime":
            return template(f"CAST(%s AS {result.upper()})", cut)
        if zone is None:
            return cut
        return template("CAST(%s AT TIME ZONE %s AT TIME ZONE 'UTC' AS DATETIME2)", cut, zone)

    def now(self, type_: CoreType) -> Any:
        return template("SYSUTCDATETIME()" if settings.USE_TZ else "SYSDATETIME()", type_=type_)

    # -- rows ------------------------------------------------------------------------------------

    def limited(self, statement: sa.Select[Any], low: Core | None, high: Core | None) -> Any:
        """Return a select of some rows: TOP, or OFFSET and FETCH, which belong to ORDER BY."""
        if high is not None:
            statement = statement.limit(_number(high))
        if low is None:
            return statement
        if not statement._order_by_clauses:  # rows that are distinct are sorted by what is selected alone
            statement = statement.order_by(sa.literal_column("1" if statement._distinct else "(SELECT NULL)"))
        return statement.offset(_number(low))


def _number(given: Core) -> Any:
    """Return the number of rows as SQLAlchemy's dialect wants it: one that it may write into the statement."""
    if not isinstance(given, sa.BindParameter):
        return int(str(given))
    value = 1 if given.value is None else given.value  # else it comes with the arguments
    return _OffsetLimitParam(given.key, value, type_=given.type, unique=given.unique)


def _as_float(core: Core) -> Any:
    """Return a number, behind a DISTINCT maybe, as one that is no integer."""
    if isinstance(core, sa.UnaryExpression) and core.operator is operators.distinct_op:
        return sa.distinct(sa.cast(core.element, sa.Double()))
    return sa.cast(core, sa.Double())


__all__ = ["SQLServerWords"]
