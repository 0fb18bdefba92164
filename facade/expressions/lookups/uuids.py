"""Comparisons of UUIDs with pieces of text: `filter(key__startswith="550e")`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade import fields
from facade.expressions.base import Expression
from facade.expressions.comparisons import Lookup
from facade.expressions.freezing import Arg
from facade.expressions.lookups.patterns import (
    Contains,
    EndsWith,
    IContains,
    IEndsWith,
    IExact,
    IStartsWith,
    StartsWith,
    text,
)
from facade.types.shared import TEXT

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler


class UUIDText(Lookup):
    """A comparison of text. PostgreSQL shows UUIDs with hyphens; elsewhere they are kept without and hyphens are ignored."""

    def prepare(self, value: object) -> Any:
        return text(value)

    def right(self, compiler: Compiler) -> Any:
        if compiler.features.has_native_uuid_field:
            return super().right(compiler)
        if isinstance(self.rhs, Arg):
            convert = self.converter(compiler)
            return compiler.bind(self.rhs, TEXT, lambda value: convert(value.replace("-", "")))  # type: ignore[misc]
        if isinstance(self.rhs, Expression):
            digits = sa.func.replace(compiler.process(self.rhs), "-", "", type_=TEXT)
            return compiler.words.like_pattern(
                getattr(self, "before", ""), digits, getattr(self, "after", "")
            )
        return super().right(compiler)


@fields.UUIDField.register_lookup
class UUIDIExact(UUIDText, IExact):
    """Equality."""


@fields.UUIDField.register_lookup
class UUIDContains(UUIDText, Contains):
    """Contains a text."""


@fields.UUIDField.register_lookup
class UUIDIContains(UUIDText, IContains):
    """Contains a text, ignoring case."""


@fields.UUIDField.register_lookup
class UUIDStartsWith(UUIDText, StartsWith):
    """Begins with a text."""


@fields.UUIDField.register_lookup
class UUIDIStartsWith(UUIDText, IStartsWith):
    """Begins with a text, ignoring case."""


@fields.UUIDField.register_lookup
class UUIDEndsWith(UUIDText, EndsWith):
    """Ends with a text."""


@fields.UUIDField.register_lookup
class UUIDIEndsWith(UUIDText, IEndsWith):
    """Ends with a text, ignoring case."""


__all__ = [
    "UUIDContains",
    "UUIDEndsWith",
    "UUIDIContains",
    "UUIDIEndsWith",
    "UUIDIExact",
    "UUIDIStartsWith",
    "UUIDStartsWith",
]
