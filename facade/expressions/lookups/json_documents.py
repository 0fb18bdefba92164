"""Comparisons of JSON documents and of their parts: `filter(data__owner__name="Ada", data__has_key="tags")`.

Documents are equal when their values are, in whatever order their keys stand. On SQLite a function of facade, FACADE_JSON, writes
equal documents as equal texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.sql import operators

from facade import fields
from facade.exceptions import EmptyResultSet, UnsupportedFeature
from facade.expressions.base import Expression, Value
from facade.expressions.comparisons import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Lookup,
    Range,
)
from facade.expressions.documents import (
    AS_IT_IS,
    as_part,
    document,
    is_json,
    json_constant,
    read_form,
    unknown_if_null,
)
from facade.expressions.freezing import Arg, Empty
from facade.expressions.functions.json import JSONNull
from facade.expressions.lookups.json_parts import DocumentPart, KeyTextTransform, KeyTransform, checked_key
from facade.expressions.lookups.patterns import (
    EndsWith,
    IContains,
    IEndsWith,
    IExact,
    IRegex,
    IStartsWith,
    Regex,
    StartsWith,
)
from facade.types.deep_json import read_json
from facade.types.json import json_writer
from facade.types.shared import TEXT, TRUTH

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Compiler, Convert, Core, CoreType, Valued, Words
    from facade.expressions.subquery import Embedded


def _comparable(compiler: Compiler, core: Core) -> Any:
    """Return JSON in the form in which equal values are equal."""
    return unknown_if_null(core) if isinstance(core, sa.Null) else compiler.words.comparable_document(core)


def _compared(compiler: Compiler, expression: Expression) -> Any:
    """Return the values of an expression in the form in which equal values are equal."""
    return _comparable(compiler, document(compiler, expression))


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class JSONExact(Exact):
    """Equality of values; None means the null of JSON."""

    can_use_none_as_rhs = True

    def as_core(self, compiler: Compiler) -> Any:
        left, right = _compared(compiler, self.lhs), _comparable(compiler, self.right(compiler))
        if not isinstance(self.rhs, Arg):
            return left == right
        # What `==` makes of them, without a look at what they are.
        return sa.BinaryExpression(left, right, operators.eq, type_=TRUTH, negate=operators.ne)

    def right(self, compiler: Compiler) -> Any:
        if self.rhs is None:
            return JSONNull().as_core(compiler)
        return (
            _as_json(compiler, self.rhs, self.lhs)
            if isinstance(self.rhs, Expression)
            else super().right(compiler)
        )


def _as_json(compiler: Compiler, expression: Expression, left: Valued) -> Any:
    """Return what `left` is compared with as JSON; constants are written as the field of `left` writes them."""
    if type(expression) is Value and not is_json(expression):
        expression = json_constant(expression, left.known_field) or expression
    return document(compiler, expression)


def _writer(type_: object) -> Callable[[Any], str | None]:
    return json_writer(getattr(type_, "encoder", None), getattr(type_, "label", "A JSON lookup"))


class JSONList(sa.types.TypeDecorator[Any]):
    """A list as one JSON array; on SQLite of texts that can be compared."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, item: CoreType, comparable: bool) -> None:
        super().__init__()
        self.item, self.comparable = item, comparable

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        write = _writer(self.item)
        if not self.comparable:
            return lambda values: f"[{', '.join(str(write(value)) for value in values)}]"
        return lambda values: json.dumps([write(value) for value in values])


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class JSONIn(In):
    """Equality with one of several values."""

    def prepare(self, value: Any) -> Any:
        return [self._prepare_item(item) for item in value if item is not None]

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Empty):
            raise EmptyResultSet
        left = document(compiler, self.lhs)
        if isinstance(self.rhs, Arg):
            return self._in_list(compiler, left, self.rhs)
        return super().as_core(compiler)

    def left(self, compiler: Compiler) -> Any:
        return _compared(compiler, self.lhs)

    def formed(self, compiler: Compiler, side: Expression) -> Any:
        return _comparable(compiler, _as_json(compiler, side, self.lhs))

    def selected(self, compiler: Compiler, queryset: Embedded) -> Any:
        return compiler.subquery(queryset, _compared)

    def _in_list(self, compiler: Compiler, left: Core, arg: Arg) -> Any:
        list_type = JSONList(self.bind_type, comparable=not compiler.words.has_documents)
        return compiler.words.json_in(left, compiler.bind(arg, list_type, self.converter(compiler)))


