"""Several expressions as one: the columns of PARTITION BY and ORDER BY."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from facade.expressions.base import Expression, OrderBy
from facade.expressions.calls import as_expression
from facade.expressions.references import F, parts_of
from facade.expressions.sqltext.fragments import template

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Ordered, Valued


class ExpressionList(Expression):
    """Expressions with commas between them."""

    conditional = False
    allows_composite_expressions = True

    def __init__(self, *expressions: Any) -> None:
        self.source_expressions = [as_expression(item) for item in expressions]

    @property
    def allowed_default(self) -> bool:
        return all(source.allowed_default for source in self._sources())

    def __str__(self) -> str:
        return ", ".join(str(source) for source in self.source_expressions)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def get_source_expressions(self) -> list[Any]:
        return self.source_expressions

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.source_expressions = exprs

    def get_group_by_cols(self) -> list[Any]:
        return [column for source in self._sources() for column in source.get_group_by_cols()]

    def as_core(self, compiler: Compiler) -> Any:
        parts = [compiler.process(term) for source in self._sources() for term in _terms(source)]
        return template(", ".join(["%s"] * len(parts)), *parts)


class OrderByList(ExpressionList):
    """The terms of an ORDER BY inside an expression; a name with `-` before it is one in descending order."""

    def __init__(self, *expressions: Any) -> None:
        super().__init__(*(_ordering(item) for item in expressions))

    @classmethod
    def from_param(cls, context: str, param: object) -> OrderByList | None:
        """Return what a user gave for an order: a name, an expression, or a list of them."""
        if param is None or (isinstance(param, (list, tuple)) and not param):
            return None
        if isinstance(param, (list, tuple)):
            return cls(*param)
        if isinstance(param, str) or hasattr(param, "resolve_expression"):
            return cls(param)
        raise ValueError(
            f"{context} must be either a string reference to a field, an expression, or a list or tuple of them "
            f"not {param!r}."
        )


def _terms(source: Valued) -> Iterable[Any]:
    return by_columns(source) if isinstance(source, OrderBy) else parts_of(source) or (source,)


def by_columns(term: Ordered) -> Iterator[Any]:
    """Yield a term of ORDER BY as it is, or of a row value one for each column."""
    parts = parts_of(term.expression)
    if parts is None:
        yield term
        return
    for item in parts:
        one: Any = copy.copy(term)
        one.expression = item
        yield one


def _ordering(item: object) -> Any:
    if isinstance(item, str) and item.startswith("-"):
        return OrderBy(F(item[1:]), descending=True)
    return item


__all__ = ["ExpressionList", "OrderByList", "by_columns"]
