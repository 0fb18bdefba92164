"""Functions that convert, choose and compare values."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import sqlalchemy as sa

from facade import fields
from facade.expressions.base import Expression, ExpressionWrapper, Value
from facade.expressions.calls import Func
from facade.expressions.documents import document, holds_json
from facade.expressions.functions import clocks
from facade.expressions.functions.datetime import LocalDateTimeField
from facade.expressions.functions.vendors import VendorFunc
from facade.expressions.sqltext.fragments import template

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Valued
    from facade.fields import Field


class Cast(Func):
    """The value as the type of another field: `Cast("code", IntegerField())`."""

    function = "CAST"

    def __init__(self, expression: object, output_field: Field[Any]) -> None:
        super().__init__(expression, output_field=output_field)

    def as_core(self, compiler: Compiler) -> Any:
        (source,) = self._sources()
        field, given = self.output_field, source.known_field
        made = field.value_kind == "document" and (holds_json(source) or _is_value(given))
        core = document(compiler, source) if made else compiler.process(source)
        if made and not compiler.features.has_native_json_field:
            return sa.type_coerce(core, field.column_type)
        if isinstance(given, LocalDateTimeField) and is_clock(field):
            kind, zone = clocks.result_kind(field), given.zone(compiler)
            cut = partial(compiler.words.trunc, kind, zone=zone, result=kind)
            return sa.type_coerce(clocks.once(compiler, source, zone, cut), field.column_type)
        return compiler.words.cast(core, source.value_kind, field)


def _is_value(given: Field[Any] | None) -> bool:
    """Return whether a field holds what becomes a JSON value of its own: a text is JSON already."""
    return given is not None and type(given) is not fields.Field and given.value_kind != "text"


def is_clock(field: Field[Any]) -> bool:
    """Return whether a field holds a day or a time of day, which moments have in a time zone only."""
    return field.value_kind in ("day", "time")


def as_column(compiler: Compiler, value: Valued, field: Field[Any]) -> Any:
    """Return the Core form of an expression as a column takes it: moments become days or times of day there, and the other way round."""
    kind = field.value_kind
    if getattr(value, "conditional", False) and kind != "document":
        return compiler.boolean(value)
    if not isinstance(value, Expression):
        return compiler.process(value)
    given = value.value_kind
    if (given == "moment" and kind in ("day", "time")) or (kind == "moment" and given in ("day", "time")):
        return compiler.process(Cast(value, field))
    if kind == "document" and holds_json(value):
        return document(compiler, value)
    if kind == "document" and (given == "text" or _is_value(value.known_field)):
        return compiler.process(Cast(value, field))
    core = compiler.process(value)
    if kind == "moment":
        core = compiler.words.as_moment(core)
    if isinstance(value, Value) and given == "text" and kind != "text":
        return compiler.words.typed(core, field.column_type)
    return core


class Stored(ExpressionWrapper):
    """An expression as a column takes it, for one that is assigned as a part of another."""

    def as_core(self, compiler: Compiler) -> Any:
        return as_column(compiler, self.expression, self.output_field)

    def as_document(self, compiler: Compiler) -> Any:
        """Return it as the JSON that a column of documents takes it for."""
        return self.as_core(compiler)


class _Several(VendorFunc):
    """A function of two or more values."""

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        if len(expressions) < 2:
            raise ValueError(f"{type(self).__name__} must take at least two expressions")
        super().__init__(*expressions, **extra)

    def as_core(self, compiler: Compiler) -> Any:
        sources = self.get_source_expressions()
        most = compiler.words.arguments_max
        if most is None or len(sources) <= most:
            return super().as_core(compiler)
        grouped = self.copy()
        grouped._output_field = self.known_field
        starts = range(0, len(sources), most)
        groups = [sources[start : start + most] for start in starts]
        grouped.source_expressions = [grouped._of(group) if len(group) > 1 else group[0] for group in groups]
        return grouped.as_core(compiler)

    def _of(self, sources: list[Any]) -> Self:
        """Return the function of other values."""
        part = self.copy()
        part.source_expressions = sources
        return part


class Coalesce(_Several):
    """The first value that is not NULL."""

    function = "COALESCE"
    chooses = True

    @property
    def empty_result_set_value(self) -> Any:
        for source in self._sources():
            if (value := source.empty_result_set_value) is NotImplemented or value is not None:
                return value
        return None


class Collate(Func):
    """The text, to be compared and sorted by a collation of the database."""

    function = "COLLATE"
    allowed_default = False
    _name = re.compile(r"[\w-]+", re.ASCII)

    def __init__(self, expression: object, collation: str) -> None:
        if not (collation and self._name.fullmatch(collation)):
            raise ValueError(f"Invalid collation name: {collation!r}.")
        self.collation = collation
        super().__init__(expression)

    def as_core(self, compiler: Compiler) -> Any:
        name = compiler.dialect.identifier_preparer.quote_identifier(self.collation)
        (source,) = self._sources()
        return template(f"%s COLLATE {name}", compiler.process(source), type_=self.column_type)


class Greatest(_Several):
    """The largest value. With a NULL among them: NULL on SQLite and MySQL, the largest of the others on PostgreSQL."""

    function = "GREATEST"
    keeps_json = False
    spellings: ClassVar[dict[str, dict[str, str]]] = {"sqlite": {"function": "MAX"}}


class Least(_Several):
    """The smallest value. With a NULL among them: NULL on SQLite and MySQL, the smallest of the others on PostgreSQL."""

    function = "LEAST"
    keeps_json = False
    spellings: ClassVar[dict[str, dict[str, str]]] = {"sqlite": {"function": "MIN"}}


class NullIf(Func):
    """NULL where the two are equal, else the first."""

    function = "NULLIF"
    chooses = True
    arity = 2


__all__ = ["Cast", "Coalesce", "Collate", "Greatest", "Least", "NullIf"]
