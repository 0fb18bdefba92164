"""Functions that make JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade import fields
from facade.expressions.base import Expression, Value
from facade.expressions.calls import Func
from facade.expressions.documents import document, holds_json
from facade.expressions.functions.vendors import Fixed
from facade.expressions.sqltext.fragments import template

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler


class _JSONFunc(Func):
    """A function whose arguments become parts of a document."""

    _output_field = fields.JSONField()
    _on_postgresql: str

    def as_core(self, compiler: Compiler) -> Any:
        arguments = [_part(compiler, source) for source in self._sources()]
        name = self._on_postgresql if compiler.vendor == "postgresql" else self.function
        return getattr(sa.func, str(name))(*arguments, type_=self.column_type)


def _part(compiler: Compiler, source: Expression) -> Any:
    """Return an argument; SQLite has to be told what is JSON and what is true or false."""
    if holds_json(source):
        core = document(compiler, source)
        return sa.func.json(core) if compiler.vendor == "sqlite" else core
    core = compiler.process(source)
    if compiler.vendor == "sqlite" and source.value_kind == "truth":
        text = "JSON(CASE WHEN %s IS NULL THEN 'null' WHEN %s THEN 'true' ELSE 'false' END)"
        return template(text, core, core)
    if compiler.vendor == "postgresql" and source.value_kind == "text":
        return sa.cast(core, sa.Text())
    return core


class JSONArray(_JSONFunc):
    """A JSON array of the values."""

    function = "JSON_ARRAY"
    _on_postgresql = "jsonb_build_array"


class JSONObject(_JSONFunc):
    """A JSON object: `JSONObject(name="author__name", books=Count("books"))`."""

    function = "JSON_OBJECT"
    _on_postgresql = "jsonb_build_object"

    def __init__(self, **items: Any) -> None:
        super().__init__(*(part for key, value in items.items() for part in (Fixed(key), value)))


class JSONNull(Value):
    """The null of JSON, which is another thing than NULL."""

    def __init__(self) -> None:
        super().__init__(None, output_field=fields.JSONField())

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


__all__ = ["JSONArray", "JSONNull", "JSONObject"]
