"""SQL text of facade's own with Core elements between its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

    from facade.expressions.contracts import Core, CoreType


class Fragment(ColumnElement[Any]):
    """SQL text of the program's own, with Core elements between its parts."""

    inherit_cache = False

    def __init__(self, parts: list[Any], type_: CoreType | type[CoreType] | None = None) -> None:
        self.parts = parts
        self.type = sa.types.NullType() if type_ is None else sa.types.to_instance(type_)

    @property
    def _from_objects(self) -> list[Any]:
        return [table for part in self.parts if not isinstance(part, str) for table in part._from_objects]

    def self_group(self, against: object = None) -> Any:
        return self

    def get_children(self, **options: Any) -> list[Any]:
        return [part for part in self.parts if not isinstance(part, str)]

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


@compiles(Fragment)  # type: ignore[no-untyped-call,untyped-decorator,unused-ignore]
def _compile_fragment(element: Fragment, compiler: SQLCompiler, **options: Any) -> str:
    escape, texts = compiler.preparer._double_percents, list[str]()
    for part in element.parts:
        if isinstance(part, str):
            texts.append(part.replace("%", "%%") if escape else part)
        else:
            texts.append(compiler.process(part, **options))
    return "".join(texts)


class Inline(ColumnElement[Any]):
    """A select as SQL text without parentheses, for a template that writes them."""

    inherit_cache = False

    def __init__(self, select: sa.SelectBase) -> None:
        self.subquery = select.scalar_subquery()
        self.type = sa.types.NullType()

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
    pieces = text.replace("%%", "\0").split("%s")
    parts: list[Any] = []
    for position, piece in enumerate(pieces):
        if piece:
            parts.append(piece.replace("\0", "%"))
        if position < min(len(arguments), len(pieces) - 1):
            argument = arguments[position]
            if (
                type(argument) is Fragment
            ):  # its text can stand in this one's: one element to compile instead of two
                parts += argument.parts
            else:
                parts.append(argument)
    return Fragment(parts, type_)
