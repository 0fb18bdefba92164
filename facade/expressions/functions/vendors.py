"""Functions that databases spell differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from facade import fields
from facade.expressions.base import Value
from facade.expressions.calls import Func

if TYPE_CHECKING:
    from collections.abc import Iterable

    from facade.expressions.contracts import Compiler
    from facade.fields import Field


class VendorFunc(Func):
    """A function whose options (`function`, `template`, `arg_joiner`) differ from database to database."""

    spellings: ClassVar[dict[str, dict[str, str]]] = {}

    def as_core(self, compiler: Compiler) -> Any:
        spelling = self.spellings.get(compiler.vendor)
        if spelling is None:
            return super().as_core(compiler)
        spelled = self.copy()
        spelled.extra = {**spelling, **self.extra}
        return super(VendorFunc, spelled).as_core(compiler)


class NumericResult(Func):
    """A function of numbers: a Decimal for decimals, else a float."""

    def _resolve_output_field(self) -> Field[Any] | None:
        given = [source._output_field_or_none for source in self._sources()]
        kinds = [None if field is None else field.value_kind for field in given]
        if "decimal" in kinds:
            return fields.DecimalField()
        if not kinds or "integer" in kinds:
            return fields.FloatField()
        return super()._resolve_output_field()


class Fixed(Value):
    """A constant that belongs to the shape of a query: another value is another query."""

    def freeze(self, values: Iterable[Any]) -> Any:
        return self


__all__ = ["Fixed", "NumericResult", "VendorFunc"]
