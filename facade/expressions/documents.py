"""Values as JSON: `document()` is the form in which they are compared with documents, stored in them and read.

SQLite has no type for JSON. There a part of a document has two forms: what its functions work with, the text `x` or the number 5, and
the JSON, `"x"` or `5`, which alone tells the text "5" from the number and the text "true" from the truth value. What a key
is passed through (Coalesce, Case, a subquery, OuterRef) passes the form on that is asked of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.base import Expression, ExpressionWrapper, Value
from facade.expressions.conditional import Case, When
from facade.expressions.references import Outer, Ref
from facade.expressions.subquery import Embedded, Subquery

if TYPE_CHECKING:
    from collections.abc import Iterable

    from facade.expressions.contracts import Compiler, Core


def is_json(expression: object) -> bool:
    """Return whether the values are JSON."""
    return getattr(expression, "value_kind", None) == "document"


def holds_json(expression: object) -> bool:
    """Return whether the values are JSON, or some of them: `Coalesce("data__owner", Value("nobody"))`."""
    if is_json(expression):
        return True
    if not isinstance(expression, Expression) or expression.known_field is not None:
        return False
    return _chooses(expression) and any(map(holds_json, _choice(expression)))


def document(compiler: Compiler, expression: Expression) -> Any:
    """Return a value as JSON, whatever its type."""
    if (own := getattr(expression, "as_document", None)) is not None:
        return own(compiler)
    if (passed := _passed_on(compiler, expression)) is not None:
        return passed
    if is_json(expression):
        return compiler.words.as_document(compiler.process(expression))
    return _made_json(compiler, expression)


def read_form(compiler: Compiler, expression: Expression) -> Any:
    """Return the form in which JSON is read from the database; None where that is the form it is used in."""
    if not is_json(expression):
        return None
    if compiler.words.has_documents:
        mixed = _chooses(expression) and not all(map(is_json, _choice(expression)))
        return _passed_on(compiler, expression) if mixed else None
    own = getattr(expression, "as_document", None)
    return _passed_on(compiler, expression) if own is None else own(compiler)


def as_part(compiler: Compiler, expression: Expression) -> Any:
    """Return a value in the form in which databases sort it: on SQLite a number or a text, on PostgreSQL JSON."""
    if compiler.words.compares_documents:
        return compiler.words.sortable_document(document(compiler, expression))
    if holds_json(expression) and getattr(expression, "keeps_json", True):
        return compiler.words.json_scalar(document(compiler, expression))
    return compiler.words.beside_document(compiler.process(expression), expression.value_kind)


def beside(compiler: Compiler, side: Expression, sides: Iterable[object]) -> Any:
    """Return one of the sides of a comparison in the form in which it can be compared with the others.

    PostgreSQL compares JSON with nothing but JSON; to SQLite's functions the truth of a document is a text, that of a column a number.
    """
    if compiler.words.compares_documents and any(map(holds_json, sides)):
        return document(compiler, side)
    if not compiler.words.has_documents and holds_json(side) and any(map(_is_truth, sides)):
        return as_part(compiler, side)
    return compiler.process(side)


def unknown_if_null(core: Core) -> Any:
    """Return a NULL that Core compares as any other value, which is never true, instead of writing IS NULL."""
    return sa.literal_column("NULL") if isinstance(core, sa.Null) else core


def selected_beside(compiler: Compiler, queryset: Embedded, left: object) -> Any:
    """Return the select of a queryset whose values are compared with `left`."""
    as_json = compiler.words.compares_documents and (holds_json(left) or is_json(queryset))
    return compiler.subquery(queryset, document if as_json else None)


def _is_truth(expression: object) -> bool:
    return getattr(expression, "value_kind", None) == "truth"


AS_IT_IS = sa.Integer()  # a parameter of this type goes to the drivers of SQLite and MySQL unchanged
DOCUMENT = fields.JSONField().column_type


# -- what passes values on ------------------------------------------------------------------------


def _passed_on(compiler: Compiler, expression: Expression) -> Any:
    """Return the JSON of an expression whose values are those of others; None if it makes values of its own."""
    if isinstance(expression, Outer):
        assert compiler.parent is not None
        outer: Any = expression.expression
        return document(compiler.parent, outer)
    if isinstance(expression, Ref):
        source: Any = expression.source
        return None if compiler.comes_from_inside(expression.refs) else document(compiler, source)
    if isinstance(expression, Embedded) and is_json(expression):
        return compiler.subquery(expression, document).scalar_subquery()
    if isinstance(expression, Subquery) and expression.is_plain and is_json(expression):
        return document(compiler, expression.queryset)
    if not holds_json(expression):
        return None
    if _chooses(expression):
        return compiler.process(expression.with_sources(_AsDocument.of))
    if getattr(expression, "keeps_json", False) and expression._output_field is None:
        return compiler.process(expression.with_sources(_AsDocument.of_json))
    return None


def _chooses(expression: object) -> bool:
    return isinstance(expression, (Case, ExpressionWrapper)) or getattr(expression, "chooses", False)


def _choice(expression: Expression) -> list[Any]:
    sources = [source for source in expression.get_source_expressions() if source is not None]
    return [source.result if isinstance(source, When) else source for source in sources]


class _AsDocument(Expression):
    """A value as JSON inside an expression that passes it on."""

    sources = ("expression",)
    conditional = False

    def __init__(self, expression: Expression) -> None:
        super().__init__(fields.JSONField())
        self.expression = expression

    @classmethod
    def of(cls, source: Expression) -> Expression:
        """Return a source as JSON; of a branch, its result."""
        if not isinstance(source, When):
            return cls(source)
        branch = source.copy()
        branch.result = cls(source.result)
        return branch

    @classmethod
    def of_json(cls, source: object) -> object:
        """Return a source as JSON if it is JSON: an offset is not."""
        return cls(source) if isinstance(source, Expression) and holds_json(source) else source

    def as_core(self, compiler: Compiler) -> Any:
        return document(compiler, self.expression)


# -- what is no JSON yet ----------------------------------------------------------------------------

_WRITTEN = ("text", "integer", "float", "truth")  # what an encoder of JSON knows


def json_constant(value: Value, field: object = None) -> Value | None:
    """Return a constant as one that is written as JSON; None where the encoder of `field` does not know its type."""
    given = value._output_field_or_none
    encoder = None if field is None else getattr(field, "encoder", None)
    if value.value is None or not (given is None or encoder or given.value_kind in _WRITTEN):
        return None
    written = value.copy()
    written._output_field = fields.JSONField(encoder=encoder)
    return written


def refuse_unread(expression: Expression) -> None:
    """Raise UnsupportedFeature for a value that is another in the database than it is to Python: JSON would hold the former."""
    field = expression.known_field
    if field is not None and not field.reads_as_stored:
        raise UnsupportedFeature(
            f"{field} cannot be part of JSON: what the database stores is not what {field.column_type!r} makes of it. "
            "Cast it to a field, or put it beside the document."
        )


def _made_json(compiler: Compiler, expression: Expression) -> Any:
    """Return a number, a text, a truth value, ... as JSON."""
    if type(expression) is Value and (constant := json_constant(expression)) is not None:
        return compiler.process(constant)
    refuse_unread(expression)
    truth = bool(getattr(expression, "conditional", False))
    core = compiler.boolean(expression) if truth else compiler.process(expression)
    if isinstance(core, sa.Null):
        return core
    return compiler.words.json_of(core, expression.known_field)