# -- what a document contains --------------------------------------------------------------------


@fields.JSONField.register_lookup
class DataContains(Lookup):
    """Whether the document contains all that the other one has. Not on SQLite."""

    lookup_name = "contains"

    def as_core(self, compiler: Compiler) -> Any:
        if not compiler.features.supports_json_field_contains:
            raise UnsupportedFeature(
                f"{self.lookup_name} lookup is not supported on this database backend. It is {compiler.features.called}."
            )
        right = self.rhs
        other = document(compiler, right) if isinstance(right, Expression) else self.right(compiler)
        return self._asked(compiler.words, document(compiler, self.lhs), compiler.words.as_document(other))

    def _asked(self, words: Words, left: Core, right: Core) -> Any:
        return words.json_contains(left, right)


@fields.JSONField.register_lookup
class ContainedBy(DataContains):
    """Whether the other document contains all that this one has. Not on SQLite."""

    lookup_name = "contained_by"

    def _asked(self, words: Words, left: Core, right: Core) -> Any:
        return words.json_contained(left, right)


class _KeyLookup(Lookup):
    """A question about the keys of an object."""

    @property
    def bind_type(self) -> Any:
        return TEXT

    def formed(self, compiler: Compiler, side: Expression) -> Any:
        """Return what stands beside the object: a key, which is a text and no document."""
        return compiler.process(side)

    def _object(self, compiler: Compiler) -> DocumentPart:
        """Return the object that is asked about."""
        return (
            self.lhs.place(compiler)
            if isinstance(self.lhs, KeyTransform)
            else DocumentPart(document(compiler, self.lhs), ())
        )


@fields.JSONField.register_lookup
class HasKey(_KeyLookup):
    """Whether the object has a key."""

    lookup_name = "has_key"

    def prepare(self, value: object) -> Any:
        return checked_key(value)

    def as_core(self, compiler: Compiler) -> Any:
        place = self._object(compiler)
        if isinstance(self.rhs, KeyTransform):
            *path, key = self.rhs.keys()
            return compiler.words.has_key(place.document, (*place.keys, *path), key)

        def bind(convert: Convert | None) -> Any:
            if convert is None:
                return self.right(compiler)
            if not isinstance(self.rhs, Arg):
                raise UnsupportedFeature(
                    f"has_key takes no expression on {compiler.features.display_name}, where a key is written as a path: "
                    f"{self.rhs!r}. Give it a text."
                )
            return compiler.bind(self.rhs, TEXT, convert)

        return compiler.words.has_given_key(*place, bind)


class _SeveralKeys(_KeyLookup):
    """A question about several keys of an object."""

    every: ClassVar[bool]

    def prepare(self, value: Any) -> Any:
        return [checked_key(item) for item in value]

    def as_core(self, compiler: Compiler) -> Any:
        return compiler.words.has_keys(*self._object(compiler), partial(self._list, compiler), self.every)

    def _list(self, compiler: Compiler, type_: CoreType) -> Any:
        if isinstance(self.rhs, Arg):
            return compiler.bind(self.rhs, type_)
        keys = [item.key_name if isinstance(item, KeyTransform) else checked_key(item) for item in self.rhs]
        return compiler.literal(keys, type_)


@fields.JSONField.register_lookup
class HasKeys(_SeveralKeys):
    """Whether the object has all of the keys."""

    lookup_name = "has_keys"
    every = True


@fields.JSONField.register_lookup
class HasAnyKeys(_SeveralKeys):
    """Whether the object has one of the keys."""

    lookup_name = "has_any_keys"
    every = False


# -- parts of documents -----------------------------------------------------------------------------


@KeyTransform.register_lookup
class KeyTransformIsNull(IsNull):
    """Whether there is no such part; one that is the null of JSON is there."""

    def left(self, compiler: Compiler) -> Any:
        if compiler.words.has_documents:
            return super().left(compiler)
        return compiler.words.json_presence(*self.lhs.place(compiler))


@fields.JSONField.register_lookup
class JSONIsNull(IsNull):
    """Whether there is no document, which one that is the null of JSON is."""

    def left(self, compiler: Compiler) -> Any:
        made = read_form(compiler, self.lhs)
        return super().left(compiler) if made is None else made


