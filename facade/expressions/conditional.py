"""CASE WHEN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import EmptyResultSet, FullResultSet
from facade.expressions.base import Expression
from facade.expressions.calls import as_expression
from facade.expressions.freezing import core_expression
from facade.expressions.q import Q, refuse_q_options

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Query, Valued
    from facade.fields import Field


class When(Expression):
    """One branch of a `Case`: `When(age__lt=18, then=Value("minor"))`.

    The condition is given as lookups, or as a Q or another conditional expression; `then` is an expression or a constant. TypeError for what is no
    condition, ValueError for an empty Q.
    """

    sources = ("condition", "result")
    conditional = False

    def __init__(self, condition: object = None, then: object = None, **lookups: Any) -> None:
        condition = core_expression(condition) or condition
        if lookups:
            refuse_q_options(lookups)
            if condition is None:
                condition = Q(**lookups)
            elif getattr(condition, "conditional", False):
                condition = Q(condition, **lookups)
        if condition is None or not getattr(condition, "conditional", False) or (lookups and not condition):
            raise TypeError("When() supports a Q object, a boolean expression, or lookups as a condition.")
        if isinstance(condition, Q) and not condition:
            raise ValueError("An empty Q() can't be used as a When() condition.")
        self.condition: Any = condition
        self.result: Any = as_expression(then)

    def __str__(self) -> str:
        return f"WHEN {self.condition!r} THEN {self.result!r}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def _resolve_output_field(self) -> Field[Any] | None:
        field: Field[Any] | None = self.result._output_field_or_none
        return field

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        resolved = self.copy()
        assert query is not None
        resolved.condition = query.resolve_condition(
            self.condition, allow_joins=allow_joins, reuse=reuse, summarize=summarize
        )
        resolved.result = self.one_value(
            self.result.resolve_expression(query, allow_joins, reuse, summarize, for_save)
        )
        return resolved

    @property
    def allowed_default(self) -> bool:
        return bool(self.condition.allowed_default and self.result.allowed_default)

    def get_group_by_cols(self) -> list[Any]:
        return [column for source in self._sources() for column in source.get_group_by_cols()]


class Case(Expression):
    """The first branch that holds, else the default.

    The branches are `When`s; `default` is an expression or a constant, NULL without it. `output_field` says of what type it is, where the
    branches do not. See https://docs.djangoproject.com/en/6.1/ref/models/conditional-expressions/

    >>> from facade.models import Value
    >>> Book.objects.annotate(size=Case(When(pages__gt=200, then=Value("thick")), default=Value("thin"))).get(title="Trees").size
    'thick'
    """

    def __init__(
        self, *cases: When, default: object = None, output_field: Field[Any] | None = None, **extra: Any
    ) -> None:
        if not all(isinstance(case, When) for case in cases):
            raise TypeError("Positional arguments must all be When objects.")
        super().__init__(output_field)
        self.cases: list[Any] = list(cases)
        self.default = as_expression(default)
        self.extra = extra

    def __str__(self) -> str:
        return f"CASE {', '.join(str(case) for case in self.cases)}, ELSE {self.default!r}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def get_source_expressions(self) -> list[Any]:
        return [*self.cases, self.default]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        *self.cases, self.default = exprs

    @property
    def allowed_default(self) -> bool:
        return all(source.allowed_default for source in self._sources())

    def get_group_by_cols(self) -> list[Any]:
        if not self.cases:
            return list(self.default.get_group_by_cols())
        return super().get_group_by_cols()

    def as_core(self, compiler: Compiler) -> Any:
        branches, default = self._branches(compiler)
        otherwise = _value(compiler, default)
        return compiler.words.unified(sa.case(*branches, else_=otherwise), self) if branches else otherwise

    def _branches(self, compiler: Compiler) -> tuple[list[tuple[Any, Any]], Any]:
        """Return the branches that some rows take and others do not, and what holds for the rest."""
        branches: list[tuple[Any, Any]] = []
        for case in self.cases:
            try:
                branches.append((compiler.condition(case.condition), _value(compiler, case.result)))
            except EmptyResultSet:
                continue
            except FullResultSet:
                return branches, case.result
        return branches, self.default


def _value(compiler: Compiler, result: Valued) -> Any:
    """Return the Core form of a branch's result: a condition is true or false there, also where no row can meet it."""
    return compiler.boolean(result) if getattr(result, "conditional", False) else compiler.process(result)
