"""A case: the source that both worlds run, which is its own reproduction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

LAST_CALL = re.compile(r"(.*?)(?:\.((?:count|exists|first|aggregate)\(.*))?")


@dataclass
class Case:
    """A queryset, and what is asked of it: nothing but its rows, or a method call.

    `ordered` says that the rows have one order only; others are compared without.
    """

    queryset: str
    end: str | None = None
    ordered: bool = False

    @classmethod
    def asked(cls, queryset, after, ordered=False):
        """Make a case of a queryset and of what comes after it: further steps, or a method that asks at once."""
        steps, end = LAST_CALL.fullmatch(after).groups()
        return cls(queryset + steps, end, ordered)

    @property
    def source(self):
        return self.queryset if self.end is None else f"{self.queryset}.{self.end}"

    @cached_property
    def compiled(self):
        return compile(self.source, "<case>", "eval")


@dataclass
class Change:
    """Statements that write; the name `told`, where they set it, is compared as well as the tables."""

    source: str
    ordered: bool = False

    @cached_property
    def compiled(self):
        return compile(self.source, "<case>", "exec")
