"""Expressions about given values instead of rows: what constraints are checked with before anything is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.expressions.base import Expression, Value, as_value
from facade.expressions.freezing import Frozen, Values, freeze
from facade.expressions.names import referenced_names

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query, Valued
    from facade.fields import Field


class Null(Value):
    """The NULL of a field."""

    def __init__(self, output_field: Field[Any]) -> None:
        super().__init__(None, output_field)

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.words.null(self.column_type)


class WrittenValue(Value):
    """A value in a condition that is part of a table's definition, where there are no arguments."""


class Given(Expression):
    """`expression`, the names in it standing for the expressions of `values`."""

    sources = ("expression",)

    def __init__(
        self, expression: Valued, values: dict[str, Any], output_field: Field[Any] | None = None
    ) -> None:
        super().__init__(output_field)
        needed = set(referenced_names(expression))
        self.expression = expression
        self.values = {name: as_value(value) for name, value in values.items() if name in needed}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.expression!r}, {self.values!r})"

    def freeze(self, values: Values) -> Any:
        frozen = self.copy()
        frozen.expression = freeze(self.expression, values)
        frozen.values = {name: freeze(value, values) for name, value in self.values.items()}
        return frozen

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        assert query is not None
        facts = query.given(self.values)
        resolved = self.copy()
        resolved.expression = facts.resolve_condition(self.expression, allow_joins=False)
        resolved.values = {}
        return resolved

    @property
    def conditional(self) -> bool:
        return bool(self.expression.conditional)

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.process(self.expression)


def field_value(value: object, field: Field[Any]) -> Any:
    """Return an expression for a value that an instance has in a field."""
    if isinstance(value, Frozen):
        return value
    return Null(field) if value is None else Value(value, field)
