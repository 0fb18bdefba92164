"""SQL text of facade's own with Core elements between its parts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

from facade.types.shared import UNKNOWN

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

    from facade.expressions.contracts import Core, CoreType


class Fragment(ColumnElement[Any]):
    """SQL text of the program's own, with Core elements between its parts."""

    inherit_cache = False

    def __init__(self, parts: list[Any], type_: CoreType | type[CoreType] | None = None) -> None:
        self.parts = parts
        self.type = UNKNOWN if type_ is None else sa.types.to_instance(type_)

    @property
    def _from_objects(self) -> list[Any]:
        return [table for part in self.parts if not isinstance(part, str) for table in part._from_objects]

    def self_group(self, against: object = None) -> Any:
        return self

    def get_children(self, **options: Any) -> list[Any]:
        return [part for part in self.parts if not isinstance(part, str)]

    def _compiler_dispatch(self, visitor: SQLCompiler, **options: Any) -> str:
        """Write the SQL: what `@compiles` would do, without two calls on the way."""
        escape, texts = visitor.preparer._double_percents, list[str]()
        for part in self.parts:
            if isinstance(part, str):
                texts.append(part.replace("%", "%%") if escape and "%" in part else part)
            else:
                texts.append(part._compiler_dispatch(visitor, **options))
        return "".join(texts)

    @property
    def has_query(self) -> bool:
        """Whether its own text asks another query."""
        return any(isinstance(part, str) and "SELECT " in part for part in self.parts)


class Whole(Fragment):
    """What MySQL computes with decimals, rounded to a whole number: a cast would cut it to 64 bits without a word."""

    inherit_cache = False

    def __init__(self, computed: Core, type_: CoreType | None) -> None:
        self.computed = computed
        super().__init__(["ROUND(", computed, ")"], type_)


class RawFragment(Fragment):
    """SQL text of a developer's: what it reads cannot be known."""

    inherit_cache = False


class Inline(ColumnElement[Any]):
    """A select as SQL text without parentheses, for a template that writes them."""

    inherit_cache = False

    def __init__(self, select: sa.SelectBase) -> None:
        self.subquery = select.scalar_subquery()
        self.type = UNKNOWN

    @property
    def _from_objects(self) -> list[Any]:
        return []

    def get_children(self, **options: Any) -> list[Any]:
        return [self.subquery]


@compiles(Inline)  # type: ignore[no-untyped-call,untyped-decorator,unused-ignore]
def _compile_inline(element: Inline, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.subquery, **options).removeprefix("(").removesuffix(")")


def template(text: str, *arguments: Any, type_: CoreType | None = None) -> Fragment:
    """Return a Fragment: each `%s` in `text` takes an argument, `%%` is a percent sign."""
    parts: list[Any] = []
    for part in _pieces(text):
        if isinstance(part, str):
            parts.append(part)
        elif part < len(arguments):
            argument = arguments[part]
            if (
                type(argument) is Fragment
            ):  # its text can stand in this one's: one element to compile instead of two
                parts += argument.parts
            else:
                parts.append(argument)
    return Fragment(parts, type_)


@functools.lru_cache(maxsize=1000)
def _pieces(text: str) -> tuple[str | int, ...]:
    """Return the texts of a template, and between them the positions of its arguments."""
    first, *rest = (piece.replace("\0", "%") for piece in text.replace("%%", "\0").split("%s"))
    pieces: list[str | int] = [first]
    for position, piece in enumerate(rest):
        pieces += (position, piece)
    return tuple(piece for piece in pieces if piece != "")
