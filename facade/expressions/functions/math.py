"""Functions of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade.expressions.calls import Func
from facade.expressions.comparisons import Transform
from facade.expressions.functions.vendors import Fixed, NumericResult, VendorFunc

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Valued
    from facade.fields import Field


class DecimalArguments(Func):
    """A function that PostgreSQL has for decimals only: floats are cast."""

    def as_core(self, compiler: Compiler) -> Any:
        if not compiler.words.chooses_by_type:
            return super().as_core(compiler)
        arguments = [self._decimal(compiler, source) for source in self._sources()]
        return compiler.words.function(self, arguments, self.column_type)

    @staticmethod
    def _decimal(compiler: Compiler, source: Valued) -> Any:
        core = compiler.process(source)
        is_float = source.value_kind == "float"
        return sa.cast(core, sa.Numeric()) if is_float else core


class WholeNumbers(Transform):
    """A function that PostgreSQL has for floats and decimals: integers are cast to these, which have functions that floats lack."""

    def as_core(self, compiler: Compiler) -> Any:
        (source,) = self._sources()
        if not compiler.words.chooses_by_type or source.value_kind != "integer":
            return super().as_core(compiler)
        return compiler.words.function(
            self, [sa.cast(compiler.process(source), sa.Numeric())], self.column_type
        )


class Abs(Transform):
    """The absolute value."""

    function = "ABS"
    lookup_name = "abs"


class ACos(NumericResult, Transform):
    """The arc cosine."""

    function = "ACOS"
    lookup_name = "acos"


class ASin(NumericResult, Transform):
    """The arc sine."""

    function = "ASIN"
    lookup_name = "asin"


class ATan(NumericResult, Transform):
    """The arc tangent."""

    function = "ATAN"
    lookup_name = "atan"


class ATan2(NumericResult):
    """The arc tangent of the first divided by the second."""

    function = "ATAN2"
    arity = 2


class Ceil(WholeNumbers):
    """The smallest integer that is not smaller."""

    function = "CEILING"
    lookup_name = "ceil"


class Cos(NumericResult, Transform):
    """The cosine of an angle in radians."""

    function = "COS"
    lookup_name = "cos"


class Cot(NumericResult, Transform):
    """The cotangent of an angle in radians."""

    function = "COT"
    lookup_name = "cot"


class Degrees(NumericResult, Transform):
    """An angle in radians, in degrees."""

    function = "DEGREES"
    lookup_name = "degrees"


class Exp(NumericResult, Transform):
    """The power of e."""

    function = "EXP"
    lookup_name = "exp"


class Floor(WholeNumbers):
    """The largest integer that is not larger."""

    function = "FLOOR"
    lookup_name = "floor"


class Ln(NumericResult, Transform):
    """The natural logarithm."""

    function = "LN"
    lookup_name = "ln"


class Log(DecimalArguments, NumericResult):
    """The logarithm, to the base of the first, of the second."""

    function = "LOG"
    arity = 2


class Mod(DecimalArguments, NumericResult):
    """The remainder of a division."""

    function = "MOD"
    arity = 2


class Pi(NumericResult):
    """The number pi."""

    function = "PI"
    arity = 0


class Power(NumericResult):
    """The first to the power of the second."""

    function = "POWER"
    arity = 2


class Radians(NumericResult, Transform):
    """An angle in degrees, in radians."""

    function = "RADIANS"
    lookup_name = "radians"


class Random(VendorFunc, NumericResult):
    """A random number from 0 up to 1, another one for each row."""

    function = "RANDOM"
    arity = 0
    spellings: ClassVar[dict[str, dict[str, str]]] = {
        "mysql": {"function": "RAND"},
        "sqlite": {"function": "RAND"},
    }

    def get_group_by_cols(self) -> list[Any]:
        return []


class Round(DecimalArguments, Transform):
    """Rounded to `precision` digits behind the point; negative ones stand before it, which SQLite cannot do."""

    function = "ROUND"
    lookup_name = "round"
    arity = None

    def __init__(self, expression: object, precision: object = 0, **extra: Any) -> None:
        fixed = isinstance(precision, int)
        super().__init__(expression, Fixed(precision) if fixed else precision, **extra)

    def as_core(self, compiler: Compiler) -> Any:
        precision = self.source_expressions[1]
        if not compiler.words.rounds_before_point and isinstance(precision, Fixed) and precision.value < 0:
            raise ValueError("SQLite does not support negative precision.")
        return super().as_core(compiler)

    def _resolve_output_field(self) -> Field[Any] | None:
        field: Field[Any] = self.source_expressions[0].output_field
        return field


class Sign(WholeNumbers):
    """-1, 0 or 1."""

    function = "SIGN"
    lookup_name = "sign"


class Sin(NumericResult, Transform):
    """The sine of an angle in radians."""

    function = "SIN"
    lookup_name = "sin"


class Sqrt(NumericResult, Transform):
    """The square root."""

    function = "SQRT"
    lookup_name = "sqrt"


class Tan(NumericResult, Transform):
    """The tangent of an angle in radians."""

    function = "TAN"
    lookup_name = "tan"


__all__ = [
    "ACos",
    "ASin",
    "ATan",
    "ATan2",
    "Abs",
    "Ceil",
    "Cos",
    "Cot",
    "Degrees",
    "Exp",
    "Floor",
    "Ln",
    "Log",
    "Mod",
    "Pi",
    "Power",
    "Radians",
    "Random",
    "Round",
    "Sign",
    "Sin",
    "Sqrt",
    "Tan",
]
