"""Expressions."""

from facade.expressions.base import (
    Col,
    Combinable,
    CombinedExpression,
    DatabaseDefault,
    Expression,
    ExpressionWrapper,
    F,
    Func,
    NegatedExpression,
    OrderBy,
    OuterRef,
    RawSQL,
    Ref,
    ResolvedOuterRef,
    Star,
    Value,
)
from facade.expressions.conditional import Case, When
from facade.expressions.subquery import Exists, Subquery

__all__ = [
    "Case",
    "Col",
    "Combinable",
    "CombinedExpression",
    "DatabaseDefault",
    "Exists",
    "Expression",
    "ExpressionWrapper",
    "F",
    "Func",
    "NegatedExpression",
    "OrderBy",
    "OuterRef",
    "RawSQL",
    "Ref",
    "ResolvedOuterRef",
    "Star",
    "Subquery",
    "Value",
    "When",
]
