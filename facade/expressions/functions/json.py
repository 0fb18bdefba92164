"""Functions that make JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade import fields
from facade.expressions.base import Expression, Value
from facade.expressions.calls import Func
from facade.expressions.documents import document, holds_json, refuse_unread
from facade.expressions.functions.vendors import Fixed

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler


class _JSONFunc(Func):
    """A function whose arguments become parts of a document."""

    _output_field = fields.JSONField()

    def as_core(self, compiler: Compiler) -> Any:
        arguments = [_part(compiler, source) for source in self._sources()]
        return compiler.words.json_call(str(self.function), arguments, self.column_type)


def _part(compiler: Compiler, source: Expression) -> Any:
    """Return an argument."""
    if holds_json(source):
        return compiler.words.json_argument(document(compiler, source), "document")
    refuse_unread(source)
    return compiler.words.json_argument(compiler.process(source), source.value_kind)


class JSONArray(_JSONFunc):
    """A JSON array of the values."""

    function = "JSON_ARRAY"


class JSONObject(_JSONFunc):
    """A JSON object: `JSONObject(name="author__name", books=Count("books"))`."""

    function = "JSON_OBJECT"

    def __init__(self, **items: Any) -> None:
        super().__init__(*(part for key, value in items.items() for part in (Fixed(key), value)))


class JSONNull(Value):
    """The null of JSON, which is another thing than NULL: a document that says null, where None is no document.

    >>> updated = Book.objects.filter(title="Trees").update(facts=JSONNull())
    >>> Book.objects.filter(facts=JSONNull()).count(), Book.objects.filter(facts__isnull=True).count()
    (1, 0)
    """

    def __init__(self) -> None:
        super().__init__(None, output_field=fields.JSONField())

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


__all__ = ["JSONArray", "JSONNull", "JSONObject"]
