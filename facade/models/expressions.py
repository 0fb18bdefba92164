"""Expressions."""

from facade.expressions.base import (
    Combinable,
    CombinedExpression,
    Expression,
    ExpressionWrapper,
    NegatedExpression,
    OrderBy,
    Value,
)
from facade.expressions.calls import DatabaseDefault, Func, RawSQL
from facade.expressions.conditional import Case, When
from facade.expressions.functions.json import JSONNull
from facade.expressions.lists import ExpressionList, OrderByList
from facade.expressions.references import Col, F, OuterRef, Ref, ResolvedOuterRef, Star
from facade.expressions.subquery import Exists, Subquery
from facade.expressions.windows import RowRange, ValueRange, Window, WindowFrame, WindowFrameExclusion

__all__ = [
    "Case",
    "Col",
    "Combinable",
    "CombinedExpression",
    "DatabaseDefault",
    "Exists",
    "Expression",
    "ExpressionList",
    "ExpressionWrapper",
    "F",
    "Func",
    "JSONNull",
    "NegatedExpression",
    "OrderBy",
    "OrderByList",
    "OuterRef",
    "RawSQL",
    "Ref",
    "ResolvedOuterRef",
    "RowRange",
    "Star",
    "Subquery",
    "Value",
    "ValueRange",
    "When",
    "Window",
    "WindowFrame",
    "WindowFrameExclusion",
]
