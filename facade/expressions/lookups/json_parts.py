"""Parts of JSON documents: `F("data__owner__name")`, `KT("data__tags__0")`.

Keys are data: they are bound, never written into SQL. A key of digits is an index of an array, from the end if it is negative.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.comparisons import Transform
from facade.expressions.documents import as_document, document, holds_json
from facade.expressions.sqltext.fragments import template
from facade.fields.declarations import LOOKUP_SEP

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, CoreType


_INDEX = re.compile(r"-?[0-9]{1,9}")
# Paths of SQLite give wrong answers for quotes, backslashes and whatever JSON may write as an escape.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_]+")


def checked_key(key: object) -> str:
    """Return a key as text; raise ValueError for one that no document can have."""
    text = str(key)
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"A key of JSON cannot contain NUL or one half of a surrogate pair: {text!r}.")
    return text


class Place(NamedTuple):
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

    def place(self, compiler: Compiler) -> Place:
        """Return where the part lies."""
        whole = self.lhs
        while isinstance(whole, KeyTransform):
            whole = whole.lhs
        made = document(compiler, whole) if holds_json(whole) else compiler.process(whole)
        return Place(made, self.keys())

    def as_core(self, compiler: Compiler) -> Any:
        """Return the part as functions of the database use it: on SQLite texts and numbers, not JSON."""
        return _VALUES[compiler.vendor](self.place(compiler), self.output_field.column_type)

    def as_document(self, compiler: Compiler) -> Any:
        """Return the part as JSON."""
        if compiler.vendor != "sqlite":
            return as_document(compiler, compiler.process(self))
        return template("(%s -> %s)", *sqlite_path(self.place(compiler)), type_=self.output_field.column_type)


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
        return _TEXTS[compiler.vendor](self.place(compiler))

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


# -- PostgreSQL ---------------------------------------------------------------------------------


def _text(value: str) -> Any:
    return sa.literal(value, sa.Text())


def postgresql_part(place: Place, type_: CoreType | None, arrow: str = "->") -> Any:
    """Return a part of a document: as jsonb, or as text with the arrow `->>`."""
    document, keys = place
    if not keys:
        return document
    if len(keys) > 1:
        path = sa.literal(list(keys), sa.ARRAY(sa.Text()))
        return template(f"(%s {arrow.replace('-', '#')} %s)", document, path, type_=type_)
    (key,) = keys
    name = sa.literal(int(key), sa.Integer()) if _INDEX.fullmatch(key) else _text(key)
    return template(f"(%s {arrow} %s)", document, name, type_=type_)


# -- SQLite -------------------------------------------------------------------------------------


def sqlite_path(place: Place) -> tuple[Any, Any]:
    """Return a document and a path in it, as a parameter.

    What a path cannot express is looked for among the keys of the object.
    """
    document, path = place.document, "$"
    for key in place.keys:
        if _INDEX.fullmatch(key):
            path += f"[#{key}]" if key.startswith("-") else f"[{int(key)}]"
        elif _PLAIN_KEY.fullmatch(key):
            path += f'."{key}"'
        else:
            document, path = _behind_key(document, path, key), "$"
    return document, _text(path)


def _behind_key(document: object, path: str, key: str) -> Any:
    value = "CASE type WHEN 'text' THEN JSON_QUOTE(value) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
    value += "WHEN 'null' THEN 'null' ELSE value END"
    return template(
        f"(SELECT {value} FROM JSON_EACH(%s, %s) WHERE key = %s)", document, _text(path), _text(key)
    )


def _sqlite_value(place: Place, type_: CoreType) -> Any:
    pair = sqlite_path(place)
    text = "(CASE WHEN JSON_TYPE(%s, %s) IN ('false', 'true', 'null') THEN JSON_TYPE(%s, %s) ELSE JSON_EXTRACT(%s, %s) END)"
    return template(text, *pair, *pair, *pair, type_=type_)


def _sqlite_text(place: Place) -> Any:
    pair = sqlite_path(place)
    text = "(CASE WHEN JSON_TYPE(%s, %s) IN ('false', 'true') THEN JSON_TYPE(%s, %s) "
    text += "ELSE CAST(JSON_EXTRACT(%s, %s) AS TEXT) END)"
    return template(text, *pair, *pair, *pair, type_=sa.Text())


# -- MySQL --------------------------------------------------------------------------------------


def mysql_paths(keys: tuple[str, ...], *names: str) -> list[str]:
    """Return the path to a part, in each form that finds it; `names` are keys at its end that are no indexes.

    MariaDB compares keys as they are written: those of a document may be escaped, as Python's json writes them, or not.
    """
    forms = []
    for ascii_only in (True, False):
        steps = [_mysql_step(key, ascii_only) for key in keys]
        steps += [_mysql_key(name, ascii_only) for name in names]
        forms.append("$" + "".join(steps))
    return forms[:1] if forms[0] == forms[1] else forms


def _mysql_step(key: str, ascii_only: bool) -> str:
    if not _INDEX.fullmatch(key):
        return _mysql_key(key, ascii_only)
    if key.startswith("-"):
        raise UnsupportedFeature(
            "Using negative JSON array indices is not supported on this database backend."
        )
    return f"[{int(key)}]"


def _mysql_key(key: str, ascii_only: bool) -> str:
    return f".{json.dumps(key, ensure_ascii=ascii_only)}"


def mysql_extract(function: str, place: Place, type_: CoreType | None = None) -> Any:
    """Return what a function finds in the part of a document."""
    paths = mysql_paths(place.keys)
    found = [template(f"{function}(%s, %s)", place.document, _text(path), type_=type_) for path in paths]
    return found[0] if len(found) == 1 else template("COALESCE(%s, %s)", *found, type_=type_)


def mysql_part(place: Place, type_: CoreType | None) -> Any:
    return mysql_extract("JSON_EXTRACT", place, type_)


_VALUES: dict[str, Any] = {"postgresql": postgresql_part, "sqlite": _sqlite_value, "mysql": mysql_part}
_TEXTS: dict[str, Any] = {
    "postgresql": lambda place: postgresql_part(place, sa.Text(), "->>"),
    "sqlite": _sqlite_text,
    "mysql": lambda place: template("JSON_UNQUOTE(%s)", mysql_part(place, None), type_=sa.Text()),
}

__all__ = ["KT", "KeyTextTransform", "KeyTransform", "KeyTransformFactory"]
