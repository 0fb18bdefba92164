"""Aggregates that combine the bits of integers."""

from __future__ import annotations

from facade.expressions.aggregates.plain import Aggregate


class BitAnd(Aggregate):
    """The bits that all values have."""

    function = "BIT_AND"
    name = "BitAnd"
    arity = 1


class BitOr(Aggregate):
    """The bits that any value has."""

    function = "BIT_OR"
    name = "BitOr"
    arity = 1


class BitXor(Aggregate):
    """The bits that an odd number of values have."""

    function = "BIT_XOR"
    name = "BitXor"
    arity = 1


__all__ = ["BitAnd", "BitOr", "BitXor"]
