"""What libsql says in words of its own: those of SQLite, without the functions that facade gives to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from facade.exceptions import UnsupportedFeature
from facade.expressions.functions.clocks import MOMENTS
from facade.sql.core.words.sqlite import SQLiteWords

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Aggregation, Combined, Core, CoreType
    from facade.fields import Field
    from facade.fields.descriptions import Kind

_LACKING = (
    "ACos", "ASin", "ATan", "ATan2", "Ceil", "Cos", "Cot", "Degrees", "Exp", "Floor", "Ln", "Log", "LPad", "MD5", "Pi", "Power",
    "Radians", "Repeat", "Reverse", "RPad", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "Sin", "Sqrt", "Tan",
)  # fmt: skip


class LibSQLWords(SQLiteWords):
    """The words of libsql."""

    functions: ClassVar[dict[str, str | None]] = {
        **dict.fromkeys(_LACKING),
        "Mod": "({0} % {1})",
        "Random": "(ABS(RANDOM() / 2) / 4611686018427387904.0)",
    }

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        raise self._lacks("Regular expressions are")

    def combine_times(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        if {expression.lhs.value_kind, expression.rhs.value_kind}.isdisjoint(MOMENTS):
            return super().combine_times(expression, left, right, type_)
        raise self._lacks("Arithmetic with dates and times is")

    def calculate(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        if expression.connector == "^":
            raise self._lacks("The operator '^' is")
        return super().calculate(expression, left, right, type_)

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        if expression.name in ("StdDev", "Variance"):
            raise self._lacks(f"{expression.name} is")
        return super().aggregate(expression, arguments, type_)

    def cast(self, core: Core, source: Kind | None, field: Field[Any]) -> Any:
        if field.value_kind in MOMENTS:
            raise self._lacks("A cast to dates and times is")
        return super().cast(core, source, field)

    def comparable_document(self, core: Core) -> Any:
        raise self._lacks("A comparison of documents is")

    def json_in(self, left: Core, values: Core) -> Any:
        raise self._lacks("A comparison of documents is")

    def extract(self, part: str, core: Core, zone: object) -> Any:
        raise self._lacks(f"The part {part!r} of a date is")

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        raise self._lacks("Cutting dates and times is")

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        raise self._lacks(f"{name} is")

    def _lacks(self, what: str) -> UnsupportedFeature:
        return UnsupportedFeature(
            f"{what} not supported on {self.vendor.called}, which takes no functions of facade's."
        )


__all__ = ["LibSQLWords"]
