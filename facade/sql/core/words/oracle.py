"""What Oracle says in words of its own, from 19c on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade.configuration import settings
from facade.exceptions import UnsupportedFeature
from facade.expressions.sqltext.fragments import template
from facade.sql.core.words.base import StandardWords
from facade.types.shared import INTEGER, TEXT, TRUTH

if TYPE_CHECKING:
    from facade.expressions.contracts import Combined, Core, CoreType
    from facade.sql.query.state import RowLock


class OracleWords(StandardWords):
    """The words of Oracle."""

    functions: ClassVar[dict[str, str | None]] = {
        "Ceil": "CEIL({0})",
        "Chr": "NCHR({0})",
        "Cot": "(1 / TAN({0}))",
        "Degrees": "(({0}) * 180 / ACOS(-1))",
        "Left": "SUBSTR({0}, 1, {1})",
        "MD5": "LOWER(RAWTOHEX(STANDARD_HASH({0}, 'MD5')))",
        "Ord": "ASCII({0})",
        "Pi": "ACOS(-1)",
        "Radians": "(({0}) * ACOS(-1) / 180)",
        "Random": "DBMS_RANDOM.VALUE()",
        "Repeat": "RPAD({0}, LENGTH({0}) * {1}, {0})",
        "Right": "SUBSTR({0}, -({1}))",
        "SHA1": "LOWER(RAWTOHEX(STANDARD_HASH({0}, 'SHA1')))",
        "Substr": "SUBSTR",
        "SHA224": None,
        "SHA256": "LOWER(RAWTOHEX(STANDARD_HASH({0}, 'SHA256')))",
        "SHA384": "LOWER(RAWTOHEX(STANDARD_HASH({0}, 'SHA384')))",
        "SHA512": "LOWER(RAWTOHEX(STANDARD_HASH({0}, 'SHA512')))",
    }

    def random(self) -> Core:
        return template("DBMS_RANDOM.VALUE()")

    # -- text ----------------------------------------------------------------------------------

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        options = "'i'" if ignore_case else "'c'"
        return template(f"REGEXP_LIKE(%s, %s, {options})", self.text(left), self.pattern(right), type_=TRUTH)

    def text(self, value: Core) -> Any:
        return value if isinstance(value.type, sa.String) else sa.func.to_char(value, type_=TEXT)

    def text_argument(self, core: Core, kind: str | None) -> Core:
        return core if kind == "text" else sa.func.to_char(core, type_=TEXT)

    def concatenated(self, texts: list[Any], type_: CoreType | None) -> Any:
        """Return texts one after the other; NULL is the empty text."""
        return template(f"({' || '.join(['%s'] * len(texts))})", *texts, type_=type_)

    # -- arithmetic ----------------------------------------------------------------------------

    def calculate(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        if (text := _BITS.get(expression.connector)) is None:
            return super().calculate(expression, left, right, type_)
        both = text.count("%s") > 2
        return template(text, left, right, *([left, right] if both else []), type_=type_)

    # -- clocks --------------------------------------------------------------------------------

    parts: ClassVar[dict[str, str]] = {
        "iso_week_day": "(TRUNC(%s) - TRUNC(%s, 'IW') + 1)",
        "iso_year": "TO_NUMBER(TO_CHAR(%s, 'IYYY'))",
        "quarter": "TO_NUMBER(TO_CHAR(%s, 'Q'))",
        "second": "FLOOR(EXTRACT(SECOND FROM CAST(%s AS TIMESTAMP)))",
        "week": "TO_NUMBER(TO_CHAR(%s, 'IW'))",
        "week_day": "(MOD(TRUNC(%s) - TRUNC(%s, 'IW') + 1, 7) + 1)",
    }

    def extract(self, part: str, core: Core, zone: object) -> Any:
        text, local = self.parts.get(part) or self._extraction(part), self.local(core, zone)
        return template(text, *[local] * text.count("%s"), type_=INTEGER)

    def local(self, core: Core, zone: object) -> Any:
        if zone is None:
            return core
        return template("CAST(FROM_TZ(%s, 'UTC') AT TIME ZONE %s AS TIMESTAMP)", core, zone)

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        local = self.local(core, zone)
        if kind == "date":
            return template("TRUNC(%s)", local)
        if "time" in (kind, result):
            raise UnsupportedFeature(
                "Oracle has no type for times of day: extract the hour, the minute and the second."
            )
        cut = (
            template("CAST(%s AS DATE)", local)
            if kind == "second"
            else template(f"TRUNC(%s, '{_UNITS[kind]}')", local)
        )
        if result == "date":
            return cut
        cut = template("CAST(%s AS TIMESTAMP)", cut)
        return cut if zone is None else template("SYS_EXTRACT_UTC(FROM_TZ(%s, %s))", cut, zone)

    def now(self, type_: CoreType) -> Any:
        return template("SYS_EXTRACT_UTC(SYSTIMESTAMP)" if settings.USE_TZ else "LOCALTIMESTAMP", type_=type_)

    # -- locks -----------------------------------------------------------------------------------

    def for_update(self, statement: sa.Select[Any], lock: RowLock, tables: list[Any]) -> Any:
        """Return a select that locks its rows; FOR UPDATE OF names a column of each table."""
        columns = [next(iter(table.primary_key)) for table in tables]
        return super().for_update(statement, lock, columns)


_BITS = {
    "&": "BITAND(%s, %s)",
    "|": "(%s + %s - BITAND(%s, %s))",
    "#": "(%s + %s - 2 * BITAND(%s, %s))",
    "<<": "(%s * POWER(2, %s))",
    ">>": "FLOOR(%s / POWER(2, %s))",
}
_UNITS = {
    "year": "YYYY",
    "quarter": "Q",
    "month": "MM",
    "week": "IW",
    "day": "DD",
    "hour": "HH24",
    "minute": "MI",
}

__all__ = ["OracleWords"]