class _KeyOrder(Lookup):
    """A comparison of size."""

    def left(self, compiler: Compiler) -> Any:
        return as_part(compiler, self.lhs)

    def right(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Expression):
            return unknown_if_null(as_part(compiler, self.rhs))
        return self._constant(compiler, lambda value: value)

    def _constant(self, compiler: Compiler, take: Callable[[Any], Any]) -> Any:
        """Return the parameter for what `take` finds in the value on the right."""
        type_, convert = self.bind_type, take
        if not compiler.words.compares_documents:
            write = _writer(type_)
            type_, convert = AS_IT_IS, lambda value: _plain(write(take(value)))
        bound = isinstance(self.rhs, Arg)
        core = (
            compiler.bind(self.rhs, type_, convert) if bound else compiler.literal(convert(self.rhs), type_)
        )
        return compiler.words.sortable_document(compiler.words.as_document(core))


def _plain(text: str | None) -> Any:
    """Return what SQLite makes of a JSON value."""
    value = None if text is None else read_json(text)
    return text if isinstance(value, (dict, list)) else value


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformLt(_KeyOrder, LessThan):
    """Smaller."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformLte(_KeyOrder, LessThanOrEqual):
    """Smaller or equal."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformGt(_KeyOrder, GreaterThan):
    """Larger."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformGte(_KeyOrder, GreaterThanOrEqual):
    """Larger or equal."""


@fields.JSONField.register_lookup
@KeyTransform.register_lookup
class KeyTransformRange(_KeyOrder, Range):
    """Between two others, or equal to one of them."""

    def as_core(self, compiler: Compiler) -> Any:
        if isinstance(self.rhs, Arg):
            ends = [self._constant(compiler, itemgetter(position)) for position in (0, 1)]
        else:
            ends = [unknown_if_null(as_part(compiler, end)) for end in self.rhs]
        return self.left(compiler).between(*ends)


class KeyTransformTextLookupMixin(Lookup):
    """A comparison of the text of a part."""

    def __init__(self, lhs: object, rhs: object = None) -> None:
        if not isinstance(lhs, KeyTransform):
            raise TypeError("Transform should be an instance of KeyTransform in order to use this lookup.")
        super().__init__(KeyTextTransform(lhs.key_name, *lhs.source_expressions, **lhs.extra), rhs)

    def compare(self, left: Core, right: Core, compiler: Compiler) -> Any:
        ignores_case = isinstance(self, IExact) or getattr(self, "ignore_case", False)
        if ignores_case and compiler.words.reads_json_text_exactly:
            left, right = sa.func.lower(left), sa.func.lower(right)
        return super().compare(left, right, compiler)


@KeyTransform.register_lookup
class KeyTransformIExact(KeyTransformTextLookupMixin, IExact):
    """Equality of texts, ignoring case."""

    can_use_none_as_rhs = True

    def as_core(self, compiler: Compiler) -> Any:
        if self.rhs is None:
            return JSONExact(KeyTransform(self.lhs.key_name, self.lhs.lhs), None).as_core(compiler)
        return super().as_core(compiler)


@KeyTransform.register_lookup
class KeyTransformIContains(KeyTransformTextLookupMixin, IContains):
    """Contains a text, ignoring case."""


@KeyTransform.register_lookup
class KeyTransformStartsWith(KeyTransformTextLookupMixin, StartsWith):
    """Begins with a text."""


@KeyTransform.register_lookup
class KeyTransformIStartsWith(KeyTransformTextLookupMixin, IStartsWith):
    """Begins with a text, ignoring case."""


@KeyTransform.register_lookup
class KeyTransformEndsWith(KeyTransformTextLookupMixin, EndsWith):
    """Ends with a text."""


@KeyTransform.register_lookup
class KeyTransformIEndsWith(KeyTransformTextLookupMixin, IEndsWith):
    """Ends with a text, ignoring case."""


@KeyTransform.register_lookup
class KeyTransformRegex(KeyTransformTextLookupMixin, Regex):
    """Matches a regular expression."""


@KeyTransform.register_lookup
class KeyTransformIRegex(KeyTransformTextLookupMixin, IRegex):
    """Matches a regular expression, ignoring case."""


__all__ = [
    "ContainedBy",
    "DataContains",
    "HasAnyKeys",
    "HasKey",
    "HasKeys",
    "JSONExact",
    "JSONIn",
    "KeyTransformTextLookupMixin",
]
