"""Parts of JSON documents: `F("data__owner__name")`, `KT("data__tags__0")`.

Keys are data: they are bound, never written into SQL. A key of digits is an index of an array, from the end if it is negative.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from facade import fields
from facade.expressions.comparisons import Transform
from facade.expressions.documents import document, holds_json
from facade.fields.declarations import LOOKUP_SEP

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler


INDEX = re.compile(r"-?[0-9]{1,9}")


def checked_key(key: object) -> str:
    """Return a key as text; raise ValueError for one that no document can have."""
    text = str(key)
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"A key of JSON cannot contain NUL or one half of a surrogate pair: {text!r}.")
    return text


class DocumentPart(NamedTuple):
    """A document, in Core's form, and the path that leads to one part of it."""

    document: Any
    keys: tuple[str, ...]


class KeyTransform(Transform):
    """The part of a document behind a key or an index: `KeyTransform("name", "data")`."""

    def __init__(self, key_name: object, *expressions: Any, **extra: Any) -> None:
        super().__init__(*expressions, **extra)
        self.key_name = checked_key(key_name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key_name!r}, {self.lhs!r})"

    def keys(self) -> tuple[str, ...]:
        """Return the keys on the way from the document to the part."""
        before = self.lhs.keys() if isinstance(self.lhs, KeyTransform) else ()
        return (*before, self.key_name)

    def place(self, compiler: Compiler) -> DocumentPart:
        """Return where the part lies."""
        whole = self.lhs
        while isinstance(whole, KeyTransform):
            whole = whole.lhs
        made = document(compiler, whole) if holds_json(whole) else compiler.process(whole)
        return DocumentPart(made, self.keys())

    def as_core(self, compiler: Compiler) -> Any:
        """Return the part as functions of the database use it: on SQLite texts and numbers, not JSON."""
        return compiler.words.json_value(*self.place(compiler), self.output_field.column_type)

    def as_document(self, compiler: Compiler) -> Any:
        """Return the part as JSON."""
        if compiler.words.has_documents:
            return compiler.words.as_document(compiler.process(self))
        return compiler.words.json_part(*self.place(compiler), self.output_field.column_type)


class KeyTransformFactory:
    """What a JSONField answers when it is asked for a transform: any name is a key."""

    def __init__(self, key_name: str) -> None:
        self.key_name = key_name

    def __call__(self, *expressions: Any, **extra: Any) -> KeyTransform:
        return KeyTransform(self.key_name, *expressions, **extra)


fields.JSONField.key_transform.fill(KeyTransformFactory)


class KeyTextTransform(KeyTransform):
    """The part of a document behind a key or an index, as text; the null of JSON is NULL."""

    _output_field = fields.TextField()

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.words.json_text(*self.place(compiler))

    as_document = None  # type: ignore[assignment]  # a text is made JSON as any other

    def get_lookup(self, lookup_name: str) -> Any:
        return self.output_field.get_lookup(lookup_name)

    @classmethod
    def from_lookup(cls, lookup: str) -> KeyTextTransform:
        """Return the transform that a path of names stands for; `KT` is its short name. ValueError without a key.

        >>> KT("data__tags__0")
        KeyTextTransform('0', KeyTextTransform('tags', F(data)))
        """
        transform, *keys = lookup.split(LOOKUP_SEP)
        if not keys:
            raise ValueError("Lookup must contain key or index transforms.")
        expression: Any = transform
        for key in keys:
            expression = cls(key, expression)
        return expression  # type: ignore[no-any-return]


KT = KeyTextTransform.from_lookup
