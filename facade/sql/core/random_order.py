"""Rows in no order: the `?` of order_by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade import fields
from facade.expressions.base import Placed

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler


class RandomOrder(Placed):
    """A random number."""

    contains_aggregate = False

    def __init__(self) -> None:
        super().__init__(fields.FloatField())

    def get_group_by_cols(self) -> list[Any]:
        return []

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.words.random()


__all__ = ["RandomOrder"]
