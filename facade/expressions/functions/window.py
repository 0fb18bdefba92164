"""Functions over the rows of a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.calls import Func
from facade.expressions.functions.vendors import Fixed

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler
    from facade.fields import Field


class WindowFunc(Func):
    """A function that makes sense in a Window only."""

    window_compatible = True


class CumeDist(WindowFunc):
    """The share of rows that come no later."""

    function = "CUME_DIST"
    _output_field = fields.FloatField()


class DenseRank(WindowFunc):
    """The rank, without gaps."""

    function = "DENSE_RANK"
    _output_field = fields.IntegerField()


class FirstValue(WindowFunc):
    """The value of the first row of the frame."""

    arity = 1
    function = "FIRST_VALUE"


class LastValue(WindowFunc):
    """The value of the last row of the frame."""

    arity = 1
    function = "LAST_VALUE"


class _OfOtherRow(WindowFunc):
    """The value that another row has."""

    def __init__(self, expression: object, *arguments: Any, **extra: Any) -> None:
        if expression is None:
            raise ValueError(f"{type(self).__name__} requires a non-null source expression.")
        super().__init__(expression, *arguments, **extra)

    def _resolve_output_field(self) -> Field[Any] | None:
        field: Field[Any] = self.source_expressions[0].output_field
        return field


class Lag(_OfOtherRow):
    """The value `offset` rows before; `default` where there is no such row."""

    function = "LAG"

    def __init__(
        self, expression: object, offset: int | None = 1, default: object = None, **extra: Any
    ) -> None:
        if expression is not None and (offset is None or offset <= 0):
            raise ValueError(f"{type(self).__name__} requires a positive integer for the offset.")
        super().__init__(expression, Fixed(offset), *([] if default is None else [default]), **extra)

    def as_core(self, compiler: Compiler) -> Any:
        if len(self.source_expressions) > 2 and not compiler.features.supports_default_in_lead_lag:
            raise UnsupportedFeature(
                f"{type(self).__name__} with a default is not supported on {compiler.features.called}."
            )
        return super().as_core(compiler)


class Lead(Lag):
    """The value `offset` rows behind; `default` where there is no such row."""

    function = "LEAD"


class NthValue(_OfOtherRow):
    """The value of the row number `nth` of the frame."""

    function = "NTH_VALUE"

    def __init__(self, expression: object, nth: int | None = 1, **extra: Any) -> None:
        if expression is not None and (nth is None or nth <= 0):
            raise ValueError(f"{type(self).__name__} requires a positive integer as for nth.")
        super().__init__(expression, Fixed(nth), **extra)


class Ntile(WindowFunc):
    """The number of the bucket when the rows are spread evenly over `num_buckets`."""

    function = "NTILE"
    _output_field = fields.IntegerField()

    def __init__(self, num_buckets: int = 1, **extra: Any) -> None:
        if num_buckets <= 0:
            raise ValueError("num_buckets must be greater than 0.")
        super().__init__(Fixed(num_buckets), **extra)


class PercentRank(WindowFunc):
    """The rank relative to the number of rows, from 0 to 1."""

    function = "PERCENT_RANK"
    _output_field = fields.FloatField()


class Rank(WindowFunc):
    """The rank, with gaps after rows of the same rank."""

    function = "RANK"
    _output_field = fields.IntegerField()


class RowNumber(WindowFunc):
    """The number of the row, from 1."""

    function = "ROW_NUMBER"
    _output_field = fields.IntegerField()


__all__ = [
    "CumeDist",
    "DenseRank",
    "FirstValue",
    "Lag",
    "LastValue",
    "Lead",
    "NthValue",
    "Ntile",
    "PercentRank",
    "Rank",
    "RowNumber",
]
